"""Places that several people name."""

from __future__ import annotations

from bot import places


def names(*texts: str, least: int = 3) -> list[tuple[str, int]]:
    return [
        (one.name, len(one.named_by)) for one in places.named({str(n): text for n, text in enumerate(texts)}, least)
    ]


def test_the_name_is_what_all_say() -> None:
    said = (
        "我们金桂园没水了",
        "金桂园小区停水",
        "请问金桂园什么时候来水",
        "住金桂园东门的没水",
        "整个小区都没水",
        "楼下路面冒水",
    )
    assert names(*said) == [("金桂园", 4)]


def test_a_longer_name_stands_where_most_say_it() -> None:
    said = ("翰林路小学还收人吗", "听说翰林路小学学位满了", "翰林路小学要摇号", "翰林路堵车")
    assert names(*said) == [("翰林路小学", 3)]


def test_few_are_none_and_ordinary_words_are_no_places() -> None:
    assert names("滨江路漏气了", "滨江路封了") == []
    assert (
        names("我们小区没水", "我们小区停水", "整个小区都没水", "这个小区没水", "在路上", "走到路上", "回家路上") == []
    )


def test_two_places_are_two() -> None:
    said = [f"{place}没水了{n}" for place in ("金桂园", "翠湖苑") for n in "一二三四"]
    assert names(*said) == [("翠湖苑", 4), ("金桂园", 4)] or names(*said) == [("金桂园", 4), ("翠湖苑", 4)]
