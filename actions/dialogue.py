"""The actions of the dialogue.  They know Rasa's tracker and nothing of policy: text and decision come from below."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from rasa_sdk import Action, Tracker
from rasa_sdk.events import ActionExecuted, SessionStarted, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from bot import conversations, database, turns
from bot.conversations import Context
from bot.errors import InvalidInput
from bot.expects import Options
from bot.models.conversations import Conversation
from bot.replies import REPLIES
from index.assistant.respond import get_assistant

_AWAITING = {
    "options": "option",
    "passages": "passages",
    "region": "region",
    "form": "form",
    "contact": "form",
    "ticket": "form",
}
"""What Rasa's slot is told of what is expected: all that a bare yes or no would belong to is a form."""


def _slots(context: Context) -> list[dict[str, Any]]:
    """What Rasa may know of the conversation's memory."""
    expects = context.expects
    return [
        SlotSet("region", context.region),
        SlotSet("last_question", context.last_question),
        SlotSet("offered", list(expects.offered) if isinstance(expects, Options) else []),
        SlotSet("awaiting", _AWAITING.get(expects.kind, "none")),
        SlotSet("unhelpful", float(context.unhelpful)),
    ]


class Respond(Action, ABC):  # type: ignore[misc]
    """A turn's answer.  Subclasses say which dialogue acts they stand for."""

    acts: ClassVar[tuple[str, ...]] = ()
    """Acts that the action passes on; anything else becomes the first of them."""

    @abstractmethod
    def name(self) -> str:
        """The action's name in domain.yml."""

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Answer and settle the turn named in the message's metadata.

        Raises:
            InvalidInput: the message did not come through the gateway: it has no turn.
        """
        metadata = tracker.latest_message.get("metadata") or {}
        turn_id = metadata.get("turn_id")
        if not turn_id:
            raise InvalidInput("这条消息不是网关送来的，没有轮次编号。")
        intent = (tracker.latest_message.get("intent") or {}).get("name")
        act = intent if intent in self.acts else self.acts[0]
        replies, context = await asyncio.to_thread(_answer, turn_id, act)
        for reply in replies:
            dispatcher.utter_message(json_message=reply)
        # Only what changed: every event stays in the tracker and travels with each later call.
        return [slot for slot in _slots(context) if tracker.get_slot(slot["name"]) != slot["value"]]


def _answer(turn_id: str, act: str) -> tuple[list[dict[str, Any]], Context]:
    with database.read() as session:
        turn = turns.load(session, turn_id, act=act)
    settled = get_assistant().settle(turn)
    return REPLIES.dump_python(settled.replies, mode="json"), settled.context


class ActionAnswer(Respond):
    """Answer a question: whatever is not clearly another act."""

    acts = ("ask_policy", "follow_up")

    def name(self) -> str:
        return "action_answer"


class ActionChooseCandidate(Respond):
    """Take one of the offered options, or none of them."""

    acts = ("choose_option", "none_of_these")

    def name(self) -> str:
        return "action_choose_candidate"


class ActionEscalate(Respond):
    """Bring in a human: an agent on duty, else a ticket."""

    acts = ("request_human",)

    def name(self) -> str:
        return "action_escalate"


class ActionTicketForm(Respond):
    """Register a complaint, report, suggestion or request; take phone, yes and no for it."""

    acts = ("report_problem", "provide_phone", "affirm", "deny")

    def name(self) -> str:
        return "action_ticket_form"


class ActionTicketStatus(Respond):
    """Say where a ticket stands."""

    acts = ("check_ticket",)

    def name(self) -> str:
        return "action_ticket_status"


class ActionRate(Respond):
    """Take 有用 or 没用."""

    acts = ("rate_good", "rate_bad")

    def name(self) -> str:
        return "action_rate"


class ActionRegion(Respond):
    """Take where the citizen is."""

    acts = ("provide_region",)

    def name(self) -> str:
        return "action_region"


class ActionRepeat(Respond):
    """Say the last reply again."""

    acts = ("repeat",)

    def name(self) -> str:
        return "action_repeat"


class ActionEmergency(Respond):
    """Say whom to call.  The guard in ``respond`` recognises an emergency under any act; a rule may name it as well."""

    acts = ("ask_policy",)

    def name(self) -> str:
        return "action_emergency"


class ActionSmalltalk(Respond):
    """Greetings, thanks, who are you, and the like."""

    acts = (
        "chitchat",
        "greet",
        "goodbye",
        "thanks",
        "bot_identity",
        "capabilities",
        "abuse",
        "affirm",
        "deny",
    )

    def name(self) -> str:
        return "action_smalltalk"


class ActionSessionStart(Action):  # type: ignore[misc]
    """Restore Rasa's slots from the conversation's row: Rasa may have been restarted or its session rotated."""

    def name(self) -> str:
        return "action_session_start"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Start the session; an unknown sender starts with nothing."""
        conversation_id = tracker.sender_id.rpartition("-")[0]
        context = await asyncio.to_thread(_remembered, conversation_id)
        return [SessionStarted(), *_slots(context), ActionExecuted("action_listen")]


def _remembered(conversation_id: str) -> Context:
    with database.read() as session:
        conversation = session.get(Conversation, conversation_id)
        return conversations.context_of(conversation) if conversation else Context()
