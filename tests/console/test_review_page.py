"""待学习 in Chromium, by keyboard: a group, a wording, another person's approval, and the rest of the keys."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect
from processes import Stack

from bot import database, knowledge
from bot.clock import utcnow
from bot.models.knowledge import QA
from tests.bot.test_review import SUM, ask
from tests.console.colleague import Colleague
from tests.console.test_pages import STILL, violations
from tests.index.test_assistant import qa
from training.review import placing

Come = Callable[..., Colleague]
FOUND = {"candidates": [{"qa_id": "cat-1", "wording": "x", "score": 1.0, "features": {}}]}


def fill(desk: Stack) -> None:
    with desk.database():
        with database.write() as session:
            knowledge.upsert(session, [qa("cat-1", "养猫要办证吗"), qa("cat-2", "猫丢了找谁", similar=["猫跑丢了"])])
        for text, times in (("喵星人要登记不", 5), ("猫咪上户口", 3), ("猫跑丢了", 2), ("今天天气", 1)):
            for _ in range(times):
                ask(text, found=FOUND, matter="养猫")
        placing.arrange(utcnow(), lambda *_: None, SUM)


def test_a_group_becomes_a_wording_that_another_person_approves(come: Come, desk: Stack) -> None:
    fill(desk)
    editor = come(**STILL)
    editor.bring(desk.person("7101", "李编", "editor"))
    page = editor.at("/unanswered")
    editor.press("g", "n")
    expect(page.get_by_role("heading", name="待学习")).to_be_visible()
    groups = page.locator("[data-group]")
    expect(groups).to_have_count(4)
    expect(groups.first).to_contain_text("喵星人要登记不")
    expect(groups.first).to_contain_text("没有答上 5")
    expect(groups.first).to_contain_text("最近的：养猫要办证吗")
    assert not violations(page)
    editor.press("j")
    editor.press("Enter")
    expect(page.get_by_role("list", name="各种问法")).to_contain_text("喵星人要登记不")
    editor.press("w")
    dialog = page.get_by_role("dialog")
    expect(page.get_by_label("问法", exact=True)).to_have_value("喵星人要登记不")
    expect(dialog).to_contain_text("养猫要办证吗")
    assert not violations(page)
    page.keyboard.press("Control+Enter")
    expect(groups).to_have_count(3)
    expect(page.get_by_role("status").filter(has_text="等另一位审核")).to_be_visible()
    with desk.database(), database.read() as session:
        item = session.get_one(QA, "cat-1")
        assert knowledge.under_way(session, item).similar == ["喵星人要登记不"] and item.similar == []
    with desk.database(), database.write() as session:
        knowledge.approve(session, "cat-1", "7102")
        assert session.get_one(QA, "cat-1").similar == ["喵星人要登记不"]

    # The wording of another item is refused, with which one, and nothing typed is lost.
    groups.filter(has_text="猫跑丢了").click()
    editor.press("w")
    page.keyboard.press("Control+Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("已经是“猫丢了找谁”（cat-2）的问法")
    page.keyboard.press("Escape")
    expect(groups).to_have_count(3)

    # One key sets a group aside, one takes it back.
    groups.filter(has_text="今天天气").focus()
    editor.press("o")
    expect(groups).to_have_count(2)
    editor.press("u")
    expect(groups).to_have_count(3)

    # Several at once: what it will do is said first.
    for text in ("猫咪上户口", "今天天气"):
        groups.filter(has_text=text).focus()
        editor.press("v")
    editor.press("i")
    expect(page.get_by_role("list", name="会做什么").locator("li")).to_have_count(2)
    assert not violations(page)
    page.keyboard.press("Control+Enter")
    expect(groups).to_have_count(1)
    page.locator(".el-select", has=page.get_by_role("combobox", name="看哪些")).click()
    page.get_by_role("option", name="处理记录").click()
    expect(page.get_by_role("table", name="处理记录").locator("tbody tr")).to_have_count(4)
    assert not violations(page)
