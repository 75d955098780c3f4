"""Conversations: their state, what they remember, and who may read them.

``bot``: the assistant answers.  ``waiting``: a human was asked for; the assistant goes on answering.  ``human``: an agent
has it and Rasa is silent.  ``closed``: the next message opens a new session.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import asked, audit, events, regions, releases, retention, told
from bot.clock import utcnow
from bot.crypto import CannotDecrypt, digest, get_cipher, same
from bot.desk import callbacks
from bot.errors import Forbidden, IllegalMove, InvalidInput, NotFound, Unauthorised
from bot.expects import NOTHING, SHOWN, Expects, ServiceRating, from_earlier
from bot.models.conversations import Conversation, HumanService, InboxMessage, OutboxMessage, Rating, State
from bot.releases import shadow
from bot.replies import REPLIES, Reply
from bot.settings import Settings, get_settings

MINIPROGRAM = "miniprogram"
"""Channel of the mini-program's client: it logs in, and fetches what is said as the web page does"""

TRIAL = "trial"
"""Channel of those who try the assistant: as a web page, but it makes no ticket, asks for no person and raises no alarm"""

PAGE = 200
"""Messages of a history that are read at a time"""

_NOT_YOURS = "无权访问这个会话，请重新开始一个会话。"


class Agreement(BaseModel):
    """The citizen agreed to a version of the privacy notice."""

    version: str
    at: datetime


class OpenDanger(BaseModel):
    """The danger that was last heard: what follows is read in its light for a while."""

    kinds: tuple[str, ...]
    at: datetime
    said: str = ""
    """The message it was heard in, where that may have been a question"""


class Context(BaseModel):
    """What a conversation remembers from turn to turn.  Rasa's tracker may vanish; this does not."""

    model_config = ConfigDict(extra="ignore")  # a newer version's field must not stop an older one

    region: str | None = None
    region_asked: bool = False
    last_question: str | None = None
    """The last question retrieval saw, with its follow-up completion."""
    last_qa: str | None = None
    last_matter: str | None = None
    expects: Expects = NOTHING
    """What the next message may be the reply to."""
    more: list[str] = []
    """The other questions of the last message, in the citizen's words: a number asks one of them."""
    clarified: int = 0
    """Questions back in a row without an answer."""
    unhelpful: int = 0
    rateable: str | None = None
    """The turn whose reply a 有用/没用 is about."""
    parked: dict[str, Any] | None = None
    """A ticket form that was put aside for a question: ``bot.ticket_form.Draft``"""
    privacy: Agreement | None = None
    danger: OpenDanger | None = None

    @model_validator(mode="before")
    @classmethod
    def _migrated(cls, stored: Any) -> Any:
        if not isinstance(stored, dict):
            return stored
        if "expects" not in stored:
            return stored | {"expects": from_earlier(stored)}
        expects = stored["expects"]
        if isinstance(expects, dict) and expects.get("kind") not in SHOWN:
            return stored | {"expects": NOTHING}  # a newer version's
        return stored

    def stored(self) -> dict[str, Any]:
        """What the conversation's row keeps."""
        # The kind of what is expected is a default of its own class, and must not go missing.
        return self.model_dump(mode="json", exclude_defaults=True) | {"expects": self.expects.model_dump(mode="json")}

    def keep_settings(self, before: Context, now: Context) -> None:
        """Take over what the citizen set beside the dialogue between ``before`` and ``now``."""
        self.privacy = now.privacy
        if now.region != before.region:
            self.region = now.region


def create(session: Session, channel: str, now: datetime | None = None) -> tuple[Conversation, str]:
    """A new conversation and the token that opens it (shown once, stored as a digest)."""
    token = secrets.token_urlsafe(24)
    at = now or utcnow()
    conversation = Conversation(
        id=uuid.uuid4().hex,
        channel=channel,
        token_digest=digest(token),
        state="bot",
        session=1,
        session_turns=0,
        seq=0,
        context=Context().stored(),
        created_at=at,
        active_at=at,
    )
    releases.assign(session, conversation)
    session.add(conversation)
    return conversation, token


def channel_of(session: Session, conversation_id: str) -> str | None:
    """Where it came in; None: there is no such conversation."""
    return session.scalar(select(Conversation.channel).where(Conversation.id == conversation_id))


def authenticate(session: Session, conversation_id: str, token: str, *, locked: bool = False) -> Conversation:
    """The conversation, if ``token`` opens it; ``locked`` until the transaction ends.

    Raises:
        Forbidden: no such conversation, or another's.  Both read the same.
        Unauthorised: a mini-program's token whose time is over.
    """
    conversation = session.get(Conversation, conversation_id, with_for_update=locked, populate_existing=locked)
    if conversation is not None and conversation.channel == MINIPROGRAM:
        _check_login(conversation.id, token)
    elif conversation is None or not same(conversation.token_digest or "", digest(token)):
        raise Forbidden(_NOT_YOURS)
    return conversation


def login_token(conversation_id: str) -> str:
    """A token that opens a mini-program's conversation for ``settings.miniprogram_token_hours``."""
    return get_cipher().encrypt(f"{MINIPROGRAM}:{conversation_id}")


def _check_login(conversation_id: str, token: str) -> None:
    try:
        opens = get_cipher().decrypt(token)
    except CannotDecrypt as error:
        raise Forbidden(_NOT_YOURS) from error
    if not same(opens, f"{MINIPROGRAM}:{conversation_id}"):
        raise Forbidden(_NOT_YOURS)
    try:
        get_cipher().decrypt(token, int(get_settings().miniprogram_token_hours * 3600))
    except CannotDecrypt as error:
        raise Unauthorised("登录已过期，请重新登录。") from error


def lock(session: Session, conversation_id: str) -> Conversation:
    """The conversation, locked until the transaction ends.  Raises: NotFound."""
    conversation = session.get(Conversation, conversation_id, with_for_update=True, populate_existing=True)
    if conversation is None:
        raise NotFound("没有这个对话。")
    return conversation


def context_of(conversation: Conversation) -> Context:
    """What the conversation remembers."""
    return Context.model_validate(conversation.context)


def remember(conversation: Conversation, context: Context) -> None:
    """Replace what the conversation remembers; the caller holds its lock."""
    conversation.context = context.stored()


def set_region(conversation: Conversation, region: str | None, settings: Settings) -> None:
    """Where the citizen is, said beside the dialogue; None forgets it.  The caller holds the conversation's lock.

    Raises:
        InvalidInput: no such region, or neither in the one that we serve nor above it: we have no answers for it.
    """
    if region is not None:
        try:
            ours = regions.overlap(region, settings.region)
        except NotFound as error:
            raise InvalidInput(str(error)) from error
        if not ours:
            raise InvalidInput(f"这里只回答{regions.full_name(settings.region)}的问题，请在这个范围里选择所在地区。")
    context = context_of(conversation)
    context.region = region
    remember(conversation, context)


def agree_to_privacy(session: Session, conversation: Conversation, version: str, now: datetime | None = None) -> None:
    """Keep that the citizen agreed to this version of the privacy notice, and when they did so first."""
    context = context_of(conversation)
    if context.privacy is None or context.privacy.version != version:
        context.privacy = Agreement(version=version, at=now or utcnow())
        remember(conversation, context)
        audit.record(session, "市民", "conversation.privacy", conversation.id, version=version)


def erase(session: Session, conversation: Conversation) -> None:
    """Remove the conversation at the citizen's wish, whatever its state.  The caller holds its lock."""
    retention.erase(session, [conversation.id])
    asked.erase(session, [conversation.id])
    shadow.erase(session, [conversation.id])
    events.publish(session, "conversation", conversation.id, state="erased")
    audit.record(session, "市民", "conversation.erase", conversation.id, state=conversation.state)


MOVES: Mapping[State, frozenset[State]] = {
    "bot": frozenset({"waiting", "human"}),
    "waiting": frozenset({"bot", "human", "closed"}),
    "human": frozenset({"waiting", "human", "bot", "closed"}),
    "closed": frozenset({"bot"}),
}
"""State → states it may go to"""


def move(
    session: Session,
    conversation: Conversation,
    state: State,
    actor: str,
    action: str,
    *,
    agent: str | None = None,
    now: datetime | None = None,
) -> None:
    """Change who answers: the one place where that is done, with its audit entry and its event.

    The caller holds the conversation's lock.

    Args:
        actor: an agent's number, 市民 or 系统.
        action: what stands in the audit log, as ``conversation.verb``.
        agent: who has it now; for the state ``human``, and for no other.

    Raises:
        IllegalMove: not from where it is.
    """
    before = conversation.state
    if state not in MOVES[before] or (state == "human") != (agent is not None):
        raise IllegalMove("会话现在的状态不能这样改，请刷新后再看。")
    conversation.state, conversation.agent = state, agent
    _attend(session, conversation, before, action.partition(".")[2], now or utcnow())
    other = {"agent": agent} if agent and agent != actor else {}
    audit.record(session, actor, action, conversation.id, state=state, before=before, **other)
    events.publish(session, "conversation", conversation.id, state=state, before=before)
    if before == "human" and state != "human":
        told.let_go(session, conversation.id)


def _attend(session: Session, conversation: Conversation, before: State, verb: str, now: datetime) -> None:
    """Keep count of waits, of who serves and whom a call is owed; a wait that somebody takes goes on as their service."""
    state = conversation.state
    service = open_service(session, conversation.id)
    taken = before == "waiting" and state == "human"
    if service is not None and not taken:
        service.ended_at, service.end = now, verb
        if before == "waiting":
            callbacks.wait_is_over(session, conversation, verb, service.asked_at, now)
    if state in ("waiting", "human"):
        conversation.waiting_since = conversation.waiting_since or now
        if before == "bot":
            conversation.region = context_of(conversation).region
        if service is None or not taken:
            service = HumanService(
                id=uuid.uuid4().hex,
                conversation_id=conversation.id,
                asked_at=conversation.waiting_since,
                entered_at=now,
            )
            session.add(service)
        if state == "human":
            service.agent, service.taken_at = conversation.agent, now
            callbacks.served(session, conversation.id, conversation.agent or "", now)
            conversation.skill = None  # whoever passes it on says to whom
    else:
        conversation.waiting_since = conversation.skill = None
    conversation.owed_since = now if state == "human" else None
    conversation.quiet_since = None


def open_service(session: Session, conversation_id: str) -> HumanService | None:
    """The conversation's wait or service that has not ended."""
    return session.scalar(
        select(HumanService)
        .where(HumanService.conversation_id == conversation_id, HumanService.ended_at.is_(None))
        .order_by(HumanService.entered_at.desc())
        .limit(1)
    )


def heard(session: Session, conversation: Conversation) -> None:
    """Something was said: whoever follows the conversation at the desk hears of it."""
    if conversation.state in ("waiting", "human"):
        events.publish(session, "conversation", conversation.id, state=conversation.state)


def next_seq(conversation: Conversation) -> int:
    """The next message number; the caller holds the conversation's lock."""
    conversation.seq += 1
    return conversation.seq


def renew_session(session: Session, conversation: Conversation, settings: Settings, now: datetime) -> None:
    """Start a new Rasa session where the old one is closed, idle or long (a turn slows down with the tracker's length)."""
    idle = now - conversation.active_at > timedelta(seconds=settings.session_idle_s)
    if conversation.state == "closed":
        move(session, conversation, "bot", "市民", "conversation.reopen")
        old = context_of(conversation)
        rating = old.expects if isinstance(old.expects, ServiceRating) else NOTHING
        remember(conversation, Context(region=old.region, privacy=old.privacy, expects=rating))
    elif not idle and conversation.session_turns < settings.session_turns:
        return
    conversation.session += 1
    conversation.session_turns = 0
    releases.assign(session, conversation)


def say(
    session: Session,
    conversation: Conversation,
    replies: list[Reply],
    *,
    sender: str,
    agent: str | None = None,
    turn_id: str | None = None,
    now: datetime | None = None,
) -> OutboxMessage:
    """Put a message into the outbox.  The web page and the mini-program fetch their messages; others get them pushed.

    An agent's message to the mini-program is taken up too: its citizen may be sent a notice of it.
    The caller holds the conversation's lock.

    Args:
        sender: bot; agent, with their number; system: what tells of a change of who answers.
    """
    at = now or utcnow()
    fetched = conversation.channel in ("web", TRIAL) or (conversation.channel == MINIPROGRAM and sender != "agent")
    message = OutboxMessage(
        id=uuid.uuid4().hex,
        conversation_id=conversation.id,
        seq=next_seq(conversation),
        turn_id=turn_id,
        sender=sender,
        agent=agent,
        channel=conversation.channel,
        replies=REPLIES.dump_python(replies, mode="json"),
        status="available" if fetched else "pending",
        attempts=0,
        next_attempt_at=None if fetched else at,
        created_at=at,
    )
    session.add(message)
    heard(session, conversation)
    return message


def history(session: Session, conversation_id: str, after: int = 0, limit: int = PAGE) -> list[dict[str, Any]]:
    """Messages in and out with ``seq > after``, oldest first, as the REST API shows them."""
    inbox = session.scalars(
        select(InboxMessage)
        .where(InboxMessage.conversation_id == conversation_id, InboxMessage.seq > after)
        .order_by(InboxMessage.seq)
        .limit(limit)
    )
    outbox = session.execute(
        select(OutboxMessage, Rating.helpful)
        .outerjoin(Rating, Rating.turn_id == OutboxMessage.turn_id)
        .where(OutboxMessage.conversation_id == conversation_id, OutboxMessage.seq > after)
        .order_by(OutboxMessage.seq)
        .limit(limit)
    )
    messages: list[dict[str, Any]] = [
        {
            "seq": row.seq,
            "sender": "citizen",
            "message_id": row.channel_message_id.partition(":")[2],
            "text": row.text,
            "at": row.received_at,
        }
        for row in inbox
    ]
    messages += [
        {
            "seq": row.seq,
            "sender": row.sender,
            "agent": row.agent,
            "turn_id": row.turn_id,
            "replies": row.replies,
            "at": row.created_at,
            "helpful": helpful,
        }
        for row, helpful in outbox
    ]
    return sorted(messages, key=lambda message: message["seq"])[:limit]


def transcript(session: Session, conversation_id: str, last: int = 20) -> list[dict[str, str]]:
    """The conversation's last lines, oldest first: [{"sender", "text"}]; none if there is no such conversation.  Not masked."""
    conversation = session.get(Conversation, conversation_id)
    if conversation is None:
        return []
    lines = []
    for message in history(session, conversation_id, after=max(0, conversation.seq - last)):
        said = (
            message["text"] if "text" in message else "\n".join(reply.get("text", "") for reply in message["replies"])
        )
        lines.append({"sender": message["sender"], "text": said})
    return lines
