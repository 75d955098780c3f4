"""Rasa's output: a line that can't be written is dropped, and a traceback does not show the values of variables.

The supervisor, which reads what Rasa writes, masks personal data in it.
"""

import contextlib
import os
import stat
import sys
from typing import Any, Iterable

import structlog
from structlog.tracebacks import ExceptionDictTransformer


class SafeOutput:
    """Standard output or error: as before, but nothing raises where the disk is full or nobody reads any more."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def install() -> None:
    """For this process; before Rasa sets its logging up."""
    # Rasa's own choice shows every frame's variables: the citizen's words, tokens.
    structlog.processors.dict_tracebacks = structlog.processors.ExceptionRenderer(
        ExceptionDictTransformer(show_locals=False)
    )
    sys.stdout, sys.stderr = SafeOutput(sys.stdout), SafeOutput(sys.stderr)
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                os.set_blocking(descriptor, False)  # whoever reads may hang: Rasa does not hang with it
