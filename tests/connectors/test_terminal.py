"""Replies as the terminal prints them."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from bot.replies import AnswerReply, Source
from connectors.terminal.client import show


def test_a_basis_to_be_checked_says_so() -> None:
    sources = [Source(title="甲法", clause="第三条", unverified=True), Source(title="乙办法", doc_no="〔2024〕1号")]
    reply = AnswerReply(
        qa_id="q", matter="事", question="问", text="答。", confidence=1.0, sources=sources, guides=[], valid_from=None,
        valid_to=None, as_of=None, region="100000", related=[], more=[], note=None, can_report=False,
    )  # fmt: skip
    out = StringIO()
    show(Console(file=out, width=100), reply)
    assert "依据：《甲法》第三条（依据待核）" in out.getvalue()
    assert "《乙办法》（〔2024〕1号） " in out.getvalue()
