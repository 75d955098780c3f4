"""Room for the answer: on a small screen, with large type, magnified, and with the keyboard open."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.web.visitor import Visitor

# The lines of the last answer that are seen: their bottoms, each once.
SEEN_LINES = """
() => {
  const below = document.querySelector('.composer').getBoundingClientRect().top
  const range = document.createRange()
  range.selectNodeContents(document.querySelector('.line:last-child .told'))
  const lines = []
  for (const { top, bottom, width } of range.getClientRects())
    if (width && top >= 0 && bottom <= below && !lines.some((one) => Math.abs(one - bottom) < 12)) lines.push(bottom)
  return lines.length
}
"""
# How many characters the box for the question has room for in a line.
CHARACTERS = """
(box) => {
  const { paddingLeft, fontSize } = getComputedStyle(box)
  return (box.clientWidth - 2 * parseFloat(paddingLeft)) / parseFloat(fontSize)
}
"""
WIDE = "document.scrollingElement.scrollWidth"
BACK = "document.activeElement.blur()"


@pytest.mark.parametrize(
    ("width", "height", "font", "elder", "most"),
    [
        (320, 640, 100, True, 0.15),
        (320, 640, 180, False, 0.15),
        (320, 640, 180, True, 0.15),
        (195, 422, 100, False, 1),  # 390 × 844 at 200 %
        (640, 400, 180, True, 1),  # 1280 × 800 at 200 %
    ],
)
def test_the_box_keeps_its_width_and_takes_little_height(
    visit: Callable[..., Visitor], width: int, height: int, font: int, elder: bool, most: float
) -> None:
    visitor = visit(width=width, height=height)
    page = visitor.open()
    if elder:
        visitor.elder()
    visitor.system_font(font)
    visitor.ask("身份证丢了咋补办")
    box = page.get_by_role("textbox", name="您想问的事")
    composer = page.get_by_role("region", name="提问").bounding_box()
    assert composer and composer["height"] <= most * height
    assert box.evaluate(CHARACTERS) >= 4
    page.get_by_role("region", name="提问").get_by_role("button", name="更多").click()
    assert page.evaluate(WIDE) <= width


def test_with_the_keyboard_open_six_lines_of_the_answer_are_seen(visit: Callable[..., Visitor]) -> None:
    visitor = visit(width=320, height=640)
    page = visitor.open()
    visitor.elder()
    visitor.ask("身份证丢了咋补办")
    page.evaluate(BACK)
    page.evaluate("document.querySelector('.composer textarea').focus({ preventScroll: true })")
    page.set_viewport_size({"width": 320, "height": 340})  # what a keyboard leaves
    expect(page.get_by_role("textbox", name="您想问的事")).to_be_in_viewport(ratio=1)
    page.wait_for_function("() => document.querySelector('.line:last-child .told').getBoundingClientRect().top < 60")
    assert page.evaluate(SEEN_LINES) >= 6


def test_the_navigation_steps_aside_and_comes_back(visit: Callable[..., Visitor]) -> None:
    visitor = visit(width=320, height=640)
    page = visitor.open()
    tickets = page.get_by_role("navigation", name="主要页面").get_by_role("link", name="工单")
    expect(tickets).to_be_in_viewport()
    page.get_by_role("textbox", name="您想问的事").focus()
    expect(tickets).not_to_be_in_viewport()
    visitor.ask("身份证丢了咋补办")
    page.evaluate(BACK)
    page.mouse.move(100, 200)
    page.mouse.wheel(0, 150)
    expect(tickets).not_to_be_in_viewport()
    page.mouse.wheel(0, -60)
    expect(tickets).to_be_in_viewport()


def test_a_button_beside_the_box_is_hit_while_typing(visitor: Visitor) -> None:
    page = visitor.open()
    box = page.get_by_role("textbox", name="您想问的事")
    box.click()
    expect(box).to_be_focused()
    page.keyboard.type("护照多少钱")
    page.get_by_role("button", name="发送", exact=True).click()
    visitor.answered(0)
