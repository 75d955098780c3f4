"""Tickets (工单): numbers, states and legal moves, look-up by number and query code, deadlines.

Every change locks the ticket's row, checks the move against ``MOVES``, and writes a ``TicketEvent`` and an audit entry
in the caller's transaction.  Whether a citizen may touch a ticket is settled before: by ``find``, or because the ticket
belongs to the conversation they write in.
"""

from __future__ import annotations

import hashlib
import math
import re
import secrets
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Literal

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from bot import audit, counters, guards, regions, security_log, working_days
from bot.crypto import Cipher, get_cipher, same
from bot.errors import Forbidden, IllegalMove, InvalidInput, NotFound, PhoneTailNeeded, TooMany
from bot.masking import mask
from bot.models import Ticket, TicketEvent, utcnow
from bot.replies import RegionView, TicketAction, TicketEventView, TicketStatusReply
from bot.working_days import SHANGHAI

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

YELLOW_DAYS = 3
"""A yellow card shows from this many working days before the deadline on.  A default: places decide for themselves."""

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

NOT_FOUND = "没有找到这张工单，请核对办件编号和查询码。"
ASK_PHONE_TAIL = "这个编号最近有人多次输错查询码，请再提供登记时所留电话的后四位；没有留电话的，请说明没有留。"
TOO_MANY_TRIES = "查询码输错的次数多了，请{wait}后再试，也可以拨打12345查询。"

_DAY = timedelta(days=1)
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=1), timedelta(minutes=30)
"""A source waits so long after its first wrong code for a ticket, and twice as long after each further one, up to the
longest: 58 tries a day.  100 sources find one code of eight digits with a chance of 5.8e-5 a day."""
WATCHED_AFTER = 20
"""Wrong codes a day for one number, over all sources, after which a code of six digits does not suffice any more"""
WATCHED_WAIT = timedelta(minutes=15)
"""Then a source that names no phone waits so long between two tries with six digits: 97 a day.  100 sources find one
code with a chance of 9.7e-3 a day."""


# --- numbers ---------------------------------------------------------------------------------------------------------


def check_digit(digits: str) -> str:
    """The check digit after ``digits``: ISO/IEC 7064:2003, hybrid system MOD 11,10.

    It catches every single wrong digit and nearly all swapped neighbours.
    """
    product = 10
    for digit in digits:
        product = ((product + int(digit)) % 10 or 10) * 2 % 11
    return str((11 - product) % 10)


def new_number(now: datetime) -> str:
    """A number (办件编号): the day in Shanghai, five random digits, one check digit.  It may be taken already."""
    stem = f"{now.astimezone(SHANGHAI):%Y%m%d}{secrets.randbelow(100_000):05d}"
    return stem + check_digit(stem)


def free_number(session: Session, now: datetime) -> str:
    """A number that no ticket has."""
    while session.get(Ticket, number := new_number(now)) is not None:
        pass
    return number


def valid_number(text: str) -> bool:
    """Whether ``text`` can be a ticket number: 14 digits, a date, the right check digit."""
    if not re.fullmatch(r"20\d{12}", text, re.ASCII):
        return False
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return False
    return check_digit(text[:-1]) == text[-1]


def new_query_code() -> str:
    """Eight random digits (查询码).  Tickets of earlier versions have six."""
    return f"{secrets.randbelow(10**8):08d}"


# --- making and finding ----------------------------------------------------------------------------------------------


def create(
    session: Session,
    *,
    number: str,
    query_code: str,
    conversation_id: str | None,
    turn_id: str | None,
    kind: str,
    subject: str,
    transcript: Sequence[Mapping[str, str]],
    region: str | None,
    phone: str | None,
    department: str | None,
    days: int,
    now: datetime,
) -> Ticket:
    """Register a ticket, state 待受理.

    Args:
        number: from ``free_number``.
        turn_id: the turn that it comes from; a second ticket of the same turn is refused by the database.
        subject: the citizen's own words, kept encrypted.
        transcript: lines {"sender", "text"} that led here; masked here.
        department: who it probably concerns; ``assign`` decides.
        days: working days until it is due.

    Raises:
        InvalidInput: malformed number, unknown kind, or empty subject.
        sqlalchemy.exc.IntegrityError: the number or the turn already has a ticket.
    """
    if not valid_number(number):
        raise InvalidInput("办件编号不对。")
    if kind not in KINDS:
        raise InvalidInput(f"工单类型只能是{'、'.join(KINDS)}。")
    if not subject.strip():
        raise InvalidInput("请写明要反映的内容。")
    due = working_days.due(now, days, working_days.overrides_from(session))
    ticket = Ticket(
        number=number,
        query_code=query_code,
        conversation_id=conversation_id,
        turn_id=turn_id,
        kind=kind,
        subject=subject,
        transcript=[{"sender": line["sender"], "text": mask(line["text"])} for line in transcript],
        region=region,
        phone=phone,
        department=department,
        state="待受理",
        claimed_by=None,
        answer=None,
        working_days=days,
        due_at=due.at,
        due_estimated=due.estimated,
        created_at=now,
    )
    session.add(ticket)
    session.flush()
    _note(session, ticket, CITIZEN, "登记", "工单已登记，等待受理。", now=now)
    return ticket


def find(
    session: Session, number: str, code: str, *, phone_tail: str | None = None, source: str, now: datetime
) -> Ticket:
    """The ticket with this number and query code.

    Whoever guesses waits ever longer, each source for itself and each number for itself, so nobody shuts anybody else
    out: a source's first try at a number is always looked at.  A number that there is not, and a wrong code, read the
    same and take the same work: what is asked and how long to wait depends on what was sent, and on wrong tries before.

    Call it in a ``write()`` transaction of its own, before changing anything: it **commits** the count of a wrong try,
    so that the rollback which its exception causes can't undo it.

    Args:
        phone_tail: the last four digits of the phone on the ticket; empty: it has none; None: not said.
        source: who asks, as a pseudonym: their address, or in WeChat their openid; never a conversation.

    Raises:
        NotFound: wrong number, code or phone.
        PhoneTailNeeded: a code of six digits does not suffice now.  Nothing was looked at, nothing counts.
        TooMany: too soon after a wrong try.
    """
    number, code = (re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", text)) for text in (number, code))
    # The rows stay locked until the transaction ends: tries made at the same time can't slip past the limits together.
    at_number = counters.locked(session, _tries(number), now)
    here = counters.locked(session, _tries(number, source), now)
    watched = re.fullmatch(r"\d{6}", code) is not None and at_number.value >= WATCHED_AFTER
    if watched and phone_tail is None:
        raise PhoneTailNeeded(ASK_PHONE_TAIL)
    wait = WATCHED_WAIT if watched and phone_tail == "" else _wait(here.value)
    since = now - (here.expires_at or now) + _DAY
    if here.value and timedelta() <= since < wait:  # a wrong try of tomorrow: the clock was put back
        seconds = math.ceil((wait - since).total_seconds())
        said = f"{seconds}秒" if seconds < 60 else f"{math.ceil(seconds / 60)}分钟"
        security_log.record("code.blocked", number, origin=source)
        raise TooMany(TOO_MANY_TRIES.format(wait=said), seconds)
    ticket_code, ticket_tail = _credentials(session, number)
    right = [same(ticket_code, code), not watched or same(ticket_tail, unicodedata.normalize("NFKC", phone_tail or ""))]
    if all(right):
        for tries in (at_number, here):
            if not tries.value:
                session.delete(tries)
        return session.get_one(Ticket, number)
    if not at_number.value:
        at_number.expires_at = now + _DAY
    here.expires_at = now + _DAY
    for tries in (at_number, here):
        tries.value += 1
    counters.sweep(session, now)
    session.commit()
    security_log.record("code.wrong", number, origin=source)
    raise NotFound(NOT_FOUND)


def _tries(*what: str) -> str:
    """The counter of wrong tries at a number, or at a number by a source."""
    return f"tries:{hashlib.sha256(' '.join(what).encode()).hexdigest()}"


def _wait(wrong: int) -> timedelta:
    """How long a source waits after so many wrong tries."""
    return min(FIRST_WAIT * 2 ** min(wrong - 1, 30), LONGEST_WAIT) if wrong else timedelta()


def _credentials(session: Session, number: str) -> tuple[str, str]:
    """What opens a ticket: its code, and the last four digits of its phone, empty if it has none.

    Either way two secrets are decrypted; for a number that there is not, "-", which ``find`` takes out of what is typed.
    """
    row = session.execute(
        select(Ticket.query_code, Ticket.phone).where(Ticket.number == (number if valid_number(number) else ""))
    ).one_or_none()
    code, phone = row or (None, None)
    for secret in (code, phone):
        if secret is None:
            get_cipher().decrypt(_decoy(get_cipher()))
    return str(code or "-"), re.sub(r"\D", "", str(phone or ""))[-4:]


@lru_cache(maxsize=1)
def _decoy(cipher: Cipher) -> str:
    return cipher.encrypt("00000000")


def own(session: Session, number: str, conversation_id: str) -> Ticket | None:
    """The ticket with this number, if this conversation made it: whoever holds the conversation needs no code."""
    ticket = session.get(Ticket, number) if valid_number(number) else None
    return ticket if ticket is not None and ticket.conversation_id == conversation_id else None


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


def same_question(session: Session, conversation_id: str, subject: str) -> Ticket | None:
    """This conversation's open ticket with the same question, but for width, case, spaces and punctuation."""
    wanted = _bare(subject)
    tickets = session.scalars(
        select(Ticket)
        .where(Ticket.conversation_id == conversation_id, Ticket.state.in_(OPEN))
        .order_by(Ticket.created_at.desc(), Ticket.number)
    )
    return next((ticket for ticket in tickets if _bare(ticket.subject) == wanted), None)


def _bare(text: str) -> str:
    return "".join(character for character in unicodedata.normalize("NFKC", text).casefold() if character.isalnum())


def of_conversation(session: Session, conversation_id: str, limit: int = 50) -> list[Ticket]:
    """The tickets that a conversation made, the newest first."""
    return list(
        session.scalars(
            select(Ticket)
            .where(Ticket.conversation_id == conversation_id)
            .order_by(Ticket.created_at.desc(), Ticket.number.desc())
            .limit(limit)
        )
    )


def count_today(session: Session, conversation_id: str, now: datetime) -> int:
    """How many tickets this conversation has made since midnight in Shanghai."""
    midnight = datetime.combine(now.astimezone(SHANGHAI).date(), time(), SHANGHAI).astimezone(UTC)
    return (
        session.scalar(
            select(func.count())
            .select_from(Ticket)
            .where(Ticket.conversation_id == conversation_id, Ticket.created_at >= midnight)
        )
        or 0
    )


# --- agents' moves ---------------------------------------------------------------------------------------------------


def assign(session: Session, number: str, department: str, actor: str, note: str = "") -> Ticket:
    """Hand the ticket to a department (派单); whoever had claimed it lets go.  Raises: NotFound, IllegalMove."""
    if not department.strip():
        raise InvalidInput("请写明承办单位。")
    ticket = _locked(session, number)
    _check(ticket, "已派单")
    ticket.department, ticket.claimed_by = department, None
    return _move(session, ticket, "已派单", actor, "派单", note or f"已转{department}办理。")


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
    ticket = _locked(session, number)
    if got is None:
        if ticket.claimed_by == agent and ticket.state == "办理中":
            return ticket  # A repeated click
        if ticket.claimed_by is not None and ticket.state == "办理中":
            raise IllegalMove("这张工单已被其他坐席接走。")
        raise IllegalMove(f"工单现在是“{ticket.state}”，不能接单。")
    _note(session, ticket, agent, "接单", "工作人员正在办理。")
    return ticket


def reveal(session: Session, number: str, agent: str) -> Ticket:
    """The ticket for the agent who handles it, who needs the personal data in it; that they looked stands in the audit log.

    Raises: NotFound; Forbidden: it isn't theirs.
    """
    ticket = _locked(session, number)
    if ticket.claimed_by != agent:
        raise Forbidden("先接单，才能查看这张工单里的个人信息。")
    audit.record(session, agent, "ticket.查看", number, state=ticket.state)
    return ticket


def reply(session: Session, number: str, agent: str, text: str) -> Ticket:
    """Answer the citizen (答复).  Raises: NotFound, InvalidInput, IllegalMove; Forbidden: another agent has it."""
    if not text.strip():
        raise InvalidInput("答复不能为空。")
    ticket = _locked(session, number)
    _check(ticket, "已答复")
    if ticket.claimed_by != agent:
        raise Forbidden("这张工单由其他坐席办理，不能代为答复。")
    ticket.answer = text.strip()
    return _move(session, ticket, "已答复", agent, "答复", "已答复，请查看答复内容。")


def close(session: Session, number: str, actor: str, note: str = "") -> Ticket:
    """Finish an answered ticket (办结).  Raises: NotFound, IllegalMove."""
    return _move(session, _locked(session, number), "已办结", actor, "办结", note or "工单已办结。")


def send_back(session: Session, number: str, actor: str, reason: str) -> Ticket:
    """Give the ticket back to the hotline (退回), e.g. it isn't this department's matter.

    Raises: NotFound, IllegalMove; InvalidInput: no reason.
    """
    if not reason.strip():
        raise InvalidInput("请写明退回原因。")
    ticket = _locked(session, number)
    _check(ticket, "退回")
    ticket.claimed_by = None
    _note(session, ticket, actor, "退回原因", reason, public=False)
    return _move(session, ticket, "退回", actor, "退回", "工单退回热线，将重新安排办理。")


def reopen(session: Session, number: str, actor: str, reason: str, *, now: datetime | None = None) -> Ticket:
    """Have an answered or finished ticket handled again (重办), with a new deadline of as many working days.

    Raises: NotFound, IllegalMove, InvalidInput.
    """
    if not reason.strip():
        raise InvalidInput("请写明重办原因。")
    now = now or utcnow()
    ticket = _locked(session, number)
    _check(ticket, "重办")
    _start_again(session, ticket, now)
    return _move(session, ticket, "重办", actor, "重办", f"工单将重新办理：{reason.strip()}", now=now)


def _start_again(session: Session, ticket: Ticket, now: datetime) -> None:
    """Nobody has the ticket, and it is due in as many working days as it was at first."""
    due = working_days.due(now, ticket.working_days, working_days.overrides_from(session))
    ticket.claimed_by, ticket.due_at, ticket.due_estimated = None, due.at, due.estimated


# --- the citizen's moves ---------------------------------------------------------------------------------------------


def withdraw(session: Session, number: str, actor: str = CITIZEN, note: str = "") -> Ticket:
    """Take the ticket back (撤回), as long as it has not been answered.  Raises: NotFound, IllegalMove."""
    return _move(session, _locked(session, number), "已撤回", actor, "撤回", note or "工单已撤回。")


def add(session: Session, number: str, text: str, actor: str = CITIZEN) -> Ticket:
    """The citizen adds something (补充); the state stays.  Raises: NotFound, InvalidInput; IllegalMove: not open."""
    if not text.strip():
        raise InvalidInput("请写明要补充的内容。")
    ticket = _still_open(session, number, "补充内容")
    _note(session, ticket, actor, "补充", f"补充：{text.strip()}")
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
        changes: ``phone`` as people write it, ``region`` as a code (GB/T 2260); None removes it.
        consent: the citizen agreed to our keeping the phone; without, none is kept.

    Raises:
        NotFound, IllegalMove: not open.
        InvalidInput: nothing to change, a phone or region that is none, or a phone without consent.
    """
    if not changes:
        raise InvalidInput("请写明要更正的内容：联系电话或所在地区。")
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
    return _correct(session, number, checked, actor)


def _phone(text: str) -> str:
    """The phone number that a text is, and nothing besides.  Raises: InvalidInput."""
    phone = guards.phone_in(text)
    if phone is None or any(character.isalpha() for character in text):
        raise InvalidInput("联系电话不对，请填写11位手机号，或者带区号的固定电话。")
    return phone


def _correct(session: Session, number: str, changes: Mapping[str, str | None], actor: str) -> Ticket:
    ticket = _still_open(session, number, "修改联系方式")
    names = {"phone": "联系电话", "region": "所在地区"}
    changed = {column: value for column, value in changes.items() if getattr(ticket, column) != value}
    for column, value in changed.items():
        setattr(ticket, column, value)
    updated = [names[column] for column, value in changed.items() if value is not None]
    removed = [names[column] for column, value in changed.items() if value is None]
    said = [f"已{verb}{'和'.join(what)}" for verb, what in (("更新", updated), ("删除", removed)) if what]
    if said:
        _note(session, ticket, actor, "更新", f"{'，'.join(said)}。")
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
    ticket = _locked(session, number)
    if ticket.state not in RATEABLE:
        raise IllegalMove(f"工单现在是“{ticket.state}”，不能评价。")
    bad = satisfaction in BAD
    if bad and len(_bare(note)) < REASON_CHARS:
        raise InvalidInput(f"请写明不满意的原因（至少{REASON_CHARS}个字），我们会安排专人核实。")
    if ticket.state == "已答复":
        _move(session, ticket, "已办结", actor, "办结", "工单已办结。", now=now)
    verified = _verified(ticket)
    said = f"评价：{satisfaction}。{note}"
    _move(session, ticket, "已评价", actor, "评价", said, now=now, grade=satisfaction, verified=verified)
    if bad and not verified:
        _start_again(session, ticket, now)
        promise = f"已安排专人核实您的评价，重新办理，预计{_day(ticket.due_at)}前答复您。"
        _move(session, ticket, "重办", SYSTEM, _VERIFICATION, promise, now=now)
    return ticket


def _verified(ticket: Ticket) -> bool:
    """Whether a bad grade has had the ticket handled again."""
    return any(event.action == _VERIFICATION for event in ticket.events)


# --- deadlines -------------------------------------------------------------------------------------------------------


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
            _note(session, ticket, actor, "期限调整", f"办理期限按节假日安排更新为{_day(due.at)}。")
            changed += 1
    return changed


# --- what the citizen sees -------------------------------------------------------------------------------------------


def status_reply(ticket: Ticket) -> TicketStatusReply:
    """Where the ticket stands, for the citizen: no agent's name, no internal notes."""
    owed = ticket.state in OPEN
    due_note = "暂按周末推算，节假日安排公布后会更新" if owed and ticket.due_estimated else None
    due = f"预计{_day(ticket.due_at)}前答复{f'（{due_note}）' if due_note else ''}。"
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


def _day(at: datetime) -> str:
    local = at.astimezone(SHANGHAI)
    return f"{local.year}年{local.month}月{local.day}日"


# --- one change ------------------------------------------------------------------------------------------------------


def _locked(session: Session, number: str) -> Ticket:
    """The ticket, its row locked until the transaction ends, as it is in the database now.  Raises: NotFound."""
    session.flush()
    ticket = session.get(Ticket, number, with_for_update=True, populate_existing=True)
    if ticket is None:
        raise NotFound(NOT_FOUND)
    return ticket


def _still_open(session: Session, number: str, what: str) -> Ticket:
    ticket = _locked(session, number)
    if ticket.state not in OPEN:
        raise IllegalMove(f"工单现在是“{ticket.state}”，不能{what}。")
    return ticket


def _check(ticket: Ticket, state: str) -> None:
    if state not in MOVES[ticket.state]:
        raise IllegalMove(f"工单现在是“{ticket.state}”，不能变为“{state}”。")


def _move(
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
    _note(session, ticket, actor, action, note, now=now, **detail)
    return ticket


def _note(
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
    session.flush()
    audit.record(session, actor, f"ticket.{action}", ticket.number, state=ticket.state, **detail)
