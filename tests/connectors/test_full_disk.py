"""Commands on a full disk: a plain sentence, an exit code, and nothing half-made.

Twice: with the system's limit on a file's size, which stops a write as a full disk does, and is there for anybody; and on a
small file system that is full, where we may mount one.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import forget
from sqlalchemy.exc import OperationalError

from bot import database, disk, knowledge
from bot.errors import StoreBusy
from bot.settings import Settings, get_settings
from connectors.terminal.cli import main
from index.versions import build
from tests.index.test_versions import qa
from training.fit import calibration_for

_CONTEXT = multiprocessing.get_context("fork")


def _run(argv: list[str], out: int, error: int, before: Callable[[], None]) -> None:
    os.dup2(out, 1)
    os.dup2(error, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    database.reset_engine()
    before()
    main(argv)


def command(
    *argv: str, before: Callable[[], None] = lambda: None, out: int | None = None, error: int | None = None
) -> tuple[int | None, str]:
    """Exit code and what the person at the terminal sees, where neither output goes elsewhere."""
    reader, writer = os.pipe()
    arguments = (list(argv), writer if out is None else out, writer if error is None else error, before)
    process = _CONTEXT.Process(target=_run, args=arguments)
    process.start()
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as said:
        text = said.read().strip()
    process.join(120)
    return process.exitcode, text


def limit(size: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def limit_on_the_index(size: int) -> Callable[[], None]:
    """Not before the index is written: the database's files are larger."""

    def before() -> None:
        build._sweep = lambda _folder: limit(size)()

    return before


@pytest.fixture
def known(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    monkeypatch.setenv("YIHAODA_DENSE", "false")
    monkeypatch.setenv("COLUMNS", "200")
    forget()
    with database.write() as session:
        knowledge.upsert(session, [qa(n, f"第{n}种鱼证怎么办") for n in range(100)])
    database.reset_engine()
    yield get_settings()


def is_a_sentence(said: str) -> bool:
    return "出错了：" in said and said.endswith("。") and "Traceback" not in said and "Error" not in said


@pytest.mark.parametrize(
    "size", [0, 8_000, pytest.param(2_000, marks=pytest.mark.full), pytest.param(20_000, marks=pytest.mark.full)]
)
def test_an_index_that_finds_no_room_is_a_sentence(known: Settings, size: int) -> None:
    """The first file can't be written, or one of them (JSON, arrays) is cut off."""
    code, said = command("index", "build", "--publish", before=limit_on_the_index(size))
    assert code == 1 and is_a_sentence(said), said
    assert "写不进去" in said
    assert list(known.index_dir.iterdir()) == []


def test_a_backup_that_finds_no_room_is_a_sentence(known: Settings, tmp_path: Path) -> None:
    target = tmp_path / "backup.tar.gz"
    code, said = command("backup", str(target), before=limit(1000))
    assert code == 1 and is_a_sentence(said), said
    assert not list(tmp_path.glob("*backup*"))


def test_an_import_that_finds_no_room_is_a_sentence_and_changes_nothing(known: Settings, tmp_path: Path) -> None:
    table = tmp_path / "qa.csv"
    rows = "".join(f"x-{n},测试,鱼证{n}怎么办,到窗口办。\n" for n in range(500))
    table.write_text(f"编号,事项,问题,答案\n{rows}", "utf-8")
    code, said = command("kb", "import", str(table), before=limit(40_000))  # SQLite's log is longer, its index is not
    assert code == 1 and is_a_sentence(said), said
    with database.read() as session:
        assert len(list(knowledge.all_qas(session))) == 100


@pytest.mark.parametrize("name", ["all.csv", "all.xlsx"])
def test_an_export_that_finds_no_room_is_a_sentence(known: Settings, tmp_path: Path, name: str) -> None:
    code, said = command("kb", "export", str(tmp_path / name), before=limit(1000))
    assert code == 1 and is_a_sentence(said), said
    assert not list(tmp_path.glob("*all*"))


def test_output_into_a_full_disk_ends_with_an_exit_code(known: Settings) -> None:
    build.build(known, calibration_for)
    with Path("/dev/full").open("w") as full:
        code, said = command("index", "list", out=full.fileno())
        assert code == 1 and is_a_sentence(said) and "磁盘满了" in said, said
        assert command("index", "list", out=full.fileno(), error=full.fileno())[0] == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A file system of so many bytes; skipped where we may not mount one."""
    mounted: list[Path] = []

    def mount(size: int) -> Path:
        folder = tmp_path / "small"
        folder.mkdir()
        call = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
        if not shutil.which("mount") or subprocess.run(call, capture_output=True, check=False).returncode:
            pytest.skip("no right to mount a file system")
        mounted.append(folder)
        return folder

    yield mount
    database.reset_engine()
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("room", [80_000, pytest.param(20_000, marks=pytest.mark.full)])
def test_on_a_disk_that_is_really_full(
    known: Settings, small_disk: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    size = (known.data_dir / "yihaoda.db").stat().st_size
    folder = small_disk(size + 100_000 + room)  # SQLite's own files beside the database
    shutil.copy(known.data_dir / "yihaoda.db", folder)
    monkeypatch.setenv("YIHAODA_DATA_DIR", str(folder))
    forget()
    code, said = command("index", "build")
    assert code == 1 and is_a_sentence(said) and "磁盘满了" in said, said
    assert list((folder / "index").iterdir()) == []
    (folder / "filler").write_bytes(b"")
    with pytest.raises(OSError), (folder / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(b"x" * 512)
    assert disk.trouble(folder, "数据目录", 0) == f"数据目录写不进去：{disk.FULL}"
    with pytest.raises(StoreBusy) as raised, database.write() as session:
        knowledge.upsert(session, [qa(n, "新" * 2000) for n in range(200, 400)])
    assert disk.reason(raised.value) == disk.FULL


def test_what_the_system_said_is_found_behind_a_librarys_error() -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "a.npy")
    hidden = RuntimeError("inconsistent exit action")
    hidden.__context__ = full
    assert disk.reason(full) == disk.reason(hidden) == f"a.npy：{disk.FULL}"
    for words in ("Error in fwrite: No space left on device", "I/O error: No space left on device (os error 28)"):
        assert disk.reason(RuntimeError(words)) == disk.FULL
    assert disk.reason(OSError("6300 requested and 3040 written")) == disk.FULL
    assert disk.reason(ValueError("something else")) is None
    circle = RuntimeError("a")
    circle.__cause__ = RuntimeError("b")
    circle.__cause__.__context__ = circle
    assert disk.reason(circle) is None


def test_a_database_without_room_is_busy_and_says_why(sqlite_db: Settings) -> None:
    with pytest.raises(StoreBusy) as raised, database.write() as session:
        connection = session.connection()
        (pages,) = connection.exec_driver_sql("PRAGMA page_count").one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")  # fails as a full disk does
        knowledge.upsert(session, [qa(n, "新" * 2000) for n in range(200)])
    assert isinstance(raised.value.__cause__, OperationalError)
    assert raised.value.__cause__.orig.sqlite_errorcode == sqlite3.SQLITE_FULL  # type: ignore[union-attr]
    assert disk.reason(raised.value) == disk.FULL
