"""What a process says about itself: one JSON line an event on standard error, personal data masked, and never an exception.

A line that can't be written (disk full, nobody reads the pipe any more) is dropped and counted; the work it speaks of goes on.
Libraries' logs, prints to standard output and errors that nobody caught go the same way.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import math
import os
import re
import select
import stat
import sys
import threading
import traceback
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Any

import structlog

from bot.masking import mask, mask_record

_WAIT_S = 0.1
"""How long a line waits for room in a full pipe; once it waited in vain, the next ones don't until there is room again"""
_LONGEST_TEXT = 16_000
"""Characters of one value in a line: of what is longer (a traceback) the beginning and, more of it, the end stays"""
_DEEPEST = 6
_MOST_ENTRIES = 200


class SafeOutput(io.TextIOBase):
    """Standard output or standard error of a service: whole lines, written at once; no write raises or waits long.

    Attributes:
        dropped: Lines that could not be written.
        failing: Whether the last line could not be.
    """

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.dropped = 0
        self.failing = False
        self._descriptor = descriptor
        self._lock = threading.RLock()
        self._begun = ""  # a line that has no end yet
        self._torn = False  # only a part of the last line was written
        self._told = 0

    def fileno(self) -> int:
        """The file descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether a person looks at it."""
        with contextlib.suppress(OSError):
            return os.isatty(self._descriptor)
        return False

    def writable(self) -> bool:
        """It takes text."""
        return True

    def write(self, text: str) -> int:
        """Take text; what is a whole line by now is written."""
        with self._lock:
            lines, newline, self._begun = (self._begun + text).rpartition("\n")
            if newline:
                self._send(lines + newline)
            if len(self._begun) > _LONGEST_TEXT:
                self.flush()
        return len(text)

    def flush(self) -> None:
        """Write what has no end yet."""
        with self._lock:
            if self._begun:
                begun, self._begun = self._begun, ""
                self._send(begun)

    def _send(self, text: str) -> None:
        data = text.encode(self.encoding, self.errors)
        if self.dropped > self._told:
            data = f'{{"event": "log.dropped", "lines": {self.dropped - self._told}}}\n'.encode() + data
        if self._torn:
            data = b"\n" + data
        size = len(data)
        try:
            while data:
                try:
                    data = data[os.write(self._descriptor, data) :]
                except BlockingIOError:
                    if self.failing or not self._has_room():
                        raise
        except (OSError, ValueError):
            self.dropped += text.count("\n") or 1
            self.failing = True
            self._torn = self._torn or len(data) < size
        else:
            self.failing = self._torn = False
            self._told = self.dropped

    def _has_room(self) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return bool(poll.poll(_WAIT_S * 1000))


output = SafeOutput(2)
"""The process's log"""


def configure(level: str) -> None:
    """For a service: send our logs, the libraries', prints and uncaught errors to standard error.

    Args:
        level: the least level that is written: DEBUG, INFO, WARNING or ERROR.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, masked, _render],
        wrapper_class=_unfailing(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(output),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )
    handler = _Handler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[_drop_meta, masked, _render])
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # A library that brings handlers of its own (uvicorn, Sanic) would write past the mask.
    for name in list(root.manager.loggerDict):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    # These name every request's address, and with it query codes.
    for name in ("httpx", "httpcore", "uvicorn.access", "sanic.access"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if (
        sys.stdout is sys.__stdout__ and sys.stderr is sys.__stderr__
    ):  # else someone else (a test) has the process in hand
        _take_over()


def _take_over() -> None:
    """Prints, warnings and uncaught errors too."""
    while (spare := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass  # was closed: the next file opened would have got its number, and our lines
    os.close(spare)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable
    sys.stdout, sys.stderr = SafeOutput(1), output
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                os.set_blocking(descriptor, False)  # whoever reads may hang: we don't hang with it


def configure_command() -> None:
    """For a command at the terminal: errors only, as plain lines; tracebacks without the values of variables."""
    render = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[structlog.processors.add_log_level, render, _mask_line],
        wrapper_class=_unfailing(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    if sys.stderr is sys.__stderr__:
        sys.excepthook = _shown
        # What a library's clean-up says after the error that caused it (lxml, on a full disk) helps nobody.
        sys.unraisablehook = lambda said: None


def _shown(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A traceback for the person at the terminal, and whoever gets it from them."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(mask("".join(traceback.format_exception(kind, error, trace))))


def _mask_line(_logger: object, _method: str, line: Any) -> str:
    return mask(line)


def masked(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: values as plain JSON, of a bounded length, personal data starred out."""
    return mask_record({mask(str(key)): _plain(value) for key, value in event.items()})


def _plain(value: object, depth: int = 0) -> Any:
    """The value as JSON knows it; else its ``repr``, since what is only rendered later is not masked."""
    match value:
        case None | bool() | int():
            return value
        case float():
            # 17 digits look like a card number to whoever masks the line once more.
            return round(value, 6) if math.isfinite(value) else str(value)
        case str():
            return _bounded(value)
        case Mapping() if depth < _DEEPEST and len(value) <= _MOST_ENTRIES:
            return {mask(str(key)): _plain(inner, depth + 1) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset() if depth < _DEEPEST and len(value) <= _MOST_ENTRIES:
            return [_plain(inner, depth + 1) for inner in value]
    return _bounded(repr(value))


_ESCAPED = re.compile(r"(?:\\+u[0-9a-fA-F]{4})+|(?:\\+U[0-9a-fA-F]{8})+|(?:\\+x[0-9a-fA-F]{2})+")
_CODECS = {"u": "utf-16-be", "U": "utf-32-be", "x": "utf-8"}
_UNSAFE = dict.fromkeys((*range(32), *range(127, 160), 8232, 8233), " ") | {ord('"'): "'", ord("\\"): "/"}


def readable(text: str) -> str:
    """Characters for the escapes that JSON and Python's ``repr`` write: in ``\\u300113812345678`` no mask sees the number."""
    return _ESCAPED.sub(_characters, text) if "\\" in text else text


def _characters(escaped: re.Match[str]) -> str:
    kind = escaped[0].lstrip("\\")[0]
    raw = bytes.fromhex("".join(re.findall(f"{kind}([0-9a-fA-F]+)", escaped[0])))
    return raw.decode(_CODECS[kind], "replace").translate(_UNSAFE)


def _bounded(text: str) -> str:
    text = readable(text)
    if len(text) <= _LONGEST_TEXT:
        return text
    head, tail = mask(text[: _LONGEST_TEXT // 4]), mask(text[-_LONGEST_TEXT // 2 :])
    # A number that the cut goes through is not seen as one: a little more goes on either side.
    return f"{head[:-40]} …（略去约 {len(text) - len(head) - len(tail)} 字）… {tail[40:]}"


_drop_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta


def _render(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    return json.dumps(event, ensure_ascii=False, default=repr)


class _Handler(logging.Handler):
    """Writes the libraries' records.  What goes wrong is counted: the standard one prints message and arguments unmasked."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        try:
            output.write(self.format(record) + "\n")
        except Exception:
            _unwritten(record.name)


def _unfailing(level: int) -> type:
    """The bound logger for this level; what goes wrong while a line is made stays here."""
    plain: Any = structlog.make_filtering_bound_logger(level)

    class Unfailing(plain):  # type: ignore[misc]
        def _proxy_to_logger(self, method_name: str, event: Any = None, *rest: Any, **values: Any) -> Any:
            try:
                return super()._proxy_to_logger(method_name, event, *rest, **values)
            except Exception:
                return _unwritten(str(event)[:100])

    return Unfailing


def _unwritten(what: str) -> None:
    output.dropped += 1
    output.write(json.dumps({"event": "log.unwritten", "of": mask(what), "level": "error"}, ensure_ascii=False) + "\n")


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        structlog.get_logger(__name__).critical("process.crashed", exc_info=(kind, error, trace))


def _uncaught_in_thread(said: threading.ExceptHookArgs) -> None:
    if said.exc_type is not SystemExit and said.exc_value is not None:
        name = said.thread.name if said.thread else None
        trace = (said.exc_type, said.exc_value, said.exc_traceback)
        structlog.get_logger(__name__).error("thread.crashed", thread=name, exc_info=trace)


def _unraisable(said: Any) -> None:
    trace = (said.exc_type, said.exc_value, said.exc_traceback)
    structlog.get_logger(__name__).error("error.ignored", where=repr(said.object), exc_info=trace)
