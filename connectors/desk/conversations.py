"""Conversations at the desk: who waits, what was said, what the assistant makes of it; read, and written in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import conversations, database, doubts, knowledge, regions, turns
from bot.accounts import people
from bot.clock import SHANGHAI, utcnow
from bot.desk import choices, lists, notes, shield, takeover
from bot.errors import InvalidInput, NotFound
from bot.expects import SHOWN, question_of
from bot.masking import mask, mask_record
from bot.models.conversations import ChannelUser, Conversation, TurnEffect
from bot.replies import RegionView, TextReply
from bot.tickets import register
from connectors.desk.choices import ShownItem
from connectors.desk.states import ShieldView
from connectors.web.access import Signed, TheCaller, signed
from connectors.web.context import MAX_INT, Body, TheGateway
from connectors.web.errors import answers

router = APIRouter(prefix="/api/desk", tags=["desk"], dependencies=[Depends(signed)], responses=answers(400, 401, 403))
_CHANGES = answers(404, 409)

_LOOKED_AT = 6
"""So many lines back the citizen's last word is looked for"""

List = Literal["waiting", "mine", "others", "bot", "closed"]


class ConversationRow(BaseModel):
    """A conversation in a list; personal data masked."""

    id: str
    channel: str
    state: str
    agent: str | None
    agent_name: str | None
    active_at: datetime
    waiting_since: datetime | None
    owed_since: datetime | None
    """Since when the citizen has waited for the agent's word"""
    region: str | None
    skill: str | None
    """The group that it was passed on to"""
    danger: str | None
    """The kind of danger that was heard in it and that nobody has seen to yet"""
    last: str
    """What the citizen said last, else the last line"""
    last_sender: str | None


class ConversationPage(BaseModel):
    """Some of the conversations of a list, and how many each list has."""

    items: list[ConversationRow]
    total: int
    counts: dict[str, int]


class Reach(BaseModel):
    """Whether what one writes now gets to the citizen at once."""

    now: bool
    until: datetime | None
    left: int | None
    """So many messages may be pushed until then"""
    words: str
    """What to know before writing; empty where there is nothing"""


class Candidate(BaseModel):
    """What the assistant found for the last question."""

    qa_id: str
    matter: str
    question: str
    answer: str | None
    """None: it may not be answered with today"""
    score: float
    band: Literal["sure", "likely", "reference"]
    """How sure the assistant was of it: 可直接答, 请核对, 仅供参考"""
    doubted: bool
    """存疑: somebody reported it as wrong, and nobody has decided yet"""


class NoteView(BaseModel):
    """What the staff wrote down."""

    id: int
    author: str
    author_name: str
    kind: str
    party: str | None
    """Of a three-way call: with whom"""
    text: str
    at: datetime


class TicketOf(BaseModel):
    """A ticket that the conversation made."""

    number: str
    kind: str
    state: str
    subject: str
    created_at: datetime


class ConversationRead(BaseModel):
    """A conversation, read."""

    id: str
    channel: str
    state: str
    agent: str | None
    agent_name: str | None
    active_at: datetime
    created_at: datetime
    waiting_since: datetime | None
    owed_since: datetime | None
    region: RegionView | None
    skill: str | None
    danger: str | None
    messages: list[dict[str, Any]]
    """As the citizen's own page has them, masked; ``lines``: what an agent reads of each; ``agent_name``"""
    expects: str
    """What the assistant waits for, in words"""
    question: str | None
    """The question that waits"""
    unanswered: str | None
    """What the citizen said since anybody answered"""
    decision: str | None
    confidence: float | None
    certainty: str | None
    """Of an answer: sure, likely"""
    candidates: list[Candidate]
    notes: list[NoteView]
    tickets: list[TicketOf]
    reach: Reach
    shield: ShieldView | None
    """Civil words were asked for"""
    mine: bool


@router.get("/conversations")
def list_conversations(
    me: TheCaller,
    list_: Annotated[List, Query(alias="list")] = "waiting",
    offset: Annotated[int, Query(ge=0, le=100_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
) -> ConversationPage:
    """One list; those in danger first, then of those who wait the longest-waiting; else the last active."""
    with database.read() as session:
        found, counts = lists.listed(session, list_, me.number, offset=offset, limit=limit)
        names = people.names(session, [one.agent for one in found])
        dangers = lists.dangers(session, [one.id for one in found])
        rows = []
        for one in found:
            lines = conversations.transcript(session, one.id, last=_LOOKED_AT)
            last = next((line for line in reversed(lines) if line["sender"] == "citizen"), lines[-1] if lines else None)
            rows.append(
                ConversationRow(
                    id=one.id,
                    channel=one.channel,
                    state=one.state,
                    agent=one.agent,
                    agent_name=names.get(one.agent or ""),
                    active_at=one.active_at,
                    waiting_since=one.waiting_since,
                    owed_since=one.owed_since,
                    region=regions.get(one.region).name if one.region else None,
                    skill=one.skill,
                    danger=dangers.get(one.id),
                    last=mask(last["text"]) if last else "",
                    last_sender=last["sender"] if last else None,
                )
            )
        return ConversationPage(items=rows, total=counts[list_], counts=counts)


@router.get("/conversations/{conversation_id}", responses=answers(404))
def read_conversation(
    conversation_id: str,
    me: TheCaller,
    here: TheGateway,
    after: Annotated[int, Query(ge=0, le=MAX_INT)] = 0,
) -> ConversationRead:
    """What was said after ``after`` (the last 200 messages where 0), and what the assistant makes of it."""
    with database.read() as session:
        one = session.get(Conversation, conversation_id)
        if one is None:
            raise NotFound("没有这个会话。")
        context = conversations.context_of(one)
        effect = lists.last_effect(session, one.id)
        question = question_of(context.expects) or context.last_question
        said = conversations.history(session, one.id, max(after, one.seq - conversations.PAGE))
        written = notes.of(session, one.id)
        names = people.names(
            session, [one.agent, *(note.author for note in written), *(row.get("agent") for row in said)]
        )
        return ConversationRead(
            id=one.id,
            channel=one.channel,
            state=one.state,
            agent=one.agent,
            agent_name=names.get(one.agent or ""),
            active_at=one.active_at,
            created_at=one.created_at,
            waiting_since=one.waiting_since,
            owed_since=one.owed_since,
            region=RegionView.of(context.region),
            skill=one.skill,
            danger=lists.dangers(session, [one.id]).get(one.id),
            messages=[_message(row, names) for row in said],
            expects=SHOWN[context.expects.kind],
            question=mask(question) if question else None,
            unanswered=_unanswered(said),
            decision=effect.decision if effect else None,
            confidence=effect.confidence if effect else None,
            certainty=_certainty(effect),
            candidates=_candidates(session, effect, production=here.settings.env == "production"),
            notes=[
                NoteView(
                    id=note.id,
                    author=note.author,
                    author_name=names[note.author],
                    kind=note.kind,
                    party=mask(note.party) if note.party else None,
                    text=mask(note.text),
                    at=note.at,
                )
                for note in written
            ],
            tickets=[
                TicketOf(
                    number=ticket.number,
                    kind=ticket.kind,
                    state=ticket.state,
                    subject=mask(str(ticket.subject)),
                    created_at=ticket.created_at,
                )
                for ticket in register.of_conversation(session, one.id)
            ],
            reach=_reach(session, one),
            shield=_shield(session, one, me),
            mine=one.agent == me.number,
        )


def _message(row: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    shown: dict[str, Any] = mask_record({key: value for key, value in row.items() if key != "at"})
    lines = [row["text"]] if "text" in row else [reply.get("text", "") for reply in row["replies"]]
    by = names.get(row.get("agent") or "")
    return shown | {"at": row["at"], "lines": [mask(line) for line in lines if line], "agent_name": by}


def _unanswered(said: list[dict[str, Any]]) -> str | None:
    """The citizen's words after the last one that anybody answered, joined."""
    words: list[str] = []
    for row in reversed(said):
        if row["sender"] in ("bot", "agent"):
            break
        if row["sender"] == "citizen":
            words.insert(0, mask(row["text"]))
    return "\n".join(words) or None


def _certainty(effect: TurnEffect | None) -> str | None:
    answered = (reply for reply in (effect.replies if effect else []) if reply.get("type") == "answer")
    return next((reply.get("certainty", "sure") for reply in answered), None)


def _shield(session: Session, conversation: Conversation, me: Signed) -> ShieldView | None:
    service = conversations.open_service(session, conversation.id)
    if service is None or conversation.agent is None:
        return None
    found = shield.of(session, conversation.id, conversation.agent, service.id)
    if found is None:
        return None
    return ShieldView.of(found, me.number)


def _candidates(session: Session, effect: TurnEffect | None, *, production: bool) -> list[Candidate]:
    explain = (effect.explain or {}) if effect else {}
    found = explain.get("candidates", [])
    ids = [one["qa_id"] for one in found]
    today = utcnow().astimezone(SHANGHAI).date()
    items, reported = knowledge.get_many(session, ids, today), doubts.doubted(session, ids)
    return [
        Candidate(
            qa_id=one["qa_id"],
            matter=one["matter"],
            question=one["question"],
            score=one.get("score", 0.0),
            band=_band(explain, effect.confidence if effect else None) if place == 0 else "reference",
            doubted=one["qa_id"] in reported,
            answer=item.answer
            if (item := items.get(one["qa_id"]))
            and knowledge.answerable(item, today=today, production=production).answers
            else None,
        )
        for place, one in enumerate(found)
    ]


def _band(explain: dict[str, Any], confidence: float | None) -> Literal["sure", "likely", "reference"]:
    """Of the first one found, by the limits that held then."""
    if confidence is None or "answer_at" not in explain:
        return "reference"
    if confidence >= explain["answer_at"]:
        return "sure"
    return "likely" if confidence >= explain["likely_at"] else "reference"


def _reach(session: Session, conversation: Conversation) -> Reach:
    """WeChat lets us push only for a while, and only so often, after the citizen's last word."""
    if conversation.channel in ("web", conversations.TRIAL, conversations.MINIPROGRAM):
        words = "市民打开小程序时会看到。" if conversation.channel == conversations.MINIPROGRAM else ""
        return Reach(now=True, until=None, left=None, words=words)
    user = session.scalar(select(ChannelUser).where(ChannelUser.conversation_id == conversation.id))
    if user is None:
        return Reach(now=False, until=None, left=None, words="市民已经离开，发不到。")
    now = user.push_until > utcnow() and user.pushes_left > 0
    if now:
        words = f"微信里还能发 {user.pushes_left} 条。" if user.pushes_left <= 2 else ""
    else:
        words = "市民很久没有说话，微信不让再推送。您写的会存着，市民下次说话时一并看到；急的话请登记工单或打电话。"
    return Reach(now=now, until=user.push_until, left=user.pushes_left, words=words)


class Words(Body):
    """What is said to the citizen."""

    text: str = Field(min_length=1, max_length=5000)
    message_id: str | None = Field(default=None, min_length=1, max_length=64, pattern=r"^[\w.:\-]+$")
    """The page's own: sent twice it is one message"""
    qa_id: str | None = Field(default=None, max_length=64)
    """The item whose answer it is"""
    edited: bool | None = None
    """Whether that answer was changed"""
    shown: list[ShownItem] = Field(default=[], max_length=choices.MOST)
    """What stood on the screen when it was chosen"""


class Said(BaseModel):
    """A message that is stored."""

    seq: int
    at: datetime


@router.post("/conversations/{conversation_id}/messages", responses=_CHANGES)
def speak(conversation_id: str, body: Words, me: TheCaller, here: TheGateway) -> Said:
    """Say something to the citizen.  The same ``message_id`` again is the same message."""
    if not body.text.strip():
        raise InvalidInput("请写点什么再发。")
    with database.write() as session:
        said = takeover.speak(
            session,
            conversation_id,
            me.number,
            [TextReply(text=body.text)],
            client_id=body.message_id,
            qa_id=body.qa_id,
            edited=body.edited,
        )
        if body.qa_id and said.agent == me.number:
            choices.record(
                session,
                kind="conversation",
                subject=conversation_id,
                person=me.number,
                what="edited" if body.edited else "used",
                qa_id=body.qa_id,
                shown=[one.kept() for one in body.shown],
                id=said.id,
                now=said.created_at,
            )
        stored = Said(seq=said.seq, at=said.created_at)
    here.typing.stop(conversation_id)
    here.notifier.wake(conversation_id)
    return stored


class NewNote(Body):
    """A note for the staff."""

    text: str = Field(min_length=1, max_length=2000)


@router.post("/conversations/{conversation_id}/notes", status_code=204, responses=answers(404))
def add_note(conversation_id: str, body: NewNote, me: TheCaller) -> None:
    """Write something down for colleagues; the citizen never sees it."""
    _note(conversation_id, me.number, "note", body.text)


@router.post("/conversations/{conversation_id}/whispers", status_code=204, responses=answers(404))
def whisper(conversation_id: str, body: NewNote, me: TheCaller) -> None:
    """A supervisor's word to whoever has the conversation; the citizen never sees it."""
    _note(conversation_id, me.number, "whisper", body.text)


class ThreeWay(Body):
    """A call that a third one was put through to."""

    party: str = Field(min_length=1, max_length=100)
    """With whom"""
    result: str = Field(min_length=1, max_length=2000)


@router.post("/conversations/{conversation_id}/three-way", status_code=204, responses=answers(404))
def add_three_way(conversation_id: str, body: ThreeWay, me: TheCaller) -> None:
    """Write down a three-way call: with whom, and what came of it.  The citizen never sees it."""
    _note(conversation_id, me.number, "three-way", body.result, party=body.party.strip())


def _note(conversation_id: str, author: str, kind: notes.Kind, text: str, *, party: str | None = None) -> None:
    if not text.strip():
        raise InvalidInput("请写点什么。")
    with database.write() as session:
        notes.add(session, conversation_id, author, kind, text.strip(), utcnow(), party=party)


@router.get("/turns/{turn_id}", responses=answers(404))
def explain_turn(turn_id: str) -> dict[str, Any]:
    """How a turn was decided: act, limits, candidates with their features; what the citizen said is masked."""
    with database.read() as session:
        effect = session.get(TurnEffect, turn_id)
        if effect is None:
            raise NotFound("没有这一轮对话。")
        return turns.explained(effect)
