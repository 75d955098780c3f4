"""Half a minute with the page, as a moving picture for the README: ``python -m tests.web.recording ADDRESS``.

ADDRESS is a running assistant's with the starter knowledge.  What is shown is what it answers, typed as people type.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect, sync_playwright

from bot.settings import ROOT
from tests.web.visitor import Visitor, launch

FILE = ROOT / "docs" / "images" / "half-a-minute.webp"
WIDTH, HEIGHT, SHOWN = 390, 780, 300
"""Of the phone, and how wide the picture is"""
MOST_BYTES = 1_500_000


class Recording:
    """Pictures, each with how long it is seen."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self.frames: list[Image.Image] = []
        self.lasts_ms: list[int] = []

    def see(self, ms: int) -> None:
        """What stands there now, for so long."""
        picture = Image.open(io.BytesIO(self._visitor.page.screenshot())).convert("RGB")
        frame = picture.resize((SHOWN, SHOWN * HEIGHT // WIDTH), Image.Resampling.LANCZOS)
        self.frames.append(frame)
        self.lasts_ms.append(ms)

    def say(self, text: str, reads_ms: int) -> None:
        """Type it, send it, read the reply."""
        field = self._visitor.page.get_by_role("textbox", name="您想问的事")
        before = self._visitor.replies.count()
        for place in range(2, len(text) + 2, 2):
            field.fill(text[:place])
            self.see(160)
        self._visitor.page.get_by_role("button", name="发送", exact=True).click()
        self._reads(before, reads_ms)

    def tap(self, name: str, reads_ms: int) -> None:
        """One of the buttons below the newest reply."""
        before = self._visitor.replies.count()
        self._visitor.last.get_by_role("button", name=name, exact=True).click()
        self._reads(before, reads_ms)

    def _reads(self, before: int, reads_ms: int) -> None:
        self._visitor.answered(before)
        self._visitor.page.wait_for_timeout(500)
        self.see(reads_ms)

    def save(self, file: Path) -> None:
        """As an animated picture."""
        first, *others = self.frames
        first.save(file, save_all=True, append_images=others, duration=self.lasts_ms, loop=0, quality=55, method=6)
        if file.stat().st_size > MOST_BYTES:
            raise SystemExit(f"{file.name} has {file.stat().st_size} bytes: too much for a README")


def record(address: str, file: Path = FILE) -> int:
    """Ask, and keep what is seen; how many seconds it lasts."""
    with sync_playwright() as playwright:
        visitor = Visitor(launch(playwright), address, WIDTH, HEIGHT)
        expect(visitor.open().locator(".tile").first).to_be_visible()
        recording = Recording(visitor)
        recording.see(2000)
        recording.say("身份证丢了咋补办", 5000)
        recording.say("那要多少钱", 4000)
        recording.say("我啥时候退休", 2500)
        recording.tap("男职工", 2000)
        recording.say("1970年3月", 5000)
        recording.say("转人工", 3500)
        recording.save(file)
        visitor.context.close()
    return sum(recording.lasts_ms) // 1000


if __name__ == "__main__":
    print(record(sys.argv[1]), "seconds")
