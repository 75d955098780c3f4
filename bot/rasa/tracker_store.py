"""An in-memory tracker store that forgets: the least recently used conversations go first.

Trackers hold citizens' raw text, so they are short-lived and never touch a disk; whatever must survive (region, offered
options, an open form) lies in the project's database and is restored by ``action_session_start``. Rasa's own in-memory
store never drops a conversation.
"""

from collections import OrderedDict
from typing import Any, Optional

from rasa.core.brokers.broker import EventBroker
from rasa.core.tracker_store import InMemoryTrackerStore
from rasa.shared.core.domain import Domain
from rasa.shared.core.trackers import DialogueStateTracker


class BoundedTrackerStore(InMemoryTrackerStore):  # type: ignore[misc, unused-ignore]
    """Rasa's in-memory store, limited to the conversations used last.

    Named by ``tracker_store.type`` in ``endpoints.yml``; Rasa passes the other keys of that section as arguments.
    """

    def __init__(
        self,
        domain: Domain,
        event_broker: Optional[EventBroker] = None,
        max_conversations: int = 500,
        **kwargs: Any,
    ) -> None:
        """Create an empty store.

        Args:
            domain: The model's domain.
            event_broker: Where new events are published, if anywhere.
            max_conversations: How many conversations are kept, at least 1.
            kwargs: What else Rasa passes (``host``); not used.

        Raises:
            ValueError: if ``max_conversations`` is below 1.
        """
        super().__init__(domain, event_broker, **kwargs)
        self.max_conversations = int(max_conversations)
        if self.max_conversations < 1:
            raise ValueError(f"max_conversations must be at least 1, not {max_conversations}")
        # Oldest use first.  Trackers themselves: writing and reading them as JSON took a fifth of Rasa's time.
        self.store: "OrderedDict[str, DialogueStateTracker]" = OrderedDict()

    async def save(self, tracker: DialogueStateTracker) -> None:
        """Keep the tracker as the most recently used one and drop the oldest beyond the limit."""
        await self.stream_events(tracker)
        self.store[tracker.sender_id] = tracker
        self.store.move_to_end(tracker.sender_id)
        while len(self.store) > self.max_conversations:
            self.store.popitem(last=False)

    async def _retrieve(self, sender_id: str, fetch_all_sessions: bool) -> Optional[DialogueStateTracker]:
        """The tracker, taken out: a turn that dies half-way leaves none behind, and the next one starts afresh."""
        return self.store.pop(sender_id, None)
