"""The services' log files, written by the supervisor from what the services say: masked, bounded, and never an exception.

Each service's output goes through a pipe.  Whatever wrote it (our code, a library, a crash of the interpreter), every line passes the
mask here before it reaches a disk.  A file that reaches its size is put aside and compressed; the oldest of those goes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import threading
from collections import deque
from pathlib import Path
from typing import Self

from bot.disk import compress
from bot.logs import readable
from bot.masking import mask

LONGEST_LINE = 16_384
"""Bytes of a line that are kept; the rest is left out, and said so"""
FILE_MODE = 0o600
_MARGIN = 256
_PIPE_BYTES = 1 << 20
_LAST_LINES = 20

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# Also what would end a line elsewhere: one line of a service stays one line.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def cleaned(line: bytes, left_out: int = 0) -> str:
    """A line as it may be kept: UTF-8, no control characters, at most ``LONGEST_LINE`` bytes, personal data starred out.

    Args:
        left_out: How many bytes the line had beyond these.
    """
    text = _CONTROLS.sub("", _COLOURS.sub("", line.decode("utf-8", "replace")))
    text = mask(readable(text))
    kept = text.encode()
    if not left_out and len(kept) <= LONGEST_LINE:
        return text
    # A number that the cut goes through is not seen as one: it lies in the margin, which goes.
    end = min(LONGEST_LINE, len(kept) - _MARGIN)
    return kept[:end].decode("utf-8", "ignore") + f" …（太长，略去 {len(kept) - end + left_out} 字节）"


class LogFile:
    """A service's log: ``<name>.log``, and what was put aside as ``<name>-000001.log.gz`` and so on, the highest the newest.

    Attributes:
        lost: Lines that could not be written since the last one that could; it is said in the file then.
        last: The last lines, for whoever wants to know why the service ended.
    """

    def __init__(self, path: Path, size: int, kept: int) -> None:
        """
        Args:
            size: Bytes after which the file is put aside.
            kept: How many files that were put aside stay.
        """
        self.path = path
        self.lost = 0
        self.last: deque[str] = deque(maxlen=_LAST_LINES)
        self._size, self._kept = size, kept
        self._descriptor: int | None = None
        self._torn = False
        self._lock = threading.RLock()
        self._packing = threading.Lock()

    def write(self, line: str) -> None:
        """Add a line, as it is."""
        with self._lock:
            self.last.append(line)
            note = f"（在此之前有 {self.lost} 行没能写进来：磁盘满了或日志文件夹不能写）\n" if self.lost else ""
            data = ("\n" * self._torn + note + line + "\n").encode("utf-8", "backslashreplace")
            try:
                self._append(data)
            except OSError:
                self.lost += 1
                self._close()
            else:
                self.lost = 0

    def close(self) -> None:
        """Let go of the file; writing opens it again."""
        with self._lock:
            self._close()

    def _append(self, data: bytes) -> None:
        descriptor = self._open()
        if os.fstat(descriptor).st_size + len(data) > self._size and os.fstat(descriptor).st_size:
            # Where it can't be put aside it may grow to twice its size, no further.
            if not self._put_aside() and os.fstat(descriptor).st_size > 2 * self._size:
                raise OSError("the log can't be put aside")
            descriptor = self._open()
        while data:
            written = os.write(descriptor, data)
            data = data[written:]
            self._torn = bool(data)

    def _open(self) -> int:
        if self._descriptor is not None and not os.fstat(self._descriptor).st_nlink:
            self._close()  # someone removed it
        if self._descriptor is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, FILE_MODE)
        return self._descriptor

    def _close(self) -> None:
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None

    def _put_aside(self) -> bool:
        try:
            newest = max((number for number, _ in self._aside()), default=0)
            self.path.rename(self.path.with_name(f"{self.path.stem}-{newest + 1:06d}.log"))
        except OSError:
            return False
        self._close()
        # In a thread of its own: whoever writes meanwhile must not wait.
        threading.Thread(target=self.pack, name=f"pack-{self.path.stem}", daemon=True).start()
        return True

    def pack(self) -> None:
        """Remove the oldest files that were put aside, compress the others."""
        with self._packing, contextlib.suppress(OSError):
            aside = sorted(self._aside(), reverse=True)
            for _, path in aside[self._kept :]:
                path.unlink(missing_ok=True)
            for _, path in aside[: self._kept]:
                if path.suffix == ".log":
                    compress(path)

    def _aside(self) -> list[tuple[int, Path]]:
        found = []
        for path in self.path.parent.glob(f"{self.path.stem}-*.log*"):
            if match := re.fullmatch(re.escape(self.path.stem) + r"-(\d{6,})\.log(?:\.gz)?", path.name):
                found.append((int(match[1]), path))
        return found


class Capture:
    """One run of a service: what it writes into ``descriptor`` goes, cleaned, into the log until the last writer is gone."""

    def __init__(self, log: LogFile) -> None:
        """Raises OSError: no more file descriptors."""
        self._log = log
        self._reader, self.descriptor = os.pipe()
        if hasattr(fcntl, "F_SETPIPE_SZ"):  # Linux; it is room for a burst, and we do without elsewhere
            with contextlib.suppress(OSError):
                fcntl.fcntl(self._reader, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._thread = threading.Thread(target=self._read, name=f"log-{log.path.stem}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        """Start the service in this block."""
        return self

    def __exit__(self, *_: object) -> None:
        """The service has its own end now, or there is none: ours closes."""
        os.close(self.descriptor)

    def wait(self, timeout_s: float) -> None:
        """Until everything is written that the service, which has ended, has said."""
        self._thread.join(timeout_s)

    def _read(self) -> None:
        line, left_out = bytearray(), 0
        with contextlib.suppress(OSError), os.fdopen(self._reader, "rb", buffering=0) as reader:
            while chunk := reader.read(65_536):
                *ended, rest = chunk.split(b"\n")
                for part, ends in [*((part, True) for part in ended), (rest, False)]:
                    room = LONGEST_LINE + _MARGIN - len(line)
                    line += part[:room]
                    left_out += len(part[room:])
                    if ends:
                        self._keep(bytes(line), left_out)
                        line, left_out = bytearray(), 0
        if line:
            self._keep(bytes(line), left_out)

    def _keep(self, line: bytes, left_out: int) -> None:
        try:
            text = cleaned(line, left_out)
        except Exception:  # the reading must go on: the service would wait for room in its pipe
            text = f"（有一行 {len(line)} 字节，读不了）"
        self._log.write(text)
