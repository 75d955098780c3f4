"""长者模式 keeps every function, shows fewer at once, and offers itself where the system's type is large."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.web.visitor import Visitor


def test_elder_mode_keeps_every_function(visit: Callable[..., Visitor]) -> None:
    visitor = visit(width=320, height=640)
    page = visitor.open()
    visitor.elder()
    page.get_by_role("region", name="提问").get_by_role("button", name="更多").click()
    for name in ("转人工", "我要反映", "算一算"):
        expect(page.get_by_role("region", name="提问").get_by_role("button", name=name)).to_be_visible()
    card = visitor.ask("身份证丢了咋补办")
    for name in ("复制", "分享"):
        expect(card.get_by_role("button", name=name)).to_have_count(0)
    related = card.locator(".related button")
    few = related.count()
    card.get_by_role("button", name="更多", exact=True).click()
    for name in ("复制", "分享"):
        expect(card.get_by_role("button", name=name)).to_be_visible()
    assert related.count() > few


def test_elder_mode_offers_itself_once_where_the_type_is_large(visitor: Visitor) -> None:
    page = visitor.open()
    offer = page.get_by_role("region", name="长者模式")
    expect(page.get_by_role("heading", name="您好")).to_be_visible()
    expect(offer).to_have_count(0)
    visitor.system_font(180)
    page.reload()
    offer.get_by_role("button", name="不用").click()
    page.reload()
    expect(page.get_by_role("heading", name="您好")).to_be_visible()
    expect(offer).to_have_count(0)


def test_elder_type_follows_the_systems(visitor: Visitor) -> None:
    page = visitor.open()
    visitor.elder()
    size = "parseFloat(getComputedStyle(document.querySelector('.shell')).fontSize)"
    usual = page.evaluate(size)
    visitor.system_font(140)
    assert page.evaluate(size) > usual >= 24


def test_lines_stand_apart(visitor: Visitor) -> None:
    page = visitor.open()
    visitor.elder()
    card = visitor.ask("身份证丢了咋补办")
    spacing = "(one) => parseFloat(getComputedStyle(one).lineHeight) / parseFloat(getComputedStyle(one).fontSize)"
    for part in (card.locator(".conclusion"), card.locator(".told-point").first, card.get_by_role("heading").first):
        assert part.evaluate(spacing) >= 1.3
    assert page.evaluate(f"({spacing})(document.querySelector('.composer textarea'))") >= 1.3


# From the last line of each paragraph to the first of the next, in line heights.
STEPS = """
(card, [kind]) => {
  const parts = [...card.querySelectorAll(kind)].filter((one) => one.getClientRects().length)
  return parts.slice(1).map((one, place) => {
    const line = parseFloat(getComputedStyle(one).lineHeight)
    return 1 + (one.getBoundingClientRect().top - parts[place].getBoundingClientRect().bottom) / line
  })
}
"""


def test_paragraphs_stand_further_apart_than_lines(visitor: Visitor) -> None:
    visitor.open()
    visitor.elder()
    card = visitor.ask("身份证丢了咋补办")
    answer = card.evaluate(STEPS, [".told-point"])
    page = visitor.open("pages/privacy")
    expect(page.locator(".shell.elder")).to_be_visible()
    lists = page.locator("main").evaluate(STEPS, [".point"])
    assert answer and lists and min([*answer, *lists]) >= 1.3, (answer, lists)
