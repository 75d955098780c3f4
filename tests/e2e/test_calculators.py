"""The calculators: in conversation, by form over REST, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from processes import Citizen, Stack


def calculate(stack: Stack, calculator: str, **inputs: str) -> tuple[int, dict[str, Any]]:
    with stack.http() as http:
        response = http.post(f"/api/calculators/{calculator}", json={"inputs": inputs})
    return response.status_code, response.json()


def test_a_question_that_says_everything_is_worked_out(citizen: Citizen) -> None:
    reply = citizen.say("我76年3月的女工人啥时候退休")
    assert reply["type"] == "calculation", reply
    assert reply["matter"] == "延迟退休"
    assert "2026年11月" in reply["text"]
    assert reply["steps"] and reply["sources"][0]["title"] and reply["as_of"] == "2026-11-01"


def test_what_is_missing_is_asked_and_the_rest_remembered(citizen: Citizen) -> None:
    asked = citizen.say("我75年的男的啥时候能退休")
    assert asked["type"] == "ask" and "出生" in asked["text"]
    reply = citizen.say("3月份的")
    assert reply["type"] == "calculation", reply
    assert "2037年10月" in reply["text"]


def test_another_question_leaves_the_calculator(citizen: Citizen) -> None:
    citizen.say("我75年的男的啥时候能退休")
    reply = citizen.say("身份证丢了咋补办")
    assert reply["type"] == "answer" and reply["matter"] == "身份证换领补领"


def test_money_that_was_taken_off_is_asked_what_for(citizen: Citizen) -> None:
    asked = citizen.say("扣了八百多")
    assert asked["type"] == "clarify" and "扣了什么钱" in asked["text"] and len(asked["options"]) > 1, asked
    tax = next(one["number"] for one in asked["options"] if "个税" in one["question"])
    reply = citizen.say(str(tax))
    assert reply["type"] == "answer" and "个税" in reply["question"], reply


def test_the_forms_say_what_they_want(stack: Stack) -> None:
    with stack.http() as http:
        forms = {one["id"]: one for one in http.get("/api/calculators").json()}
    assert {"retirement", "unemployment", "annual_leave", "severance", "monthly_tax", "annual_tax", "overtime"} <= set(
        forms
    )
    for form in forms.values():
        assert all(field["label"] and field["question"] for field in form["fields"])


def test_a_form_gives_the_same_as_the_conversation(stack: Stack, citizen: Citizen) -> None:
    said = citizen.say("我76年3月的女工人啥时候退休")
    status, filled = calculate(stack, "retirement", birth="1976年3月", category="female_50")
    assert status == 200, filled
    assert filled["figures"] == said["figures"]


@pytest.mark.parametrize(
    ("calculator", "inputs", "status"),
    [
        ("retirement", {}, 422),
        ("retirement", {"birth": "2076年3月", "category": "female_50"}, 422),
        ("retirement", {"birth": "去年", "category": "female_50"}, 422),
        ("retirement", {"birth": "1976年3月", "category": "robot"}, 422),
        ("retirement", {"birth": "1976年3月", "category": "female_50", "luck": "7"}, 422),
        ("gone", {}, 404),
        ("severance", {"tenure": "7" * 300}, 422),
    ],
)
def test_a_bad_input_is_one_clear_sentence(stack: Stack, calculator: str, inputs: dict[str, str], status: int) -> None:
    code, body = calculate(stack, calculator, **inputs)
    assert code == status, body
    assert body["error"]["message"]
    assert "Traceback" not in str(body)
