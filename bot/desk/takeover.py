"""Who has a conversation: taken from the queue or from the assistant, passed on, taken from a colleague, handed back, ended.

Each move tells the citizen one sentence, in whatever channel.  From the moment a person has the conversation the assistant
says nothing in it but what helps somebody in danger: what it was about to answer goes to the person as it was asked.

Whoever locks people and a conversation locks the people first, by number.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import asked, audit, conversations, knowledge, turns
from bot.accounts import people
from bot.accounts.roles import SUPERVISOR
from bot.clock import utcnow
from bot.desk import duty, words
from bot.errors import IllegalMove, InvalidInput, NotFound
from bot.expects import NOTHING, ServiceRating
from bot.models.conversations import Conversation, HumanService, OutboxMessage
from bot.models.people import Person
from bot.replies import HandoverReply, Reply
from bot.settings import Settings

RATINGS = (3, 2, 1)
"""满意, 一般, 不满意"""


# --- taking ----------------------------------------------------------------------------------------------------------


def claim(
    session: Session, conversation_id: str, agent: str, settings: Settings, now: datetime | None = None
) -> list[str]:
    """Take a waiting conversation.

    Returns: ids of turns that the assistant was still answering: they are the person's now.

    Raises:
        NotFound: no such conversation or person.
        IllegalMove: not on duty, hands full, taken by somebody, not waiting, or not theirs to serve; each said in its own words.
    """
    return _take(session, conversation_id, agent, "waiting", "conversation.claim", settings, now)


def take_over(
    session: Session, conversation_id: str, agent: str, settings: Settings, now: datetime | None = None
) -> list[str]:
    """Take a conversation from the assistant, unasked.  As ``claim``."""
    return _take(session, conversation_id, agent, "bot", "conversation.take_over", settings, now)


def _take(
    session: Session,
    conversation_id: str,
    agent: str,
    state: str,
    action: str,
    settings: Settings,
    now: datetime | None,
) -> list[str]:
    now = now or utcnow()
    person = people.get(session, agent, locked=True)
    conversation = conversations.lock(session, conversation_id)
    _may_take(session, person, settings, now)
    if conversation.state != state:
        raise IllegalMove(_not_there(session, conversation, state))
    if not duty.covers(person, conversation.region):
        raise IllegalMove("这个会话不在您负责的地区。")
    if not duty.serves(person, conversation.region, conversation.skill):
        raise IllegalMove(f"这个会话要由“{conversation.skill}”组的坐席接。")
    return _take_up(session, conversation, agent, action, words.TAKEN, now)


def _may_take(session: Session, person: Person, settings: Settings, now: datetime, *, you: str = "您") -> None:
    """Raises: IllegalMove."""
    if not duty.is_on(person, now):
        raise IllegalMove(f"{you}还没有上岗，不能接会话。")
    held, most = duty.in_hand(session, person.number), duty.capacity(person, settings)
    if held >= most:
        raise IllegalMove(f"{you}手上已经有 {held} 个会话，到上限了。")


def _not_there(session: Session, conversation: Conversation, wanted: str) -> str:
    if conversation.state == "human":
        name = people.names(session, [conversation.agent]).get(conversation.agent or "", "同事")
        return f"这个会话已经由{name}接了。"
    return "市民已经不在等人工了。" if wanted == "waiting" else "这个会话现在不是助手在答。"


def _take_up(
    session: Session, conversation: Conversation, agent: str, action: str, sentence: str, now: datetime
) -> list[str]:
    conversations.move(session, conversation, "human", agent, action, agent=agent, now=now)
    forwarded = turns.forward_open(session, conversation, now)
    tell(session, conversation, sentence.format(agent=agent), now, agent=agent)
    return forwarded


# --- passing on ------------------------------------------------------------------------------------------------------


def transfer(
    session: Session,
    conversation_id: str,
    agent: str,
    settings: Settings,
    *,
    to: str | None = None,
    skill: str | None = None,
    now: datetime | None = None,
) -> None:
    """Pass a conversation on: to a colleague, who has it at once, or to a group, where it waits in its old place.

    Raises:
        InvalidInput: neither or both are named, or it is oneself.
        NotFound, IllegalMove: one does not have it; the colleague cannot take it; nobody of the group is on duty.
    """
    now = now or utcnow()
    if (to is None) == (skill is None):
        raise InvalidInput("请选一位同事或一个组。")
    if to == agent:
        raise InvalidInput("不能转给自己。")
    colleague = people.get(session, to, locked=True) if to else None
    conversation = held_by(session, conversation_id, agent)
    if colleague:
        _may_take(session, colleague, settings, now, you=colleague.name)
        conversations.move(
            session, conversation, "human", agent, "conversation.transfer", agent=colleague.number, now=now
        )
        tell(session, conversation, words.PASSED_ON.format(agent=colleague.number), now, agent=colleague.number)
        return
    if not duty.anybody(session, now, region=conversation.region, skill=skill):
        raise IllegalMove(f"“{skill}”组现在没有人在岗。")
    conversation.skill = skill
    conversations.move(session, conversation, "waiting", agent, "conversation.transfer", now=now)
    tell(session, conversation, words.PASSED_TO_GROUP.format(skill=skill), now)


def step_in(session: Session, conversation_id: str, supervisor: str, now: datetime | None = None) -> None:
    """强插: a supervisor takes a conversation from a colleague.

    Raises:
        NotFound, IllegalMove: the supervisor is not on duty, has it already, or nobody has it.
        InvalidInput: they are no supervisor.
    """
    now = now or utcnow()
    person = people.get(session, supervisor, locked=True)
    if SUPERVISOR not in person.roles:
        raise InvalidInput("只有班长可以强插。")
    conversation = conversations.lock(session, conversation_id)
    if not duty.is_on(person, now):
        raise IllegalMove("您还没有上岗，不能接会话。")
    if conversation.state != "human" or conversation.agent == supervisor:
        raise IllegalMove("这个会话不在同事手上，不用强插。")
    audit.record(session, supervisor, "conversation.taken_from", conversation.id, agent=conversation.agent)
    conversations.move(session, conversation, "human", supervisor, "conversation.step_in", agent=supervisor, now=now)
    tell(session, conversation, words.STEPPED_IN.format(agent=supervisor), now, agent=supervisor)


# --- letting go ------------------------------------------------------------------------------------------------------


def hand_back(session: Session, conversation_id: str, agent: str, now: datetime | None = None) -> None:
    """The assistant has it again: it knows the matter, the region and what was said, and nothing of a wish for a person.

    Raises: NotFound, IllegalMove.
    """
    conversation = held_by(session, conversation_id, agent)
    _let_go(session, conversation, "bot", agent, "conversation.hand_back", words.HANDED_BACK.format(agent=agent), now)
    conversation.session += 1  # Rasa's tracker begins anew
    conversation.session_turns = 0


def end(session: Session, conversation_id: str, agent: str, now: datetime | None = None) -> None:
    """Finish it; the citizen's next message opens a new session.  Raises: NotFound, IllegalMove."""
    conversation = held_by(session, conversation_id, agent)
    _let_go(session, conversation, "closed", agent, "conversation.close", words.ENDED, now)


def _let_go(
    session: Session,
    conversation: Conversation,
    state: Any,
    actor: str,
    action: str,
    sentence: str,
    now: datetime | None,
) -> None:
    now = now or utcnow()
    service, agent = conversations.open_service(session, conversation.id), conversation.agent
    context = conversations.context_of(conversation)
    context.expects = ServiceRating(service=service.id) if service else NOTHING
    context.clarified = context.unhelpful = 0
    context.more = []
    conversations.remember(conversation, context)
    conversations.move(session, conversation, state, actor, action, now=now)
    tell(session, conversation, sentence, now, agent=agent, rates=service)


# --- what happens by itself ------------------------------------------------------------------------------------------


def give_back(session: Session, conversation_id: str, now: datetime, answer_within: timedelta) -> bool:
    """Back to the queue, in its old place, where whoever has it does not answer or has gone; whether that was so."""
    conversation = conversations.lock(session, conversation_id)
    if conversation.state != "human" or conversation.owed_since is None:
        return False
    person = session.get(Person, conversation.agent)
    if conversation.owed_since > now - answer_within and person is not None and duty.is_on(person, now):
        return False
    conversations.move(session, conversation, "waiting", "系统", "conversation.return", now=now)
    tell(session, conversation, words.RETURNED, now)
    return True


def end_silent(session: Session, conversation_id: str, now: datetime, silence: timedelta) -> bool:
    """Ended, where the citizen says nothing any more; whether that was so."""
    conversation = conversations.lock(session, conversation_id)
    if conversation.state != "human" or conversation.quiet_since is None or conversation.quiet_since > now - silence:
        return False
    _let_go(session, conversation, "closed", "系统", "conversation.silent", words.SILENT, now)
    return True


def leave(session: Session, conversation: Conversation, now: datetime | None = None) -> None:
    """The citizen does not want to wait any longer.  The caller holds the lock.  Raises: IllegalMove: they don't wait."""
    if conversation.state != "waiting":
        raise IllegalMove("您现在没有在排队。")
    conversations.move(session, conversation, "bot", "市民", "conversation.leave", now=now)
    tell(session, conversation, words.LEFT, now or utcnow())


# --- saying ----------------------------------------------------------------------------------------------------------


def held_by(session: Session, conversation_id: str, agent: str) -> Conversation:
    """The conversation, locked, if this agent has it.  Raises: NotFound, IllegalMove."""
    conversation = conversations.lock(session, conversation_id)
    if conversation.state != "human" or conversation.agent != agent:
        raise IllegalMove("这个会话不在您手上，不能这样做。")
    return conversation


def speak(
    session: Session,
    conversation_id: str,
    agent: str,
    replies: list[Reply],
    *,
    client_id: str | None = None,
    qa_id: str | None = None,
    edited: bool | None = None,
    now: datetime | None = None,
) -> OutboxMessage:
    """An agent's words to the citizen.  The same ``client_id`` again gives the first message, whoever has the conversation now.

    Args:
        qa_id: the item whose answer it is; ``edited``: not word for word.  Kept to learn from.

    Raises: NotFound; IllegalMove: the agent does not have the conversation, or the answer was withdrawn as wrong.
    """
    now = now or utcnow()
    if client_id is not None:
        conversations.lock(session, conversation_id)
        same = OutboxMessage.conversation_id == conversation_id, OutboxMessage.client_id == client_id
        if (said := session.scalar(select(OutboxMessage).where(*same))) is not None:
            return said
    conversation = held_by(session, conversation_id, agent)
    text = "\n".join(reply.text for reply in replies)
    if qa_id is not None:
        knowledge.refuse_words(session, qa_id, text)
    message = conversations.say(session, conversation, replies, sender="agent", agent=agent, now=now)
    message.client_id, message.qa_id, message.edited = client_id, qa_id, edited
    if qa_id is not None:
        message.qa_version = knowledge.given(session, qa_id, text)
        asked.answered_by_agent(session, conversation, qa_id, edited, now)
    conversation.owed_since, conversation.quiet_since = None, now
    service = conversations.open_service(session, conversation.id)
    if service is not None and service.first_word_at is None:
        service.first_word_at = now
    return message


def tell(
    session: Session,
    conversation: Conversation,
    sentence: str,
    now: datetime,
    *,
    agent: str | None = None,
    rates: HumanService | None = None,
) -> None:
    """The one sentence of a move."""
    reply = HandoverReply(text=sentence, state=conversation.state, agent=agent, service=rates.id if rates else None)
    conversations.say(session, conversation, [reply], sender="system", agent=agent, now=now)


def rate(session: Session, conversation_id: str, service_id: str, rating: int, now: datetime | None = None) -> None:
    """The citizen's word on a person's service; the last one counts.

    Raises:
        NotFound: no such service in this conversation.
        InvalidInput: no such rating.
    """
    if rating not in RATINGS:
        raise InvalidInput("请选“满意”“一般”或“不满意”。")
    service = session.get(HumanService, service_id, with_for_update=True)
    if service is None or service.conversation_id != conversation_id or service.taken_at is None:
        raise NotFound("没有可以评价的人工服务。")
    service.rating, service.rated_at = rating, now or utcnow()
