"""Somebody at work with a real Chromium, who uses the console as people do: by what they see, and by the keyboard."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from playwright.sync_api import Browser, Page, expect

from bot.accounts import second_factor
from bot.clock import utcnow
from connectors.web.access import SESSION
from tests.web.visitor import Visitor

WIDTH, HEIGHT = 1366, 768


class Colleague(Visitor):
    """A visitor of the console."""

    def __init__(self, browser: Browser, address: str, **options: Any) -> None:
        super().__init__(browser, address, **{"width": WIDTH, "height": HEIGHT} | options)
        self.page.on("websocket", lambda socket: self.sockets.append(socket.url))
        self.sockets: list[str] = []

    def _watch(self, request: Any) -> None:
        if not request.url.startswith((self._address, self._address.replace("http", "ws"), "data:", "blob:")):
            self.complaints.append(f"a request to {request.url}")

    def bring(self, headers: dict[str, str]) -> None:
        """Be signed in, with the cookie of these headers."""
        token = headers["Cookie"].partition("=")[2]
        self.context.add_cookies([{"name": SESSION, "value": token, "url": self._address}])

    def at(self, where: str) -> Page:
        """Open one of the console's pages by its address, and wait until it is there and connected."""
        self.page.goto(f"/console{where}")
        expect(self.page.get_by_text("已连接")).to_be_visible()
        self.settled()
        return self.page

    def settled(self) -> None:
        """Until the page is there, and nothing on it is grey any more."""
        expect(self.page.locator("main h1, main .empty").first).to_be_attached()
        expect(self.page.locator(".skeleton")).to_have_count(0)

    def sign_in(self, number: str, password: str) -> Page:
        """By the form."""
        self.page.goto("/console/")
        self.page.get_by_label("工号").fill(number)
        self.page.get_by_label("密码", exact=True).fill(password)
        self.page.get_by_role("button", name="登录").click()
        return self.page

    def press(self, *keys: str) -> None:
        """One key after the other."""
        for key in keys:
            self.page.keyboard.press(key)


def code_for(secret: str, later: int = 0) -> str:
    """What an authenticator app shows for this secret, now or so many steps later."""
    return second_factor.code_at(secret, utcnow() + timedelta(seconds=later * second_factor.STEP_S))
