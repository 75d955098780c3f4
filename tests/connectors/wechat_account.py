"""The gateway with a WeChat app, the fake WeChat behind it, and citizens who write.  For tests only."""

from __future__ import annotations

import asyncio
import secrets
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from conftest import forget
from processes import signed_in
from sqlalchemy import select

from bot import database
from bot.clock import utcnow
from bot.models.conversations import OutboxMessage
from bot.settings import Settings
from connectors.gateway.app import create_app
from connectors.wechat import account as accounts
from connectors.wechat.account import GRACE
from connectors.wechat.account import Account as WeChat
from connectors.wechat.push import signature
from index.assistant.respond import get_assistant
from tests.connectors.wechat_api import FakeWeChat
from tests.index.test_assistant import make

APP, SECRET, TOKEN, KEY = (
    "wx0123456789abcdef",
    "app-secret",
    "push-token",
    "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
)
ASKED = "图书馆借书证丢失如何补领"


class Account:
    """The app under test; ``path``: where WeChat pushes to."""

    def __init__(self, http: httpx.AsyncClient, wechat: WeChat, fake: FakeWeChat, path: str) -> None:
        self.http, self.wechat, self.fake, self.path = http, wechat, fake, path
        self._number = 0

    def message(self, openid: str, text: str, number: int | None = None, **more: str) -> str:
        self._number += 1
        fields = {"ToUserName": "gh_1", "FromUserName": openid, "CreateTime": str(int(time.time())), "MsgType": "text"}
        fields |= {"Content": text, "MsgId": str(number or 1000 + self._number)} | more
        return "<xml>" + "".join(f"<{k}><![CDATA[{v}]]></{k}>" for k, v in fields.items()) + "</xml>"

    async def push(self, body: str, token: str = TOKEN) -> httpx.Response:
        self._number += 1
        timestamp, nonce = str(int(time.time())), secrets.token_hex(8)
        query = {"timestamp": timestamp, "nonce": nonce, "signature": signature(token, timestamp, nonce)}
        return await self.http.post(self.path, params=query, content=body.encode("utf-8", "surrogatepass"))

    async def say(self, openid: str, text: str, number: int | None = None, **more: str) -> str:
        """What comes back passively; empty for a bare acknowledgement."""
        self.fake.says(openid)
        answered = await self.push(self.message(openid, text, number, **more))
        assert answered.status_code == 200
        if answered.text == "success":
            return ""
        return ET.fromstring(answered.text).findtext("Content") or ""

    async def again(self, openid: str, text: str, number: int) -> str:
        """What comes back when WeChat pushes the message again, because our reply did not arrive."""
        answered = await self.push(self.message(openid, text, number))
        return ET.fromstring(answered.text).findtext("Content") or ""

    async def tap(self, openid: str, item: dict[str, str]) -> str:
        """What comes back when the citizen taps an item of a menu message."""
        self.fake.taps(openid)
        answered = await self.push(self.message(openid, item["content"], bizmsgmenuid=item["id"]))
        return ET.fromstring(answered.text).findtext("Content") or ""

    async def event(self, openid: str, event: str, key: str = "") -> ET.Element | None:
        """The passive reply to an event; None for a bare acknowledgement."""
        self.fake.taps(openid)
        body = self.message(openid, "", MsgType="event", Event=event, EventKey=key, MsgId="")
        answered = await self.push(body)
        assert answered.status_code == 200
        return None if answered.text == "success" else ET.fromstring(answered.text)

    async def operate(self, what: str, **body: object) -> httpx.Response:
        """An operator's call."""
        headers = signed_in("xiaoli", "小李")
        put = what == "duty"
        call = self.http.put if put else self.http.post
        answered = await call(f"/api/desk/{what}", json=body, headers=headers)
        assert answered.is_success, answered.text
        return answered

    async def deliver(self, after: timedelta = GRACE) -> None:
        while await self.wechat.deliver(utcnow() + after):
            pass

    def statuses(self) -> Counter[str]:
        with database.read() as session:
            return Counter(session.scalars(select(OutboxMessage.status)))


@asynccontextmanager
async def account(monkeypatch: pytest.MonkeyPatch, kind: str, **options: Any) -> AsyncIterator[Account]:
    """The app ``wechat`` or ``miniprogram``."""
    async with FakeWeChat(APP, SECRET, **options) as fake:
        for name, value in {"APP_ID": APP, "APP_SECRET": SECRET, "TOKEN": TOKEN}.items():
            monkeypatch.setenv(f"YIHAODA_{kind.upper()}_{name}", value)
        monkeypatch.setenv("YIHAODA_WECHAT_API_URL", fake.url)
        monkeypatch.setattr(accounts, "_POLL_S", 3600)  # the tests say when it is time to push
        # The log would go to a standard error that ends with the test.
        monkeypatch.setattr("connectors.gateway.app.logs.configure", lambda level: None)
        forget()
        get_assistant.cache_clear()  # its limits are settings too
        app = create_app()
        async with app.router.lifespan_context(app):
            await app.state.gateway.loading
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
                path = "/wechat" if kind == "wechat" else f"/wechat/{kind}"
                yield Account(http, getattr(app.state, kind), fake, path)
    forget()
    get_assistant.cache_clear()


def runner(settings: Settings, monkeypatch: pytest.MonkeyPatch, kind: str) -> Callable[..., None]:
    """Runs scenarios with a small knowledge, a real database and no Rasa: the gateway answers by itself."""
    monkeypatch.setenv("YIHAODA_DENSE", "false")
    monkeypatch.setenv("YIHAODA_RASA_PORT", "1")
    make(settings, region="100000")

    def call(scenario: Callable[[Account], Awaitable[None]], **options: Any) -> None:
        async def body() -> None:
            async with account(monkeypatch, kind, **options) as one:
                await scenario(one)

        asyncio.run(body())

    return call
