"""Citizens' words and the official ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import InvalidInput
from index.search.lexicon import FILE, official_words, read_lexicon
from index.search.normalise import clean


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("老板跑路了工资咋要", ("拖欠工资", "欠薪")),
        ("给娃上户口", ("出生登记",)),
        ("N+1怎么算", ("经济补偿", "代通知金")),
        ("拖欠工资找谁，老板跑了", ("欠薪",)),  # what it says already is not added
        ("今天天气好", ()),
        ("", ()),
    ],
)
def test_official_words(text: str, words: tuple[str, ...]) -> None:
    assert official_words(clean(text)) == words


def test_the_lexicon_is_large_and_its_entries_are_what_a_cleaned_text_can_say() -> None:
    lexicon = read_lexicon(FILE)
    assert len(lexicon) >= 400
    assert [said for said in lexicon if clean(said) != said.lower()] == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a,b\n", "表头"),
        ("", "表头"),
        ("说法,规范说法\n黑户,\n", "第 2 行缺了一半"),
        ("说法,规范说法\n,户口\n", "第 2 行缺了一半"),
        ("说法,规范说法\n黑户\n", "第 2 行缺了一半"),
        ("说法,规范说法\n黑户,户口\n黑户,户籍\n", "第 3 行的「黑户」"),
    ],
)
def test_a_bad_lexicon_is_refused_with_the_line(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "lexicon.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InvalidInput, match=reason):
        read_lexicon(path)
