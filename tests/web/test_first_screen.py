"""The first screen: whose assistant it is, what is needed most, and the way to a person."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.web.visitor import Visitor


def test_city_hotline_and_matters_are_there_and_lead_to_an_answer(visit: Callable[..., Visitor]) -> None:
    visitor = visit(width=320, height=640)
    page = visitor.open()
    expect(page.get_by_text(re.compile("市12345$"))).to_be_visible()
    call = page.locator(".hello").get_by_role("link", name="打12345")
    expect(call).to_have_attribute("href", "tel:12345")
    expect(call).to_be_in_viewport(ratio=1)
    matter = page.get_by_role("button", name="户口证件")
    matter.click()
    expect(matter).to_have_attribute("aria-expanded", "true")
    page.locator("#tile-questions").get_by_role("button", name="身份证丢了怎么补办？").click()
    expect(visitor.answered(0).get_by_role("heading", name="身份证丢了怎么补办")).to_be_visible()
    expect(call).to_have_count(0)


def test_the_old_have_matters_of_their_own_and_few_at_once(visit: Callable[..., Visitor]) -> None:
    visitor = visit(width=320, height=640)
    page = visitor.open()
    expect(page.get_by_role("button", name="上学")).to_be_visible()
    visitor.elder()
    expect(page.get_by_role("button", name="上学")).to_have_count(0)
    expect(page.get_by_role("button", name="社保卡")).to_have_count(0)
    page.get_by_role("button", name="更多事情").click()
    expect(page.get_by_role("button", name="社保卡")).to_be_visible()
    page.get_by_role("button", name="高龄津贴").click()
    page.get_by_role("button", name="高龄津贴几岁能领？").click()
    expect(visitor.answered(0)).to_contain_text("80周岁")


def test_ones_tickets_are_on_the_first_screen(visitor: Visitor) -> None:
    page = visitor.open()
    number, _ = visitor.ticket()
    page.evaluate("localStorage.removeItem('yihaoda.session')")  # the conversation has ended, the ticket is known here
    page.reload()
    page.get_by_role("listitem").get_by_role("button", name=number).click()
    expect(page.get_by_text("待受理").first).to_be_visible()
