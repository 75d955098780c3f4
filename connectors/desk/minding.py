"""Looks after what nobody looks after: unanswered conversations go back to the queue, those who wait for nobody get a ticket; and what is over by itself ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import structlog

from bot import conversations, database, doubts, turns
from bot.clock import utcnow
from bot.desk import duty, minding, shield, states, takeover
from bot.errors import NotFound, StoreBusy
from bot.models.conversations import Conversation
from bot.settings import Settings
from bot.turns import Outcome
from connectors.web.context import Gateway
from index.assistant.respond import Assistant

log = structlog.get_logger(__name__)

LOOK_S = 5.0
"""How often it is looked"""


async def mind_forever(here: Gateway) -> None:
    """Until it is cancelled."""
    while True:
        await asyncio.sleep(LOOK_S)
        try:
            for touched in await asyncio.to_thread(lambda: list(mind(here.settings, here.assistant))):
                here.notifier.wake(touched)
        except StoreBusy:
            continue
        except Exception:
            log.exception("desk.unminded")


def mind(settings: Settings, assistant: Assistant) -> Iterator[str]:
    """Do what is due; the ids of the conversations that it touched."""
    now = utcnow()
    with database.read() as session:
        unanswered = list(minding.unanswered(session, now, settings))
        silent = list(minding.silent(session, now, settings))
        uncivil = [one.id for one in shield.due(session, now)]
        over = states.over(session, now, settings)
        late = list(doubts.unreminded(session, now))
    for one in unanswered:
        with database.write() as session:
            given_back = takeover.give_back(session, one, now, minding.answer_within(settings))
        if given_back:
            log.info("desk.returned", conversation=one)
            yield one
    for one in uncivil:
        with database.write() as session:
            told = shield.tell(session, one, utcnow())
        if told is not None:
            yield told
    for one in over:
        with database.write() as session:
            states.settle(session, one, now, settings)
    for one in late:
        with database.write() as session:
            doubts.remind(session, one, now)
    for one in silent:
        with database.write() as session:
            ended = takeover.end_silent(session, one, now, minding.silence(settings))
        if ended:
            yield one
    with database.read() as session:  # those that have just come back among them
        unattended = list(minding.unattended(session, now))
    for one in unattended:
        if _register(one, assistant):
            log.info("desk.nobody", conversation=one)
            yield one


def _register(conversation_id: str, assistant: Assistant) -> bool:
    """A ticket for somebody for whom nobody is there any more, and back to the assistant; whether that was so."""
    outcome = _ticket(conversation_id, assistant)
    now = utcnow()
    with database.write() as session:
        conversation = conversations.lock(session, conversation_id)
        attended = duty.anybody(session, now, region=conversation.region, skill=conversation.skill)
        if conversation.state != "waiting" or attended:
            return False
        conversations.move(session, conversation, "bot", "系统", "conversation.nobody", now=now)
        conversations.remember(conversation, outcome.context)
        if outcome.effect is not None:
            outcome.effect(session)
        conversations.say(session, conversation, outcome.replies, sender="system", now=now)
    return True


def _ticket(conversation_id: str, assistant: Assistant) -> Outcome:
    with database.read() as session:
        conversation = session.get(Conversation, conversation_id)
        last = turns.last_of(session, conversation_id)
        if conversation is None or last is None:
            raise NotFound("没有这个对话。")
        turn = turns.load(session, last)
    return assistant.nobody_came(turn)
