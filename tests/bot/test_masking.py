"""Nothing personal gets through the mask, and nothing else is lost in it."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.masking import mask, mask_phone, mask_record
from bot.tickets.numbers import check_digit

SEPARATORS = st.sampled_from(["", " ", "-", "－", "　", " -"])
TABLES = Path(__file__).parents[1] / "data"
WORDS = st.text(alphabet="我的电话是身份证，。请联系谢谢啊", max_size=8)


def full_width(text: str) -> str:
    return text.translate(str.maketrans("0123456789", "０１２３４５６７８９"))


def digits_of(text: str) -> str:
    return re.sub(r"\D", "", full_width(text).translate(str.maketrans("０１２３４５６７８９", "0123456789")))


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("我电话13812345678，急", "我电话138****5678，急"),
        ("１３８ １２３４ ５６７８", "138****5678"),
        ("+86 138-1234-5678", "138****5678"),
        ("幺三八零零一三八零零零", "138****8000"),
        ("座机0731-88881234转2", "座机073*********转2"),
        ("(010)88881234", "010********"),
        ("电话：88881234", "电话:****"),
        ("身份证43010219900307123X", "身份证430***************"),
        ("老身份证430102900307123", "老身份证430************"),
        ("卡号6222 0211 1234 5678 901", "卡号622****************"),
        ("护照E12345678", "护照E12******"),
        ("邮箱zhang.san@example.com.cn", "邮箱z****@****"),
        ("查询码：123456", "查询码:****"),
    ],
)
def test_personal_data_goes(text: str, masked: str) -> None:
    assert mask(text) == masked


def rows(name: str) -> list[str]:
    """A table's lines; a line break within a text is written as such in Python."""
    lines = (TABLES / name).read_text(encoding="utf-8").splitlines()
    return [line.replace("\\r", "\r").replace("\\n", "\n") for line in lines]


@pytest.mark.parametrize("row", rows("masking_hidden.txt"))
def test_every_form_is_hidden_and_nothing_beside_it(row: str) -> None:
    """What stands in braces goes but for what lets its owner know it; what stands around them stays."""
    before, _, rest = row.partition("{")
    secret, _, after = rest.rpartition("}")
    masked = mask(before + secret + after)
    left = unicodedata.normalize("NFKC", masked)
    before, after = (unicodedata.normalize("NFKC", part) for part in (before, after))
    assert left.startswith(before) and left.endswith(after)
    left = left[len(before) : len(left) - len(after)]
    assert "****" in left and len(re.findall("[0-9A-Za-z零〇一二三四五六七八九幺壹贰叁肆伍陆柒捌玖]", left)) <= 7
    assert mask(masked) == masked


@pytest.mark.parametrize("text", rows("masking_kept.txt"))
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert mask(text) == text


def test_the_tables_are_long_and_say_nothing_twice() -> None:
    for name, least in (("masking_hidden.txt", 200), ("masking_kept.txt", 300)):
        assert len(set(rows(name))) == len(rows(name)) >= least


@pytest.mark.parametrize(
    "text",
    """工单20261228123456怎么样了
2024年到2026年，工龄15年
2024 2025 2026 2027
2026-01-02 2026-01-05
1990-12-31 123
养老金12345.67元，房款1200000元，拨款138000000元
12345热线，400-820-5151
国办发〔2024〕12号第36条
失业保险金2026年3月起每月1650元
医保编码A12345
"""[:-1].split("\n"),
)
def test_the_rest_stays(text: str) -> None:
    assert mask(text) == text


@given(WORDS, st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True), SEPARATORS, st.booleans(), WORDS)
def test_no_mobile_gets_through(before: str, phone: str, separator: str, wide: bool, after: str) -> None:
    written = separator.join([phone[:3], phone[3:7], phone[7:]])
    masked = mask(before + (full_width(written) if wide else written) + after)
    assert phone not in digits_of(masked)
    assert masked.startswith(before) and masked.endswith(after)


@given(
    st.from_regex(r"[1-6][0-9]{5}", fullmatch=True),
    st.dates(date(1920, 1, 1), date(2026, 1, 1)),
    st.from_regex(r"[0-9]{3}[0-9Xx]", fullmatch=True),
    SEPARATORS,
)
def test_no_id_card_gets_through(region: str, birthday: date, rest: str, separator: str) -> None:
    masked = mask("身份证" + separator.join([region, f"{birthday:%Y%m%d}", rest]) + "，谢谢")
    assert len(digits_of(masked)) <= 3


@given(st.from_regex(r"(62|4|5)[0-9]{14,17}", fullmatch=True).filter(lambda card: 16 <= len(card) <= 19))
def test_no_bank_card_gets_through(card: str) -> None:
    assert len(digits_of(mask(card))) <= 3
    assert len(digits_of(mask(" ".join(re.findall("..?.?.?", card))))) <= 3


@given(st.dates(date(2020, 1, 1), date(2099, 12, 31)), st.integers(0, 99999))
def test_a_ticket_number_stays(day: date, number: int) -> None:
    stem = f"{day:%Y%m%d}{number:05d}"
    text = f"办件编号{stem}{check_digit(stem)}"
    assert mask(text) == text


@given(st.integers(0, 10**9 - 1), st.sampled_from(["元", "万元", "年", "天", "%"]))
def test_an_amount_stays(amount: int, unit: str) -> None:
    assert mask(f"一共{amount}{unit}") == f"一共{amount}{unit}"


@given(
    st.text(alphabet="0123456789 -*Xx幺三八零一壹、,\n@.０１查询码电话：座机aE()湘", max_size=60) | st.text(max_size=60)
)
def test_masking_twice_changes_nothing(text: str) -> None:
    assert mask(mask(text)) == mask(text)


def test_a_masked_phone_is_known_to_its_owner_only() -> None:
    assert mask_phone("13812345678") == "138****5678"
    assert mask_phone("0731-88881234") == "0731****1234"


def test_records_are_masked_at_any_depth() -> None:
    record = {
        "event": "收到13812345678",
        "phone": "13812345678",
        "items": [{"text": "身份证43010219900307123X"}, ("a@b.cn", 13812345678)],
        "ms": 12,
        "turn": None,
        3: "x",
    }
    assert mask_record(record) == {  # type: ignore[arg-type]
        "event": "收到138****5678",
        "phone": "***",
        "items": [{"text": "身份证430***************"}, ["a****@****", "138****5678"]],
        "ms": 12,
        "turn": None,
        3: "x",
    }
