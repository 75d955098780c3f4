"""All screens of the page on one sheet for each size, mode and colour scheme: ``python -m tests.web.contact_sheet ADDRESS FOLDER``.

ADDRESS is a running assistant's with the starter knowledge.  The sheets are there to be looked at; what can be said in
numbers (sizes, contrast, overflow) is tested elsewhere.
"""

from __future__ import annotations

import io
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Browser, expect, sync_playwright

from tests.web.visitor import Visitor, launch

SIZES = {"320": (320, 640), "390": (390, 844), "1280": (1280, 800)}
MODES = ("normal", "elder")
SCHEMES = ("light", "dark")
GAP = 24
LABEL = 28
COLUMNS_PX = 2_700
"""How wide a sheet may become"""


class Case(NamedTuple):
    """One sheet."""

    size: str
    mode: str
    scheme: str


CASES = tuple(Case(*case) for case in itertools.product(SIZES, MODES, SCHEMES))


def first(visitor: Visitor) -> None:
    expect(visitor.page.locator(".tile").first).to_be_visible()


def answer(visitor: Visitor) -> None:
    visitor.ask("身份证丢了咋补办")


def details(visitor: Visitor) -> None:
    visitor.last.get_by_role("button", name="材料").click()
    visitor.last.locator(".details").evaluate("(one) => one.scrollIntoView()")


def likely(visitor: Visitor) -> None:
    visitor.ask("注册资本")


def leaflet(visitor: Visitor) -> None:
    card = visitor.last
    if card.get_by_role("button", name="更多", exact=True).count():
        card.get_by_role("button", name="更多", exact=True).click()
    card.get_by_role("button", name="分享").click()
    card.get_by_role("button", name="做成图片").click()
    expect(visitor.page.get_by_role("dialog", name="一次性告知单").get_by_role("img")).to_be_visible()


def choice(visitor: Visitor) -> None:
    if visitor.page.get_by_role("dialog", name="一次性告知单").is_visible():
        visitor.page.keyboard.press("Escape")
    visitor.ask("身份证")


def calculation(visitor: Visitor) -> None:
    visitor.ask("我76年3月的女工人啥时候退休")


def ticket(visitor: Visitor) -> None:
    visitor.ticket()


def danger(visitor: Visitor) -> None:
    visitor.ask("家里厨房着火了")


def keyboard(visitor: Visitor) -> None:
    visitor.ask("身份证丢了咋补办")
    size = visitor.page.viewport_size
    assert size
    visitor.page.evaluate("document.querySelector('.composer textarea').focus({ preventScroll: true })")
    visitor.page.set_viewport_size({"width": size["width"], "height": 340})


def offline(visitor: Visitor) -> None:
    visitor.context.set_offline(True)
    visitor.page.get_by_role("textbox", name="您想问的事").fill("护照多少钱")
    visitor.page.get_by_role("button", name="发送", exact=True).click()
    expect(visitor.log.locator(".failed").first).to_be_visible()


def large(visitor: Visitor) -> None:
    visitor.system_font(180)
    visitor.page.wait_for_timeout(100)


def themes(visitor: Visitor) -> None:
    visitor.go("主题")
    visitor.page.get_by_role("button", name="养老退休").first.click()


def tickets(visitor: Visitor) -> None:
    visitor.go("工单")
    expect(visitor.page.get_by_role("listitem").first).to_be_visible()


def progress(visitor: Visitor) -> None:
    visitor.page.get_by_role("listitem").first.get_by_role("button").click()
    expect(visitor.page.get_by_text("办理经过")).to_be_visible()


def calculator(visitor: Visitor) -> None:
    visitor.calculate()


def settings(visitor: Visitor) -> None:
    expect(visitor.open("pages/settings").get_by_role("combobox", name="所在地区")).to_be_visible()


def privacy(visitor: Visitor) -> None:
    expect(visitor.open("pages/privacy").get_by_role("heading", name="您的权利")).to_be_visible()


SCREENS: tuple[Callable[[Visitor], None], ...] = (
    *(first, likely, answer, details, leaflet, choice, calculation, ticket, danger),
    *(themes, tickets, progress, calculator, settings, privacy),
)
ALONE: tuple[Callable[[Visitor], None], ...] = (keyboard, offline, large)
"""Each with a visitor of its own, after an answer: they change the screen or the network for good"""


def picture(visitor: Visitor) -> Image.Image:
    """What the visitor sees, once it has come to rest."""
    visitor.page.evaluate("document.fonts.ready")
    visitor.page.mouse.move(0, 0)
    visitor.page.wait_for_timeout(300)
    return Image.open(io.BytesIO(visitor.page.screenshot())).convert("RGB")


def start(browser: Browser, address: str, case: Case) -> Visitor:
    """A visitor of this size and mode on the first screen."""
    width, height = SIZES[case.size]
    visitor = Visitor(browser, address, width, height, color_scheme=case.scheme)
    visitor.open()
    if case.mode == "elder":
        visitor.elder()
    return visitor


def pictures(browser: Browser, address: str, case: Case) -> Iterator[tuple[str, Image.Image]]:
    """Every screen of one sheet, with its name."""
    visitor = start(browser, address, case)
    for show in SCREENS:
        show(visitor)
        yield show.__name__, picture(visitor)
    visitor.context.close()
    for show in ALONE:
        visitor = start(browser, address, case)
        visitor.ask("高龄津贴几岁能领？")
        show(visitor)
        yield show.__name__, picture(visitor)
        visitor.context.close()


def sheet(found: list[tuple[str, Image.Image]]) -> Image.Image:
    """The pictures side by side, each under its name."""
    width = max(one.width for _, one in found) + GAP
    height = max(one.height for _, one in found) + GAP + LABEL
    columns = max(1, COLUMNS_PX // width)
    rows = -(-len(found) // columns)
    whole = Image.new("RGB", (columns * width + GAP, rows * height + GAP), "#888")
    draw = ImageDraw.Draw(whole)
    for index, (name, one) in enumerate(found):
        left, top = GAP + index % columns * width, GAP + index // columns * height
        draw.text((left, top), name, fill="#fff", font=ImageFont.load_default(20))
        whole.paste(one, (left, top + LABEL))
    return whole


def make(browser: Browser, address: str, case: Case, folder: Path) -> Path:
    """Make one sheet, and say where it is."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{'-'.join(case)}.png"
    sheet(list(pictures(browser, address, case))).save(file)
    return file


if __name__ == "__main__":
    with sync_playwright() as playwright:
        one_browser = launch(playwright)
        for one_case in CASES:
            if len(sys.argv) < 4 or "-".join(one_case) in sys.argv[3:]:
                print(make(one_browser, sys.argv[1], one_case, Path(sys.argv[2])))
