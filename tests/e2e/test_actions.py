"""Every action of domain.yml, asked for directly at the real action server as Rasa asks."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest
import yaml
from processes import Citizen, Stack

from bot import conversations, database, turns
from bot.models.conversations import Conversation
from bot.settings import ROOT

ACTIONS = yaml.safe_load((ROOT / "domain.yml").read_text(encoding="utf-8"))["actions"]


def post(stack: Stack, body: dict[str, Any]) -> httpx.Response:
    headers = {"Authorization": f"Bearer {stack.secret}"}
    return httpx.post(stack.settings.action_url, json=body, headers=headers, timeout=30, trust_env=False)


def call(stack: Stack, citizen: Citizen, action: str, text: str, intent: str) -> dict[str, Any]:
    """One action on one new message of the conversation."""
    with stack.database(), database.write() as session:
        conversation = conversations.lock(session, citizen.id)
        receipt = turns.receive(session, conversation, uuid.uuid4().hex, text, stack.settings)
        sender = conversation.sender
    return webhook(stack, action, sender, text, intent, {"turn_id": receipt.turn_id})


def webhook(stack: Stack, action: str, sender: str, text: str, intent: str, metadata: dict[str, Any]) -> dict[str, Any]:
    latest = {"text": text, "intent": {"name": intent, "confidence": 1.0}, "entities": [], "metadata": metadata}
    tracker = {
        "sender_id": sender, "slots": {}, "latest_message": latest, "latest_event_time": 0.0, "followup_action": None,
        "paused": False, "events": [], "latest_input_channel": "rest", "active_loop": {}, "latest_action_name": None,
    }  # fmt: skip
    body = {"next_action": action, "sender_id": sender, "tracker": tracker, "version": "3.6.21"}
    response = post(stack, body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


CASES = {
    "action_answer": ("身份证丢了咋补办", "ask_policy", "answer"),
    "action_choose_candidate": ("2", "choose_option", "answer"),
    "action_escalate": ("我想找个真人说说", "request_human", "ticket"),
    "action_ticket_form": ("我要投诉", "report_problem", "ask"),
    "action_ticket_status": ("我的工单到哪一步了", "check_ticket", "text"),
    "action_rate": ("有用", "rate_good", "text"),
    "action_region": ("我在长沙市岳麓区", "provide_region", "text"),
    "action_repeat": ("再说一遍", "repeat", "text"),
    "action_emergency": ("家里着火了快来人", "ask_policy", "emergency"),
    "action_smalltalk": ("你好", "greet", "text"),
}


def test_every_action_of_the_domain_has_a_case_here() -> None:
    assert set(CASES) | {"action_session_start"} == set(ACTIONS)


@pytest.mark.parametrize("action", CASES)
def test_an_action_answers_with_one_typed_reply(stack: Stack, citizen: Citizen, action: str) -> None:
    text, intent, kind = CASES[action]
    if action == "action_choose_candidate":
        citizen.say("身份证")
    answer = call(stack, citizen, action, text, intent)
    assert [response["custom"]["type"] for response in answer["responses"]] == [kind]
    assert all(event["event"] == "slot" for event in answer["events"])
    # The reply is settled: asking the gateway for the conversation shows the same one.
    assert citizen.messages()[-1]["replies"] == [answer["responses"][0]["custom"]]


def test_a_region_that_was_said_is_remembered(stack: Stack, citizen: Citizen) -> None:
    assert "岳麓区" in citizen.say("我在长沙市岳麓区")["text"]
    with stack.database(), database.read() as session:
        assert conversations.context_of(session.get_one(Conversation, citizen.id)).region == "430104"


def test_the_session_starts_with_what_the_conversation_remembers(stack: Stack, citizen: Citizen) -> None:
    offered = [option["qa_id"] for option in citizen.say("身份证")["options"]]
    answer = webhook(stack, "action_session_start", f"{citizen.id}-9", "", "session_start", {})
    slots = {event["name"]: event["value"] for event in answer["events"] if event["event"] == "slot"}
    assert slots["offered"] == offered and slots["awaiting"] == "option"
    assert answer["events"][0]["event"] == "session_started"
    assert answer["events"][-1]["name"] == "action_listen"


def test_a_message_without_a_turn_is_refused(stack: Stack) -> None:
    latest = {"text": "你好", "intent": {"name": "greet"}, "entities": [], "metadata": None}
    tracker = {
        "sender_id": "x",
        "slots": {},
        "latest_message": latest,
        "events": [],
        "active_loop": {},
        "paused": False,
    }
    body = {"next_action": "action_smalltalk", "sender_id": "x", "tracker": tracker}
    assert post(stack, body).status_code == 500
