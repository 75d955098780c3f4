"""Listens to the calls that are under way: after each line what may answer is worked out anew, one call at a time, the newest state only.

What was worked out lies in memory and can be worked out again from the stored lines at any time: after a restart the first reading of a
call does so.  Lines of a call that nothing may be kept of, and what is being said in this moment, are nowhere else.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated

import structlog
from fastapi import Depends, Request

from bot import database
from bot.calls import calls
from bot.calls.segments import Segment
from bot.clock import utcnow
from bot.errors import StoreBusy
from bot.masking import mask
from bot.models.calls import Call
from bot.settings import Settings
from index.assist.deciding import Deciding, deciding, settled_by
from index.assist.lines import Line
from index.assist.listening import Listener, Topic
from index.assist.panel import Panel
from index.versions.store import IndexReader, IndexUnavailable

log = structlog.get_logger(__name__)

_PARTIAL_LASTS = timedelta(seconds=8)
"""What is being said in this moment was said, or was nothing, after so long"""
_FORGOTTEN = timedelta(minutes=30)
"""A call that nobody looked at for so long is dropped from memory"""
_MOST = 500
"""Calls in memory at a time"""
_AGAIN_S = 0.5
"""How long a call waits when the database is busy"""


@dataclass
class Heard:
    """One call in memory."""

    listener: Listener | None = None
    """Once there is an index: what is said is taken before that, too"""
    lines: dict[int, Line] = field(default_factory=dict)
    partial: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    """Speaker → what they are saying"""
    panels: list[tuple[Topic, Panel, Deciding | None]] = field(default_factory=list)
    """Topics, what is shown of each, and the question that would decide"""
    without: set[str] = field(default_factory=set)
    decided: dict[str, str] = field(default_factory=dict)
    """The decisive questions that were answered, with the answer"""
    region: str | None = None
    touched: datetime = field(default_factory=utcnow)


class Assisting:
    """All calls of this process."""

    def __init__(self, settings: Settings, reader: IndexReader) -> None:
        self._settings, self._reader = settings, reader
        self._calls: dict[str, Heard] = {}
        self._dirty: dict[str, None] = {}
        """Calls to be worked out, the longest-waiting first"""
        self._woken = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._listen, name="assist", daemon=True)

    def heard(self, call: Call, segments: Sequence[Segment], now: datetime) -> None:
        """New final lines of a call; stored already, unless nothing of it is to be kept."""
        one = self._calls.get(call.id)
        if one is None and call.kept:
            self._mark(call.id)  # worked out from what is stored
            return
        one = one or self._open(call.id)
        for segment in segments:
            one.lines[segment.seq] = Line(segment.seq, segment.speaker, segment.text, now)
            one.partial.pop(segment.speaker, None)
        one.touched = now
        self._mark(call.id)

    def saying(self, call_id: str, speaker: str, text: str, now: datetime) -> None:
        """What somebody is saying in this moment."""
        one = self._calls.get(call_id) or self._open(call_id)
        one.partial[speaker] = text, now

    def saying_now(self, call_id: str, now: datetime) -> dict[str, str]:
        """Speaker → what they are saying in this moment."""
        one = self._calls.get(call_id)
        return {who: text for who, (text, at) in one.partial.items() if now - at < _PARTIAL_LASTS} if one else {}

    def lines(self, call_id: str) -> list[Line]:
        """Those in memory, in order."""
        one = self._calls.get(call_id)
        return sorted(one.lines.values(), key=lambda line: line.seq) if one else []

    def known(self, call_id: str) -> bool:
        """Whether a call is in memory."""
        return call_id in self._calls

    def panels(self, call_id: str) -> list[tuple[Topic, Panel, Deciding | None]]:
        """What is shown of a call."""
        one = self._calls.get(call_id)
        return one.panels if one else []

    def refuse(self, call_id: str, qa_id: str) -> None:
        """This item does not fit in this call."""
        self._known_or_new(call_id).without.add(qa_id)
        self._mark(call_id)

    def take_back(self, call_id: str, qa_id: str) -> None:
        """It may fit after all."""
        self._known_or_new(call_id).without.discard(qa_id)
        self._mark(call_id)

    def decide(self, call_id: str, key: str, answer: str) -> None:
        """The decisive question has been answered."""
        self._known_or_new(call_id).decided[key] = answer
        self._mark(call_id)

    def place(self, call_id: str, region: str | None) -> None:
        """Where the caller is."""
        self._known_or_new(call_id).region = region
        self._mark(call_id)

    def forget(self, call_id: str) -> None:
        """Nothing of it is to be known any more."""
        self._calls.pop(call_id, None)
        self._dirty.pop(call_id, None)

    def look(self, call_id: str) -> None:
        """Somebody looks at a call: work it out if that was not done."""
        if call_id not in self._calls:
            self._mark(call_id)

    def start(self) -> None:
        """Begin to listen, in a thread of its own."""
        self._thread.start()

    def close(self) -> None:
        """Stop; what was to be worked out will be when somebody looks again."""
        with self._woken:
            self._closing = True
            self._woken.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _listen(self) -> None:
        while True:
            with self._woken:
                self._woken.wait_for(lambda: self._dirty or self._closing)
                if self._closing:
                    return
                call_id = next(iter(self._dirty))
                del self._dirty[call_id]
            try:
                self._work(call_id)
            except IndexUnavailable:
                continue  # no suggestions meanwhile; readyz says so
            except StoreBusy:
                time.sleep(_AGAIN_S)
                self._mark(call_id)
            except Exception:
                log.exception("assist.failed", call=call_id)

    def _mark(self, call_id: str) -> None:
        with self._woken:
            self._dirty[call_id] = None
            self._woken.notify()

    def _open(self, call_id: str) -> Heard:
        if len(self._calls) >= _MOST:
            oldest = min(self._calls, key=lambda id_: self._calls[id_].touched)
            del self._calls[oldest]
        one = self._calls[call_id] = Heard()
        return one

    def _known_or_new(self, call_id: str) -> Heard:
        return self._calls.get(call_id) or self._open(call_id)

    def _work(self, call_id: str) -> None:
        """Work out what is shown."""
        loaded = self._reader.get()
        now = utcnow()
        with database.read() as session:
            call = session.get(Call, call_id)
            if call is None:
                self.forget(call_id)
                return
            stored = {
                line.seq: Line(line.seq, line.speaker, line.text, line.at)  # type: ignore[arg-type]
                for line in calls.lines_of(session, call_id)
            }
            kept, region = call.kept, call.region
        one = self._known_or_new(call_id)
        if one.listener is None or one.listener.loaded.version != loaded.version:
            one.listener = Listener(loaded, self._settings.region)
        if kept:
            one.lines = stored
        one.region = region
        one.touched = now
        topics = one.listener.hear(list(one.lines.values()), region=region, without=one.without)
        before = {topic.lines[0] if topic.lines else 0: panel for topic, panel, _ in one.panels}
        said = "".join(line.text for line in one.lines.values() if line.speaker == "caller")
        panels = []
        for topic in topics:
            last = before.get(topic.lines[0] if topic.lines else 0, Panel())
            question = deciding(topic, loaded.retriever, said)
            if question is not None and question.key in one.decided:
                topic = settled_by(topic, question, one.decided[question.key])
                question = None
            panels.append((topic, last.without(one.without).next(topic.suggestions, now), question))
        same = _shown(one.panels) == _shown(panels)
        one.panels = panels
        self._drop_old(now)
        if not same:
            self._tell(call_id, panels, now)

    def _tell(self, call_id: str, panels: Sequence[tuple[Topic, Panel, Deciding | None]], now: datetime) -> None:
        """Open pages hear of it, and what is shown from now on is kept."""
        with database.write() as session:
            call = session.get(Call, call_id)
            if call is None:
                return
            calls.told_of(session, call)
            for number, (topic, panel, _) in enumerate(panels if call.kept else ()):
                items = [{"qa_id": one.qa_id, "band": one.band, "probability": one.probability} for one in panel.items]
                seq = max(topic.lines, default=0)
                calls.shown(session, call, seq, number, mask(topic.question), items, now)

    def _drop_old(self, now: datetime) -> None:
        for call_id in [id_ for id_, one in self._calls.items() if now - one.touched > _FORGOTTEN]:
            del self._calls[call_id]


def _of(request: Request) -> Assisting:
    here: Assisting = request.app.state.assisting
    return here


TheAssisting = Annotated[Assisting, Depends(_of)]
"""A route's parameter: what listens to the calls of this process"""


def _shown(panels: Sequence[tuple[Topic, Panel, Deciding | None]]) -> list[object]:
    return [
        (topic.question, [(one.qa_id, one.band) for one in panel.items], question) for topic, panel, question in panels
    ]
