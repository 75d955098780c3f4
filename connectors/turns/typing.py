"""Who is writing right now: kept in the gateway's memory for some seconds, and lost with it."""

from __future__ import annotations

import time
from collections.abc import Callable

_SHOWN_S = 6.0
"""So long after the last key it is still said"""


class Typing:
    """Which agent writes in which conversation."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._now: dict[str, tuple[str, float]] = {}

    def note(self, conversation_id: str, agent: str) -> None:
        """A key was pressed."""
        now = self._clock()
        if len(self._now) > 1000:
            self._now = {id_: said for id_, said in self._now.items() if said[1] > now}
        self._now[conversation_id] = agent, now + _SHOWN_S

    def stop(self, conversation_id: str) -> None:
        """It was sent."""
        self._now.pop(conversation_id, None)

    def writes(self, conversation_id: str, agent: str | None) -> bool:
        """Whether this agent, who has the conversation, writes in it."""
        who, until = self._now.get(conversation_id, (None, 0.0))
        return who is not None and who == agent and until > self._clock()
