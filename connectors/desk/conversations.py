"""Conversations at the desk: who waits, what was said, what the assistant makes of it; taken, written in, ended."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from bot import conversations, database, desk, turns
from bot.accounts import people
from bot.errors import NotFound
from bot.expects import SHOWN, question_of
from bot.masking import mask, mask_record
from bot.models.conversations import Conversation, TurnEffect
from bot.replies import TextReply
from connectors.web.access import TheCaller, signed
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


class ConversationRead(BaseModel):
    """A conversation, read."""

    id: str
    channel: str
    state: str
    agent: str | None
    agent_name: str | None
    active_at: datetime
    created_at: datetime
    danger: str | None
    messages: list[dict[str, Any]]
    """As the citizen's own page has them, masked; ``lines``: what an agent reads of each"""
    expects: str
    """What the assistant waits for, in words"""
    question: str | None
    """The question that waits"""
    decision: str | None
    confidence: float | None
    candidates: list[dict[str, Any]]
    """What the assistant found for the last question: qa_id, matter, question"""
    mine: bool


@router.get("/conversations")
def list_conversations(
    me: TheCaller,
    list_: Annotated[List, Query(alias="list")] = "waiting",
    offset: Annotated[int, Query(ge=0, le=100_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
) -> ConversationPage:
    """One list; in that of those who wait the ones in danger come first, then the longest-waiting; else the last active."""
    with database.read() as session:
        found, counts = desk.listed(session, list_, me.number, offset=offset, limit=limit)
        names = people.names(session, [one.agent for one in found])
        dangers = desk.dangers(session, [one.id for one in found])
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
                    danger=dangers.get(one.id),
                    last=mask(last["text"]) if last else "",
                    last_sender=last["sender"] if last else None,
                )
            )
        return ConversationPage(items=rows, total=counts[list_], counts=counts)


@router.get("/conversations/{conversation_id}", responses=answers(404))
def read_conversation(
    conversation_id: str, me: TheCaller, after: Annotated[int, Query(ge=0, le=MAX_INT)] = 0
) -> ConversationRead:
    """What was said after ``after`` (the last 200 messages where 0), and what the assistant makes of it."""
    with database.read() as session:
        one = session.get(Conversation, conversation_id)
        if one is None:
            raise NotFound("没有这个会话。")
        context = conversations.context_of(one)
        effect = desk.last_effect(session, one.id)
        explain = (effect.explain or {}) if effect else {}
        names = people.names(session, [one.agent])
        question = question_of(context.expects) or context.last_question
        begin = max(after, one.seq - conversations.PAGE)
        return ConversationRead(
            id=one.id,
            channel=one.channel,
            state=one.state,
            agent=one.agent,
            agent_name=names.get(one.agent or ""),
            active_at=one.active_at,
            created_at=one.created_at,
            danger=desk.dangers(session, [one.id]).get(one.id),
            messages=[_message(row) for row in conversations.history(session, one.id, begin)],
            expects=SHOWN[context.expects.kind],
            question=mask(question) if question else None,
            decision=effect.decision if effect else None,
            confidence=effect.confidence if effect else None,
            candidates=[
                {name: found[name] for name in ("qa_id", "matter", "question")}
                for found in explain.get("candidates", [])
            ],
            mine=one.agent == me.number,
        )


def _message(row: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = mask_record({key: value for key, value in row.items() if key != "at"})
    lines = [row["text"]] if "text" in row else [reply.get("text", "") for reply in row["replies"]]
    return shown | {"at": row["at"], "lines": [mask(line) for line in lines if line]}


@router.post("/conversations/{conversation_id}/claim", status_code=204, responses=_CHANGES)
def claim_conversation(conversation_id: str, me: TheCaller, here: TheGateway) -> None:
    """Take a waiting conversation: from now on the assistant is silent in it."""
    with database.write() as session:
        desk.claim(session, conversation_id, me.number)
    here.notifier.wake(conversation_id)


class Words(Body):
    """What is said to the citizen."""

    text: str = Field(min_length=1, max_length=5000)


@router.post("/conversations/{conversation_id}/messages", status_code=204, responses=_CHANGES)
def speak(conversation_id: str, body: Words, me: TheCaller, here: TheGateway) -> None:
    """Say something to the citizen."""
    with database.write() as session:
        desk.speak(session, conversation_id, me.number, [TextReply(text=body.text)])
    here.notifier.wake(conversation_id)


@router.post("/conversations/{conversation_id}/close", status_code=204, responses=_CHANGES)
def close_conversation(conversation_id: str, me: TheCaller, here: TheGateway) -> None:
    """Finish; the citizen's next message opens a new session with the assistant."""
    with database.write() as session:
        desk.release(session, conversation_id, me.number)
    here.notifier.wake(conversation_id)


@router.get("/turns/{turn_id}", responses=answers(404))
def explain_turn(turn_id: str) -> dict[str, Any]:
    """How a turn was decided: act, limits, candidates with their features; what the citizen said is masked."""
    with database.read() as session:
        effect = session.get(TurnEffect, turn_id)
        if effect is None:
            raise NotFound("没有这一轮对话。")
        return turns.explained(effect)
