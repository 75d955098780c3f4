"""A model may word a summary; what the lines don't bear out is left out."""

from __future__ import annotations

import pytest
from language_model import FakeModel, fake_model

from bot.language_model import LanguageModelFailed
from index.assist.lines import Line
from index.assist.wording import borne_out, word_summary

__all__ = ["fake_model"]

LINES = [
    Line(1, "agent", "您好12345"),
    Line(2, "caller", "我叫陈建国，电话13800138000"),
    Line(3, "caller", "我家楼上漏水漏了十五天，物业收了300元不来修"),
    Line(4, "caller", "就想让物业赶紧派人来修"),
]


def test_what_is_borne_out_is_kept_with_its_lines(fake_model: FakeModel) -> None:
    fake_model.says("来电人家楼上漏水十五天，物业收了300元不来修。[3]\n要求物业派人来修 [4]")
    found = word_summary(fake_model.client(), LINES)
    assert [seqs for _, seqs in found.sentences] == [(3,), (4,)] and found.left_out == 0
    assert "13800138000" not in str(fake_model.heard)


@pytest.mark.parametrize(
    "said",
    [
        "来电人家楼上漏水十五天，物业收了500元不来修。[3]",
        "来电人家楼上漏水二十天，物业收了300元不来修。[3]",
        "来电人家楼上漏水十五天，物业收了300元不来修。",
        "来电人家楼上漏水十五天，物业收了300元不来修。[9]",
        "来电人已向住建局投诉并要求赔偿精神损失。[3]",
    ],
)
def test_what_nobody_said_is_left_out(fake_model: FakeModel, said: str) -> None:
    fake_model.says(said)
    found = word_summary(fake_model.client(), LINES)
    assert (found.sentences, found.left_out) == ((), 1)


def test_a_model_that_fails_says_so(fake_model: FakeModel) -> None:
    fake_model.fails("500")
    with pytest.raises(LanguageModelFailed):
        word_summary(fake_model.client(), LINES)


def test_no_sentence_without_words() -> None:
    assert not borne_out("", ["有"]) and not borne_out("有", [])
