"""Replies as WeChat shows them: limits, links, menus, cards."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.replies import AnswerReply, ClarifyReply, Guide, Option, Source, TextReply
from connectors.wechat import render


def answer(text: str = "答案。", guides: list[Guide] | None = None, **more: Any) -> AnswerReply:
    fields = {"qa_id": "q", "matter": "事", "question": "问", "confidence": 1.0, "sources": [], "region": "100000"}
    fields |= {"valid_from": None, "valid_to": None, "as_of": None, "related": [], "guides": guides or []}
    return AnswerReply(text=text, **(fields | more))  # type: ignore[arg-type]


@given(st.text(alphabet=st.sampled_from("甲乙丙a。！\n "), max_size=3000))
def test_no_word_is_lost_by_cutting(text: str) -> None:
    whole, rest = "", text
    while rest:
        shown, after = render.cut(rest)
        assert len(shown.encode()) <= render.TEXT_BYTES and len(after) < len(rest)
        whole += shown.removesuffix(render.MORE) if after else shown
        rest = after
    assert re.sub(r"\s", "", whole) == re.sub(r"\s", "", text)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://www.gov.cn/a?b=1&c=2#d", '<a href="https://www.gov.cn/a?b=1&c=2#d">补办</a>'),
        (' https://www.gov.cn/"><b>', '<a href="https://www.gov.cn/%22%3E%3Cb%3E">补办</a>'),
        ("http://www.gov.cn/a", "补办 http://www.gov.cn/a"),
        ("javascript:alert(1)", "补办 javascript:alert(1)"),
        ("https:///a", "补办 https:///a"),
        ("//www.gov.cn", "补办 //www.gov.cn"),
        ("www.gov.cn/a", "补办 www.gov.cn/a"),
    ],
)
def test_links_open_or_are_none(url: str, shown: str) -> None:
    assert render.link("补办", url) == shown


@given(st.text(max_size=40), st.text(max_size=80))
def test_a_link_is_one_sound_element_or_plain(title: str, path: str) -> None:
    shown = render.link(title, f"https://www.gov.cn/{path}")
    if shown.startswith("<a "):
        assert re.fullmatch(r'<a href="https://[^"<>\s]+">[^<>\n]*</a>', shown)


def test_a_link_is_never_cut_in_two() -> None:
    guide = Guide(title="补办", url="https://www.gov.cn/" + "a" * 300)
    for length in range(500, 700):
        shown, rest = render.cut(render.text_of([answer("字" * length, [guide])]))
        for piece in (shown, rest):
            assert piece.count("<a ") == piece.count("</a>")


def test_what_does_not_fit_with_a_menu_goes_as_text() -> None:
    assert render.menu_of([answer("字" * 600)], "t") is not None
    assert render.menu_of([answer("字" * 700)], "t") is None
    assert render.menu_of([TextReply(text="好")], "t") is None
    assert render.menu_of([answer()], None) is None  # nobody could tell what a tap rates
    options = [Option(number=n, qa_id=str(n), question="问" * 200) for n in (1, 2, 3, 4)]
    assert render.menu_of([ClarifyReply(text="哪个？", options=options)], "t") is None


def test_a_card_keeps_to_its_limits_and_needs_an_address_that_opens() -> None:
    long = Guide(title="题" * 80, url="https://www.gov.cn/a", materials=["材料" * 20] * 20)
    card = render.card_of([Guide(title="无"), Guide(title="旧", url="http://www.gov.cn"), long])
    assert card is not None and card.url == "https://www.gov.cn/a"
    assert len(card.title.encode()) <= render.TITLE_BYTES
    assert len(card.description.encode()) <= render.DESCRIPTION_BYTES
    assert render.card_of([Guide(title="无")]) is None


def test_a_basis_to_be_checked_says_so_also_where_it_is_not_among_those_shown() -> None:
    def basis(*unverified: bool) -> str:
        sources = [Source(title=f"法{n}", clause="第三条", unverified=one) for n, one in enumerate(unverified)]
        return next(line for line in render.text_of([answer(sources=sources)]).split("\n") if line.startswith("依据"))

    assert basis(True, False) == "依据：《法0》第三条（待核）；《法1》第三条"
    assert basis(False) == "依据：《法0》第三条"
    assert basis(False, False, False, True) == "依据：《法0》第三条；《法1》第三条；《法2》第三条等（另有待核的）"
    assert basis(True, False, False, False) == "依据：《法0》第三条（待核）；《法1》第三条；《法2》第三条"


def test_what_decides_is_said_before_a_likely_answer() -> None:
    likely = answer(certainty="likely", condition="还没满1年")
    begin = "您问的可能是：\n【问】\n请先看是不是您的情况：还没满1年\n答案。\n"
    assert render.text_of([likely]).startswith(begin) and render.text_of([likely], menu=True).startswith(begin)
    assert "请先看" not in render.text_of([answer()])


def test_a_likely_answer_with_nothing_beside_it_lists_nothing() -> None:
    alone = render.text_of([answer(certainty="likely")])
    assert "不是这个？换个说法再问一次，或者回复“不是这个”。" in alone and "数字" not in alone
    beside = [Option(number=1, qa_id="b", question="另一问")]
    several = render.text_of([answer(certainty="likely", others=beside)])
    assert "不是这个？回复数字看别的：\n1. 另一问" in several and "换个说法" not in several


@given(st.text(max_size=200))
def test_a_passive_reply_is_sound_xml_whatever_it_says(text: str) -> None:
    for body in (render.text_body(text + "好"), render.news_body(render.Card(text, text, "https://www.gov.cn/"))):
        root = ET.fromstring(render.passive(body, "o<1", "gh&1", 7))
        assert root.findtext("ToUserName") == "o<1"
