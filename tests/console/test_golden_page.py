"""题库 in Chromium: a question proposed by one person and confirmed by another, and a file of them."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect
from processes import Stack

from bot import database, golden, knowledge
from tests.console.colleague import Colleague
from tests.console.test_pages import STILL, violations
from tests.index.test_assistant import qa

Come = Callable[..., Colleague]
TABLE = "问题,正确的问答,必对\n猫跑了三天没回家,gold-1,是\n猫丢了找谁呢哪个部门,gold-1,\n明天会下雪不,无,\n"


def test_a_question_is_proposed_by_one_and_confirmed_by_another(come: Come, desk: Stack) -> None:
    with desk.database(), database.write() as session:
        knowledge.upsert(session, [qa("gold-1", "猫丢了找谁呢哪个部门")])
    editor = come(**STILL)
    editor.bring(desk.person("7301", "李编", "editor"))
    page = editor.at("/golden")
    expect(page.get_by_role("table", name="题库")).to_contain_text("必对")
    editor.press("n")
    dialog = page.get_by_role("dialog")
    page.get_by_label("问题", exact=True).fill("猫掉井里了喊哪个")
    page.get_by_role("button", name="提出").click()
    expect(dialog.get_by_role("alert")).to_contain_text("请写正确的问答编号")
    page.get_by_label("正确的问答编号").fill("gold-1")
    page.get_by_label("必对：答错就不能发布").check()
    page.get_by_label("为什么加这一题").fill("常有人问")
    assert not violations(page)
    page.get_by_role("button", name="提出").click()
    expect(dialog).to_have_count(0)

    page.get_by_role("button", name="导入").click()
    page.get_by_label("文件").set_input_files(
        {"name": "题.csv", "mimeType": "text/csv", "buffer": TABLE.encode("gb18030")}
    )
    page.get_by_role("dialog").get_by_role("button", name="导入").click()
    expect(dialog.get_by_role("status")).to_contain_text("提了 2 题，1 行没有收")
    expect(dialog.get_by_role("list", name="没有收的")).to_contain_text(
        "第 3 行：“猫丢了找谁呢哪个部门”一字不差地在问答 gold-1里"
    )
    assert not violations(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="等确认 3").click()
    waiting = page.get_by_role("table", name="等另一位确认的")
    expect(waiting.get_by_role("button", name="撤回")).to_have_count(3)

    other = come(**STILL)
    other.bring(desk.person("7302", "王审", "approver"))
    page = other.at("/golden")
    page.get_by_role("button", name="等确认 3").click()
    waiting = page.get_by_role("table", name="等另一位确认的")
    first = waiting.get_by_role("row").filter(has_text="猫掉井里了喊哪个")
    assert not violations(page)
    first.get_by_role("button", name="确认").click()
    expect(first).to_have_count(0)
    waiting.get_by_role("button", name="整批").first.click()
    expect(page.get_by_text("没有等确认的。")).to_be_visible()
    page.get_by_role("button", name="看题").click()
    page.get_by_label("问答编号").fill("gold-1")
    page.keyboard.press("Enter")
    rows = page.get_by_role("table", name="题库").get_by_role("row")
    expect(rows).to_have_count(3)
    rows.filter(has_text="猫掉井里了喊哪个").click()
    expect(page.get_by_role("region", name="历史")).to_contain_text("已确认：王审")
    assert not violations(page)
    with desk.database(), database.read() as session:
        found, _ = golden.listed(session, golden.Wanted(qa_id="gold-1"))
        assert [row.must for row in found] == [True, True]
