"""A citizen and two people at the desk, each in a Chromium of their own: taken over, raced for, passed on, handed back."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import timedelta

from playwright.sync_api import expect
from processes import Stack

from bot import database, turns
from bot.accounts import people
from bot.clock import utcnow
from bot.conversations import lock
from bot.settings import get_settings
from tests.console.colleague import Colleague
from tests.console.scene import conversation

Come = Callable[..., Colleague]


def says(desk: Stack, id_: str, text: str) -> None:
    """The citizen, whose conversation the scene made, says something more."""
    with desk.database(), database.write() as session:
        turns.receive(session, lock(session, id_), uuid.uuid4().hex, text, get_settings())


def test_of_two_who_race_one_gets_it_and_passes_it_on(come: Come, desk: Stack) -> None:
    with desk.database():
        waiting = conversation("社保断缴了怎么办", "转人工")
    wang, li = come("1001"), come("1002")
    first, second = wang.at(f"/conversations/{waiting}"), li.at(f"/conversations/{waiting}")
    expect(first.get_by_role("button", name=re.compile("^接入"))).to_be_visible()
    expect(second.get_by_role("button", name=re.compile("^接入"))).to_be_visible()
    wang.press("c")
    expect(first.get_by_role("button", name=re.compile("^转接"))).to_be_visible()
    expect(second.get_by_role("button", name=re.compile("^接入"))).to_have_count(0)
    expect(second.get_by_text("王芳 接待")).to_be_visible()

    field = first.get_by_role("textbox", name="回复市民")
    field.fill("您好，我看一下。")
    field.press("Control+Enter")
    expect(second.get_by_role("log")).to_contain_text("您好，我看一下。")
    field.press("Escape")
    first.get_by_role("button", name=re.compile("^转接")).click()
    dialog = first.get_by_role("dialog", name="转给谁？")
    dialog.get_by_text("李建国").click()
    dialog.get_by_role("button", name=re.compile("^转接")).click()
    expect(dialog).to_have_count(0)
    expect(second.get_by_role("button", name=re.compile("^交还助手"))).to_be_visible()
    expect(second.get_by_role("log")).to_contain_text("已为您转给人工坐席 1002")
    expect(first.get_by_text("不能再发")).to_be_visible()
    says(desk, waiting, "还在吗")
    expect(second.get_by_label("助手的判断").get_by_text("还在吗")).to_be_visible()
    li.press("b")
    second.get_by_role("dialog").get_by_role("button", name=re.compile("^交还")).click()
    expect(second.get_by_role("log")).to_contain_text("您可以接着问智能助手")


def test_reload_in_mid_chat_loses_nothing_and_what_was_found_is_used(come: Come, desk: Stack) -> None:
    with desk.database():
        waiting = conversation("换城市工作，养老保险怎么转", state="bot")
    colleague = come("1001")
    page = colleague.at(f"/conversations/{waiting}?list=bot")
    expect(page.get_by_role("button", name=re.compile("^接管"))).to_be_visible()
    colleague.press("c")
    field = page.get_by_role("textbox", name="回复市民")
    expect(field).to_be_focused()
    field.fill("写到一半")
    expect(page.get_by_text("草稿已存")).to_be_visible()
    page.reload()
    field = page.get_by_role("textbox", name="回复市民")
    expect(field).to_have_value("写到一半")
    field.fill("")
    notes = page.get_by_role("textbox", name="写备注")
    notes.fill("老人，要慢点说")
    notes.press("Control+Enter")
    expect(page.get_by_label("备注", exact=True).get_by_text("老人，要慢点说")).to_be_visible()
    page.get_by_role("button", name="常用语").click()
    page.get_by_role("combobox", name="找常用语").fill("您好")
    page.keyboard.press("Enter")
    expect(field).to_have_value(re.compile("^(上午|下午|晚上)好，我是12345热线工作人员，工号1001，"))


def test_a_message_that_did_not_get_there_is_tried_again_and_is_one(come: Come, desk: Stack) -> None:
    with desk.database():
        waiting = conversation("生育津贴多久到账", state="human", agent="1001")
    colleague = come("1001")
    page = colleague.at(f"/conversations/{waiting}?list=mine")
    lost = []

    def lose(route) -> None:  # type: ignore[no-untyped-def]
        """The gateway gets it; the answer is lost on the way."""
        if not lost:
            lost.append(route.fetch())
            route.abort()
        else:
            route.continue_()

    page.route("**/messages", lose)
    field = page.get_by_role("textbox", name="回复市民")
    field.fill("一般二十天左右。")
    field.press("Control+Enter")
    expect(page.get_by_text("发送失败")).to_be_visible()
    expect(field).to_have_value("一般二十天左右。")
    page.get_by_role("button", name="重试").click()
    expect(field).to_have_value("")
    expect(page.get_by_role("log").get_by_text("一般二十天左右。")).to_have_count(1)
    with desk.http() as http:
        read = http.get(f"/api/desk/conversations/{waiting}", headers=desk.person("1001", "1001")).json()
    assert [line for one in read["messages"] for line in one["lines"]].count("一般二十天左右。") == 1
    colleague.forgive("ERR_FAILED")


def test_a_supervisor_sees_the_floor_and_steps_in(come: Come, desk: Stack) -> None:
    with desk.database():
        taken = conversation("孩子转学没有答复", state="human", agent="1002")
    boss = come("1003")
    page = boss.at("/floor")
    expect(page.get_by_label("现在").get_by_text("在等", exact=True)).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="李建国")).to_be_visible()
    states = page.get_by_label("会话", exact=True).get_by_role("listitem")
    total = int(re.findall(r"共 (\d+) 个", page.get_by_text(re.compile("每个只在一处")).inner_text())[0])
    assert sum(int(re.findall(r"\d+", one)[0]) for one in states.all_inner_texts()) == total
    page = boss.at(f"/conversations/{taken}?list=others")
    notes = page.get_by_role("textbox", name="写备注")
    notes.fill("先安抚")
    page.get_by_role("button", name="耳语给坐席").click()
    expect(page.get_by_label("备注", exact=True).get_by_text("先安抚")).to_be_visible()
    expect(page.get_by_role("log")).not_to_contain_text("先安抚")
    page.get_by_role("button", name=re.compile("^强插")).click()
    expect(page.get_by_role("log")).to_contain_text("现在由人工坐席 1003 接着为您服务")
    expect(page.get_by_role("textbox", name="回复市民")).to_be_visible()


def test_off_duty_takes_empty_hands(come: Come, desk: Stack) -> None:
    with desk.database():
        with database.write() as session:
            people.create(session, "命令行", "1902", "周静", ["agent"])
            person = people.get(session, "1902", locked=True)
            person.must_change, person.on_duty_until = False, utcnow() + timedelta(hours=4)
        conversation("居住证", state="human", agent="1902")
    colleague = come("1902")
    page = colleague.at("/work")
    page.get_by_role("button", name=re.compile("^离岗")).click()
    expect(page.get_by_text("您手上还有 1 个会话")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^离岗"))).to_be_visible()
    colleague.forgive("409")
