"""Local figures: proposed by one person, approved by another; what is live stays live until the next version takes its place.

For a citizen the nearest region's figure counts.  Where the nearest one has expired or was withdrawn, none is shown, not a
wider region's: that one may not hold there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bot import audit, events, regions
from bot.accounts.roles import APPROVER, EDITOR
from bot.clock import SHANGHAI, utcnow
from bot.conversations import TRIAL
from bot.errors import Forbidden, IllegalMove, InvalidInput, NotFound
from bot.local.slots import Slot, Slots, address, checked, slots
from bot.models.conversations import Conversation, TurnEffect
from bot.models.local import LocalFigure
from bot.models.people import Person
from bot.replies import Local
from bot.settings import Settings, get_settings

DRAFT, RETURNED, APPROVED = "draft", "returned", "approved"
REPLACED, WITHDRAWN, DISCARDED = "replaced", "withdrawn", "discarded"
STATUS_NAMES = {
    DRAFT: "待审核",
    RETURNED: "退回修改",
    APPROVED: "已审核",
    REPLACED: "已被新的代替",
    WITHDRAWN: "停用",
    DISCARDED: "没有采用",
}
ASKED = timedelta(days=30)
"""How far back answers count for what is asked most"""
SOON = timedelta(days=30)
"""What ends so soon is to be seen to"""
_SOURCE, _REASON, _DEPARTMENT = 300, 300, 100


# --- what is in force ------------------------------------------------------------------------------------------------


def in_force(session: Session, keys: Iterable[str], region: str, today: date) -> dict[str, LocalFigure]:
    """By key, the figure that holds in a region on a day: the nearest region's that has any.  Raises: NotFound: no such region."""
    places = regions.ancestors(region)
    found = _standing(session, list(keys), places, today)
    chosen: dict[str, LocalFigure] = {}
    for key in dict.fromkeys(keys):
        nearest = next((row for place in places if (row := found.get((key, place)))), None)
        if nearest is not None and _holds(nearest, today):
            chosen[key] = nearest
    return chosen


def _standing(
    session: Session, keys: Sequence[str] | None, places: Sequence[str] | None, today: date
) -> dict[tuple[str, str], LocalFigure]:
    """What stands for each key and region on a day: the last to have begun, even if it has ended since.

    A version that has ended does not bring back the one before it.
    """
    query = select(LocalFigure).where(LocalFigure.status.in_((APPROVED, WITHDRAWN)))
    if keys is not None:
        query = query.where(LocalFigure.key.in_(keys))
    if places is not None:
        query = query.where(LocalFigure.region.in_(places))
    begun = [row for row in session.scalars(query) if row.valid_from is None or row.valid_from <= today]
    begun.sort(key=lambda row: (row.valid_from or date.min, row.id))
    return {(row.key, row.region): row for row in begun}


def _holds(row: LocalFigure, today: date) -> bool:
    return row.status == APPROVED and (row.valid_to is None or row.valid_to >= today)


def view(row: LocalFigure, slot: Slot) -> Local:
    """A figure as a citizen is told of it."""
    return Local(
        key=row.key,
        label=slot.label,
        kind=slot.kind,
        value=row.value,
        region=regions.get(row.region).name,
        source=row.source,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        as_of=row.approved_at.astimezone(SHANGHAI).date() if row.approved_at else None,
    )


@dataclass(frozen=True)
class Shown:
    """What goes with an answer and with its guides."""

    answer: list[Local]
    guides: dict[str, list[Local]]
    """By the guide's id; what the answer shows already is not said again"""


def beside(
    session: Session, settings: Settings, qa_id: str, guide_ids: Sequence[str], region: str, today: date
) -> Shown:
    """The figures of a question and of its guides for somebody in a region; at most one query."""
    known = slots(settings)
    own = known.of_item(qa_id)
    of_guides = {id_: [one for one in known.of_guide(id_) if one not in own] for id_ in guide_ids}
    wanted = [*own, *(one for each in of_guides.values() for one in each)]
    if not wanted:
        return Shown([], {})
    found = in_force(session, [one.key for one in wanted], region, today)

    def views(some: Iterable[Slot]) -> list[Local]:
        return [view(found[one.key], one) for one in some if one.key in found]

    return Shown(views(own), {id_: views(some) for id_, some in of_guides.items()})


def by_key(session: Session, settings: Settings, keys: Iterable[str], region: str, today: date) -> dict[str, Local]:
    """The figures of these keys for somebody in a region, as they are told of."""
    known, wanted = slots(settings), list(keys)
    found = in_force(session, wanted, region, today) if wanted else {}
    return {key: view(row, known.get(key)) for key, row in found.items() if key in known.by_key}


# --- changing --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Content:
    """What a version says, as it was written."""

    value: str
    source: str
    valid_from: date | None = None
    valid_to: date | None = None
    department: str | None = None


def propose(
    session: Session,
    by: str,
    key: str,
    region: str,
    written: Content,
    *,
    revision: int | None = None,
    settings: Settings | None = None,
    now: datetime | None = None,
) -> LocalFigure:
    """Write the working copy, which says nothing to citizens before another person approves it.

    Args:
        revision: of the working copy that was seen; None: none was.

    Raises:
        Forbidden: who is no editor or approver.
        NotFound: no such figure.
        InvalidInput: the value is none of its kind; no source; an unknown region, or one that is not served; an end before the beginning.
        IllegalMove: somebody else changed it meanwhile.
    """
    settings, now = settings or get_settings(), now or utcnow()
    must_be(session, by, EDITOR, APPROVER)
    slot = slots(settings).get(key)
    _check_region(region, settings)
    content = replace(
        written,
        value=checked(slot, written.value),
        source=_checked_source(written.source),
        department=_checked_line(written.department or "", _DEPARTMENT, "责任单位") or None,
    )
    if written.valid_from and written.valid_to and written.valid_to < written.valid_from:
        raise InvalidInput(f"截止日期 {written.valid_to} 早于起始日期 {written.valid_from}。")
    row = working_copy(session, key, region, locked=True)
    if (row.revision if row else None) != revision:
        raise IllegalMove("这一项刚刚被别人改过，请刷新后再改。")
    if row is None:
        row = LocalFigure(
            key=key, region=region, open=True, status=DRAFT, authors=[], revision=0, proposed_at=now, **vars(content)
        )
        try:
            with session.begin_nested():
                session.add(row)
        except IntegrityError as error:
            raise IllegalMove("这一项刚刚被别人改过，请刷新后再改。") from error
    for name, said in vars(content).items():
        setattr(row, name, said)
    row.status, row.reason = DRAFT, None
    row.authors = list(dict.fromkeys((*row.authors, by)))
    row.proposed_at = now
    row.revision += 1
    session.flush()
    _note(session, by, "local.propose", row, value=row.value)
    return row


def approve(
    session: Session, by: str, key: str, region: str, revision: int, now: datetime | None = None
) -> LocalFigure:
    """Let the working copy count from its first day on.  The version that stands today ends with it, unless the new one begins later.

    Raises:
        Forbidden: who is no approver, or has written a part of it.
        NotFound: there is no working copy.
        IllegalMove: it changed since it was seen, it was sent back, or its last day has passed.
    """
    now = now or utcnow()
    today = now.astimezone(SHANGHAI).date()
    must_be(session, by, APPROVER)
    row = _copy_as_seen(session, key, region, revision)
    if by in row.authors:
        raise Forbidden("自己写的要由另一个人审核。")
    if row.status != DRAFT:
        raise IllegalMove("这一项退回修改了，改好以后才能审核。")
    if row.valid_to is not None and row.valid_to < today:
        raise IllegalMove(f"截止日期 {row.valid_to} 已经过了，不能再启用。")
    if row.valid_from is None or row.valid_from <= today:
        _end(session, key, region, today, REPLACED)
    row.status, row.open = APPROVED, None
    row.approved_by = row.decided_by = by
    row.approved_at = row.decided_at = now
    row.revision += 1
    session.flush()
    _note(session, by, "local.approve", row, value=row.value)
    return row


def send_back(session: Session, by: str, key: str, region: str, revision: int, reason: str) -> LocalFigure:
    """Ask for another draft, and say why.  Raises: Forbidden, NotFound, IllegalMove, InvalidInput: no reason."""
    must_be(session, by, APPROVER)
    row = _copy_as_seen(session, key, region, revision)
    row.reason = _checked_reason(reason)
    row.status, row.decided_by, row.decided_at = RETURNED, by, utcnow()
    row.revision += 1
    session.flush()
    _note(session, by, "local.return", row, reason=row.reason)
    return row


def discard(session: Session, by: str, key: str, region: str, revision: int) -> None:
    """Give the working copy up; it stays in the history.  Raises: Forbidden, NotFound, IllegalMove."""
    must_be(session, by, EDITOR, APPROVER)
    row = _copy_as_seen(session, key, region, revision)
    row.status, row.open, row.decided_by, row.decided_at = DISCARDED, None, by, utcnow()
    row.revision += 1
    session.flush()
    _note(session, by, "local.discard", row)


def withdraw(session: Session, by: str, key: str, region: str, reason: str, now: datetime | None = None) -> LocalFigure:
    """Show what stands today no longer, at once; one person is enough, for showing nothing is safe.

    Raises:
        Forbidden: who is no editor or approver.
        NotFound: nothing stands.
        InvalidInput: no reason.
    """
    now = now or utcnow()
    must_be(session, by, EDITOR, APPROVER)
    today = now.astimezone(SHANGHAI).date()
    row = _standing(session, [key], [region], today).get((key, region))
    if row is None or row.status != APPROVED:
        raise NotFound("这一项现在没有在用的标准。")
    said = _checked_reason(reason)
    _end(session, key, region, today, REPLACED, but=row.id)
    row.status, row.reason, row.decided_by, row.decided_at = WITHDRAWN, said, by, now
    row.revision += 1
    session.flush()
    _note(session, by, "local.withdraw", row, reason=said)
    return row


def working_copy(session: Session, key: str, region: str, *, locked: bool = False) -> LocalFigure | None:
    """The version that is being written or waits for approval."""
    query = select(LocalFigure).where(LocalFigure.key == key, LocalFigure.region == region, LocalFigure.open.is_(True))
    return session.scalars(query.with_for_update() if locked else query).one_or_none()


def history(session: Session, key: str, region: str) -> list[LocalFigure]:
    """All versions, the newest first."""
    query = select(LocalFigure).where(LocalFigure.key == key, LocalFigure.region == region)
    return list(session.scalars(query.order_by(LocalFigure.id.desc())))


def _copy_as_seen(session: Session, key: str, region: str, revision: int) -> LocalFigure:
    row = working_copy(session, key, region, locked=True)
    if row is None:
        raise NotFound("这一项没有待审核的内容。")
    if row.revision != revision:
        raise IllegalMove("这一项刚刚被别人改过，请刷新后再看。")
    return row


def _end(session: Session, key: str, region: str, today: date, status: str, but: int | None = None) -> None:
    """What has begun by today counts no more."""
    query = select(LocalFigure).where(
        LocalFigure.key == key, LocalFigure.region == region, LocalFigure.status.in_((APPROVED, WITHDRAWN))
    )
    for row in session.scalars(query.with_for_update()):
        if row.id != but and (row.valid_from is None or row.valid_from <= today):
            row.status = status
            row.revision += 1


def must_be(session: Session, by: str, *roles: str) -> None:
    """Raises: Forbidden: who has none of these roles, or no account in use."""
    person = session.get(Person, by)
    if person is None or not person.active or not set(roles) & set(person.roles):
        needed = "知识审核" if roles == (APPROVER,) else "知识编辑或知识审核"
        raise Forbidden(f"本地标准由{needed}来做，「{by}」不是在用的{needed}账号。")


def _check_region(region: str, settings: Settings) -> None:
    try:
        served = region != regions.NATION and regions.overlap(region, settings.region)
    except NotFound as error:
        raise InvalidInput(str(error)) from error
    if settings.region == regions.NATION and region == regions.NATION:
        raise InvalidInput("还没有设置本市的地区：请先运行 ./yihaoda city new。")
    if not served:
        here = regions.full_name(settings.region)
        raise InvalidInput(f"本地标准只能写给{here}、它的上级省市或它下面的区县。")


def _checked_source(text: str) -> str:
    said = _checked_line(text, _SOURCE, "依据")
    if len(said) < 4:
        raise InvalidInput("请写明依据：文件名称和文号，或者 https 开头的网址。")
    if said.lower().startswith("http") and address(said) is None:
        raise InvalidInput("依据写网址的，要以 https:// 开头、是完整的网址。")
    return said


def _checked_reason(text: str) -> str:
    said = _checked_line(text, _REASON, "原因")
    if not said:
        raise InvalidInput("请写明原因。")
    return said


def _checked_line(text: str, most: int, name: str) -> str:
    said = " ".join(text.split())
    if len(said) > most or not said.isprintable():
        raise InvalidInput(f"{name}最多 {most} 个字，不能有看不见的字符。")
    return said


def _note(session: Session, by: str, action: str, row: LocalFigure, **detail: str) -> None:
    audit.record(session, by, action, row.key, region=row.region, **detail)
    events.publish(session, "local", f"{row.key}-{row.region}")


# --- what is there and what is missing -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """A figure of the city or of one of its parts, and how it stands."""

    slot: Slot
    region: str
    live: LocalFigure | None
    """Shown today"""
    ended: LocalFigure | None
    """Stood last, and has expired or was withdrawn"""
    next: LocalFigure | None
    """Approved, and begins later"""
    copy: LocalFigure | None
    """Being written, or waiting for approval"""
    asked: int
    """Answers of the last 30 days that it goes with"""
    soon: bool
    """It ends within 30 days, and nothing follows"""

    @property
    def state(self) -> Literal["missing", "soon", "live"]:
        """missing, soon or live: how urgent it is to see to it."""
        return "missing" if self.live is None else "soon" if self.soon else "live"


def overview(session: Session, settings: Settings, now: datetime | None = None) -> list[Line]:
    """Every figure of the city and what its parts have of their own: the missing first, of them those most asked for."""
    now = now or utcnow()
    today = now.astimezone(SHANGHAI).date()
    known = slots(settings)
    copies = {
        (row.key, row.region): row for row in session.scalars(select(LocalFigure).where(LocalFigure.open.is_(True)))
    }
    later = {
        (row.key, row.region): row
        for row in session.scalars(
            select(LocalFigure).where(LocalFigure.status == APPROVED, LocalFigure.valid_from > today)
        )
    }
    standing = _standing(session, None, None, today)
    asked = _asked(session, known, now)
    places = dict.fromkeys(
        (key, region)
        for key, region in (*((key, settings.region) for key in known.by_key), *standing, *copies, *later)
        if key in known.by_key
    )
    lines = []
    for key, region in places:
        # The province's figure is the city's, too, where it has none of its own.
        row = standing.get((key, region)) or next(
            (found for place in regions.ancestors(region) if (found := standing.get((key, place)))), None
        )
        live = row if row is not None and _holds(row, today) else None
        follows = later.get((key, region))
        ending = live is not None and live.valid_to is not None and live.valid_to - today < SOON
        lines.append(
            Line(
                slot=known.by_key[key],
                region=region,
                live=live,
                ended=row if live is None else None,
                next=follows,
                copy=copies.get((key, region)),
                asked=asked.get(key, 0),
                soon=ending and follows is None,
            )
        )
    order = {"missing": 0, "soon": 1, "live": 2}
    place = {key: number for number, key in enumerate(known.by_key)}
    lines.sort(key=lambda line: (order[line.state], -line.asked, place[line.slot.key], line.region))
    return lines


def _asked(session: Session, known: Slots, now: datetime) -> Mapping[str, int]:
    """By key: how many answers of the last days it goes with; try-outs don't count."""
    counts = dict(
        session.execute(
            select(TurnEffect.qa_id, func.count())
            .join(Conversation, Conversation.id == TurnEffect.conversation_id)
            .where(TurnEffect.qa_id.is_not(None), TurnEffect.settled_at >= now - ASKED, Conversation.channel != TRIAL)
            .group_by(TurnEffect.qa_id)
        ).all()
    )
    return {key: sum(counts.get(item, 0) for item in slot.items) for key, slot in known.by_key.items()}
