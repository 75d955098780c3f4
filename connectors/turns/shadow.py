"""Shadow runs: what the citizens' turns would have come to with a coming release.  Nothing of it reaches anybody or is counted.

One at a time, in one thread, and only while no citizen waits for us: a turn that comes meanwhile shares the processor with at
most one of these.  (A thread with a lower priority would be worse: it would hold Python's lock for longer.)  What there is no time
for is skipped, and counted.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import structlog

from bot import database
from bot.clock import utcnow
from bot.errors import StoreBusy
from bot.models.conversations import TurnEffect
from bot.models.releases import Bundle
from bot.releases import shadow
from bot.releases.shadow import Compared, Decided
from bot.turns import Turn
from connectors import metrics
from index.assistant.respond import Assistant

log = structlog.get_logger(__name__)

_WAITING = 30
"""Turns that may wait"""
_PATIENCE_S = 2.0
"""So long a moment is waited for in which nobody waits for us"""
_RESTS = 19
"""So many times as long as a run took is rested after it: at most one turn in twenty meets one, and p95 stays what it is"""
_TOGETHER, _TOGETHER_S = 20, 5.0
"""Rows that are written at a time, and how long the first of them waits for the others"""


class Shadow:
    """The thread, and what waits for it."""

    def __init__(
        self, assistant: Assistant, bundles: Callable[[], tuple[Bundle | None, Bundle | None]], busy: Callable[[], bool]
    ) -> None:
        """
        Args:
            bundles: The live one, and the one in state ``shadow``.
            busy: Whether anybody waits for an answer at this moment.
        """
        self._assistant, self._bundles, self._busy = assistant, bundles, busy
        self._waiting: queue.Queue[tuple[Turn, TurnEffect] | None] = queue.Queue(_WAITING)
        self._skipped = 0
        self._lock = threading.Lock()
        self._rows: list[Compared] = []
        self._write_at = 0.0
        self._rests_s = 0.0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End, with what waits."""
        self._closing.set()
        while True:
            try:
                self._waiting.put_nowait(None)
            except queue.Full:
                self._waiting.get_nowait()
            else:
                break
        if self._thread.is_alive():
            self._thread.join()

    def offer(self, turn: Turn, effect: TurnEffect) -> None:
        """A turn was answered; ``turn``: as it was before.  Takes no time."""
        live, coming = self._bundles()
        if coming is None or live is None or turn.bundle != live.name or turn.trial:
            return
        try:
            self._waiting.put_nowait((turn, effect))
        except queue.Full:
            self._skip()

    def _skip(self) -> None:
        with self._lock:
            self._skipped += 1
        metrics.SHADOW.labels("skipped").inc()

    def _run(self) -> None:
        while True:
            try:
                waits_s = max(0.05, self._write_at - time.monotonic()) if self._rows else None
                found = self._waiting.get(timeout=waits_s)
            except queue.Empty:
                self._write()
                continue
            if found is None:
                self._write()
                return
            try:
                self._compare(*found)
            except Exception:
                log.exception("shadow.failed")
            self._closing.wait(self._rests_s)
            self._rests_s = 0.0
            if len(self._rows) >= _TOGETHER or (self._rows and time.monotonic() >= self._write_at):
                self._write()

    def _compare(self, turn: Turn, effect: TurnEffect) -> None:
        _, coming = self._bundles()
        if coming is None or not self._quiet():
            self._skip()
            return
        try:
            loaded = self._assistant.reader.get(coming.index_version).version
        except Exception:
            loaded = None
        if loaded != coming.index_version:
            self._skip()
            return
        began = time.monotonic()
        try:
            outcome = self._assistant.decide(
                replace(turn, act=effect.act, trial=True, bundle=coming.name, index=coming.index_version)
            )
            after = shadow.decided(outcome)
        except StoreBusy:
            self._skip()
            return
        except Exception:
            log.exception("shadow.undecided", turn=turn.turn_id, bundle=coming.name)
            after = Decided(shadow.FAILED, looked=True)
        took_s = time.monotonic() - began
        self._rests_s = _RESTS * took_s
        before = shadow.answered(effect)
        if not before.looked and not after.looked:
            return  # no index has a say in it
        with self._lock:
            skipped, self._skipped = self._skipped, 0
        if not self._rows:
            self._write_at = time.monotonic() + _TOGETHER_S
        self._rows.append(
            Compared(
                coming.name,
                turn.turn_id,
                turn.conversation_id,
                utcnow(),
                before,
                after,
                round(took_s * 1000, 1),
                skipped,
            )
        )
        metrics.SHADOW.labels("failed" if after.decision == shadow.FAILED else "compared").inc()

    def _quiet(self) -> bool:
        """Whether there came a moment in which nobody waits for us."""
        until = time.monotonic() + _PATIENCE_S
        while self._busy():
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True

    def _write(self) -> None:
        rows, self._rows = self._rows, []
        if not rows:
            return
        try:
            with database.write() as session:
                shadow.keep(session, rows)
        except Exception:
            log.exception("shadow.not_kept", rows=len(rows))
