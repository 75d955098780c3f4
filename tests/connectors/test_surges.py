"""New matters on the command line, and raised by the worker's thread."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from bot import database, surges
from bot.clock import utcnow
from bot.errors import StoreBusy
from bot.settings import Settings
from connectors.jobs import watching
from connectors.terminal.cli import app
from tests.training.test_surges import WATER, a_week, ask, encoded, listed, put
from training.review.watch import Watch


def water() -> str:
    """A water cut that began seven minutes ago; the alarm's id."""
    now = a_week()
    vectors = encoded(*WATER)
    put([ask(text, vectors[row], now - timedelta(seconds=20 * row)) for row, text in enumerate(WATER[:20])])
    (id_,) = Watch().look(now)
    return id_


def test_the_command_lists_them(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    id_ = water()
    said = CliRunner().invoke(app, ["surges"]).output
    assert id_ in said and "新事项" in said and "金桂园" in said and "还在问" in said and "最近 30 天提醒 1 次" in said
    with database.write() as session:
        surges.judge(session, id_, "赵敏", real=False)
    assert "误报 1" in CliRunner().invoke(app, ["surges", "--state", "judged"]).output
    assert CliRunner().invoke(app, ["surges", "--state", "x"]).exit_code == 1


def test_the_thread_goes_on_after_a_failure_and_raises(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    now = a_week()
    vectors = encoded(*WATER)
    put([ask(text, vectors[row], utcnow() - timedelta(seconds=20 * row)) for row, text in enumerate(WATER[:20])])
    look, failures = Watch.look, [StoreBusy(), ValueError("once")]

    def failing(self: Watch, at: object) -> list[str]:
        if failures:
            raise failures.pop()
        return look(self, at)  # type: ignore[arg-type]

    monkeypatch.setattr(Watch, "look", failing)
    monkeypatch.setattr(watching, "LOOK_S", 0.01)
    ending = threading.Event()
    thread = threading.Thread(target=watching.watch, args=(ending,))
    thread.start()
    deadline = time.monotonic() + 20
    while not listed() and time.monotonic() < deadline:
        time.sleep(0.05)
    ending.set()
    thread.join(20)
    (one,) = listed()
    assert one.row.raised_at >= now and not failures and not thread.is_alive()
