"""Pictures of the running page for the documentation: ``python -m tests.web.screenshots ADDRESS``.

ADDRESS is a running assistant's with the starter knowledge (``make run``); the pictures go to docs/images.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

from bot.settings import ROOT
from tests.web.visitor import Visitor, launch

FOLDER = ROOT / "docs" / "images"
SIZES = {"320": (320, 800), "1280": (1280, 800)}
MOST_BYTES = 150_000


def answer(visitor: Visitor) -> None:
    visitor.open()
    visitor.ask("身份证丢了咋补办").get_by_role("button", name="依据").click()


def guide(visitor: Visitor) -> None:
    visitor.open()
    fold = visitor.last.get_by_role("button", name="材料")
    fold.click()
    fold.evaluate("(one) => one.scrollIntoView()")


def choice(visitor: Visitor) -> None:
    visitor.open()
    visitor.ask("公积金能取吗")


def themes(visitor: Visitor) -> None:
    visitor.open("pages/themes").get_by_role("button", name="养老退休").click()


def ticket(visitor: Visitor) -> None:
    visitor.open()
    number, code = visitor.ticket()
    page = visitor.open(f"pages/ticket?number={number}&code={code}")
    expect(page.get_by_text("办理经过")).to_be_visible()


def calculator(visitor: Visitor) -> None:
    visitor.calculate()


def settings(visitor: Visitor) -> None:
    expect(visitor.open("pages/settings").get_by_role("combobox", name="所在地区")).to_be_visible()


def elder(visitor: Visitor) -> None:
    visitor.open()
    visitor.elder()
    visitor.ask("高龄津贴怎么领")


PICTURES: tuple[Callable[[Visitor], None], ...] = (
    *(answer, guide, choice, themes, calculator, ticket, settings, elder),
)


def keep(picture: bytes, file: Path) -> None:
    """Write a picture with as few colours as it needs.  Raises ValueError if it stays too large for the repository."""
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(file, optimize=True)
    if file.stat().st_size > MOST_BYTES:
        raise ValueError(f"{file.name}: {file.stat().st_size} bytes")


def take(browser: Browser, address: str) -> None:
    """One citizen on each size of screen, page after page."""
    FOLDER.mkdir(exist_ok=True)
    for size, (width, height) in SIZES.items():
        visitor = Visitor(browser, address, width, height, device_scale_factor=2 if width < 400 else 1)
        for show in PICTURES:
            show(visitor)
            visitor.page.evaluate("document.fonts.ready")
            visitor.page.mouse.move(0, 0)
            visitor.page.wait_for_timeout(500)  # what slides or fades in has come to rest
            keep(visitor.page.screenshot(), FOLDER / f"{show.__name__}-{size}.png")
        visitor.context.close()


if __name__ == "__main__":
    with sync_playwright() as playwright:
        take(launch(playwright), sys.argv[1])
