"""A citizen who looks through the themes and taps a question gets that question's answer, through Rasa."""

from __future__ import annotations

import pytest
from processes import Citizen, Stack


@pytest.mark.parametrize("most", [2, pytest.param(None, marks=pytest.mark.full)])
def test_every_question_that_a_theme_shows_first_gets_its_own_answer(stack: Stack, most: int | None) -> None:
    """The first two of each theme; all of them in the long run."""
    with stack.http() as http:
        themes = http.get("/api/themes").json()
    assert {theme["audience"] for theme in themes} == {"个人", "企业"}
    wrong = []
    for theme in themes:
        citizen = Citizen(stack)  # one conversation goes through the theme's questions, as people do
        for question in theme["questions"][:most]:
            reply = citizen.say(question["question"])
            if (reply["type"], reply.get("qa_id")) != ("answer", question["qa_id"]):
                wrong.append((theme["title"], question["question"], reply["type"], reply.get("question")))
    assert wrong == []
