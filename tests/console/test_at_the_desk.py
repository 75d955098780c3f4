"""What conversations and calls share, in Chromium: reports, what does not fit, states, calls owed, civil words, short messages."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from processes import Stack
from sqlalchemy import select

from bot import database
from bot.models.conversations import OutboxMessage
from bot.models.desk import Choice
from bot.models.knowledge import QA
from tests.console.colleague import Colleague
from tests.console.scene import TRANSFER, conversation

Come = Callable[..., Colleague]
QUESTION = "换城市工作，养老保险怎么转移？"


def test_a_wrong_item_by_one_key_and_whoever_decides(come: Come, desk: Stack) -> None:
    with desk.database():
        mine = conversation("在外地缴的养老保险怎么办", state="human", agent="1001")
        theirs = conversation("养老保险转移要本人去吗", state="human", agent="1002")
    wang, li, editor = come("1001"), come("1002"), come("2001")
    page = wang.at(f"/conversations/{mine}?list=mine")
    other = li.at(f"/conversations/{theirs}?list=mine")
    judged = editor.at("/doubts")
    item = page.locator("aside li").filter(has_text=QUESTION)
    expect(item.get_by_text("存疑", exact=True)).to_have_count(0)

    wang.press("w")  # taken back at once
    dialog = page.get_by_role("dialog", name="这一条有错？")
    expect(dialog.get_by_role("combobox")).to_be_focused()
    wang.press("Control+Enter")
    expect(page.get_by_text("已标为存疑")).to_be_visible()
    expect(item.get_by_text("存疑", exact=True)).to_be_visible()
    wang.press("u")
    expect(page.get_by_text("已撤销。")).to_be_visible()
    expect(item.get_by_text("存疑", exact=True)).to_have_count(0)

    wang.press("w")
    dialog.get_by_role("combobox").fill("转移不用本人去了")
    began = time.monotonic()
    wang.press("Control+Enter")
    expect(other.locator("aside li").filter(has_text=QUESTION).get_by_text("存疑", exact=True)).to_be_visible()
    expect(judged.get_by_text("转移不用本人去了")).to_be_visible()
    assert time.monotonic() - began < 5  # on every desk
    expect(judged.get_by_role("navigation").get_by_role("link", name=re.compile("存疑"))).to_contain_text("2")

    row = judged.get_by_label("存疑的条目").get_by_role("listitem").filter(has_text="转移不用本人去了")
    judged.locator(f'[data-qa="{TRANSFER}"]').focus()
    editor.press("c")
    dialog = judged.get_by_role("dialog", name="这一条没有错？")
    dialog.get_by_role("textbox").fill("和社保局核对过，没有变")
    editor.press("Control+Enter")
    expect(row).to_have_count(0)
    expect(other.locator("aside li").filter(has_text=QUESTION).get_by_text("存疑", exact=True)).to_have_count(0)
    with desk.database(), database.read() as session:
        assert session.get_one(QA, TRANSFER).status == "approved"
    # With the keyboard alone, and through the menu's key.
    editor.press("g", "q")
    expect(judged).to_have_url(re.compile("/doubts$"))


def test_what_is_used_and_what_does_not_fit_is_kept(come: Come, desk: Stack) -> None:
    with desk.database():
        mine = conversation("养老保险怎么转", state="human", agent="1001")
    wang = come("1001")
    page = wang.at(f"/conversations/{mine}?list=mine")
    found = page.get_by_label("助手的判断").get_by_role("listitem")
    found.filter(has_text="灵活就业").get_by_text("灵活就业人员怎么参加").click()  # the one that is looked at
    wang.press("x")
    page.get_by_role("dialog", name="这一条不适用？").get_by_role("combobox").fill("问的是转移")
    wang.press("Control+Enter")
    expect(found.filter(has_text="灵活就业").get_by_text("不适用", exact=True).first).to_be_visible()
    wang.press("u")
    expect(page.get_by_text("已撤销。")).to_be_visible()
    wang.press("x")
    page.get_by_role("dialog").get_by_role("button", name=re.compile("^不适用")).click()
    expect(page.get_by_text("记下了：不适用。")).to_be_visible()
    wang.press("a")
    field = page.get_by_role("textbox", name="回复市民")
    expect(field).to_have_value(re.compile("^到新参保地"))
    field.press("Control+Enter")
    expect(field).to_have_value("")
    with desk.database(), database.read() as session:
        kept = session.scalars(select(Choice).where(Choice.subject == mine).order_by(Choice.at)).all()
        assert [(one.what, one.qa_id) for one in kept] == [("unsuitable", "yl-flexible"), ("used", TRANSFER)]
        assert [one["qa_id"] for one in kept[1].shown] == [TRANSFER, "yl-flexible"]


def test_states_by_one_key_each_with_a_timer_on_the_floor_too(come: Come, desk: Stack) -> None:
    wang, boss = come("1001"), come("1003")
    page, floor = wang.at("/work"), boss.at("/floor")
    doing = page.get_by_role("group", name="我在做什么")
    row = floor.get_by_role("row").filter(has_text="王芳")
    for key, name in (("h", "通话"), ("z", "整理"), ("q", "小休"), ("f", "空闲")):
        wang.press(key)
        expect(doing.get_by_role("button", name=name)).to_have_attribute("aria-pressed", "true")
        expect(row).to_contain_text(re.compile(f"{name} 0:0[0-9]"))
    page = wang.at("/tickets")
    page.get_by_role("combobox").first.focus()
    expect(page.get_by_role("group", name="我在做什么").get_by_role("button", name="空闲")).to_have_attribute(
        "aria-pressed", "true"
    )


@pytest.mark.full
def test_civil_words_are_asked_for_and_the_supervisor_knows(come: Come, desk: Stack) -> None:
    with desk.database():
        mine = conversation("你们都是干什么吃的", state="human", agent="1001")
    wang, boss = come("1001"), come("1003")
    page, floor = wang.at(f"/conversations/{mine}?list=mine"), boss.at("/floor")
    wang.press("y")
    bar = page.get_by_text("已告诉班长")
    expect(bar).to_be_visible()
    listed = floor.get_by_role("list", name="请文明用语").get_by_role("listitem").filter(has_text="王芳")
    expect(listed).to_be_visible()
    wang.press("u")
    expect(listed).to_have_count(0)
    wang.press("y")
    expect(listed.get_by_text("没人看过")).to_be_visible()
    page.get_by_role("button", name=re.compile("^小休一下")).click()
    expect(page.get_by_role("group", name="我在做什么").get_by_role("button", name="小休")).to_have_attribute(
        "aria-pressed", "true"
    )
    wang.press("f")
    listed.get_by_role("button", name="知道了").click()
    expect(listed.get_by_text("陈秀英看过")).to_be_visible()
    expect(page.get_by_role("log")).to_contain_text("请文明用语", timeout=25_000)  # ten seconds later, once
    expect(bar).to_have_count(0)
    with desk.database(), database.read() as session:
        said = session.scalars(select(OutboxMessage).where(OutboxMessage.conversation_id == mine)).all()
    assert sum("文明用语" in str(one.replies) for one in said) == 1


@pytest.mark.full
def test_a_call_that_is_owed_is_made_by_one(come: Come, desk: Stack) -> None:
    wang, li = come("1001"), come("1002")
    page, other = wang.at("/callbacks"), li.at("/callbacks")
    rows = page.get_by_role("table", name="回拨").locator("tbody tr")
    expect(rows.first).to_contain_text("139****5678")
    before = rows.count()
    rows.first.locator("[data-row]").focus()
    wang.press("Enter")
    expect(page.get_by_role("dialog", name="回拨").get_by_text("13912345678")).to_be_visible()
    expect(other.get_by_role("row").filter(has_text="139****5678")).to_contain_text("王芳")
    other.locator("[data-row]").first.click()
    expect(other.get_by_text("已经有同事在打了")).to_be_visible()
    li.forgive("409")
    wang.press("1")
    expect(rows).to_have_count(before - 1)
    expect(other.get_by_role("row").filter(has_text="139****5678")).to_have_count(0)


@pytest.mark.full
def test_a_three_way_call_is_noted_and_without_a_platform_nothing_is_sent(come: Come, desk: Stack) -> None:
    with desk.database():
        mine = conversation("停水了", state="human", agent="1001")
    wang = come("1001")
    page = wang.at(f"/conversations/{mine}?list=mine")
    page.get_by_role("button", name="记三方通话").click()
    dialog = page.get_by_role("dialog", name="记三方通话")
    dialog.get_by_label("和谁").fill("市水务局值班室")
    dialog.get_by_label("结果").fill("今晚抢修，明早恢复")
    wang.press("Control+Enter")
    expect(page.get_by_label("备注", exact=True)).to_contain_text("和市水务局值班室三方通话")
    expect(page.get_by_label("备注", exact=True)).to_contain_text("今晚抢修，明早恢复")
    wang.press("m")
    expect(page.get_by_role("dialog", name="发短信")).to_contain_text("没有开通短信")


def test_nothing_happens_while_an_input_method_composes(come: Come, desk: Stack) -> None:
    page = come("1001").at("/work")
    doing = page.get_by_role("group", name="我在做什么")
    expect(doing.get_by_role("button", name="空闲")).to_have_attribute("aria-pressed", "true")
    page.evaluate("dispatchEvent(new KeyboardEvent('keydown', { key: 'q', isComposing: true, bubbles: true }))")
    page.wait_for_timeout(500)
    expect(doing.get_by_role("button", name="空闲")).to_have_attribute("aria-pressed", "true")
