"""Devices that others use too: a kiosk keeps nothing and ends by itself; on one's own one tap forgets."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.web.visitor import Visitor

KEPT = "Object.keys(localStorage).filter((key) => key.startsWith('yihaoda.'))"


def test_a_kiosk_keeps_nothing_and_ends_after_a_minute_of_silence(visitor: Visitor) -> None:
    page = visitor.page
    page.clock.install()
    page.goto("/?kiosk=1")
    expect(page.get_by_role("heading", name="您好")).to_be_visible()
    visitor.elder()
    visitor.ask("护照多少钱")
    assert page.evaluate(KEPT) == []
    page.clock.run_for(50_000)
    warning = page.get_by_role("alert").filter(has_text="请点一下屏幕")
    expect(warning).to_be_visible()
    page.mouse.click(5, 200)
    expect(warning).to_have_count(0)
    page.clock.run_for(30_000)
    expect(visitor.replies).to_have_count(1)
    page.clock.run_for(31_000)
    expect(page.get_by_role("heading", name="您好")).to_be_visible()
    expect(visitor.replies).to_have_count(0)
    expect(page.get_by_role("button", name="切换到长者模式")).to_be_visible()
    assert page.evaluate(KEPT) == []
    visitor.ask("身份证丢了咋补办")


def test_this_device_forgets_with_one_tap_that_is_asked_about(visitor: Visitor) -> None:
    page = visitor.open()
    visitor.elder()
    visitor.ticket()
    visitor.go("设置")
    page.get_by_role("button", name="清除本机记录").click()
    asked = page.get_by_role("dialog", name="清除本机记录")
    asked.get_by_role("button", name="不清除").click()
    assert "yihaoda.tickets" in page.evaluate(KEPT)
    page.get_by_role("button", name="清除本机记录").click()
    asked.get_by_role("button", name="确定清除").click()
    expect(page.get_by_role("status").filter(has_text="已清除")).to_be_visible()
    assert set(page.evaluate(KEPT)) <= {"yihaoda.settings"}
    page.reload()
    expect(page.get_by_role("button", name="切换到长者模式")).to_be_visible()
    visitor.go("问答")
    expect(page.get_by_role("heading", name="您好")).to_be_visible()
    expect(page.get_by_role("listitem")).to_have_count(0)
