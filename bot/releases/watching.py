"""Watching a bundle that is shared: how it does beside the live one, and whether that is worse beyond chance.

Conversations are given to the shared bundle by hash, so where it is no worse, each conversation in which something went wrong was
one of its own with a probability that is known: its share.  From that follows an exact test which may be looked at as often as one
likes: for a ratio r of the risks, each such conversation multiplies the evidence by r ÷ (share·r + 1 − share) if it is the shared
bundle's, else by 1 ÷ (share·r + 1 − share).  The mean over some ratios is a non-negative martingale as long as the bundle is no
worse, so the probability that it ever gets to 1 ÷ α is at most α (Ville), however long and however often we look.

Each conversation counts once for each sign, by what happened first.  Those that were under way when the share began or grew were
given away before, and are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from bot import asked, conversations, database, events, notices
from bot.clock import utcnow
from bot.models.asked import Asked
from bot.models.conversations import Conversation, HumanService, InboxMessage, TurnEffect
from bot.models.release_watch import ReleaseWatch
from bot.models.releases import Bundle, ReleaseStep
from bot.releases import moves, switching
from bot.releases.serving import place
from bot.releases.states import PREVIOUS, SHARE
from bot.settings import Settings

SIGNS = {
    "unhappy": "点了没用、说不是这个、换了说法再问、坐席用了别的",
    "unanswered": "有一问没有直接答上",
    "handed": "转了人工或者登记了工单",
    "fallback": "网关代答",
    "slow": "有一句回得慢",
}
"""What may go wrong in a conversation; each is tested by itself"""
RATIOS = (1.3, 1.6, 2.0, 3.0, 6.0)
"""How many times as often, as the test supposes.  What is less than about 1.15 times worse is not stopped: the gate was for that."""
SLOW_SHARE = 0.05
"""Of the live bundle's turns before the share began, so many were slower than what is called slow"""
RECENT = 100
"""The hard limits look at so many last turns of the shared bundle"""
LEAST = 40
"""Fewer turns say nothing"""
SLOWER_THAN_MS = 1000
"""What is faster than that is no reason to stop, however fast the live one is"""
_DAY = timedelta(days=1)
_OPEN = ("clarify", "offer", "passages", "not_ours")
"""Decisions that leave a question open"""
_MOST, _FAR = 1e12, 700.0
"""Evidence is not written larger than that; and what a logarithm may be at most"""


@dataclass
class Arm:
    """One side of the comparison."""

    conversations: int = 0
    turns: int = 0
    fallbacks: int = 0
    signs: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SIGNS, 0))
    """Conversations in which it happened"""
    p95_ms: float | None = None
    """Of the last ``RECENT`` turns; of the live bundle those of the same time"""


@dataclass(frozen=True)
class Stage:
    """From when on which share was given to it."""

    start: datetime
    share: int


@dataclass
class Compared:
    """How a shared bundle does beside the live one."""

    bundle: str
    stages: list[Stage]
    coming: Arm
    live: Arm
    evidence: dict[str, float]
    """Of each sign: how many times likelier it is with a worse bundle than by chance; 1 says nothing"""
    stop_at: float
    """So much evidence stops it"""
    slow_ms: float | None
    worse: list[str] = field(default_factory=list)
    """Why it is stopped, for people; empty: it is not"""

    def stored(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "stages": [{"since": one.start.isoformat(), "share": one.share} for one in self.stages],
            "coming": asdict(self.coming),
            "live": asdict(self.live),
            "evidence": {sign: min(_MOST, round(found, 3)) for sign, found in self.evidence.items()},
            "stop_at": self.stop_at,
            "slow_ms": self.slow_ms,
            "worse": self.worse,
        }


def evidence(counts: Iterable[tuple[float, int, int]]) -> float:
    """How many times likelier these counts are where the shared bundle is worse, than where it is not.

    Args:
        counts: of each stage: the share (between 0 and 1), and in how many conversations of the shared bundle and of the live one
            it went wrong.
    """
    stages = list(counts)
    logs = [
        sum(
            shared * math.log(ratio) - (shared + live) * math.log(share * ratio + 1 - share)
            for share, shared, live in stages
        )
        for ratio in RATIOS
    ]
    most = max(logs)
    return math.exp(min(most, _FAR)) * sum(math.exp(one - most) for one in logs) / len(logs)


def let_go(settings: Settings, now: datetime) -> None:
    """Let go of what was kept warm long enough.  Writes only where there is something."""
    with database.read() as session:
        over = select(Bundle.name).where(Bundle.state == PREVIOUS, Bundle.warm_until <= now)
        if session.scalar(over.limit(1)) is None:
            return
    with database.write() as session:
        for name in switching.to_kept(session, settings, now):
            events.publish(session, "release", name)


def look(settings: Settings, now: datetime | None = None) -> Compared | None:
    """Compare the shared bundle with the live one, write that down, and stop it where it is worse; None: none is shared."""
    now = now or utcnow()
    with database.read() as session:
        bundle = session.scalar(select(Bundle).where(Bundle.state == SHARE))
        if bundle is None:
            return None
        before = session.get(ReleaseWatch, bundle.name)
        found = compare(session, settings, bundle, now, slow_ms=before.figures["slow_ms"] if before else None)
    with database.write() as session:
        session.merge(ReleaseWatch(bundle=bundle.name, at=now, figures=found.stored()))
        events.publish(session, "release", bundle.name)
    if found.worse:
        why = "".join(found.worse)
        moves.stop_worse(settings, bundle.name, why)
        notices.put(
            moves.NOTICE, f"发布包 {bundle.name} 灰度时比在用的差，已自动停下：{why}用过它的会话从下一句起用在用的。"
        )
    return found


def compare(
    session: Session, settings: Settings, bundle: Bundle, now: datetime, slow_ms: float | None = None
) -> Compared:
    """How a shared bundle has done beside the live one until now.

    Args:
        slow_ms: what is slow, if that is known; it is fixed by what was before the share, else it would follow what it judges.
    """
    stages = _stages(session, bundle)
    start = stages[0].start
    slow_ms = slow_ms if slow_ms is not None else _slow_ms(session, start)
    under_way = [_under_way(session, stage.start, settings.session_idle_s) for stage in stages]
    arms = Arm(), Arm()
    recent: tuple[list[_Turn], list[_Turn]] = [], []
    seen: set[str] = set()
    happened: dict[str, dict[str, datetime]] = {sign: {} for sign in SIGNS}

    def note(sign: str, id_: str, at: datetime) -> None:
        """The first time that it went wrong in a conversation."""
        happened[sign][id_] = min(at, happened[sign].get(id_, at))

    for turn in _turns(session, start, now):
        stage = _at(stages, turn.at)
        if turn.id in under_way[stage]:
            continue
        side = int(place(turn.id, bundle.name) >= stages[stage].share)
        arm = arms[side]
        arm.turns += 1
        arm.conversations += turn.id not in seen
        seen.add(turn.id)
        recent[side].append(turn)
        if turn.fallback:
            arm.fallbacks += 1
            note("fallback", turn.id, turn.at)
        if turn.decision in _OPEN:
            note("unanswered", turn.id, turn.at)
        if slow_ms is not None and turn.ms > slow_ms:
            note("slow", turn.id, turn.at)
    for sign, id_, at in _told(session, start, seen):
        note(sign, id_, at)
    found = {}
    for sign, times in happened.items():
        counts = [[0, 0] for _ in stages]
        for id_, at in times.items():
            stage = _at(stages, at)
            if id_ not in under_way[stage]:
                side = int(place(id_, bundle.name) >= stages[stage].share)
                counts[stage][side] += 1
                arms[side].signs[sign] += 1
        found[sign] = evidence((one.share / 100, a, b) for one, (a, b) in zip(stages, counts, strict=True))
    compared = Compared(bundle.name, stages, *arms, found, len(SIGNS) / settings.watch_error, slow_ms)
    _judge(compared, recent, settings)
    return compared


def _judge(one: Compared, recent: tuple[list[_Turn], list[_Turn]], settings: Settings) -> None:
    """Why it is to be stopped: what is worse beyond chance, and the hard limits."""
    for sign, found in one.evidence.items():
        if found >= one.stop_at:
            one.worse.append(f"{SIGNS[sign]}：灰度的 {_rate(one.coming, sign)}，在用的 {_rate(one.live, sign)}。")
    mine = recent[0][-RECENT:]
    beside = [turn for turn in recent[1] if mine and turn.at >= mine[0].at]
    if len(mine) < LEAST:
        return
    falling, others = (sum(turn.fallback for turn in turns) / max(1, len(turns)) for turns in (mine, beside))
    if falling > settings.watch_fallback and others < falling / 2:
        one.worse.append(f"最近 {len(mine)} 句里网关代答的占 {falling:.0%}，在用的占 {others:.0%}。")
    one.coming.p95_ms, one.live.p95_ms = _p95(mine), _p95(beside)
    ours, theirs = one.coming.p95_ms, one.live.p95_ms
    enough = len(mine) >= RECENT and len(beside) >= RECENT
    if enough and ours and theirs and ours > max(SLOWER_THAN_MS, settings.watch_slow_ratio * theirs):
        one.worse.append(
            f"最近 {len(mine)} 句里最慢的二十分之一要 {ours / 1000:.1f} 秒以上，在用的是 {theirs / 1000:.1f} 秒。"
        )


def _rate(arm: Arm, sign: str) -> str:
    return f"{arm.conversations} 个会话里有 {arm.signs[sign]} 个（{arm.signs[sign] / max(1, arm.conversations):.1%}）"


# --- what happened ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Turn:
    id: str
    """The conversation's"""
    at: datetime
    ms: float
    fallback: bool
    decision: str


def _stages(session: Session, bundle: Bundle) -> list[Stage]:
    """Since it was shared last, one for each share."""
    steps = session.scalars(select(ReleaseStep).where(ReleaseStep.bundle == bundle.name).order_by(ReleaseStep.id))
    found: list[Stage] = []
    for step in steps:
        if step.move == "share":
            found = [*(found if step.before == SHARE else []), Stage(step.at, step.figures["share"])]
    return found or [Stage(bundle.since, bundle.share)]


def _at(stages: Sequence[Stage], at: datetime) -> int:
    return max(0, sum(stage.start <= at for stage in stages) - 1)


def _turns(session: Session, start: datetime, until: datetime) -> Iterator[_Turn]:
    """The turns that a bundle decided in that time, in their order; no trials."""
    query = (
        select(
            TurnEffect.conversation_id,
            TurnEffect.settled_at,
            InboxMessage.received_at,
            TurnEffect.engine,
            TurnEffect.decision,
        )
        .join(InboxMessage, InboxMessage.turn_id == TurnEffect.turn_id)
        .join(Conversation, Conversation.id == TurnEffect.conversation_id)
        .where(Conversation.active_at >= start, Conversation.channel != conversations.TRIAL)
        .where(TurnEffect.settled_at >= start, TurnEffect.settled_at < until, TurnEffect.bundle.is_not(None))
        .order_by(TurnEffect.settled_at)
    )
    for id_, at, received, engine, decision in session.execute(query):
        yield _Turn(id_, at, (at - received).total_seconds() * 1000, engine == "fallback", decision)


def _told(session: Session, start: datetime, ids: set[str]) -> Iterator[tuple[str, str, datetime]]:
    """(sign, conversation, when) of what the citizens did."""
    known = {link: id_ for id_ in ids for link in asked.person_link(id_)}
    unhappy = or_(Asked.refused, Asked.rephrased.is_not(None), Asked.helpful.is_(False), Asked.agent_qa != Asked.qa_id)
    rows = select(Asked.person, Asked.at, Asked.ticket, unhappy).where(
        Asked.at >= start, or_(unhappy, Asked.ticket.is_not(None))
    )
    for person, at, ticket, is_unhappy in session.execute(rows):
        if (id_ := known.get(person or "")) is not None:
            if is_unhappy:
                yield "unhappy", id_, at
            if ticket is not None:
                yield "handed", id_, at
    waits = select(HumanService.conversation_id, HumanService.entered_at).where(HumanService.entered_at >= start)
    for id_, at in session.execute(waits):
        if id_ in ids:
            yield "handed", id_, at


def _under_way(session: Session, start: datetime, idle_s: int) -> set[str]:
    """The conversations whose session may have begun before then."""
    since = start - timedelta(seconds=idle_s)
    query = (
        select(InboxMessage.conversation_id)
        .join(Conversation, Conversation.id == InboxMessage.conversation_id)
        .where(Conversation.active_at >= since, InboxMessage.received_at >= since, InboxMessage.received_at < start)
    )
    return set(session.scalars(query.distinct()))


def _slow_ms(session: Session, start: datetime) -> float | None:
    """What only ``SLOW_SHARE`` of the turns of the day before took longer than; None: too few turns."""
    taken = list(_turns(session, start - _DAY, start))
    return _p95(taken) if len(taken) >= RECENT else None


def _p95(turns: Sequence[_Turn]) -> float | None:
    ordered = sorted(turn.ms for turn in turns)
    return round(ordered[math.ceil(len(ordered) * (1 - SLOW_SHARE)) - 1], 1) if ordered else None
