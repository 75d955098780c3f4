"""Keeps the index versions in memory that bundles answer from: in a background thread of each process that serves.

No citizen waits for a load: what will answer is loaded before it does, a new version beside the one in use, and what answers
nobody any more is dropped.
"""

from __future__ import annotations

import threading

import structlog

from bot import database, releases
from bot.errors import StoreBusy
from bot.models.releases import Bundle
from bot.releases import Serving, pointer, switching
from bot.releases.states import SHADOW
from bot.settings import Settings
from index.versions.store import IndexReader

log = structlog.get_logger(__name__)

POLL_S = 1.0


def look(reader: IndexReader, settings: Settings) -> Serving | None:
    """Look once which bundles are held, and hold their indices; which they are.

    Where the database is away, all stays as it is: None.
    """
    named = pointer.read(settings)  # before the database: what that says is at least as new
    try:
        with database.read() as session:
            there = releases.serving(session)
    except StoreBusy:
        reader.hold(None)
        return None
    if there.live is not None and switching.put_right(settings, there.live, named):
        log.warning("index.pointed", bundle=there.live.name, version=there.live.index_version, named=named.bundle)
    reader.hold({one.index_version for one in there.held})
    return there


class Holder:
    """The thread."""

    def __init__(self, reader: IndexReader, settings: Settings) -> None:
        self._reader, self._settings = reader, settings
        self.serving = Serving(None, ())
        """What was held at the last look"""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hold-indices", daemon=True)

    def start(self) -> None:
        """Look once, which may take seconds, and from then on about once a second."""
        self._look()
        self._thread.start()

    def close(self) -> None:
        """End; what is being loaded is waited for."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def live_and_shadow(self) -> tuple[Bundle | None, Bundle | None]:
        """The live bundle, and the one that is tried in its shadow."""
        there = self.serving
        return there.live, next((one for one in there.held if one.state == SHADOW), None)

    def _run(self) -> None:
        while not self._closing.wait(POLL_S):
            self._look()

    def _look(self) -> None:
        try:
            self.serving = look(self._reader, self._settings) or self.serving
        except Exception:
            log.exception("index.hold_failed")
