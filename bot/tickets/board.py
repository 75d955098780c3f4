"""The tickets that are open, their cards, and their days when the calendar changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import working_days
from bot.clock import SHANGHAI
from bot.models.tickets import Ticket
from bot.tickets.moves import OPEN, SYSTEM, note_event

YELLOW_DAYS = 3
"""A yellow card shows from this many working days before the deadline on.  A default: places decide for themselves."""


def list_open(
    session: Session, *, department: str | None = None, claimed_by: str | None = None, limit: int = 100
) -> list[Ticket]:
    """Tickets that wait for an answer, the most urgent first; only this department's or this agent's if given."""
    query = select(Ticket).where(Ticket.state.in_(OPEN))
    if department is not None:
        query = query.where(Ticket.department == department)
    if claimed_by is not None:
        query = query.where(Ticket.claimed_by == claimed_by)
    return list(session.scalars(query.order_by(Ticket.due_at, Ticket.number).limit(limit)))


def card(ticket: Ticket, now: datetime, overrides: Mapping[date, bool] | None = None) -> Literal["黄牌", "红牌"] | None:
    """红牌 past the deadline, 黄牌 with at most ``YELLOW_DAYS`` working days left; None else, or if nothing is owed."""
    if ticket.state not in OPEN:
        return None
    if now > ticket.due_at:
        return "红牌"
    return "黄牌" if working_days.due(now, YELLOW_DAYS, overrides or {}).at >= ticket.due_at else None


def recalculate(session: Session, actor: str = SYSTEM) -> int:
    """Work out estimated deadlines of open tickets again, once the calendar knows more.  Returns how many changed."""
    overrides = working_days.overrides_from(session)
    changed = 0
    tickets = session.scalars(
        select(Ticket).where(Ticket.due_estimated, Ticket.state.in_(OPEN)).order_by(Ticket.number).with_for_update()
    ).all()
    for ticket in tickets:
        restart = max((event.at for event in ticket.events if event.state == "重办"), default=ticket.created_at)
        due = working_days.due(restart, ticket.working_days, overrides)
        if (due.at, due.estimated) != (ticket.due_at, ticket.due_estimated):
            ticket.due_at, ticket.due_estimated = due.at, due.estimated
            note_event(session, ticket, actor, "期限调整", f"办理期限按节假日安排更新为{day_shown(due.at)}。")
            changed += 1
    return changed


def day_shown(at: datetime) -> str:
    local = at.astimezone(SHANGHAI)
    return f"{local.year}年{local.month}月{local.day}日"
