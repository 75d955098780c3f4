"""The actions of the dialogue.  They know Rasa's tracker and nothing of policy: text and decision come from below."""

from __future__ import annotations

import asyncio
from typing import Any

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


ACTS: dict[str, tuple[str, ...]] = {
    "action_answer": ("ask_policy", "follow_up"),
    "action_choose_candidate": ("choose_option", "none_of_these"),
    "action_escalate": ("request_human",),
    "action_ticket_form": ("report_problem", "provide_phone", "affirm", "deny"),
    "action_ticket_status": ("check_ticket",),
    "action_rate": ("rate_good", "rate_bad"),
    "action_region": ("provide_region",),
    "action_repeat": ("repeat",),
    "action_emergency": ("ask_policy",),  # the danger step recognises one under any act; a rule may name it as well
    "action_smalltalk": (
        "chitchat",
        "greet",
        "goodbye",
        "thanks",
        "bot_identity",
        "capabilities",
        "abuse",
        "affirm",
        "deny",
    ),
}
"""domain.yml's actions, and the dialogue acts that each passes on; any other becomes the first of them."""


_SURE_OF = 0.75
"""Rasa is right about chat, ratings and the like from about so much confidence on: 我80了 is a good-bye to it at .35"""

_TAKEN_WHEN_SURE = frozenset(
    {*ACTS["action_smalltalk"], *ACTS["action_rate"], *ACTS["action_ticket_status"], *ACTS["action_escalate"]}
)
"""Acts that are passed on only from there on; below it the message is a question"""


class Respond(Action):  # type: ignore[misc]
    """A turn's answer, for the dialogue acts of one action."""

    def __init__(self, name: str) -> None:
        self._name = name

    def name(self) -> str:
        """The action's name in domain.yml."""
        return self._name

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
        act = _act(self._name, tracker.latest_message.get("intent") or {})
        replies, context = await asyncio.to_thread(_answer, turn_id, act, metadata.get("bundle"))
        for reply in replies:
            dispatcher.utter_message(json_message=reply)
        # Only what changed: every event stays in the tracker and travels with each later call.
        return [slot for slot in _slots(context) if tracker.get_slot(slot["name"]) != slot["value"]]


def _act(action: str, intent: dict[str, Any]) -> str:
    """The dialogue act of what Rasa recognised, as far as it is sure."""
    acts = ACTS[action]
    act = intent["name"] if intent.get("name") in acts else acts[0]
    sure = float(intent.get("confidence") or 0.0) >= _SURE_OF
    return act if sure or act not in _TAKEN_WHEN_SURE else "ask_policy"


def _answer(turn_id: str, act: str, bundle: str | None) -> tuple[list[dict[str, Any]], Context]:
    with database.read() as session:
        turn = turns.load(session, turn_id, act=act, bundle=bundle)
    settled = get_assistant().settle(turn)
    return REPLIES.dump_python(settled.replies, mode="json"), settled.context or Context()


class SessionStart(Action):  # type: ignore[misc]
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
