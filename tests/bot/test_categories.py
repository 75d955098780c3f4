"""Trees of categories: the project's own, a city's, and what is wrong with a bad file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot import database
from bot.errors import InvalidInput
from bot.models.housekeeping import AuditEntry
from bot.settings import Settings
from bot.tickets import board, categories, particulars
from bot.tickets.particulars import Particulars
from index.knowledge_files.reading import read_folder
from index.knowledge_files.starter import STARTER
from tests.bot.test_tickets import NOW, do, load, make, stored

CITY: dict[str, Any] = {
    "scheme": "changsha",
    "version": "3",
    "title": "本市诉求分类",
    "departments": [
        {"code": "A1", "name": "市住建局", "level": "市", "for": "物业和房屋"},
        {"code": "A2", "name": "市城管局", "level": "市", "for": "市容"},
    ],
    "categories": [
        {
            "code": "1",
            "name": "房屋",
            "covers": "房屋的事",
            "second": [
                {
                    "code": "1-1",
                    "name": "小区物业",
                    "covers": "物业公司",
                    "department": "A1",
                    "with": ["A2"],
                    "basis": "物业管理条例",
                    "same_as": ["0901", "0902"],
                }
            ],
        }
    ],
}


def file_of(folder: Path, content: Any) -> Path:
    path = folder / "city.yaml"
    text = (
        content
        if isinstance(content, str)
        else yaml.safe_dump(json.loads(json.dumps(content)), allow_unicode=True, sort_keys=False)
    )
    path.write_text(text, encoding="utf-8")
    return path


def test_the_projects_own_tree_is_whole() -> None:
    own = categories.bundled()
    assert len(own.categories) >= 12 and len(own.second) >= 60
    assert len(own.departments) >= 30 and len(own.confused) >= 15
    assert {qa.matter for qa in read_folder(STARTER).qas} == set(own.by_matter), "each matter has its category"
    assert all(top.code == one.code[:2] for top, one in own.second.values())
    used = {code for _, one in own.second.values() for code in (one.department, *one.assisting)}
    assert len(used) >= 30, "most of the departments are sent something"


def test_a_citys_own_tree_is_in_force_and_old_codes_stay_readable(db: Settings, tmp_path: Path) -> None:
    before = stored(more=Particulars(category="0901"))
    city = categories.read(file_of(tmp_path, CITY))
    assert do(categories.import_, city, "命令行") is True
    after = stored(more=Particulars(category="1-1"))
    with database.read() as session:
        assert categories.current(session).id == "changsha/3"
        shown = [categories.shown(session, one.category, one.category_scheme) for one in (load(before), load(after))]
        assert shown == ["住房与不动产／物业服务", "房屋／小区物业"]
        assert categories.shown(session, None, None) == "待分类" and categories.shown(session, "77", "gone/1") == "77"
        assert board.departments(session)[:2] == ["市住建局", "市城管局"]
        assert session.query(AuditEntry).filter(AuditEntry.action == "categories.导入").count() == 1
    with pytest.raises(InvalidInput, match="0901"), database.write() as session:
        make(session, more=Particulars(category="0901"))
    assert do(categories.import_, categories.bundled(), "命令行") is True, "back to the project's own"
    with database.read() as session:
        assert categories.current(session).id == categories.bundled().id
    assert do(categories.import_, city, "命令行") is False, "a version that is known is in force again"
    changed = CITY | {"title": "改过的"}
    with pytest.raises(InvalidInput, match="换一个 version"):
        do(categories.import_, categories.read(file_of(tmp_path, changed)), "命令行")


def _without(key: str) -> dict[str, Any]:
    return {name: value for name, value in CITY.items() if name != key}


def _second(**changes: Any) -> dict[str, Any]:
    (top,) = CITY["categories"]
    (one,) = top["second"]
    return CITY | {"categories": [top | {"second": [one | changes]}]}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "文件是空的"),
        ("- a\n- b\n", "文件是空的，或者不是分类目录"),
        ("scheme: [a\n", r"第\d行不是正确的 YAML"),
        (_without("departments"), "第1行：缺少 departments"),
        (CITY | {"scheme": "长沙"}, "第1行：scheme 只能用字母"),
        (CITY | {"colour": "red"}, r"第\d+行：没有 colour 这个字段"),
        (_second(department="B9"), r"第21行：承办单位目录里没有 B9"),
        (_second(code=101), r"第18行：code 要写成文字；编号请加引号"),
        (_second(basis=""), r"第\d+行：basis 不能为空"),
        (_second(same_as=["9999"]), "一号答自带的分类里没有 9999"),
        (_second(matters=["供暖", "供暖"]), "事项“供暖”归到了两个分类"),
        (CITY | {"departments": CITY["departments"] * 2}, r"第13行：承办单位编号 A1 写了两次"),
        (
            CITY | {"departments": [CITY["departments"][0] | {"level": "省"}, CITY["departments"][1]]},
            "第7行：level 只能是市、区县、街道乡镇、垂管、企业",
        ),
        (CITY | {"confused": [{"codes": ["1-1", "1-2"], "tells": "看情况"}]}, "分类里没有 1-2"),
    ],
)
def test_a_bad_file_is_refused_with_line_and_sentence(tmp_path: Path, content: Any, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        categories.read(file_of(tmp_path, content))


def test_what_a_ticket_says_is_checked_kept_and_put_right(db: Settings) -> None:
    told = Particulars(
        caller_name=" 王秀兰 ",
        callback_phone="0731-8888 6666",
        address="四方坪小区3栋",
        told_time="昨天夜里两点多",
        happened_on=NOW.date(),
        category="0901",
        channel="phone",
        urgency="紧急",
    )
    number = stored(more=told, phone="13812345678", actor="8001")
    ticket = load(number)
    assert (ticket.caller_name, ticket.category_scheme) == ("王秀兰", categories.bundled().id)
    assert particulars.of(ticket).urgency == "紧急" and ticket.events[0].actor == "8001"

    do(particulars.change, number, {"category": "0902", "address": "四方坪小区13栋"}, "8001")
    ticket = load(number)
    assert (ticket.category, ticket.address) == ("0902", "四方坪小区13栋")
    note = ticket.events[-1].note
    assert note == "更正了地址、分类（住房与不动产／物业服务 → 住房与不动产／业委会与维修资金）。"
    revision = ticket.revision
    do(particulars.change, number, {"category": "0902"}, "8001")
    assert load(number).revision == revision, "nothing differs, nothing is written"
    do(particulars.change, number, {"category": None}, "8001")
    assert (load(number).category, load(number).category_scheme) == (None, None)

    bad: list[tuple[dict[str, Any], str]] = [
        ({"category": "9999"}, "没有 9999"),
        ({"urgency": "不急"}, "紧急程度"),
        ({"callback_phone": "12"}, "回拨电话不对"),
        ({"region": "000001"}, "地区不对"),
        ({"kind": None}, "工单类型"),
        ({"caller_name": "长" * 41}, "最多40个字"),
        ({"answer": "好"}, "不能改"),
    ]
    for changes, says in bad:
        with pytest.raises(InvalidInput, match=says):
            do(particulars.change, number, changes, "8001")
    do(particulars.change, number, {"told_time": "三点多", "phone": "13912345678"}, "8001")
    assert load(number).phone == "13912345678"


def test_a_phone_is_found_and_forgotten_wherever_it_stands(db: Settings) -> None:
    other = stored(phone="13900000000")
    number = stored(
        phone="13812345678",
        more=Particulars(caller_name="王秀兰", callback_phone="073188886666", address="四方坪3栋，电话13812345678"),
    )
    with database.read() as session:
        for phone in ("0731-88886666", "13812345678"):
            found, _ = board.find(session, board.Wanted(phone=phone), NOW)
            assert [one.number for one in found] == [number]
    assert do(board.forget_phone, "073188886666", "命令行") == [number]
    ticket = load(number)
    assert (ticket.caller_name, ticket.phone, ticket.callback_phone, ticket.callback_index) == (None, None, None, None)
    assert "13812345678" not in ticket.address and "四方坪3栋" in ticket.address
    assert load(other).phone == "13900000000"


def test_tickets_are_found_by_what_they_are_about(db: Settings) -> None:
    one = stored(more=Particulars(category="0901", channel="phone", urgency="特急"))
    two = stored(more=Particulars(category="0902", channel="web"))
    three = stored()
    wanted = {"0901": {one}, "09": {one, two}, "none": {three}}
    with database.read() as session:
        for category, numbers in wanted.items():
            found, total = board.find(session, board.Wanted(category=category), NOW)
            assert ({row.number for row in found}, total) == (numbers, len(numbers))
        assert [row.number for row in board.find(session, board.Wanted(channel="phone"), NOW)[0]] == [one]
        assert [row.number for row in board.find(session, board.Wanted(urgency="特急"), NOW)[0]] == [one]
