"""Without network, slow or refused: what was said is there, what wasn't sent says so where it stands; and what the page weighs."""

from __future__ import annotations

import re

from playwright.sync_api import Route, expect

from tests.web.visitor import Visitor

WORKER = "navigator.serviceWorker.getRegistration().then((one) => Boolean(one))"
READY = "navigator.serviceWorker.ready.then(() => caches.keys()).then((names) => names.length)"
# Bytes that came over the wire until now, headers included.
WEIGHT = """
() => [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
  .map(({ name, transferSize }) => [name.replace(location.origin, ''), transferSize])
"""
LIMIT = 100_000


def test_opened_offline_it_shows_the_number_and_the_last_answers(visitor: Visitor) -> None:
    page = visitor.open()
    for question in ("护照多少钱", "身份证丢了咋补办", "高龄津贴几岁能领？", "公积金怎么提取"):
        visitor.ask(question)
    assert page.evaluate(READY) == 1
    visitor.context.set_offline(True)
    page.reload()
    notice = page.get_by_role("status").filter(has_text="网络断开了")
    expect(notice.get_by_role("link", name="12345")).to_have_attribute("href", "tel:12345")
    expect(page.get_by_text("这是上次的几条问答")).to_be_visible()
    expect(visitor.replies).to_have_count(3)
    expect(visitor.log.get_by_role("heading", name="身份证丢了怎么补办")).to_be_visible()
    visitor.go("设置")  # never opened before
    expect(page.get_by_role("switch", name="长者模式")).to_be_visible()
    visitor.context.set_offline(False)
    visitor.go("问答")
    expect(visitor.replies).to_have_count(4)
    expect(page.get_by_text("这是上次的几条问答")).to_have_count(0)
    visitor.forgive("ERR_INTERNET_DISCONNECTED")


def test_opened_offline_after_a_mere_look_it_shows_the_number(visitor: Visitor) -> None:
    page = visitor.page
    page.clock.install()
    visitor.open()
    page.clock.run_for(21_000)
    assert page.evaluate(READY) == 1
    visitor.context.set_offline(True)
    page.reload()
    expect(page.locator(".hello").get_by_role("link", name="打12345")).to_be_visible()
    visitor.forgive("ERR_INTERNET_DISCONNECTED")


def test_a_kiosk_gets_no_worker(visitor: Visitor) -> None:
    page = visitor.page
    page.goto("/?kiosk=1")
    visitor.ask("护照多少钱")
    visitor.go("设置")
    assert page.evaluate(WORKER) is False


def test_what_is_refused_says_why_where_it_stands_and_waits_for_the_citizen(visitor: Visitor) -> None:
    page = visitor.open()
    visitor.ask("护照多少钱")
    refused: list[Route] = []

    def refuse(route: Route) -> None:
        if route.request.method == "POST" and not refused:
            refused.append(route)
            route.fulfill(status=429, json={"error": {"code": "too_many", "message": "您发得太快了，请稍等。"}})
        else:
            route.continue_()

    page.route("**/api/conversations/*/messages*", refuse)
    page.get_by_role("textbox", name="您想问的事").fill("身份证丢了咋补办")
    page.get_by_role("button", name="发送", exact=True).click()
    line = visitor.log.locator(".line.citizen").last
    why = line.get_by_text("没有发出去：您发得太快了，请稍等。")
    expect(why).to_be_in_viewport(ratio=1)
    line.get_by_role("button", name="重新发送").click()
    visitor.answered(1)
    expect(why).to_have_count(0)
    visitor.forgive("429")


def test_what_takes_long_is_said_to(visitor: Visitor) -> None:
    page = visitor.page
    page.clock.install()
    visitor.open()
    held: list[Route] = []
    slow = True
    # What it tries again once it is over goes through.
    page.route("**/api/conversations/*/messages", lambda route: held.append(route) if slow else route.continue_())
    page.get_by_role("textbox", name="您想问的事").fill("护照多少钱")
    page.get_by_role("button", name="发送", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="正在查")).to_be_visible()
    page.clock.run_for(9_000)
    expect(page.get_by_role("status").filter(has_text="有点慢")).to_be_visible()
    slow = False
    for route in held:
        route.continue_()
    visitor.answered(0)


def test_before_the_first_answer_little_has_to_come(visitor: Visitor) -> None:
    page = visitor.page
    held: list[Route] = []
    page.route(re.compile(r"/assets/later\."), lambda route: held.append(route))  # comes after the first answer
    visitor.open()
    expect(page.locator(".tile").first).to_be_visible()
    came = page.evaluate(WEIGHT)
    assert sum(size for _, size in came) <= LIMIT, came
    assert not held
    visitor.ask("身份证丢了咋补办")
    for route in held:
        route.continue_()
    page.evaluate(READY)
    assert held
