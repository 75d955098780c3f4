"""The security log: sign-ins, changes, and what was refused (wrong codes, tokens, signatures, rates), kept for half a year.

The Cybersecurity Law of the PRC (网络安全法, the article on graded protection) has a network's logs kept for no less than six months.
One file a day, ``security-<date>.log`` (the date in China), to which all processes append; finished days are compressed.  Nothing is left
out for want of room: what repeats itself within a minute, from one source, is written once and then counted.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import io
import json
import os
import re
import threading
import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import structlog

from bot import disk, logs
from bot.settings import get_settings

log = structlog.get_logger(__name__)

_CHINA = timezone(timedelta(hours=8))

REPEAT_S = 60.0
"""How long the repetitions of a line are counted before their number is written"""
_NAMED = 20
"""How many different subjects of repeated lines are named"""

source: ContextVar[str] = ContextVar("source", default="")
"""Where the request that is being answered came from: an address; empty outside of requests"""


@dataclass
class _Repeated:
    """Lines of one event from one source that are counted, not written."""

    first: dict[str, Any]
    folder: Path
    until: float
    count: int = 0
    subjects: dict[str, None] = field(default_factory=dict)


class _SecurityLog:
    def __init__(self) -> None:
        self.lost = 0  # lines, since the last one that could be written
        self.lost_in_all = 0
        self._lock = threading.RLock()
        self._repeated: dict[tuple[str, ...], _Repeated] = {}
        self._timer: threading.Timer | None = None
        self._tidied: tuple[Path, date] | None = None
        self._seen: dict[tuple[str, str], date] = {}

    def record(self, line: dict[str, Any], counted: bool) -> None:
        folder, now = get_settings().logs, time.monotonic()
        # The subject plays no part: who tries a thousand ticket numbers fills no disk.
        key = (str(folder), *(str(line.get(name, "")) for name in ("event", "source", "reason")))
        with self._lock:
            self._write_counts(now)
            if counted and (before := self._repeated.get(key)):
                before.count += 1
                if len(before.subjects) < _NAMED:
                    before.subjects[line["subject"]] = None
                return
            if counted:
                self._repeated[key] = _Repeated(line, folder, now + REPEAT_S)
                self._wake_later()
            self._write(line, folder)

    def first_today(self, event: str, origin: str) -> bool:
        with self._lock:
            today = _today()
            first = self._seen.get((event, origin)) != today
            if first:
                self._seen = {key: day for key, day in self._seen.items() if day == today}
                self._seen[event, origin] = today
            return first

    def settle(self) -> None:
        with self._lock:
            self._write_counts(float("inf"))

    def _wake_later(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(REPEAT_S, self._woken)
            self._timer.daemon = True
            self._timer.start()

    def _woken(self) -> None:
        with self._lock:
            self._timer = None
            self._write_counts(time.monotonic())
            if self._repeated:
                self._wake_later()

    def _write_counts(self, now: float) -> None:
        while self._repeated:
            key, one = next(iter(self._repeated.items()))  # the oldest: under attack there are many
            if one.until > now:
                return
            del self._repeated[key]
            if one.count:
                counted = {"at": _now(), "since": one.first["at"], "repeated": one.count}
                self._write(one.first | counted | {"subject": "、".join(one.subjects)}, one.folder)

    def _write(self, line: dict[str, Any], folder: Path) -> None:
        if self.lost:
            line = line | {"lost_before": self.lost}
        text = json.dumps(logs.masked(None, "", line), ensure_ascii=False, default=repr) + "\n"
        data = text.encode("utf-8", "backslashreplace")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"security-{_today()}.log"
            # Opened for each line: one write of a whole line is what several processes can append without a lock.
            with _opened(path) as file:
                if file.write(data) < len(data):
                    raise OSError("only a part of the line was written")
        except OSError as error:
            self.lost += 1
            self.lost_in_all += 1
            log.error("security.unwritten", reason=str(error), line=line)  # here it may come through
            return
        self.lost = 0
        if self._tidied != (folder, _today()):
            self._tidied = (folder, _today())
            keep = get_settings().security_log_days
            threading.Thread(target=tidy, args=(folder, _today(), keep), name="security-log").start()


_log = _SecurityLog()


def record(event: str, subject: str = "", *, origin: str = "", counted: bool = True, **detail: Any) -> None:
    """Write a line.  Never raises; what can't be written is counted.

    Args:
        event: what, as ``thing.verb``.
        subject: on what: a ticket number, a route.
        origin: where it came from; ``source`` where empty.
        counted: whether more lines of this event from this origin, for the same ``reason``, are counted and not written.
        detail: JSON values; personal data in them is masked.
    """
    try:
        _log.record(
            {"at": _now(), "event": event, "source": origin or source.get(), "subject": subject, **detail}, counted
        )
    except Exception:
        log.exception("security.unwritten", of=event)


def signed_in(who: str) -> None:
    """Somebody came in, e.g. with the operators' token; written the first time a day from each source."""
    if _log.first_today(who, source.get()):
        record("signed_in", who, counted=False)


def settle() -> None:
    """Write what has been counted so far.  Never raises."""
    try:
        _log.settle()
    except Exception:
        log.exception("security.unwritten")


atexit.register(settle)


def lost() -> int:
    """How many lines could not be written since the last one that could."""
    return _log.lost


def lost_in_all() -> int:
    """How many lines this process could not write."""
    return _log.lost_in_all


def days(folder: Path) -> list[tuple[date, Path]]:
    """The files with their days, the newest first."""
    found = []
    for path in folder.glob("security-*.log*"):
        if match := re.fullmatch(r"security-(\d{4}-\d\d-\d\d)\.log(?:\.gz)?", path.name):
            with contextlib.suppress(ValueError):
                found.append((date.fromisoformat(match[1]), path))
    return sorted(found, reverse=True)


def tidy(folder: Path, today: date, keep: int) -> None:
    """Compress the days that are over; remove what is older than ``keep`` days **and** not among the newest ``keep`` days there are.

    Both, since a clock may leap: it makes a file or two of a wrong day, not half a year of them.
    """
    with contextlib.suppress(OSError), _opened(folder / ".security.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails where another process is at it
        found = days(folder)
        newest = sorted({day for day, _ in found}, reverse=True)[:keep]
        for day, path in found:
            if day not in newest and day < today - timedelta(days=keep):
                path.unlink(missing_ok=True)
            elif path.suffix == ".log" and day < today - timedelta(days=1):  # a process may still be at yesterday's
                disk.compress(path)


def _opened(path: Path) -> io.FileIO:
    """For appending, to be read by its owner only."""
    return io.FileIO(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _today() -> date:
    return datetime.now(_CHINA).date()
