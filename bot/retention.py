"""Retention and erasure: what citizens said is removed when its time is over, or when they ask for it.

Tickets are records and stay; what ties them to the conversation goes.

A clock that is wrong must not remove everything, so a run refuses when the clock is far ahead of where the last run and the
host's own clock put it, and when it would take too much at once.  A person may confirm it (``yihaoda retention run --confirm``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from bot import audit, database, notices
from bot.clock import SHANGHAI, utcnow
from bot.errors import YihaodaError
from bot.models.callbacks import Callback
from bot.models.conversations import (
    Alarm,
    ChannelUser,
    Conversation,
    DeskNote,
    HumanService,
    InboxMessage,
    OutboxMessage,
    Rating,
    TurnEffect,
)
from bot.models.desk import Choice, Shield
from bot.models.housekeeping import AuditEntry, LastPurge
from bot.models.people import Draft
from bot.models.recalls import RecallTarget
from bot.models.sms import ShortMessage
from bot.models.tickets import Ticket

AHEAD = timedelta(days=2)
"""So far the clock may stand ahead."""
SHARE, COUNT = 0.2, 50
"""A run takes no more than this share of all conversations, unless they are no more than so many."""
_BATCH = 500
_REMEMBER = timedelta(hours=1)
"""How often a run that removed nothing is written down: no write every half minute."""
_NOTICE = "retention"
_CONFIRM = "运行 ./yihaoda retention run --confirm"


class PurgeRefused(YihaodaError):
    """Retention does not trust the clock, or what it would do; the text says why and what to do."""

    code = "purge_refused"


@dataclass(frozen=True)
class HostClock:
    """The host's own clock, which nobody sets: which start it counts from, and for how long it has been running."""

    boot: str
    since_boot: timedelta


def host_clock() -> HostClock:
    """Now.  ``CLOCK_BOOTTIME`` where there is one: it counts the time asleep as well."""
    seconds = time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = ""  # no Linux: a clock that went backwards shows a new start
    return HostClock(boot, timedelta(seconds=seconds))


def run(days: int, *, confirmed_by: str | None = None, say: Callable[[int], None] = lambda removed: None) -> int:
    """Remove conversations that have been silent for ``days``; how many.  A refusal stays among ``bot.notices`` until a run goes well.

    Args:
        confirmed_by: Who says that the clock is right and that all of it is to go; on record in the audit log.
        say: Told after each batch how many are gone so far.

    Raises:
        PurgeRefused: the clock or the number looks wrong.
    """
    removed = 0
    while True:
        try:
            with database.write() as session:
                batch = purge(session, utcnow(), days, host_clock(), confirmed_by=confirmed_by)
        except PurgeRefused as refused:
            notices.put(_NOTICE, str(refused))
            raise
        notices.settle(_NOTICE)
        removed += batch
        say(removed)
        if batch < _BATCH:
            break
        confirmed_by = confirmed_by and ""  # on record once
    if removed:
        database.forget_erased()
    return removed


def purge(session: Session, now: datetime, days: int, host: HostClock, *, confirmed_by: str | None = None) -> int:
    """Remove at most a batch of what is due, so that the transaction stays short.

    Args:
        now: By the clock on the wall.
        confirmed_by: None: only if nothing looks wrong.  Empty: confirmed, and on record already.

    Returns:
        How many conversations were removed; fewer than a batch means that nothing is left to do.

    Raises:
        PurgeRefused: see ``run``.
    """
    is_due = Conversation.active_at < now - timedelta(days=days)
    last = session.get(LastPurge, 1, with_for_update=True)
    due = session.scalar(select(func.count()).select_from(Conversation).where(is_due)) or 0
    refusal = _leapt(session, now, host, last, due) or _too_many(session, due)
    if refusal and confirmed_by is None:
        raise PurgeRefused(refusal)
    if confirmed_by:
        audit.record(session, confirmed_by, "retention.confirm", "会话", due=due, days=days, refused=refusal)
    if due or last is None or last.boot != host.boot or abs(now - last.at) > _REMEMBER:
        session.merge(LastPurge(id=1, at=now, boot=host.boot, since_boot_s=host.since_boot.total_seconds()))
    old = list(session.scalars(select(Conversation.id).where(is_due).limit(_BATCH))) if due else []
    if old:
        erase(session, old)
    return len(old)


def _leapt(session: Session, now: datetime, host: HostClock, last: LastPurge | None, due: int) -> str | None:
    """Why the clock can't be trusted, if so."""
    if last is not None:
        since = host.since_boot - timedelta(seconds=last.since_boot_s)
        if last.boot != host.boot or since < timedelta(0):
            since = host.since_boot  # started anew: how long it was off, nobody can tell
        known, how = last.at + since, "上次清理的时间加上主机此后运行的时间"
    else:
        # The first run ever: when something happened last is all there is to go by.
        newest = session.scalar(select(func.max(Conversation.active_at)))
        noted = session.scalar(select(AuditEntry.at).order_by(AuditEntry.id.desc()).limit(1))
        if not due or newest is None:
            return None
        known, how = max(filter(None, (newest, noted))), "数据库里最近一次活动的时间"
    if now <= known + AHEAD:
        return None
    return (
        f"到期会话没有清除：现在的时钟是 {_shown(now)}，{how}是 {_shown(known)}，快了 {(now - known).days} 天，时钟可能不对。"
        f"请核对服务器的时间。时间没有错（比如服务器停过很久），就{_CONFIRM}。"
    )


def _too_many(session: Session, due: int) -> str | None:
    if due <= COUNT:
        return None
    all_ = session.scalar(select(func.count()).select_from(Conversation)) or 0
    if due <= SHARE * all_:
        return None
    return (
        f"到期会话没有清除：到期的有 {due} 个，占全部 {all_} 个的 {due / all_:.0%}，一次太多了。"
        f"请核对服务器的时间和 YIHAODA_RETENTION_DAYS。确实要清除，就{_CONFIRM}。"
    )


def _shown(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


def erase(session: Session, conversation_ids: Sequence[str]) -> None:
    """Remove conversations with every message, reply, turn and rating in them, what agents were writing, and whose they are.

    A turn that is being answered meanwhile finds no conversation to write to.  A ticket keeps its masked transcript.  After
    the commit ``database.forget_erased`` takes care of the files.
    """
    gone = list(conversation_ids)
    said = select(InboxMessage.turn_id).where(InboxMessage.conversation_id.in_(gone))
    for statement in (
        update(Ticket).where(Ticket.conversation_id.in_(gone)).values(conversation_id=None, turn_id=None),
        delete(Rating).where(Rating.turn_id.in_(said)),
        delete(Alarm).where(Alarm.turn_id.in_(said)),
        delete(TurnEffect).where(TurnEffect.turn_id.in_(said)),
        delete(OutboxMessage).where(OutboxMessage.conversation_id.in_(gone)),
        delete(InboxMessage).where(InboxMessage.conversation_id.in_(gone)),
        delete(HumanService).where(HumanService.conversation_id.in_(gone)),
        delete(DeskNote).where(DeskNote.conversation_id.in_(gone)),
        delete(Draft).where(Draft.kind == "conversation", Draft.subject.in_(gone)),
        delete(ChannelUser).where(ChannelUser.conversation_id.in_(gone)),
        delete(Conversation).where(Conversation.id.in_(gone)),
    ):
        session.execute(statement.execution_options(synchronize_session=False))
    forget_subjects(session, gone)


def forget_subjects(session: Session, ids: Sequence[str]) -> None:
    """Remove what the desk keeps about conversations or calls of these ids, beside what was said in them."""
    for model in (Choice, Shield, Callback, ShortMessage):
        gone = delete(model).where(model.subject.in_(ids))
        session.execute(gone.execution_options(synchronize_session=False))
    listed = delete(RecallTarget).where(RecallTarget.key.in_(ids))
    session.execute(listed.execution_options(synchronize_session=False))
