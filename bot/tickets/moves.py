"""The states of a ticket (工单), its legal moves, and who makes them: every change is one event and one audit entry."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from bot import asked, audit, events, working_days
from bot.clock import utcnow
from bot.errors import Forbidden, IllegalMove, InvalidInput, NotFound
from bot.models.tickets import Ticket, TicketEvent

CITIZEN, SYSTEM = "市民", "系统"
"""Actors that are no agents."""
KINDS = ("咨询", "投诉", "举报", "建议", "求助")
MOVES: Mapping[str, frozenset[str]] = {
    "待受理": frozenset({"已派单", "办理中", "已撤回"}),
    "已派单": frozenset({"已派单", "办理中", "退回", "已撤回"}),
    "办理中": frozenset({"已派单", "已答复", "退回", "已撤回"}),
    "已答复": frozenset({"已办结", "重办"}),
    "已办结": frozenset({"已评价", "重办"}),
    "已评价": frozenset({"重办"}),
    "退回": frozenset({"已派单", "办理中", "已撤回"}),
    "重办": frozenset({"已派单", "办理中", "已撤回"}),
    "已撤回": frozenset(),
}
"""State → states it may go to.  已派单 → 已派单 is a change of department, 办理中 → 已派单 a transfer."""
OPEN = ("待受理", "已派单", "办理中", "退回", "重办")
"""States in which someone still owes the citizen an answer: the deadline runs."""
NOT_FOUND = "没有找到这张工单，请核对工单编号和查询码。"


def assign(session: Session, number: str, department: str, actor: str, note: str = "") -> Ticket:
    """Hand the ticket to a department (派单); whoever had claimed it lets go.  Raises: NotFound, IllegalMove."""
    if not department.strip():
        raise InvalidInput("请写明承办单位。")
    ticket = locked(session, number)
    _check(ticket, "已派单")
    ticket.department, ticket.claimed_by = department, None
    return move(session, ticket, "已派单", actor, "派单", note or f"已转{department}办理。")


def claim(session: Session, number: str, agent: str) -> Ticket:
    """Take the ticket (接单).  One atomic update: of two agents one gets it.

    Raises: NotFound; IllegalMove: another agent has it, or nobody may take it any more.
    """
    sources = [state for state, targets in MOVES.items() if "办理中" in targets]
    got = session.execute(
        update(Ticket)
        .where(Ticket.number == number, Ticket.claimed_by.is_(None), Ticket.state.in_(sources))
        .values(claimed_by=agent, state="办理中")
        .returning(Ticket.number)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    ticket = locked(session, number)
    if got is None:
        if ticket.claimed_by == agent and ticket.state == "办理中":
            return ticket  # A repeated click
        if ticket.claimed_by is not None and ticket.state == "办理中":
            raise IllegalMove("这张工单已被其他坐席接走。")
        raise IllegalMove(f"工单现在是“{ticket.state}”，不能接单。")
    note_event(session, ticket, agent, "接单", "工作人员正在办理。")
    return ticket


def reveal(session: Session, number: str, agent: str, reason: str) -> Ticket:
    """The ticket for the agent who handles it, who needs the personal data in it; that they looked stands in the audit log.

    Raises: NotFound; Forbidden: it isn't theirs; InvalidInput: no reason.
    """
    if not reason.strip():
        raise InvalidInput("请写明查看个人信息的原因。")
    ticket = locked(session, number)
    if ticket.claimed_by != agent:
        raise Forbidden("先接单，才能查看这张工单里的个人信息。")
    audit.record(session, agent, "ticket.查看", number, state=ticket.state, reason=reason.strip())
    return ticket


def reply(session: Session, number: str, agent: str, text: str) -> Ticket:
    """Answer the citizen (答复).  Raises: NotFound, InvalidInput, IllegalMove; Forbidden: another agent has it."""
    if not text.strip():
        raise InvalidInput("答复不能为空。")
    ticket = locked(session, number)
    _check(ticket, "已答复")
    if ticket.claimed_by != agent:
        raise Forbidden("这张工单由其他坐席办理，不能代为答复。")
    ticket.answer = text.strip()
    return move(session, ticket, "已答复", agent, "答复", "已答复，请查看答复内容。")


def close(session: Session, number: str, actor: str, note: str = "") -> Ticket:
    """Finish an answered ticket (办结).  Raises: NotFound, IllegalMove."""
    return move(session, locked(session, number), "已办结", actor, "办结", note or "工单已办结。")


def send_back(session: Session, number: str, actor: str, reason: str) -> Ticket:
    """Give the ticket back to the hotline (退回), e.g. it isn't this department's matter.

    Raises: NotFound, IllegalMove; InvalidInput: no reason.
    """
    if not reason.strip():
        raise InvalidInput("请写明退回原因。")
    ticket = locked(session, number)
    _check(ticket, "退回")
    ticket.claimed_by = None
    note_event(session, ticket, actor, "退回原因", reason, public=False)
    return move(session, ticket, "退回", actor, "退回", "工单退回热线，将重新安排办理。")


def reopen(session: Session, number: str, actor: str, reason: str, *, now: datetime | None = None) -> Ticket:
    """Have an answered or finished ticket handled again (重办), with a new deadline of as many working days.

    Raises: NotFound, IllegalMove, InvalidInput.
    """
    if not reason.strip():
        raise InvalidInput("请写明重办原因。")
    now = now or utcnow()
    ticket = locked(session, number)
    _check(ticket, "重办")
    start_again(session, ticket, now)
    return move(session, ticket, "重办", actor, "重办", f"工单将重新办理：{reason.strip()}", now=now)


def start_again(session: Session, ticket: Ticket, now: datetime) -> None:
    """Nobody has the ticket, and it is due in as many working days as it was at first."""
    due = working_days.due(now, ticket.working_days, working_days.overrides_from(session))
    ticket.claimed_by, ticket.due_at, ticket.due_estimated = None, due.at, due.estimated


def locked(session: Session, number: str) -> Ticket:
    """The ticket, its row locked until the transaction ends, as it is in the database now.  Raises: NotFound."""
    session.flush()
    ticket = session.get(Ticket, number, with_for_update=True, populate_existing=True)
    if ticket is None:
        raise NotFound(NOT_FOUND)
    return ticket


def still_open(session: Session, number: str, what: str) -> Ticket:
    ticket = locked(session, number)
    if ticket.state not in OPEN:
        raise IllegalMove(f"工单现在是“{ticket.state}”，不能{what}。")
    return ticket


def _check(ticket: Ticket, state: str) -> None:
    if state not in MOVES[ticket.state]:
        raise IllegalMove(f"工单现在是“{ticket.state}”，不能变为“{state}”。")


def move(
    session: Session,
    ticket: Ticket,
    state: str,
    actor: str,
    action: str,
    note: str,
    *,
    now: datetime | None = None,
    **detail: Any,
) -> Ticket:
    _check(ticket, state)
    ticket.state = state
    note_event(session, ticket, actor, action, note, now=now, **detail)
    return ticket


def note_event(
    session: Session,
    ticket: Ticket,
    actor: str,
    action: str,
    note: str,
    *,
    public: bool = True,
    now: datetime | None = None,
    **detail: Any,
) -> None:
    """Write the event and its audit entry with ``detail``; the entry doesn't repeat the citizen's or the agent's words."""
    ticket.events.append(
        TicketEvent(at=now or utcnow(), actor=actor, action=action, state=ticket.state, note=note, public=public)
    )
    ticket.revision += 1
    session.flush()
    asked.ticket_moved(session, ticket)
    audit.record(session, actor, f"ticket.{action}", ticket.number, state=ticket.state, **detail)
    events.publish(session, "ticket", ticket.number, state=ticket.state, department=ticket.department)
