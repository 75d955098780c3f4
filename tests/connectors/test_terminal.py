"""Replies as the terminal prints them."""

from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console

from bot.replies import AnswerReply, Option, Source
from connectors.terminal.client import show, show_explanation
from index.search.retriever import FEATURES


def shown(**more: Any) -> str:
    fields: dict[str, Any] = {
        "qa_id": "q", "matter": "事", "question": "问", "text": "答。", "confidence": 1.0, "sources": [], "guides": [],
        "valid_from": None, "valid_to": None, "as_of": None, "region": "100000", "related": [],
    }  # fmt: skip
    out = StringIO()
    show(Console(file=out, width=100), AnswerReply(**(fields | more)))
    return out.getvalue()


def test_a_basis_to_be_checked_says_so() -> None:
    sources = [Source(title="甲法", clause="第三条", unverified=True), Source(title="乙办法", doc_no="〔2024〕1号")]
    said = shown(sources=sources)
    assert "依据：《甲法》第三条（依据待核）" in said
    assert "《乙办法》（〔2024〕1号） " in said


def test_what_decides_is_said_before_a_likely_answer() -> None:
    likely = shown(opening="请节哀。", certainty="likely", condition="还没满1年")
    assert "您问的可能是：问" in likely
    assert likely.index("请节哀。") < likely.index("请先看是不是您的情况：还没满1年") < likely.index("答。")
    assert "请先看" not in shown()


def test_a_likely_answer_with_nothing_beside_it_says_what_else_to_do() -> None:
    alone = "不是这个？换个说法再问一次，或者回复“不是这个”。"
    assert alone in shown(certainty="likely")
    several = shown(certainty="likely", others=[Option(number=1, qa_id="b", question="另一问")])
    assert "不是这个？回复数字看别的：" in several and "1 另一问" in several and alone not in several
    assert "不是这个" not in shown()


def test_an_explanation_is_readable_at_80_columns_and_names_every_feature() -> None:
    candidate = {
        "qa_id": "sfz-001",
        "matter": "身份证",
        "question": "身份证丢了怎么补办？",
        "wording": "补身份证",
        "score": 12.34,
        "features": dict.fromkeys(FEATURES, 0.5),
    }
    limits = {"answer_at": 0.96, "likely_at": 0.62, "clarify_at": 0.1}
    detail = {"engine": "rasa", "act": "ask_policy", "decision": "answer"}
    explain = {"query": "身份证丢了", "probability": 0.97, "candidates": [candidate] * 5} | limits
    out = StringIO()
    show_explanation(Console(file=out, width=80), detail | {"explain": explain})
    said = out.getvalue()
    assert said.count("身份证丢了怎么补办？") == 5 and "…" not in said
    assert said.count("0.50") == 5 * len(FEATURES) and not any(f" {name} " in said for name in FEATURES)
