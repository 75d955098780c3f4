"""What the assistant waits for: kept whole, and read from memories of before."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from bot import expects
from bot.conversations import Context
from bot.expects import (
    Calculation,
    Contact,
    Form,
    Nothing,
    Offer,
    Options,
    Passages,
    Region,
    ServiceRating,
    TicketNumber,
)

DRAFT = {"step": "region", "content": "路灯坏了"}
CALCULATION = {"calculator": "retirement", "inputs": {}, "hints": {}, "refused": 0}
KINDS: list[Any] = [
    Nothing(),
    Options(question="护照怎么办", offered=("hz-001", "hz-002")),
    Options(question="护照怎么办", shown="hz-001"),
    Passages(question="护照怎么办"),
    Offer(question="路灯坏了", complaint=True),
    Region(question="高龄津贴多少"),
    Form(draft=DRAFT),
    Contact(ticket="20261129000010"),
    TicketNumber(),
    TicketNumber(number="20261129000010", code="004211"),
    Calculation(state=CALCULATION),
    ServiceRating(service="s1"),
]


def test_every_kind_is_here_and_has_words_for_the_staff() -> None:
    known = {one.model_fields["kind"].default for one in get_args(get_args(expects.Expects)[0])}
    assert known == {one.kind for one in KINDS} == set(expects.SHOWN)


@pytest.mark.parametrize("one", KINDS, ids=lambda one: one.kind)
def test_a_memory_comes_back_as_it_was_stored(one: expects.Expects) -> None:
    context = Context(region="430104", expects=one)
    assert Context.model_validate(context.stored()) == context


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ({}, Nothing()),
        ({"awaiting": "none", "pending_question": "旧的"}, Nothing()),
        ({"awaiting": "option", "offered": ["a", "b"], "pending_question": "问"}, Options(question="问", offered=("a", "b"))),
        ({"awaiting": "option", "offered": ["a"]}, Options(question="", offered=("a",))),
        ({"awaiting": "option", "offered": []}, Nothing()),
        ({"awaiting": "passages", "pending_question": "问"}, Passages(question="问")),
        ({"awaiting": "region", "pending_question": "问"}, Region(question="问")),
        ({"awaiting": "region"}, Nothing()),
        ({"awaiting": "contact", "contact_ticket": "1"}, Contact(ticket="1")),
        ({"awaiting": "contact"}, Nothing()),
        ({"awaiting": "ticket"}, TicketNumber()),
        ({"awaiting": "ticket", "asked_number": "1", "asked_code": "004211"}, TicketNumber(number="1", code="004211")),
        ({"awaiting": "form", "draft": DRAFT}, Form(draft=DRAFT)),
        ({"awaiting": "form"}, Nothing()),
        ({"calculation": CALCULATION}, Calculation(state=CALCULATION)),
        # What was looked at first counts.
        ({"awaiting": "form", "draft": DRAFT, "offered": ["a"], "calculation": CALCULATION}, Form(draft=DRAFT)),
        ({"awaiting": "option", "offered": ["a"], "calculation": CALCULATION}, Calculation(state=CALCULATION)),
    ],
)  # fmt: skip
def test_a_memory_of_before_is_read(stored: dict[str, Any], expected: expects.Expects) -> None:
    context = Context.model_validate(stored | {"region": "430104", "last_question": "问过的", "clarified": 1})
    assert context.expects == expected
    assert (context.region, context.last_question, context.clarified) == ("430104", "问过的", 1)
    assert Context.model_validate(context.stored()) == context


def test_what_a_newer_version_expects_is_forgotten_and_the_rest_stays() -> None:
    context = Context.model_validate({"region": "430104", "expects": {"kind": "signature", "of": "x"}, "later": 1})
    assert context == Context(region="430104")
