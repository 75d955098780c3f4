"""What is said about each kind of danger: the number first, no reproach, no promise, no method."""

from __future__ import annotations

import re

import pytest

from bot import danger
from bot.replies import REPLIES


@pytest.mark.parametrize("kind", danger.KINDS)
@pytest.mark.parametrize("possible", [False, True], ids=["card", "question"])
def test_every_kind_has_numbers_a_first_sentence_and_says_that_it_cannot_call(
    kind: danger.Kind, possible: bool
) -> None:
    card = danger.card((kind,), possible=possible)
    assert card.kind == kind and card.possible is possible
    assert card.phones and set(card.phones) <= set(danger.PHONES) and set(card.labels) == set(card.phones)
    assert card.phones[0] in card.text and "不能代您报警" in card.text
    assert card.lead in card.text.replace("\n", "") and all(step in card.text for step in card.steps)
    assert ("？" in card.lead) is possible
    assert all(len(part) <= 60 for part in re.split(r"[。；？]", card.text))
    assert kind in danger.NAMES


@pytest.mark.parametrize("kind", danger.KINDS)
def test_no_reproach_no_promise_no_method(kind: danger.Kind) -> None:
    said = danger.card((kind,)).text + danger.CARDS[kind].asks
    for word in ("为什么不", "应该早", "一定会好", "保证", "放心", "药量", "不值得", "想开点", "自私", "你"):
        assert word not in said, word


def test_gas_advice_says_leave_and_no_switches_first() -> None:
    card = danger.card(("gas",))
    assert card.lead.startswith("请马上带大家到室外") and "不要开关电器" in card.steps[0]


def test_where_speaking_is_dangerous_there_is_a_number_to_write_to() -> None:
    assert {kind for kind in danger.KINDS if danger.card((kind,)).sms} == {"violence", "abduction"}
    assert "12110" in danger.card(("violence",), possible=True).text


def test_who_suffers_is_spoken_to_gently_and_may_go_on_talking() -> None:
    card = danger.card(("suicide_self",))
    assert card.phones[0] == "12356" and "谢谢您愿意说出来" in card.lead and "接着说" in card.text


def test_two_kinds_give_both_their_numbers_and_steps() -> None:
    both = danger.card(("medical", "traffic"))
    assert {"120", "122"} <= set(both.phones) and both.phones[0] == "120"
    assert set(danger.CARDS["traffic"].steps) <= set(both.steps)


def test_a_card_of_before_is_still_read() -> None:
    (old,) = REPLIES.validate_python([{"type": "emergency", "text": "请拨打119。", "phones": ["119"]}])
    assert old.type == "emergency" and old.kind == "unknown" and old.labels == {}
