"""What goes wrong in the real processes, in the middle of a citizen's words, shows nobody's number in any log."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator

from processes import Citizen, Stack

PHONE, IDENTITY = "13876543210", "11010519491231002X"
SAID = f"我的手机{PHONE}，身份证{IDENTITY}，护照怎么办"


@contextlib.contextmanager
def failing(stack: Stack, table: str, conversation_id: str) -> Iterator[None]:
    """The database refuses this conversation's rows, in words that hold personal data."""
    with contextlib.closing(sqlite3.connect(stack.settings.data_dir / "yihaoda.db", timeout=30)) as file:
        file.execute(
            f"CREATE TRIGGER refuse BEFORE INSERT ON {table} WHEN NEW.conversation_id = '{conversation_id}' "
            f"BEGIN SELECT RAISE(ABORT, '电话{PHONE}，身份证{IDENTITY}'); END"
        )
        file.commit()
        try:
            yield
        finally:
            file.execute("DROP TRIGGER refuse")
            file.commit()


def logged(stack: Stack, service: str, masked: str) -> str:
    """The service's log, once something is in it."""
    deadline = time.monotonic() + 30
    while masked not in (text := stack.handle.log(service).read_text("utf-8")):
        assert time.monotonic() < deadline, f"{service}: {text[-3000:]}"
        time.sleep(0.1)
    return text


def test_an_error_with_personal_data_in_it_shows_none_in_any_log(stack: Stack) -> None:
    citizen = Citizen(stack)
    with failing(stack, "inbox", citizen.id):
        assert citizen.post(SAID, "m1").status_code == 500
    citizen.http = stack.http()  # the server closes a connection on which something went so wrong
    with failing(stack, "turns", citizen.id):
        assert citizen.post(SAID, "m2").status_code in (202, 503)
        gateway = logged(stack, "gateway", "turn.failed")
        actions, rasa = logged(stack, "actions", "138****3210"), logged(stack, "rasa", "138****3210")
    assert "request.crashed" in gateway and "电话138****3210，身份证110***************" in gateway
    assert "Traceback" in actions and "Failed to execute custom action" in rasa
    files = [file for file in stack.settings.logs.iterdir() if file.suffix == ".log"]
    assert len(files) >= 4
    for file in files:
        text = file.read_text("utf-8")
        assert PHONE not in text and IDENTITY[:-1] not in text, file
    # What could not be settled is answered once it can be.
    deadline = time.monotonic() + 60
    while not any(one["sender"] == "bot" for one in citizen.messages()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
