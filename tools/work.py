"""One piece of set-up work: runs commands with their output in a log, says how far it has come, can be stopped."""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # Python 3.8 could not evaluate these
    from collections.abc import Callable, Mapping, Sequence

    Say = Callable[[str], None]

STATE_FOLDER = ".setup"
LAST_LINES = 15


class SetupError(Exception):
    """Something a person has to put right; the message is for their eyes."""


class Stopped(Exception):
    """The person pressed Ctrl-C, or we were told to end."""


class Work:
    """Base of what set-up does.  ``name`` is the folder it fills, ``title`` what that is, in words."""

    def __init__(self, root: Path, name: str, title: str, say: Say) -> None:
        self.name, self.title = name, title
        self.log = root / STATE_FOLDER / (Path(name).name.lstrip(".") + ".log")
        self._say = say
        self._started = time.monotonic()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self._doing = ""
        self._lock_handle = -1

    def begin(self, lock_handle: int) -> None:
        """Start the clock and an empty log.  Commands inherit ``lock_handle``: one that outlives us (kill -9) keeps
        the next set-up waiting, not writing beside it.
        """
        self._lock_handle = lock_handle
        self._started = time.monotonic()
        self.log.write_text("", "utf-8")

    def call(
        self,
        command: Sequence[str],
        settings: Mapping[str, str],
        what: str,
        packages: int = 0,
        folder: Path | None = None,
    ) -> None:
        """Run a command in ``folder``, its output to the log, noting how many of ``packages`` it has named.

        Raises SetupError with the reason and the log's last lines if it fails, Stopped if it was stopped.
        """
        if self._stopped:
            raise Stopped
        self.tell(what)
        self._doing = f"{what}……"
        with self.log.open("ab") as log:
            log.write(("$ " + shlex.join(without_secrets(command)) + "\n").encode("utf-8"))
            log.flush()
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=dict(settings),
                cwd=folder,
                pass_fds=[self._lock_handle],
            )
            self._process = process
            assert process.stdout is not None
            seen: set[str] = set()
            for raw in process.stdout:
                log.write(raw)
                log.flush()
                now = self.note(raw.decode("utf-8", "replace").strip(), seen)
                if now:
                    counted = f"（{min(len(seen), packages)}/{packages} 个包）" if packages else ""
                    self._doing = f"{what}{counted}：{now}"
            code = process.wait()
            self._process = None
        if self._stopped:
            raise Stopped
        if code != 0:
            raise SetupError(self._failure(what, code))

    def note(self, line: str, seen: set[str]) -> str:
        """What a line of output shows to be going on, if anything; packages that it names are added to ``seen``."""
        return ""

    def reason(self, output: str) -> str:
        """Why a command with this output failed, in words, if it can be told."""
        return ""

    def tell(self, text: str) -> None:
        elapsed = int(time.monotonic() - self._started)
        self._say(f"[{elapsed:4d} 秒] {self.name}（{self.title}）：{text}")

    def tell_progress(self) -> None:
        """Say what is being done just now (from another thread)."""
        if self._process is not None:
            self.tell(self._doing)

    def stop(self) -> None:
        """End what is running (from another thread)."""
        self._stopped = True
        process = self._process
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()

    def _failure(self, what: str, code: int) -> str:
        lines = self.log.read_text("utf-8", "replace").splitlines()
        output = "\n".join(lines).rpartition("\n$ ")[2]  # what the last command said
        full = re.search(r"No space left on device|ENOSPC", output)
        reason = "磁盘空间不足。" if full else self.reason(output) or f"命令退出码为 {code}。"
        tail = "\n".join("    " + line for line in lines[-LAST_LINES:])
        return f"{self.name}：{what}失败，{reason}\n  完整日志：{self.log}\n  最后几行：\n{tail}"


def without_secrets(command: Sequence[str]) -> list[str]:
    """The command as the log may show it: an index address may hold a password."""
    return [re.sub(r"//[^/@\s]+@", "//***@", part) for part in command]
