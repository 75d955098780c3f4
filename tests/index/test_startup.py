"""What a start does about the index: in production nothing, as long as the version in use can be read; else it says what it did."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from bot import database, knowledge, notices
from bot.errors import YihaodaError
from bot.releases.files import checksum
from bot.settings import Settings
from index.encoder import BUNDLED, Encoder, encoder_checksum
from index.search.ranking import Calibration
from index.versions import build, startup, store
from index.versions.calibrations import shipped
from index.versions.store import IndexDamaged, IndexReader
from tests.index.test_versions import build_and_publish, first, qa
from training.fit import calibration_for

_CONTEXT = multiprocessing.get_context("fork")
OURS = encoder_checksum(None)


@pytest.fixture
def known(sqlite_db: Settings) -> Settings:
    """Three items in production, one of them never published; without vectors."""
    with database.write() as session:
        for number, text in enumerate(["怎么办鱼证", "怎么退水费", "路灯坏了找谁"]):
            knowledge.upsert(session, [qa(number, text)])
        for id_ in ("t-000", "t-002"):
            knowledge.approve(session, id_, "王审核")
        knowledge.pause(session, "t-000", "王审核")
    return sqlite_db.model_copy(update={"dense": False, "env": "production"})


class Start:
    """A start of the service; what it said and built."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.said: list[str] = []
        self.built: list[str] = []
        startup.ready(settings, self._build, self.said.append)

    def _build(self, of: Literal["all", "approved"]) -> None:
        self.built.append(of)
        version = build.build(self.settings, calibration_for, approved_only=of == "approved")
        store.publish(self.settings, version)
        startup.published(self.settings)


def said_to_people() -> list[str]:
    with database.read() as session:
        return notices.texts(session)


def manifest(settings: Settings, version: str, **changes: object) -> None:
    path = settings.index_dir / version / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


def test_the_first_start_builds_and_the_next_ones_publish_nothing_whatever_was_changed(known: Settings) -> None:
    assert Start(known).built == ["all"]
    current, _ = store.pointer(known)
    with database.write() as session:
        knowledge.upsert(session, [qa(9, "养蜂要登记吗")])
    again = Start(known)
    assert (again.built, again.said, said_to_people()) == ([], [], [])
    assert store.pointer(known) == (current, None)
    assert Start(known.model_copy(update={"env": "development"})).built == ["all"], "in development it goes along"


def test_another_calibration_is_told_and_not_put_to_use(known: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    version = build_and_publish(known)
    own = shipped("")
    assert own is not None
    other = replace(own, answer_at=0.5, ranker=replace(own.ranker, bias=own.ranker.bias + 1))
    monkeypatch.setattr(store, "shipped", lambda encoder: other)
    started = Start(known)
    assert started.built == [] and store.pointer(known)[0] == version
    (told,) = said_to_people()
    assert started.said == [told]
    assert version in told and f"直接作答的界限是 {own.answer_at:g}，随程序附带的是 0.5" in told
    assert "排序的权重" in told and "把握的权重" not in told and "yihaoda index build --publish" in told
    assert IndexReader(known).get().calibration == own
    store.publish(known, build.build(known, lambda encoder: other))
    startup.published(known)
    assert said_to_people() == []


def _format_of_long_ago(settings: Settings, version: str) -> None:
    manifest(settings, version, format=1)


def _damaged(settings: Settings, version: str) -> None:
    (settings.index_dir / version / "items.json").write_text("[]", encoding="utf-8")


def _gone(settings: Settings, version: str) -> None:
    shutil.rmtree(settings.index_dir / version)


def _another_calibration_s_features(settings: Settings, version: str) -> None:
    folder = settings.index_dir / version
    raw = json.loads((folder / "calibration.json").read_text(encoding="utf-8"))
    raw["ranker"]["weights"].pop()
    (folder / "calibration.json").write_text(json.dumps(raw), encoding="utf-8")
    files = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    manifest(settings, version, files=files | {"calibration.json": checksum(folder / "calibration.json")})


@pytest.mark.parametrize("spoil", [_format_of_long_ago, _damaged, _gone, _another_calibration_s_features])
def test_what_cannot_be_read_is_built_anew_from_what_was_published_and_said(
    known: Settings, spoil: Callable[[Settings, str], None]
) -> None:
    old = build_and_publish(known)
    spoil(known, old)
    assert store.unreadable(known) is not None
    started = Start(known)
    assert started.built == ["approved"]
    reader = IndexReader(known)
    assert reader.get().version != old and reader.error is None
    assert {item.id for item in reader.get().retriever.items} == {"t-000", "t-002"}, (
        "no draft, and what is paused stays"
    )
    (told,) = said_to_people()
    assert old in told and "发布过的问答" in told
    assert (known.index_dir / old).is_dir() == (spoil is not _gone), "it stays for the old program"
    assert Start(known).built == [] and said_to_people() == [told], "until a person has seen to it"
    build_and_publish(known)
    startup.published(known)
    assert said_to_people() == []


def test_where_nothing_was_published_it_is_built_from_all(known: Settings) -> None:
    with database.write() as session:
        for row in knowledge.all_qas(session):
            session.delete(row)
        knowledge.upsert(session, [qa(5, "养蜂要登记吗")])
    _format_of_long_ago(known, build_and_publish(known))
    assert Start(known).built == ["approved"]
    assert {item.id for item in IndexReader(known).get().retriever.items} == {"t-005"}


def test_the_format_before_is_read(known: Settings) -> None:
    version = build_and_publish(known)
    manifest(known, version, format=2)
    assert store.unreadable(known) is None
    assert first(IndexReader(known), "路灯坏了") == "t-002"
    started = Start(known)
    assert started.built == [] and "格式是 2" in said_to_people()[0]


# --- the encoder -----------------------------------------------------------------------------------------------------


def _calibrate(encoder: Encoder | None) -> Calibration:
    """The bundled encoder's, for a copy of it that goes by another checksum."""
    own = shipped(OURS)
    assert own is not None and encoder is not None
    return replace(own, encoder=encoder.checksum)


@pytest.fixture
def other(known: Settings, tmp_path: Path) -> Settings:
    """An encoder that is not the bundled one, though it gives the same vectors."""
    folder = tmp_path / "other"
    shutil.copytree(BUNDLED, folder)
    (folder / "more.bin").write_bytes(b"1")
    return known.model_copy(update={"dense": True, "encoder": str(folder)})


def test_code_that_comes_with_another_encoder_goes_on_reading_the_version_in_use(other: Settings) -> None:
    version = build.build(other, _calibrate)
    store.publish(other, version)
    theirs = encoder_checksum(other.encoder)
    assert theirs != OURS and (other.index_dir / store.ENCODERS / theirs).is_dir()
    shutil.rmtree(other.encoder)
    new = other.model_copy(update={"encoder": ""})
    assert store.unreadable(new) is None
    loaded = IndexReader(new).get()
    assert (loaded.version, loaded.retriever.encoder is not None) == (version, True)
    assert loaded.retriever.encoder is not None and loaded.retriever.encoder.checksum == theirs
    assert first(IndexReader(new), "路灯坏了") == "t-002"
    started = Start(new)
    assert started.built == []
    assert f"句向量模型是 {theirs[:8]}，现在设置的是 {OURS[:8]}" in said_to_people()[0]
    for _ in range(store.KEEP + 1):
        build_and_publish(new)
    assert [path.name for path in (new.index_dir / store.ENCODERS).iterdir()] == [OURS], "kept as long as it is named"


def test_an_encoder_that_is_nowhere_is_told_before_anything_is_published(other: Settings) -> None:
    good = build_and_publish(other.model_copy(update={"encoder": ""}))
    version = build.build(other, _calibrate)
    shutil.rmtree(other.encoder)
    with pytest.raises(IndexDamaged, match="句向量模型"):
        store.publish(other.model_copy(update={"encoder": ""}), version)
    assert store.pointer(other)[0] == good


def test_a_kept_encoder_that_is_damaged_is_not_used(other: Settings) -> None:
    store.publish(other, build.build(other, _calibrate))
    (kept,) = (other.index_dir / store.ENCODERS).iterdir()
    (kept / "more.bin").write_bytes(b"2")
    shutil.rmtree(other.encoder)
    new = other.model_copy(update={"encoder": ""})
    assert "句向量模型" in (store.unreadable(new) or "")
    with pytest.raises(YihaodaError):
        IndexReader(new).get()
    assert Start(new).built == ["approved"]
    assert first(IndexReader(new), "路灯坏了") == "t-002"


def _die_at(settings: Settings, version: str, name: str) -> None:
    def die(reached: str) -> None:
        if reached == name:
            os.kill(os.getpid(), signal.SIGKILL)

    store.step = die
    store.publish(settings, version)


@pytest.mark.parametrize("name", ["encoder copied", "encoder kept", "pointer written", "published"])
def test_kill_9_while_the_encoder_is_kept_leaves_the_old_version_in_use(other: Settings, name: str) -> None:
    before = other.model_copy(update={"dense": False})
    good = build_and_publish(before)
    version = build.build(other, _calibrate)
    database.reset_engine()  # a forked process must not share our connections
    process = _CONTEXT.Process(target=_die_at, args=(other, version, name))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    in_use = version if name == "published" else good
    assert IndexReader(other).get().version == in_use
    assert first(IndexReader(other), "路灯坏了") == "t-002"
    store.publish(other, version)
    shutil.rmtree(other.encoder)
    assert IndexReader(other.model_copy(update={"encoder": ""})).get().version == version
    assert [path.name for path in (other.index_dir / store.ENCODERS).iterdir()] == [
        json.loads((other.index_dir / version / "manifest.json").read_text(encoding="utf-8"))["encoder"]["checksum"]
    ]
