"""Bundles: several indices in memory, what is in use is registered, one is switched for another, whatever dies meanwhile."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from bot import database, knowledge, releases
from bot.clock import utcnow
from bot.errors import IllegalMove, NotFound
from bot.models.releases import Bundle, ReleaseStep
from bot.releases import files, pointer, switching
from bot.releases.files import BundleDamaged
from bot.settings import Settings
from index.versions import adopting, build, holding, store
from index.versions.store import IndexReader
from training.fit import calibration_for

from .test_versions import first, qa

_CONTEXT = multiprocessing.get_context("fork")


def _known(settings: Settings) -> Settings:
    """A small knowledge base; without vectors, so that building takes a moment only."""
    with database.write() as session:
        knowledge.upsert(session, [qa(n, text) for n, text in enumerate(["怎么办鱼证", "怎么退水费", "路灯坏了找谁"])])
    return settings.model_copy(update={"dense": False, "rasa_port": 5005, "rasa_spare_ports": "5006,5007"})


@pytest.fixture
def known(sqlite_db: Settings) -> Settings:
    return _known(sqlite_db)


@pytest.fixture
def known_to_both(db: Settings) -> Settings:
    return _known(db)


def an_index(settings: Settings, *, publish: bool = False) -> str:
    version = build.build(settings, calibration_for)
    if publish:
        store.publish(settings, version)
    return version


def a_model(settings: Settings, name: str) -> Path:
    """To us a Rasa model is a file with a checksum."""
    path = files.model_file(settings, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(name.encode())
    return path


def released(settings: Settings) -> str:
    """The first start: what is in use is the live bundle."""
    an_index(settings, publish=True)
    name = adopting.adopt(settings, a_model(settings, "rasa-one"))
    assert name is not None
    return name


def a_bundle(settings: Settings, model: str = "rasa-two", state: str = "built") -> str:
    """One that was made, as training makes them."""
    a_model(settings, model)
    manifest = adopting.describe(settings, an_index(settings), model, {}, kind="model")
    files.write(settings, manifest, {})
    with database.write() as session:
        session.add(bundle := files.row(manifest, "passed", "2001"))
        session.flush()
        if state in releases.STATES and state != "built":
            switching.hold(session, settings, bundle, state, utcnow())
    return manifest.name


def make_live(settings: Settings, name: str, former: str = "previous") -> None:
    switching.make_live(settings, name, by="2001", move="all", why="试", figures={"n": 1}, former=former)


def standing(settings: Settings) -> dict[str, tuple[str, int | None]]:
    with database.read() as session:
        return {one.name: (one.state, one.rasa_port) for one in session.scalars(select(Bundle))}


def index_of(name: str) -> str:
    with database.read() as session:
        return session.get_one(Bundle, name).index_version


def test_what_is_in_use_becomes_the_live_bundle_once(known: Settings) -> None:
    name = released(known)
    assert standing(known) == {name: ("live", 5005)}
    manifest = files.verify(known, name)
    assert (manifest.kind, manifest.index, manifest.rasa["model"]) == ("start", store.pointer(known)[0], "rasa-one")
    assert manifest.limits["answer_at"] == IndexReader(known).get().calibration.answer_at
    assert manifest.code == files.code() and len(manifest.code["engine"]) == 64
    assert pointer.read(known).bundle == name
    assert adopting.adopt(known, files.model_file(known, "rasa-one")) == adopting.adopt(known) == name
    with database.read() as session:
        (step,) = session.scalars(select(ReleaseStep)).all()
    assert (step.bundle, step.before, step.after) == (name, "built", "live")


def test_without_a_model_and_without_a_bundle_there_is_nothing_to_register(known: Settings) -> None:
    an_index(known, publish=True)
    assert adopting.adopt(known) is None and standing(known) == {}


def test_what_is_put_to_use_by_hand_becomes_a_bundle_and_goes_back_to_the_one_it_was(known_to_both: Settings) -> None:
    known = known_to_both
    one = released(known)
    an_index(known, publish=True)
    two = adopting.adopt(known)
    assert two is not None and two != one
    assert standing(known) == {one: ("previous", 5005), two: ("live", 5005)}, (
        "they share a model, so they share its Rasa"
    )
    store.rollback(known)
    assert adopting.adopt(known) == one, "it is not registered once more"
    assert standing(known) == {one: ("live", 5005), two: ("previous", 5005)}
    other = adopting.adopt(known, a_model(known, "rasa-two"))
    assert other not in (one, two) and standing(known)[str(other)] == ("live", 5006)
    assert {name: state for name, (state, _) in standing(known).items()} == {
        one: "previous",
        two: "kept",
        other: "live",
    }


def test_files_that_are_not_what_the_manifest_says_are_never_made_live(known: Settings) -> None:
    one, two = released(known), a_bundle(known)
    for spoil in (
        files.model_file(known, "rasa-two"),
        known.index_dir / index_of(two) / "items.json",
        files.folder(known, two) / files.MANIFEST,
    ):
        whole = spoil.read_bytes()
        spoil.write_bytes(whole[:-3])
        with pytest.raises(BundleDamaged):
            make_live(known, two)
        with pytest.raises(BundleDamaged), database.write() as session:
            switching.hold(session, known, session.get_one(Bundle, two), "shadow", utcnow())
        spoil.write_bytes(whole)
    shutil.move(files.folder(known, two), known.data_dir / "elsewhere")
    with pytest.raises(NotFound):
        make_live(known, two)
    assert standing(known) == {one: ("live", 5005), two: ("passed", None)}


def test_ports_one_for_each_model_and_none_where_there_are_no_more(known: Settings) -> None:
    one = released(known)
    two, three, four = (a_bundle(known, model, "shadow") for model in ("rasa-two", "rasa-one", "rasa-three"))
    assert [standing(known)[name][1] for name in (one, two, three, four)] == [5005, 5006, 5005, 5007]
    five = a_bundle(known, "rasa-four", "shadow")
    assert standing(known)[five] == ("shadow", None)
    make_live(known, five)
    assert standing(known)[five] == ("live", None), "nobody is thrown out: the gateway answers by itself"
    with database.write() as session:
        switching.hold(session, known, session.get_one(Bundle, two), "stopped", utcnow())
    assert standing(known)[two] == ("stopped", None) and standing(known)[five] == ("live", 5006)
    with database.write() as session:
        switching.ports(session, known, anew=True)
    assert standing(known)[five] == ("live", 5005), "at a start the live one has the first port"
    with database.write() as session:
        switching.ports(session, known.model_copy(update={"rasa_spare_ports": ""}))
    assert [port for _, port in standing(known).values() if port not in (None, 5005)] == []


def test_the_switch_and_back(known_to_both: Settings) -> None:
    known = known_to_both
    one, two = released(known), a_bundle(known)
    make_live(known, two)
    assert standing(known) == {one: ("previous", 5005), two: ("live", 5006)}
    assert pointer.read(known) == pointer.Pointer(index_of(two), index_of(one), two)
    with pytest.raises(IllegalMove):
        make_live(known, two)
    with database.read() as session:
        warm = session.get_one(Bundle, one).warm_until
    assert warm is not None and timedelta(hours=23) < warm - utcnow() <= timedelta(hours=24)
    make_live(known, one, former="stopped")
    assert standing(known) == {one: ("live", 5005), two: ("stopped", None)}
    assert pointer.read(known).version == index_of(one)
    make_live(known, two)
    with database.write() as session:
        assert switching.to_kept(session, known, utcnow() + timedelta(hours=23)) == []
        assert switching.to_kept(session, known, utcnow() + timedelta(hours=25)) == [one]
    assert standing(known) == {one: ("kept", None), two: ("live", 5006)}
    with database.read() as session:
        steps = session.execute(select(ReleaseStep.bundle, ReleaseStep.after).order_by(ReleaseStep.id)).all()
    assert [after for name, after in steps if name == one] == ["live", "previous", "live", "previous", "kept"]


def test_two_who_switch_at_once_leave_one_live(known_to_both: Settings) -> None:
    known = known_to_both
    released(known)
    names = [a_bundle(known) for _ in range(3)]
    for _ in range(3):
        threads = [threading.Thread(target=_switched, args=(known, name)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        states = [state for state, _ in standing(known).values()]
        assert states.count("live") == 1 and states.count("previous") == 1
        holding.look(IndexReader(known), known)
        with database.read() as session:
            live = releases.serving(session).live
        assert live is not None and pointer.read(known).bundle == live.name


def _switched(settings: Settings, name: str) -> None:
    with contextlib.suppress(IllegalMove):  # it was live already
        make_live(settings, name)


# --- in memory -------------------------------------------------------------------------------------------------------


def test_several_versions_are_in_memory_and_what_is_held_no_more_is_dropped(known: Settings) -> None:
    one, two = released(known), a_bundle(known, state="shadow")
    reader = IndexReader(known)
    holding.look(reader, known)
    assert reader.standing() == {index_of(one): None, index_of(two): None}
    assert [reader.get(index_of(name)).version for name in (one, two)] == [index_of(one), index_of(two)]
    assert reader.get().version == index_of(one) and first(reader, "路灯坏了") == "t-002"
    make_live(known, two)
    assert reader.get().version == index_of(one), "whoever asks loads nothing"
    before = reader.get(index_of(two))
    holding.look(reader, known)
    assert reader.get() is before, "it was in memory already"
    assert reader.get(index_of(one)).version == index_of(one)
    with database.write() as session:
        switching.hold(session, known, session.get_one(Bundle, one), "kept", utcnow())
    holding.look(reader, known)
    assert reader.standing() == {index_of(two): None}
    assert reader.get(index_of(one)).version == index_of(two), "the one in use answers for it"


def test_a_new_version_is_loaded_beside_and_nobody_waits_for_it(
    known: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = released(known)
    reader = IndexReader(known)
    holding.look(reader, known)
    loading, go_on, load = threading.Event(), threading.Event(), store.load

    def slow(*arguments: object) -> object:
        loading.set()
        assert go_on.wait(30)
        return load(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "load", slow)
    newer = an_index(known, publish=True)
    look = threading.Thread(target=holding.look, args=(reader, known))
    look.start()
    assert loading.wait(30)
    began = time.monotonic()
    assert reader.get().version == reader.get(newer).version == reader.get(index_of(one)).version == index_of(one)
    assert time.monotonic() - began < 1
    go_on.set()
    look.join(30)
    assert reader.get().version == newer


def test_one_that_cannot_be_loaded_is_answered_for_and_said(known: Settings) -> None:
    one, two = released(known), a_bundle(known, state="shadow")
    (known.index_dir / index_of(two) / "items.json").write_text("[]", encoding="utf-8")
    reader = IndexReader(known)
    holding.look(reader, known)
    assert reader.get(index_of(two)).version == index_of(one)
    assert "已损坏" in str(reader.standing()[index_of(two)])
    with pytest.raises(store.IndexDamaged):
        IndexReader(known).get(index_of(two))  # whoever only looks at it must not be given another


def test_encoders_are_shared(known: Settings) -> None:
    dense = known.model_copy(update={"dense": True})
    one, two = an_index(dense, publish=True), an_index(dense)
    reader = IndexReader(dense)
    reader.hold({one, two})
    assert reader.get(one) is not reader.get(two)
    assert reader.get(one).retriever.encoder is reader.get(two).retriever.encoder is not None


def test_versions_that_bundles_name_are_not_deleted(known: Settings) -> None:
    one = released(known)
    kept = a_bundle(known)
    for _ in range(store.KEEP + 2):
        an_index(known, publish=True)
    there = {manifest["version"] for manifest in store.versions(known)}
    assert {index_of(one), index_of(kept)} <= there and len(there) <= store.KEEP + 2
    files.verify(known, one)


# --- somebody is killed ----------------------------------------------------------------------------------------------


def _die_at(settings: Settings, name: str, work: Callable[[], object]) -> None:
    def die(reached: str) -> None:
        if reached == name:
            os.kill(os.getpid(), signal.SIGKILL)

    switching.step = die
    work()


def killed_at(settings: Settings, name: str, work: Callable[[], object]) -> None:
    database.reset_engine()  # a forked process must not share our connections
    process = _CONTEXT.Process(target=_die_at, args=(settings, name, work))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


def _restarted(settings: Settings) -> None:
    adopting.adopt(settings, files.model_file(settings, "rasa-one"))


def _looked(settings: Settings) -> None:
    holding.look(IndexReader(settings), settings)


@pytest.mark.parametrize("goes_on", [_restarted, _looked])
@pytest.mark.parametrize("step", ["verified", "rows written", "committed", "pointer written", "pointed"])
def test_kill_9_in_the_midst_of_a_switch_leaves_one_or_the_other(
    known: Settings, step: str, goes_on: Callable[[Settings], None]
) -> None:
    one, two = released(known), a_bundle(known, "rasa-one")
    killed_at(known, step, lambda: make_live(known, two))
    goes_on(known)
    with database.read() as session:
        live = releases.serving(session).live
    assert live is not None
    assert live.name == (one if step in ("verified", "rows written") else two)
    assert (pointer.read(known).version, pointer.read(known).bundle) == (live.index_version, live.name)
    assert IndexReader(known).get().version == live.index_version
    assert len(standing(known)) == 2, "nobody took it for something that was put to use by hand"
    make_live(known, one if live.name == two else two)


@pytest.mark.parametrize("step", ["adopted", "adoption committed", "pointer written"])
def test_kill_9_while_something_is_registered_leaves_it_to_the_next_start(known: Settings, step: str) -> None:
    one = released(known)
    newer = an_index(known, publish=True)
    killed_at(known, step, lambda: adopting.adopt(known))
    _restarted(known)
    with database.read() as session:
        live = releases.serving(session).live
    assert live is not None and live.index_version == newer and live.name != one
    assert pointer.read(known).bundle == live.name
    files.verify(known, live.name)
    assert sorted(state for state, _ in standing(known).values()) == ["live", "previous"]


def test_a_release_takes_the_place_of_what_was_put_to_use_by_hand_and_not_registered(known: Settings) -> None:
    released(known)
    two = a_bundle(known, "rasa-one")
    an_index(known, publish=True)  # and the command was killed before it registered it
    killed_at(known, "committed", lambda: make_live(known, two))
    _restarted(known)
    assert pointer.read(known).bundle == two and standing(known)[two][0] == "live"


def test_a_pointer_that_is_gone_is_written_again(known: Settings) -> None:
    one = released(known)
    (known.index_dir / "CURRENT").write_text(json.dumps("nonsense"), encoding="utf-8")
    _looked(known)
    assert pointer.read(known) == pointer.Pointer(index_of(one), None, one)
