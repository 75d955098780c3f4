"""Index versions: built aside, checked, published at once, rolled back; nothing half-made is ever served."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from bot import database, knowledge
from bot.errors import InvalidInput, NotFound
from bot.models.knowledge import QA
from bot.settings import Settings
from index.search.retriever import FEATURES
from index.versions import build, store
from index.versions.store import IndexDamaged, IndexReader, IndexUnavailable
from training.fit import calibration_for

_CONTEXT = multiprocessing.get_context("fork")


def qa(number: int, question: str) -> QA:
    return QA(
        id=f"t-{number:03}",
        matter="测试事项",
        question=question,
        answer=f"{question}的答案。",
        similar=[f"{question}呢", f"请教{question}"],
        sources=[],
        guides=[],
        related=[],
        themes=[],
        audience="个人",
        region="100000",
        status="draft",
        revision=0,
    )


@pytest.fixture
def known(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A small knowledge base; without vectors, so that building takes a moment only."""
    with database.write() as session:
        knowledge.upsert(session, [qa(n, text) for n, text in enumerate(["怎么办鱼证", "怎么退水费", "路灯坏了找谁"])])
    return sqlite_db.model_copy(update={"dense": False})


def build_and_publish(settings: Settings) -> str:
    version = build.build(settings, calibration_for)
    store.publish(settings, version)
    return version


def first(reader: IndexReader, query: str) -> str:
    found = reader.get().retriever.candidates(query)
    return max(found, key=lambda candidate: candidate.features[0]).item.id


def test_a_published_version_serves_and_a_newer_one_is_picked_up_without_restart(known: Settings) -> None:
    build_and_publish(known)
    reader = IndexReader(known)
    assert first(reader, "路灯坏了") == "t-002"
    assert reader.lag() == 0
    with database.write() as session:
        knowledge.upsert(session, [qa(9, "养蜂要登记吗")])
    assert reader.lag() == 1
    newer = build_and_publish(known)
    assert reader.get().version == newer and reader.lag() == 0
    assert first(reader, "养蜂登记") == "t-009"


def test_rollback_goes_back_and_forth(known: Settings) -> None:
    one, two = build_and_publish(known), build_and_publish(known)
    reader = IndexReader(known)
    assert reader.get().version == two
    assert store.rollback(known) == one
    assert reader.get().version == one
    assert store.rollback(known) == two


def test_without_an_earlier_version_there_is_no_rollback(known: Settings) -> None:
    build_and_publish(known)
    with pytest.raises(NotFound, match="没有更早"):
        store.rollback(known)


def test_without_any_version_the_reader_says_so(known: Settings) -> None:
    with pytest.raises(IndexUnavailable, match="还没有发布过"):
        IndexReader(known).get()


def test_an_empty_knowledge_base_builds_nothing(sqlite_db: Settings) -> None:
    with pytest.raises(InvalidInput, match="知识库是空的"):
        build.build(sqlite_db.model_copy(update={"dense": False}), calibration_for)


def _damage_bytes(folder: Path) -> None:
    target = next(path for path in sorted(folder.rglob("*.npy")))
    content = bytearray(target.read_bytes())
    content[-1] ^= 0xFF
    target.write_bytes(content)


def _cut_short(folder: Path) -> None:
    (folder / "items.json").write_bytes((folder / "items.json").read_bytes()[:-10])


def _lose_a_file(folder: Path) -> None:
    (folder / "calibration.json").unlink()


def _spoil_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text("{", encoding="utf-8")


@pytest.mark.parametrize("damage", [_damage_bytes, _cut_short, _lose_a_file, _spoil_manifest])
def test_a_damaged_version_is_refused_and_the_one_before_goes_on(
    known: Settings, damage: Callable[[Path], None]
) -> None:
    good = build_and_publish(known)
    reader = IndexReader(known)
    assert reader.get().version == good
    bad = build.build(known, calibration_for)
    damage(known.index_dir / bad)
    with pytest.raises((IndexDamaged, NotFound)):
        store.publish(known, bad)
    # Damaged after it was published: a running reader keeps the old one, a fresh one takes the one before.
    (known.index_dir / "CURRENT").write_text(json.dumps({"version": bad, "previous": good}), encoding="utf-8")
    assert reader.get().version == good and reader.error
    fresh = IndexReader(known)
    assert fresh.get().version == good and fresh.error
    assert first(fresh, "路灯坏了") == "t-002"


def test_a_version_name_cannot_leave_the_folder(known: Settings) -> None:
    build_and_publish(known)
    for name in ("../x", "..", "", "nonsense"):
        with pytest.raises(NotFound):
            store.publish(known, name)


def test_a_full_disk_while_building_leaves_nothing(known: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    good = build_and_publish(known)

    def full(name: str) -> None:
        if name == "files written":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "step", full)
    with pytest.raises(OSError, match="No space left"):
        build.build(known, calibration_for)
    assert [m["version"] for m in store.versions(known)] == [good]
    assert not list(known.index_dir.glob(".building-*"))


def test_a_full_disk_while_publishing_keeps_the_old_one(known: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    good, next_ = build_and_publish(known), build.build(known, calibration_for)

    def full(name: str) -> None:
        if name == "pointer written":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "step", full)
    with pytest.raises(OSError, match="No space left"):
        store.publish(known, next_)
    assert IndexReader(known).get().version == good
    assert not list(known.index_dir.glob(".CURRENT-*"))


_STEPS = ("files written", "manifest written", "checked", "renamed", "pointer written", "published")


def _die_at(settings: Settings, name: str) -> None:
    def die(reached: str) -> None:
        if reached == name:
            os.kill(os.getpid(), signal.SIGKILL)

    store.step = die
    store.publish(settings, build.build(settings, calibration_for))


@pytest.mark.parametrize("name", _STEPS)
def test_kill_9_at_every_step_leaves_a_sound_version_in_use(known: Settings, name: str) -> None:
    good = build_and_publish(known)
    database.reset_engine()  # a forked process must not share our connections
    process = _CONTEXT.Process(target=_die_at, args=(known, name))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    reader = IndexReader(known)
    in_use = reader.get().version
    assert reader.error is None and first(reader, "路灯坏了") == "t-002"
    assert (in_use == good) == (name != "published")
    build_and_publish(known)
    assert not list(known.index_dir.glob(".building-*"))


def test_only_some_versions_are_kept(known: Settings) -> None:
    for _ in range(store.KEEP + 3):
        build_and_publish(known)
    assert len(store.versions(known)) == store.KEEP


def test_switching_vectors_off_is_felt(known: Settings) -> None:
    """The vectors are real: without them candidates lose a feature and gain another calibration."""
    with_vectors = known.model_copy(update={"dense": True})
    build_and_publish(with_vectors)
    dense, lexical = IndexReader(with_vectors).get(), IndexReader(known).get()
    column = FEATURES.index("dense")
    assert any(candidate.features[column] != 0 for candidate in dense.retriever.candidates("路灯不亮"))
    assert all(candidate.features[column] == 0 for candidate in lexical.retriever.candidates("路灯不亮"))
    assert dense.calibration != lexical.calibration
