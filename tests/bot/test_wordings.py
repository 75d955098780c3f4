"""How people asked for an item, for its editor to take up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from bot import database, knowledge, wordings
from bot.clock import utcnow
from bot.models.asked import Asked
from bot.settings import Settings
from tests.index.test_assistant import qa


def asked(text: str, **more: Any) -> Asked:
    fields: dict[str, Any] = {
        "source": "市民",
        "channel": "web",
        "said": {"text": text, "normalised": text},
        "act": "ask_policy",
        "decision": "answer",
        "certainty": "sure",
        "qa_id": "card",
        "found": {"candidates": []},
        "refused": False,
    }
    return Asked(id=uuid4().hex, **({"at": utcnow() - timedelta(hours=1)} | fields | more))


@pytest.fixture(autouse=True)
def filled(sqlite_db: Settings) -> None:
    with database.write() as session:
        knowledge.upsert(session, [qa("card", "老年卡几岁能办", "满65周岁。", similar=["多大能办老年卡"])])


def found(*rows: Asked) -> list[tuple[str, int, bool, bool]]:
    with database.write() as session:
        session.add_all(rows)
    with database.read() as session:
        return [(one.text, one.times, one.right, one.sure) for one in wordings.asked_for(session, "card")]


def test_what_helps_most_comes_first_and_the_same_words_count_once() -> None:
    assert found(
        asked("老人坐车的卡怎么弄"),
        asked("敬老卡去哪里领", certainty="likely"),
        asked("敬老卡，去哪里领？", certainty="likely", at=utcnow() - timedelta(days=1)),
        asked("六十岁给办证吗", qa_id=None, decision="clarify", certainty=None, chosen="card"),
    ) == [
        ("六十岁给办证吗", 1, True, False),
        ("敬老卡去哪里领", 2, False, False),
        ("老人坐车的卡怎么弄", 1, False, True),
    ]


def test_what_it_has_what_was_refused_and_what_belongs_elsewhere_is_left_out() -> None:
    assert not found(
        asked("老年卡，几岁能办"),
        asked("多大能办老年卡？"),
        asked("公交卡怎么挂失", refused=True),
        asked("公交卡在哪里退", helpful=False),
        asked("公交卡余额怎么查", agent_qa="other", agent_edited=False),
        asked("我的电话1****5678能办吗"),
        asked("卡呢"),
        asked("试着问一下老年卡", source="试一试"),
    )


def test_what_the_working_copy_has_is_no_suggestion_any_more() -> None:
    with database.write() as session:
        knowledge.edit(session, "card", {"similar": ["敬老卡去哪里领"]}, "张编")
    assert not found(asked("敬老卡去哪里领"))
