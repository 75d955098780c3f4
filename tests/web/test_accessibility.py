"""Everybody can use every page: axe-core, 长者模式, keyboard, reduced motion, small phones and wide screens."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from processes import Stack

from bot.settings import ROOT
from tests.web.visitor import Visitor

AXE = ROOT / "connectors" / "miniprogram" / "node_modules" / "axe-core" / "axe.min.js"
WIDTHS = (320, 390, 1280)
MODES = ("normal", "elder")
SCHEMES = ("light", "dark")
EACH_TIME = ((320, "elder", "light"),)
"""The narrow end in large type; the rest in `make test-full`"""
ELDER_FONT_PX = 24  # 18 pt
ELDER_TARGET_PX = 60

# Everything that a finger aims at, except a link within a sentence.
TARGETS = """
() => [...document.querySelectorAll('button, input, select, textarea, [role=button], nav a')]
  .map((one) => one.matches('input[type=radio], input[type=checkbox]') ? one.closest('label') ?? one : one)
  .filter((one) => one.checkVisibility({ checkVisibilityCSS: true, checkOpacity: true }))
  .map((one) => ({ box: one.getBoundingClientRect(), words: one.getAttribute('aria-label') ?? one.innerText }))
  .filter(({ box }) => box.width > 0)
  .map(({ box, words }) => ({ words, width: box.width, height: box.height }))
"""
# Visible text that is smaller than it says it may be: [its words, its size].
SMALL_TEXT = """
(least) => {
  const small = []
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement
    if (!node.textContent.trim() || !parent.checkVisibility({ checkVisibilityCSS: true })) continue
    let clipped = false  // there for screen readers only
    for (let one = parent; one; one = one.parentElement)
      clipped ||= one.offsetWidth <= 1 && getComputedStyle(one).overflow === 'hidden'
    if (clipped) continue
    if (['SCRIPT', 'STYLE', 'NOSCRIPT'].includes(parent.tagName)) continue
    const size = parseFloat(getComputedStyle(parent).fontSize)
    if (size < least) small.push([node.textContent.trim().slice(0, 30), size])
  }
  return small
}
"""
# What is moving just now.  uni-app's shadow-preload, from nothing to nothing, shows nothing.
MOVING = """
() => document.getAnimations()
  .filter((one) => one.playState === 'running' && one.effect.getComputedTiming().duration > 1)
  .filter((one) => one.animationName !== 'shadow-preload')
  .map((one) => `${one.animationName ?? one.transitionProperty} of ${one.effect.target.outerHTML.slice(0, 80)}`)
"""


@pytest.fixture(scope="module")
def history(browser: Browser, stack: Stack) -> Iterator[dict[str, Any]]:
    """What the browser of a citizen keeps who has asked this and that, and has a ticket."""
    citizen = Visitor(browser, stack.url)
    citizen.open()
    citizen.ask("身份证丢了咋补办")
    citizen.ask("我76年3月的女工人啥时候退休")
    number, code = citizen.ticket()
    citizen.ask("公积金能取吗")
    yield {"storage": citizen.context.storage_state(), "ticket": f"pages/ticket?number={number}&code={code}"}
    citizen.context.close()


def the_conversation(visitor: Visitor) -> None:
    visitor.open()
    expect(visitor.replies).to_have_count(5)
    folded = visitor.log.get_by_role("button", expanded=False)
    while folded.count():
        folded.first.click()


def the_themes(visitor: Visitor) -> None:
    visitor.open("pages/themes").get_by_role("button", name="生育").first.click()
    expect(visitor.page.get_by_role("button", name=re.compile("？$")).first).to_be_visible()


def the_tickets(visitor: Visitor) -> None:
    page = visitor.open("pages/tickets")
    expect(page.get_by_role("listitem").first).to_be_visible()
    page.get_by_role("button", name="查询", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()


def a_ticket(visitor: Visitor, where: str) -> None:
    page = visitor.open(where)
    page.get_by_role("button", name="更正电话、地区").click()
    expect(page.get_by_label("新的联系电话")).to_be_visible()


def the_settings(visitor: Visitor) -> None:
    page = visitor.open("pages/settings")
    page.get_by_role("button", name="清除我的记录").click()
    expect(page.get_by_role("group", name="清除我的记录")).to_be_visible()


def a_calculator(visitor: Visitor) -> None:
    visitor.calculate()


def the_privacy_notice(visitor: Visitor) -> None:
    expect(visitor.open("pages/privacy").get_by_role("heading", name="您的权利")).to_be_visible()


def the_question_for_consent(visitor: Visitor) -> None:
    page = visitor.open()
    page.get_by_role("textbox", name="您想问的事").fill("我的电话是13812345678")
    page.get_by_role("button", name="发送", exact=True).click()
    expect(page.get_by_role("dialog")).to_be_visible()


def all_pages(visitor: Visitor, ticket: str) -> Iterator[str]:
    """Bring up one page after the other, each with what can be opened on it opened."""
    for show in (the_conversation, the_themes, the_tickets, the_settings, a_calculator, the_privacy_notice):
        show(visitor)
        yield show.__name__
    a_ticket(visitor, ticket)
    yield a_ticket.__name__
    the_question_for_consent(visitor)
    yield the_question_for_consent.__name__


def violations(page: Page, mode: str) -> list[str]:
    """What axe-core finds; in 长者模式 text has to have a contrast of 7:1 too."""
    page.add_script_tag(path=AXE)
    rules = {"color-contrast-enhanced": {"enabled": mode == "elder"}}
    report = page.evaluate("(rules) => axe.run(document, { rules })", rules)
    return [
        f"{found['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for found in report["violations"]
        for node in found["nodes"]
    ]


@pytest.mark.parametrize(
    ("width", "mode", "scheme"),
    [
        pytest.param(*case, marks=[] if case in EACH_TIME else pytest.mark.full)
        for case in itertools.product(WIDTHS, MODES, SCHEMES)
    ],
)
def test_every_page_is_accessible_and_fits(
    visit: Callable[..., Visitor], history: dict[str, Any], width: int, mode: str, scheme: str
) -> None:
    visitor = visit(width=width, storage_state=history["storage"], bypass_csp=True, color_scheme=scheme)
    page = visitor.open()
    if mode == "elder":
        visitor.elder()
    faults = []
    for name in all_pages(visitor, history["ticket"]):
        faults += [f"{name}: {fault}" for fault in violations(page, mode)]
        wide = page.evaluate("document.scrollingElement.scrollWidth")
        faults += [f"{name}: {wide} px wide"] if wide > width else []
        if mode == "elder":
            small = page.evaluate(SMALL_TEXT, ELDER_FONT_PX)
            faults += [f"{name}: “{words}” has {size} px" for words, size in small]
            faults += [
                f"{name}: target {target}"
                for target in page.evaluate(TARGETS)
                if min(target["width"], target["height"]) < ELDER_TARGET_PX
            ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_first_visit_is_accessible(visit: Callable[..., Visitor], scheme: str) -> None:
    visitor = visit(width=320, bypass_csp=True, color_scheme=scheme)
    page = visitor.open()
    expect(page.get_by_role("heading", name="您好")).to_be_visible()
    background = page.evaluate("getComputedStyle(document.querySelector('.shell')).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", background))) < 3 * 64) is (scheme == "dark"), background
    assert violations(page, "normal") == []
    visitor.elder()
    assert violations(page, "elder") == []


def test_elder_mode_is_kept(visitor: Visitor) -> None:
    page = visitor.open()
    visitor.elder()
    page.reload()
    expect(page.get_by_role("button", name="切换到标准版")).to_be_visible()
    assert page.evaluate(SMALL_TEXT, ELDER_FONT_PX) == []
    page.get_by_role("button", name="切换到标准版").click()
    assert page.evaluate(SMALL_TEXT, ELDER_FONT_PX) != []


def tab_to(page: Page, words: str) -> None:
    """Press Tab until what has the focus is named like this, and visibly has it."""
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        if not focused.count():
            continue
        name = focused.get_attribute("aria-label") or focused.inner_text()
        if words in name:
            ring = "(one) => [getComputedStyle(one).outlineStyle, getComputedStyle(one).boxShadow].join()"
            assert focused.evaluate(ring) != "none,none", f"“{words}” does not show that it has the focus"
            return
    raise AssertionError(f"Tab never came to “{words}”")


def test_the_keyboard_is_enough(visitor: Visitor) -> None:
    page = visitor.open()
    tab_to(page, "您想问的事")
    page.keyboard.type("身份证")
    page.keyboard.press("Enter")
    option = visitor.answered(0).get_by_role("button").nth(1).inner_text()
    page.locator("body").evaluate("() => document.activeElement.blur()")
    tab_to(page, option)
    page.keyboard.press("Enter")
    answer = visitor.answered(1)
    expect(answer.get_by_role("heading").first).to_be_visible()
    tab_to(page, "依据")
    page.keyboard.press("Space")
    expect(answer.get_by_role("button", name="依据")).to_have_attribute("aria-expanded", "true")


@pytest.mark.parametrize(("wish", "moves"), [("no-preference", True), ("reduce", False)])
def test_nothing_moves_for_those_who_ask_for_it(visit: Callable[..., Visitor], wish: str, moves: bool) -> None:
    visitor = visit(reduced_motion=wish)
    page = visitor.open()
    held: list[Route] = []
    page.route("**/api/conversations/*/messages", lambda route: held.append(route))
    page.get_by_role("textbox", name="您想问的事").fill("护照多少钱")
    page.get_by_role("button", name="发送", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="正在查")).to_be_visible()
    moving = page.evaluate(MOVING)
    assert bool(moving) is moves, moving
    for route in held:
        route.continue_()
