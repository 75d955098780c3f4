"""Which documents calculators rest on, and that a change of one puts them under review."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from bot import database, knowledge, reviews
from bot.models.knowledge import Document
from bot.settings import Settings
from index.calculators import CALCULATORS
from index.calculators.reviewing import put_under_review

INPUTS: dict[str, dict[str, Any]] = {
    "retirement": {"category": "男职工", "birth": "1970年5月"},
    "unemployment": {"paid": "6年", "unused": "0", "category": "男职工", "birth": "1966年5月"},
    "annual_leave": {"worked": "12年"},
    "leave_pay": {"wage": "6000", "days": "3"},
    "severance": {"service": "3年7个月", "wage": "8000"},
    "monthly_tax": {"wage": "12000"},
    "bonus_tax": {"bonus": "30000", "wage": "10000"},
    "annual_tax": {"wages": "150000"},
    "overtime": {"wage": "6000", "weekday": "10"},
}


@pytest.mark.parametrize("id_", CALCULATORS)
def test_a_calculator_names_every_document_that_its_result_cites(id_: str) -> None:
    calculator = CALCULATORS[id_]
    assert calculator.rests_on and all(calculator.rests_on)
    known = {field.name for field in calculator.fields}
    result = calculator.compute({k: v for k, v in INPUTS[id_].items() if k in known}, today=date(2026, 11, 1))
    assert {source.title for source in result.sources} <= set(calculator.rests_on)


def test_a_change_of_its_document_puts_it_under_review_once(db: Settings) -> None:
    with database.write() as session:
        knowledge.upsert(
            session,
            [
                Document(id="tiaoli", title="《职工带薪年休假条例》", region="100000", status="有效"),
                Document(id="other", title="某市办法", region="100000", status="有效"),
            ],
        )
        assert put_under_review(session) == 0
        for id_ in ("tiaoli", "other"):
            reviews.change(session, id_, "amended", date(2026, 12, 1), "bj01", "国务院公布了修改决定")
        assert put_under_review(session) == 2
        assert put_under_review(session) == 0
    with database.read() as session:
        found = [(one.review.kind, one.review.item) for one in reviews.waiting(session)]
        assert sorted(found) == [("calculator", "annual_leave"), ("calculator", "leave_pay")]
