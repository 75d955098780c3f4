"""What can be read off the words alone."""

from __future__ import annotations

import pytest

from index.assistant import acts


@pytest.mark.parametrize(
    "said",
    [
        "扣了八百多",
        "扣了800多！",
        "工资扣了八百多",
        "这个月工资又被扣了1200块钱",
        "公司扣了我三百块",
        "被扣八百多块",
        "卡里扣掉了两千",
    ],
)
def test_no_more_than_that_money_was_taken_off(said: str) -> None:
    assert acts.only_taken_off(said)


@pytest.mark.parametrize(
    "said",
    [
        "扣了12分",
        "扣了八百多的税",
        "工资8000扣了八百多个税",
        "养老金扣了八百多",
        "扣了",
        "扣我身份证了",
        "扣了八百多合法吗",
        "公司迟到扣了八百多",
        "",
    ],
)
def test_what_says_more_is_left_to_be_read(said: str) -> None:
    assert not acts.only_taken_off(said)


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("狗证怎么办", "狗证"),
        ("附近哪有电影院", "电影院"),
        ("在哪里领失业金", "领失业金"),
        ("火星签证咋办理", "火星签证"),
        ("怎么办", "怎么办"),
        ("在哪", "在哪"),
    ],
)
def test_what_a_few_words_are_about_is_neither_how_nor_where(text: str, about: str) -> None:
    assert acts.subject(text) == about
