"""Segments of a running transcript, as speech recognition sends them: out of order, twice, corrected, late.

Final ones are stored before they are acknowledged.  Partial ones only tell what is being said in this moment and are never stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.calls import calls
from bot.errors import IllegalMove
from bot.models.calls import Call, CallLine

LONGEST = 2000
"""Characters of a segment; what is longer is no breath of a person's"""
MOST = 5000
"""Lines of a call: a call of hours"""


@dataclass(frozen=True)
class Segment:
    """What was said in one breath.

    Attributes:
        seq: its number within the call, from 1 on; it orders the lines, whatever order they come in.
        version: a higher one corrects what came under this number before.
        start_ms: when it began, from the call's start.
    """

    seq: int
    speaker: Literal["caller", "agent"]
    text: str
    start_ms: int = 0
    version: int = 0


def take(session: Session, call: Call, segments: Sequence[Segment], now: datetime) -> list[int]:
    """Store final segments of a call that is locked; the numbers of those that changed something.

    A call that is over takes late ones too, as long as it is being written up: the last words come after hanging up.

    Raises:
        IllegalMove: it is done, or has too many lines.
    """
    if call.state not in calls.OPEN:
        raise IllegalMove("这通电话已经处理完，不再收转写内容。")
    if not call.kept:
        return []
    wanted: dict[int, Segment] = {}
    for one in segments:  # of several in one go the highest version counts, of equal ones the last
        if one.seq not in wanted or one.version >= wanted[one.seq].version:
            wanted[one.seq] = one
    found = select(CallLine).where(CallLine.call_id == call.id, CallLine.seq.in_(list(wanted)))
    present = {line.seq: line for line in session.scalars(found)}
    changed = []
    for seq, one in sorted(wanted.items()):
        line = present.get(seq)
        text = one.text.strip()
        if line is None:
            if not text:
                continue
            if seq > MOST:
                raise IllegalMove(f"一通电话最多 {MOST} 行。")
            session.add(
                CallLine(
                    call_id=call.id,
                    seq=seq,
                    version=one.version,
                    speaker=one.speaker,
                    text=text,
                    start_ms=one.start_ms,
                    at=now,
                )
            )
        elif one.version > line.version and (line.text, line.speaker) != (text, one.speaker):
            line.text, line.speaker, line.version, line.at = text, one.speaker, one.version, now
        else:
            continue  # again, or older than what we have
        changed.append(seq)
    if changed:
        call.seq = max(call.seq, changed[-1])
        call.revision += 1
        calls.told_of(session, call)
    session.flush()
    return changed
