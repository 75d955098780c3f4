"""A call from its beginning to its end, and how it is kept."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bot import audit, database, events, retention
from bot.crypto import get_cipher
from bot.desk import callbacks, states
from bot.errors import IllegalMove, InvalidInput, NotFound
from bot.models.calls import Call, CallLine, CallShown
from bot.models.tickets import digits_of

OPEN = ("live", "wrap_up")
"""States in which an agent still has something to do"""
LONGEST = timedelta(hours=4)
"""A call that says nothing of its end for so long has ended: the telephone system lost it"""
_MAX_DIGITS = 20


def begin(
    session: Session,
    now: datetime,
    *,
    agent: str | None,
    external_id: str | None = None,
    caller: str | None = None,
    practice: bool = False,
) -> Call:
    """A call begins.  The same ``external_id`` again is the same call; an agent who was missing then is taken from this one.

    Args:
        agent: who talks; None: nobody yet.
        caller: the number that calls, as the telephone system tells it.

    Raises:
        InvalidInput: the caller's number has no digits, or too many.
        IllegalMove: by hand, while another call of this agent is still under way.
    """
    if caller is not None and not 3 <= len(digits_of(caller)) <= _MAX_DIGITS:
        raise InvalidInput("来电号码不对：只能是数字，可以带区号。")
    if external_id is not None:
        same = select(Call).where(Call.external_id == external_id).with_for_update()
        if (call := session.scalar(same)) is not None:
            if agent is not None and call.agent is None and call.state == "live":
                _given(session, call, agent, now)
            return call
    elif agent is not None and (held := live_of(session, agent)) is not None and not held.practice:
        raise IllegalMove("您还有一通电话没有结束，请先结束那一通。")
    call = Call(
        id=uuid.uuid4().hex,
        external_id=external_id,
        practice=practice,
        agent=agent,
        state="live",
        caller=caller,
        kept=True,
        seq=0,
        revision=0,
        started_at=now,
    )
    try:
        with session.begin_nested():
            session.add(call)
    except IntegrityError:  # the same call is being told of twice in this moment
        return session.scalars(select(Call).where(Call.external_id == external_id)).one()
    _does(session, call, "call", now)
    told_of(session, call)
    return call


def _given(session: Session, call: Call, agent: str, now: datetime) -> None:
    call.agent = agent
    _does(session, call, "call", now)
    told_of(session, call)


def told_of(session: Session, call: Call) -> None:
    """Open pages hear that something changed; whom it is for stands in the event."""
    events.publish(session, "call", call.id, agent=call.agent)


def locked(session: Session, call_id: str) -> Call:
    """The call, for a change of it.  Raises: NotFound."""
    call = session.get(Call, call_id, with_for_update=True, populate_existing=True)
    if call is None:
        raise NotFound("没有这通电话。")
    return call


def of_agent(session: Session, call_id: str, agent: str) -> Call:
    """The call, locked, if it is this agent's.  Raises: NotFound, IllegalMove."""
    call = locked(session, call_id)
    if call.agent != agent:
        raise IllegalMove("这通电话不是您接的，不能这样做。")
    return call


def live_of(session: Session, agent: str) -> Call | None:
    """The call that an agent is on; of several the last one."""
    query = select(Call).where(Call.agent == agent, Call.state == "live").order_by(Call.started_at.desc(), Call.id)
    return session.scalar(query.limit(1))


def open_of(session: Session, agent: str) -> Sequence[Call]:
    """Calls that an agent still has to do with, the last one first."""
    query = select(Call).where(Call.agent == agent, Call.state.in_(OPEN))
    return session.scalars(query.order_by(Call.started_at.desc(), Call.id)).all()


def under_way(session: Session) -> Sequence[Call]:
    """All that are under way, the longest first; practice is nobody's business."""
    query = select(Call).where(Call.state.in_(OPEN), Call.practice.is_(False))
    return session.scalars(query.order_by(Call.started_at, Call.id)).all()


def take(session: Session, call: Call, agent: str, now: datetime) -> None:
    """Answer a call that nobody has.  Raises: IllegalMove: somebody has it, or it is over."""
    if call.agent == agent:
        return
    if call.agent is not None or call.state != "live":
        raise IllegalMove("这通电话已经有人接了，或者已经挂断。")
    _given(session, call, agent, now)


def told_caller(session: Session, call: Call, now: datetime) -> None:
    """The caller was told that what is said is written down."""
    if call.told_at is None:
        call.told_at = now
        told_of(session, call)


def hang_up(session: Session, call: Call, now: datetime) -> None:
    """They have hung up: the agent writes down what came of it.  Again it changes nothing."""
    if call.state != "live":
        return
    call.ended_at = now
    call.state = "wrap_up" if call.agent else "given_up"
    if call.agent:
        _does(session, call, "wrap_up", now)
    elif call.caller and not call.practice:
        callbacks.owe(session, "call", call.id, call.caller, "hung_up", call.started_at, now)
    told_of(session, call)


def finish(session: Session, call: Call, now: datetime, summary: dict[str, Any] | None = None) -> None:
    """What came of it is written down.

    Raises:
        IllegalMove: it is over already, or was given up.
    """
    if call.state not in OPEN:
        raise IllegalMove("这通电话已经处理完了。")
    if summary is not None:
        call.summary = summary
    call.ended_at = call.ended_at or now
    call.state, call.done_at = "done", now
    _does(session, call, "idle", now)
    told_of(session, call)


def _does(session: Session, call: Call, state: states.State, now: datetime) -> None:
    """What the agent does because of the call, where they are on duty; practice is no work."""
    if call.agent and not call.practice and states.current(session, call.agent) is not None:
        states.enter(session, call.agent, state, now)


def keep_nothing(session: Session, call: Call, by: str) -> None:
    """The caller does not want it kept: what was stored goes at once, and nothing more is stored.  It can't be undone."""
    if not call.kept:
        return
    call.kept, call.summary = False, None
    _forget(session, [call.id])
    call.revision += 1
    audit.record(session, by, "call.not_kept", call.id)
    told_of(session, call)


def lines_of(session: Session, call_id: str, after: int = 0) -> Sequence[CallLine]:
    """Its stored lines with a greater number, in order."""
    query = select(CallLine).where(CallLine.call_id == call_id, CallLine.seq > after)
    return session.scalars(query.order_by(CallLine.seq)).all()


def shown(
    session: Session, call: Call, seq: int, topic: int, question: str, items: list[dict[str, Any]], now: datetime
) -> None:
    """Note what the desk shows from now on, unless it showed just that before."""
    last = session.scalar(
        select(CallShown)
        .where(CallShown.call_id == call.id, CallShown.topic == topic)
        .order_by(CallShown.id.desc())
        .limit(1)
    )
    if last is None or [(one["qa_id"], one["band"]) for one in last.items] != [
        (one["qa_id"], one["band"]) for one in items
    ]:
        session.add(CallShown(call_id=call.id, seq=seq, topic=topic, question=question, items=items, at=now))


def shown_in(session: Session, call_id: str) -> Sequence[CallShown]:
    """What was shown, in order."""
    return session.scalars(select(CallShown).where(CallShown.call_id == call_id).order_by(CallShown.id)).all()


def end_lost(session: Session, now: datetime) -> int:
    """End calls that nothing was heard of for long; how many."""
    lost = session.scalars(
        select(Call).where(Call.state == "live", Call.started_at < now - LONGEST).with_for_update(skip_locked=True)
    ).all()
    for call in lost:
        hang_up(session, call, now)
    return len(lost)


def forget_old(session: Session, now: datetime, days: int) -> int:
    """Remove what was said in calls that ended so long ago, and whose they were; that there was a call stays.  How many."""
    old = select(Call.id).where(Call.started_at < now - timedelta(days=days), Call.kept)
    ids = list(session.scalars(old.limit(500)))
    _forget(session, ids)
    gone = {"kept": False, "summary": None, "caller": None, "caller_index": None}
    return database.rows_changed(session, update(Call).where(Call.id.in_(ids)).values(**gone))


def _forget(session: Session, ids: Sequence[str]) -> None:
    """What was said in these calls, and whatever was kept of it elsewhere."""
    for table in (CallLine, CallShown):
        session.execute(delete(table).where(table.call_id.in_(ids)))
    retention.forget_subjects(session, ids)


def forget_phone(session: Session, phone: str, actor: str) -> int:
    """Remove the calls of a phone at its owner's wish; how many."""
    query = select(Call.id).where(Call.caller_index.in_(get_cipher().blind(digits_of(phone))))
    ids = list(session.scalars(query))
    _forget(session, ids)
    session.execute(delete(Call).where(Call.id.in_(ids)))
    for id_ in ids:
        audit.record(session, actor, "call.erased", id_)
    return len(ids)


def count_since(session: Session, since: datetime) -> dict[str, int]:
    """Calls that began since then, by state; practice is not counted."""
    rows = session.execute(
        select(Call.state, func.count()).where(Call.started_at >= since, Call.practice.is_(False)).group_by(Call.state)
    )
    return {str(state): total for state, total in rows}
