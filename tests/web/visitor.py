"""A person with a real Chromium, who uses the page as people do: by what they see."""

from __future__ import annotations

import os
import re
import shutil
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Playwright, Request, expect

CHROMIUMS = ("chromium", "google-chrome", "chromium-browser")
# A rule that nothing else overrules, as soon as there is a page.
SYSTEM_FONT = """
{
  const style = Object.assign(document.createElement('style'), { textContent: ':root:root { font-size: %d%% !important }' })
  if (document.documentElement) document.documentElement.append(style)
  else new MutationObserver((_, observer) => {
    document.documentElement.append(style)
    observer.disconnect()
  }).observe(document, { childList: true })
}
"""
REPLY_MS = 20_000
"""How long a reply may take on a busy machine."""


def chromium() -> str:
    """Path of the browser: YIHAODA_CHROMIUM, or the one on this machine.  Raises RuntimeError where there is none."""
    found = os.environ.get("YIHAODA_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if not found:
        raise RuntimeError(
            "没有找到 Chromium：请安装软件包 chromium（和中文字体 fonts-noto-cjk），或用 YIHAODA_CHROMIUM 指定。"
        )
    return found


def launch(playwright: Playwright) -> Browser:
    """A headless Chromium; the sandbox does not work for root."""
    return playwright.chromium.launch(
        executable_path=chromium(), args=["--no-sandbox"] if os.geteuid() == 0 else [], chromium_sandbox=False
    )


class Visitor:
    """Somebody with a browser of their own: nothing is shared with other visitors."""

    def __init__(self, browser: Browser, address: str, width: int = 390, height: int = 800, **options: Any) -> None:
        self.context = browser.new_context(
            base_url=address, viewport={"width": width, "height": height}, locale="zh-CN", **options
        )
        self.context.set_default_timeout(10_000)
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        """What the browser complained about (errors, refusals by the content security policy), and requests elsewhere."""
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._watch)
        self._address = address

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    def _watch(self, request: Request) -> None:
        if not request.url.startswith((self._address, "data:", "blob:")):
            self.complaints.append(f"a request to {request.url}")

    def forgive(self, words: str) -> None:
        """Drop the complaints with these words: the test has provoked them."""
        self.complaints = [complaint for complaint in self.complaints if words not in complaint]

    def open(self, where: str = "") -> Page:
        """Open the page, or one of its pages (``pages/tickets``), by its address."""
        self.page.goto(f"/#/{where}" if where else "/")
        expect(self.page.get_by_role("heading", level=1)).to_be_visible()
        return self.page

    def go(self, name: str) -> None:
        """Go to one of the main pages by the navigation.  On a phone one scrolls back a bit to have it."""
        self.page.mouse.move(10, 100)
        self.page.mouse.wheel(0, -100)
        self.page.get_by_role("navigation", name="主要页面").get_by_role("link", name=name, exact=True).click()
        expect(self.page.get_by_role("link", name=name, exact=True)).to_have_attribute("aria-current", "page")

    @property
    def log(self) -> Locator:
        """The conversation."""
        return self.page.get_by_role("log", name="对话")

    @property
    def replies(self) -> Locator:
        """The assistant's and the agents' replies, oldest first."""
        return self.log.locator(".line:not(.citizen)")

    @property
    def last(self) -> Locator:
        """The newest reply."""
        return self.replies.last

    def ask(self, text: str) -> Locator:
        """Say something and wait for the reply to it."""
        before = self.replies.count()
        self.page.get_by_role("textbox", name="您想问的事").fill(text)
        self.page.get_by_role("button", name="发送", exact=True).click()
        return self.answered(before)

    def answered(self, before: int) -> Locator:
        """The reply that follows ``before`` others."""
        expect(self.replies).to_have_count(before + 1, timeout=REPLY_MS)
        return self.replies.nth(before)

    def system_font(self, percent: int) -> None:
        """As if the system's type were set to so much, now and on the pages opened from now on."""
        self.page.add_init_script(SYSTEM_FONT % percent)
        self.page.evaluate(SYSTEM_FONT % percent)

    def elder(self) -> None:
        """Switch to 长者模式."""
        self.page.get_by_role("button", name="切换到长者模式").click()
        expect(self.page.get_by_role("button", name="切换到标准版")).to_be_visible()

    def ticket(self) -> tuple[str, str]:
        """Ask what nobody can answer; gives number and query code of the ticket."""
        self.ask("养宠物乌龟的市民补贴在哪里申请领取")
        text = self.ask("帮我登记").inner_text()
        number, code = re.search(r"工单编号：(\d{14})", text), re.search(r"查询码：(\d{8})", text)
        assert number and code, text
        return number[1], code[1]

    def calculate(self) -> None:
        """Have a date of retirement worked out."""
        page = self.open("pages/calculator?id=retirement")
        page.get_by_label("出生年月").fill("1976年3月")
        page.get_by_label("类别").select_option("female_50")
        page.get_by_role("button", name="算一算", exact=True).click()
        expect(page.get_by_role("region", name="结果")).to_be_visible()
