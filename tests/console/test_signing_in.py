"""From the first account on: signing in, the second factor, roles, the locked page, and being thrown out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from playwright.sync_api import expect
from processes import Stack
from sqlalchemy import update

from bot import database
from bot.accounts import people
from bot.clock import utcnow
from bot.desk import duty
from bot.models.people import SignIn
from tests.console.colleague import Colleague, code_for
from tests.console.scene import PASSWORD, conversation, staff

Come = Callable[..., Colleague]


def test_the_first_account(come: Come, desk: Stack) -> None:
    """As ``yihaoda user create`` makes it: the password must be changed; then a second factor is set up, and asked for."""
    with desk.database(), database.write() as session:
        _, given = people.create(session, "命令行", "0001", "林静", ["admin"])
    boss = come()
    page = boss.sign_in("0001", "wrong")
    expect(page.get_by_role("alert")).to_have_text("工号或密码不对。")
    page = boss.sign_in("0001", given)
    page.get_by_label("管理员给的密码").fill(given)
    page.get_by_label("新密码", exact=True).fill("12345678901")
    page.get_by_label("再输一遍新密码").fill("12345678901")
    page.get_by_role("button", name="保存新密码").click()
    expect(page.get_by_role("alert")).not_to_be_empty()
    page.get_by_label("新密码", exact=True).fill(PASSWORD)
    page.get_by_label("再输一遍新密码").fill(PASSWORD)
    page.get_by_role("button", name="保存新密码").click()
    expect(page.get_by_role("heading", name="账号", exact=True)).to_be_visible()

    boss.press("g", "s")
    page.get_by_role("button", name="绑定动态口令").click()
    expect(page.get_by_role("img", name="动态口令的二维码")).to_be_visible()
    secret = page.get_by_role("code").inner_text().replace(" ", "")
    page.get_by_label("6 位数字").fill(code_for(secret))
    page.get_by_role("button", name="确认绑定").click()
    expect(page.get_by_text("换手机请找管理员解绑")).to_be_visible()

    page.get_by_role("button", name="退出", exact=True).click()
    page = boss.sign_in("0001", PASSWORD)
    page.get_by_label("手机上的动态口令").fill("000000")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("动态口令不对")
    page.get_by_label("手机上的动态口令").fill(code_for(secret, later=1))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="账号", exact=True)).to_be_visible()
    boss.forgive("401")
    boss.forgive("422")


def test_the_menu_shows_what_a_role_may_and_the_server_decides_anyway(come: Come) -> None:
    editor = come("2001")
    page = editor.at("/")
    names = "没答上的 存疑 知识库 待复核 知识体检 提问记录 待学习 试一试 导入 本地标准 我的设置"
    expect(page.get_by_role("navigation", name="主菜单").get_by_role("link")).to_contain_text(names.split())
    page.goto("/console/people")
    expect(page.get_by_role("alert")).to_contain_text("您的账号没有这项权限")
    editor.forgive("403")


def test_whoever_is_switched_off_is_out_at_once(come: Come, desk: Stack) -> None:
    with desk.database(), database.write() as session:
        staff(session, "1900", "何平", ("agent",))
    agent = come("1900")
    page = agent.at("/tickets")
    with desk.database(), database.write() as session:
        person = people.get(session, "1900")
        people.change(
            session, "9001", "1900", person.revision,
            name="何平", given=["agent"], department=None, region=None, skills=[], capacity=None, active=False,
        )  # fmt: skip
    expect(page.get_by_role("button", name="登录")).to_be_visible(timeout=3000)
    expect(page.get_by_role("status")).to_contain_text("您的登录已经结束")
    assert "/tickets" in page.url
    agent.forgive("401")


def test_a_locked_page_goes_on_where_it_was(come: Come, desk: Stack) -> None:
    with desk.database():
        with database.write() as session:
            staff(session, "1901", "高明", ("agent",))
            duty.set_duty(session, "1901", utcnow() + timedelta(hours=8))
        waiting = conversation("想问一下居住证", "转人工")
    agent = come("1901")
    page = agent.at(f"/conversations/{waiting}")
    expect(page.get_by_role("button", name="接入")).to_be_visible()
    agent.press("c")
    words = page.get_by_role("textbox", name="回复市民")
    words.fill("请您稍等，我查一下。")
    expect(page.get_by_text("草稿已存")).to_be_visible()
    with desk.database(), database.write() as session:
        long_ago = utcnow() - timedelta(hours=3)
        session.execute(update(SignIn).where(SignIn.person == "1901").values(seen_at=long_ago, created_at=long_ago))
    words.press("Control+Enter")
    page.get_by_role("dialog", name="已锁屏").get_by_label("密码").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="密码不对")).to_be_visible()
    page.get_by_role("dialog", name="已锁屏").get_by_label("密码").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("log")).to_contain_text("请您稍等，我查一下。")  # sent by itself, once
    expect(words).to_have_value("")
    expect(page.get_by_text("已连接")).to_be_visible()
    agent.forgive("401")
