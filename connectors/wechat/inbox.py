"""What citizens send through WeChat, stored as turns of their conversation; some come to something known at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bot import conversations, crypto, database, knowledge, turns
from bot.clock import SHANGHAI, utcnow
from bot.conversations import Context
from bot.errors import NotFound
from bot.expects import Options
from bot.models.conversations import ChannelUser, Conversation, InboxMessage, TurnEffect
from bot.ratings import rate
from bot.replies import ClarifyReply, Guide, Option, Reply, TextReply
from bot.settings import Settings
from bot.turns import Outcome
from connectors import metrics
from connectors.web.context import Gateway
from connectors.wechat import words
from connectors.wechat.push import Push
from connectors.wechat.words import Meaning
from index import themes
from index.themes import Question

MESSAGE = (5, timedelta(hours=48))
"""How many messages may be pushed after the citizen's message, and for how long (微信公众平台《发送客服消息》)"""
EVENT = (3, timedelta(minutes=1))
"""The same after a tap on a menu, a scan, a subscription, where the citizen's last message allows nothing any more"""
RETRIED_AFTER = timedelta(seconds=4.8)
"""A push that comes again later than this comes because our reply did not arrive; earlier it is a duplicate"""
_SHOWN = 4
"""Questions that a scanned code shows"""

Known = Callable[[Context], Outcome]


@dataclass(frozen=True)
class Received:
    """A stored message: its conversation and turn."""

    conversation_id: str
    turn_id: str
    state: str
    settled: bool
    late: bool
    """It was pushed again because our reply did not arrive"""
    danger: bool
    """Somebody is in danger: what we say goes back at once, whoever has the conversation"""


def receive(push: Push, meaning: Meaning, channel: str, here: Gateway) -> Received:
    """Store what was sent; a repeat gives the first one's turn."""
    asked = _questions(meaning.scene, here.settings) if meaning.scene else ()
    try:
        with database.write() as session:
            return _store(session, push, meaning, channel, here, asked)
    except (IntegrityError, NotFound):
        # The citizen's conversation was made, or erased, at the same moment: now it is there, or can be made.
        with database.write() as session:
            return _store(session, push, meaning, channel, here, asked)


def _store(
    session: Session, push: Push, meaning: Meaning, channel: str, here: Gateway, asked: Sequence[Question]
) -> Received:
    now = utcnow()
    user = citizen(session, channel, push.sender, now)
    conversation = conversations.lock(session, user.conversation_id)
    known = _known(session, user, conversation, meaning, asked)
    said = meaning.says or ""
    source = crypto.get_cipher().pseudonym(f"{channel} {push.sender}")
    receipt = turns.receive(
        session,
        conversation,
        push.message_id,
        said,
        here.settings,
        source=source,
        now=now,
        known=known,
        hears=here.assistant.hears if meaning.written else None,
    )
    danger = metrics.count_dangers(receipt)
    if receipt.new:
        _allow(user, meaning, now)
    message = session.get_one(InboxMessage, receipt.turn_id)
    late = not receipt.new and now - message.received_at >= RETRIED_AFTER
    return Received(conversation.id, receipt.turn_id, receipt.state, receipt.replies is not None, late, danger)


def citizen(session: Session, channel: str, openid: str, now: datetime) -> ChannelUser:
    """The citizen's row, locked until the transaction ends; with their conversation, made where they are new.

    Raises:
        sqlalchemy.exc.IntegrityError: another transaction makes it at the same moment.
    """
    key = (channel, crypto.digest(openid))
    user = session.get(ChannelUser, key, with_for_update=True, populate_existing=True)
    if user is None:
        conversation, _ = conversations.create(session, channel, now)
        session.flush()
        user = ChannelUser(
            channel=channel,
            user_digest=key[1],
            conversation_id=conversation.id,
            address=openid,
            push_until=now,
            pushes_left=0,
        )
        session.add(user)
        session.flush()
    return user


def _allow(user: ChannelUser, meaning: Meaning, now: datetime) -> None:
    """WeChat counts anew from a message on; a tap or an event gives less, and takes nothing away."""
    if not meaning.written and user.pushes_left > 0 and now < user.push_until:
        return
    user.pushes_left, span = MESSAGE if meaning.written else EVENT
    user.push_until = now + span


# --- what is known at once -------------------------------------------------------------------------------------------


def _known(
    session: Session, user: ChannelUser, conversation: Conversation, meaning: Meaning, asked: Sequence[Question]
) -> Known | None:
    """What the message comes to without a dialogue; None where the dialogue decides."""
    if meaning.reply:
        return _says(TextReply(text=meaning.reply))
    if user.rest and words.wants_more(meaning.says or ""):
        return _rest(user)
    kind, _, turn_id = meaning.tapped.partition(":")
    if kind in ("good", "bad"):
        return _rating(session, conversation, turn_id, helpful=kind == "good")
    if meaning.scene and conversation.state != "human":
        return _scene(meaning.scene, asked)
    return None


def _says(reply: Reply) -> Known:
    return lambda context: Outcome(replies=[reply], context=context, decision=reply.type)


def _rest(user: ChannelUser) -> Known:
    """What did not fit, as a reply of its own: it is cut again, and again pushed or given anew where it got lost."""

    def known(context: Context) -> Outcome:
        rest, user.rest = str(user.rest), None
        return Outcome(replies=[TextReply(text=rest)], context=context, decision="more")

    return known


def _rating(session: Session, conversation: Conversation, turn_id: str, *, helpful: bool) -> Known | None:
    """A tap on 有用 or 没用 rates the answer that it stands under.  Under the last one the dialogue takes it, as if typed."""
    rated = session.get(TurnEffect, turn_id)
    if rated is None or rated.conversation_id != conversation.id:
        return None
    working = session.scalar(
        select(InboxMessage.turn_id)
        .where(InboxMessage.conversation_id == conversation.id, InboxMessage.settled.is_(False))
        .limit(1)
    )
    if conversations.context_of(conversation).rateable == turn_id and working is None:
        return None
    return lambda context: Outcome(
        replies=[TextReply(text=words.RATED)],
        context=context,
        decision="text",
        effect=lambda session: rate(session, turn_id, helpful, None),
    )


def _scene(scene: str, asked: Sequence[Question]) -> Known:
    """A QR code that names a matter, or a theme: what people ask about it.  Any other gets the welcome."""
    if not asked:
        return _says(TextReply(text=words.WELCOME))
    options = [Option(number=n, qa_id=one.qa_id, question=one.text) for n, one in enumerate(asked, start=1)]

    def known(context: Context) -> Outcome:
        offer = {"expects": Options(question=scene, offered=tuple(one.qa_id for one in asked))}
        reply = ClarifyReply(text=words.SCENE.format(scene=scene), options=options)
        return Outcome(replies=[reply], context=context.model_copy(update=offer), decision="scene")

    return known


def _questions(scene: str, settings: Settings) -> Sequence[Question]:
    """The first questions of the theme or the matter that a QR code names, among those that may be answered now."""
    found = themes.current(settings, utcnow())
    for theme in found:
        if theme.title == scene:
            return theme.top[:_SHOWN]
    for theme in found:
        for matter in theme.matters:
            if matter.title == scene:
                return matter.questions[:_SHOWN]
    return ()


# --- what is no turn -------------------------------------------------------------------------------------------------


def last_guides(channel: str, openid: str, settings: Settings) -> list[Guide]:
    """The service guides of the last answer, if it still holds; none while an agent has the conversation."""
    with database.read() as session:
        user = session.get(ChannelUser, (channel, crypto.digest(openid)))
        conversation = session.get(Conversation, user.conversation_id) if user else None
        if conversation is None or conversation.state == "human":
            return []
        last = conversations.context_of(conversation).last_qa
        today, production = utcnow().astimezone(SHANGHAI).date(), settings.env == "production"
        qa = knowledge.get(session, last, today)
        if qa is None or not knowledge.answerable(qa, today=today, production=production).answers:
            return []
        return knowledge.expand(session, qa)[1]


def leave_desk(channel: str, openid: str) -> None:
    """WeChat's own desk is done with the citizen: the next message opens a new session with the assistant."""
    with database.write() as session:
        user = session.get(ChannelUser, (channel, crypto.digest(openid)))
        if user is None:
            return
        conversation = conversations.lock(session, user.conversation_id)
        if conversation.state in ("waiting", "human"):
            conversations.move(session, conversation, "closed", "微信客服", "conversation.close")
