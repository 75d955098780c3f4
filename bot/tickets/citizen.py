"""What the citizen sees of a ticket and may do with it: add, correct, withdraw, rate."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from bot import guards, regions
from bot.clock import utcnow
from bot.errors import IllegalMove, InvalidInput, NotFound
from bot.masking import mask
from bot.models.tickets import Ticket
from bot.replies import RegionView, TicketAction, TicketEventView, TicketStatusReply
from bot.tickets import categories, particulars
from bot.tickets.board import day_shown
from bot.tickets.moves import CITIZEN, MOVES, OPEN, SYSTEM, locked, move, note_event, start_again, still_open
from bot.tickets.register import letters_of

RATEABLE = ("已答复", "已办结")
"""States in which the citizen may rate the handling"""
Satisfaction = Literal["非常满意", "满意", "基本满意", "不满意", "非常不满意"]
"""The five grades of 好差评, the national rating of government services (国办发〔2019〕51号)."""
BAD: tuple[Satisfaction, ...] = ("不满意", "非常不满意")
"""差评: somebody must verify it, put right what is wrong within a term, and tell the citizen (国办发〔2019〕51号)."""
REASON_CHARS = 5
"""Letters and digits that a bad grade's reason has at least: without one there is nothing to verify."""
_VERIFICATION = "差评核实"
"""Action of the event that has a bad grade verified"""


def withdraw(session: Session, number: str, actor: str = CITIZEN, note: str = "") -> Ticket:
    """Take the ticket back (撤回), as long as it has not been answered.  Raises: NotFound, IllegalMove."""
    return move(session, locked(session, number), "已撤回", actor, "撤回", note or "工单已撤回。")


def add(session: Session, number: str, text: str, actor: str = CITIZEN) -> Ticket:
    """The citizen adds something (补充); the state stays.  Raises: NotFound, InvalidInput; IllegalMove: not open."""
    if not text.strip():
        raise InvalidInput("请写明要补充的内容。")
    ticket = still_open(session, number, "补充内容")
    note_event(session, ticket, actor, "补充", f"补充：{text.strip()}")
    return ticket


def set_contact(
    session: Session, number: str, phone: str | None = None, region: str | None = None, actor: str = CITIZEN
) -> Ticket:
    """Change the phone, the region or both; None leaves as is.  Raises: NotFound; IllegalMove: not open."""
    given = {"phone": phone, "region": region}
    return _correct(session, number, {name: value for name, value in given.items() if value is not None}, actor)


def correct(
    session: Session, number: str, changes: Mapping[str, str | None], *, consent: bool = False, actor: str = CITIZEN
) -> Ticket:
    """Change what the ticket says of the citizen; nothing is written where nothing differs.

    Args:
        changes: ``phone`` as people write it, ``region`` as a code (GB/T 2260), ``address``, ``category`` as a code of the tree in
            force; None removes it.
        consent: the citizen agreed to our keeping the phone; without, none is kept.

    Raises:
        NotFound, IllegalMove: not open.
        InvalidInput: nothing to change, a phone or region that is none, or a phone without consent.
    """
    if not changes:
        raise InvalidInput("请写明要更正的内容：联系电话、所在地区或地址。")
    checked = dict(changes)
    if (phone := changes.get("phone")) is not None:
        checked["phone"] = _phone(phone)
        if not consent:
            raise InvalidInput("留下联系电话前，请先同意隐私说明。")
    if (region := changes.get("region")) is not None:
        try:
            regions.get(region)
        except NotFound as error:
            raise InvalidInput(f"所在地区不对：{error}") from error
    own = {name: changes[name] for name in ("address", "category") if name in changes}
    return _correct(session, number, checked | particulars.checked(session, own), actor)


def _phone(text: str) -> str:
    """The phone number that a text is, and nothing besides.  Raises: InvalidInput."""
    phone = guards.phone_in(text)
    if phone is None or any(character.isalpha() for character in text):
        raise InvalidInput("联系电话不对，请填写11位手机号，或者带区号的固定电话。")
    return phone


def _correct(session: Session, number: str, changes: Mapping[str, str | None], actor: str) -> Ticket:
    ticket = still_open(session, number, "修改联系方式")
    names = {"phone": "联系电话", "region": "所在地区", "address": "地址", "category": "分类"}
    changed = {column: value for column, value in changes.items() if getattr(ticket, column) != value}
    for column, value in changed.items():
        setattr(ticket, column, value)
    updated = [names[column] for column, value in changed.items() if value is not None and column in names]
    removed = [names[column] for column, value in changed.items() if value is None and column in names]
    said = [f"已{verb}{'和'.join(what)}" for verb, what in (("更新", updated), ("删除", removed)) if what]
    if said:
        note_event(session, ticket, actor, "更新", f"{'，'.join(said)}。")
    return ticket


def rate(
    session: Session,
    number: str,
    satisfaction: Satisfaction,
    note: str = "",
    actor: str = CITIZEN,
    *,
    now: datetime | None = None,
) -> Ticket:
    """The citizen's word on the handling (评价), which finishes an answered ticket.

    A bad grade (差评) has the ticket handled again, once, with a new deadline, by somebody who verifies it.  A second one
    after that finishes it: it stands in the audit log with its grade, for the supervisor.

    Raises: NotFound; IllegalMove: not answered, or rated already; InvalidInput: a bad grade without a reason.
    """
    now, note = now or utcnow(), note.strip()
    ticket = locked(session, number)
    if ticket.state not in RATEABLE:
        raise IllegalMove(f"工单现在是“{ticket.state}”，不能评价。")
    bad = satisfaction in BAD
    if bad and len(letters_of(note)) < REASON_CHARS:
        raise InvalidInput(f"请写明不满意的原因（至少{REASON_CHARS}个字），我们会安排专人核实。")
    if ticket.state == "已答复":
        move(session, ticket, "已办结", actor, "办结", "工单已办结。", now=now)
    verified = _verified(ticket)
    said = f"评价：{satisfaction}。{note}"
    move(session, ticket, "已评价", actor, "评价", said, now=now, grade=satisfaction, verified=verified)
    if bad and not verified:
        start_again(session, ticket, now)
        promise = f"已安排专人核实您的评价，重新办理，预计{day_shown(ticket.due_at)}前答复您。"
        move(session, ticket, "重办", SYSTEM, _VERIFICATION, promise, now=now)
    return ticket


def _verified(ticket: Ticket) -> bool:
    """Whether a bad grade has had the ticket handled again."""
    return any(event.action == _VERIFICATION for event in ticket.events)


def status_reply(ticket: Ticket) -> TicketStatusReply:
    """Where the ticket stands, for the citizen: no agent's name, no internal notes."""
    owed = ticket.state in OPEN
    due_note = "暂按周末推算，节假日安排公布后会更新" if owed and ticket.due_estimated else None
    due = f"预计{day_shown(ticket.due_at)}前答复{f'（{due_note}）' if due_note else ''}。"
    said = {
        "待受理": "已登记，等待受理。" + due,
        "已派单": f"已转{ticket.department or '承办单位'}办理。" + due,
        "办理中": "工作人员正在办理。" + due,
        "退回": "正在重新安排承办单位。" + due,
        "重办": ("正在核实您的评价并重新办理。" if _verified(ticket) else "正在重新办理。") + due,
        "已答复": "已有答复，见下方。",
        "已办结": "已办结，答复见下方。",
        "已评价": _rated(ticket),
        "已撤回": "您已撤回，不再办理。",
    }
    return TicketStatusReply(
        number=ticket.number,
        state=ticket.state,
        text=f"工单{ticket.number}：{said[ticket.state]}",
        kind=ticket.kind,
        subject=mask(str(ticket.subject)),
        region=RegionView.of(ticket.region),
        address=ticket.address,
        category=categories.of_ticket(ticket),
        phone_tail=str(ticket.phone)[-4:] if ticket.phone else None,
        created_at=ticket.created_at,
        can=_allowed(ticket),
        answer=ticket.answer if ticket.state != "已撤回" else None,
        due_at=ticket.due_at if owed else None,
        due_note=due_note,
        events=[
            TicketEventView(at=event.at, state=event.state, text=str(event.note))
            for event in ticket.events
            if event.public
        ],
    )


def _allowed(ticket: Ticket) -> list[TicketAction]:
    """What the citizen may do now."""
    allowed: list[TicketAction] = ["add", "correct"] if ticket.state in OPEN else []
    if "已撤回" in MOVES[ticket.state]:
        allowed.append("withdraw")
    if ticket.state in RATEABLE:
        allowed.append("rate")
    return allowed


def _rated(ticket: Ticket) -> str:
    grade = next((event.note for event in reversed(ticket.events) if event.action == "评价"), "")
    if any(str(grade).startswith(f"评价：{bad}") for bad in BAD):
        return "已办结。您的评价已记录在案，供督办检查；仍有异议，可以拨打12345反映。"
    return "已办结，感谢您的评价。"
