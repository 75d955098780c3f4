"""WeChat's API as it behaves: tokens that end, quotas, error codes, delays and broken connections.  For tests only."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from typing import Any

from aiohttp import web

HANG_S = 6.0


class FakeWeChat:
    """Serves ``/cgi-bin/stable_token`` and ``/cgi-bin/message/custom/send`` on a free port of 127.0.0.1."""

    def __init__(self, app_id: str, secret: str, *, token_s: int = 7200, hang_s: float = HANG_S) -> None:
        self.app_id, self.secret, self.token_s, self.hang_s = app_id, secret, token_s, hang_s
        self.sent: list[tuple[str, str]] = []
        """(openid, text) of every message that citizens got"""
        self.spoke: dict[str, float] = {}
        self.since: Counter[str] = Counter()
        self.tokens = 0
        self.forced = 0
        self.failures: list[str] = []
        """What the next pushes meet, in order: busy, reset, reset_after, hang, expired"""
        self.failing = 0.0
        """Share of pushes that meet one of these at random"""
        self.random = random.Random(1)
        self._token, self._until = "", 0.0
        self.url = ""
        self.menu: dict[str, Any] = {}

    def says(self, openid: str) -> None:
        """A citizen wrote: the quota begins anew."""
        self.spoke[openid], self.since[openid] = time.time(), 0

    async def __aenter__(self) -> FakeWeChat:
        app = web.Application()
        app.router.add_post("/cgi-bin/stable_token", self._stable_token)
        app.router.add_post("/cgi-bin/message/custom/send", self._send)
        app.router.add_post("/cgi-bin/menu/create", self._menu)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def expire(self) -> None:
        """The current token ends now, whatever it promised."""
        self._token = ""

    async def _stable_token(self, request: web.Request) -> web.Response:
        asked = await request.json()
        if (asked.get("appid"), asked.get("secret")) != (self.app_id, self.secret):
            return web.json_response({"errcode": 40125, "errmsg": "invalid appsecret"})
        self.forced += bool(asked.get("force_refresh"))
        if not self._token or time.time() > self._until or asked.get("force_refresh"):
            self.tokens += 1
            self._token, self._until = f"token-{self.tokens}", time.time() + self.token_s
        return web.json_response({"access_token": self._token, "expires_in": int(self._until - time.time())})

    async def _menu(self, request: web.Request) -> web.Response:
        if request.query.get("access_token") != self._token or not self._token:
            return web.json_response({"errcode": 40001, "errmsg": "invalid credential"})
        self.menu = await request.json()
        return web.json_response({"errcode": 0, "errmsg": "ok"})

    async def _send(self, request: web.Request) -> web.StreamResponse:
        body: dict[str, Any] = await request.json()
        failure = self.failures.pop(0) if self.failures else ""
        if not failure and self.random.random() < self.failing:
            failure = self.random.choice(["busy", "reset", "reset_after", "expired"])
        if failure == "busy":
            return web.json_response({"errcode": -1, "errmsg": "system error"})
        if failure == "expired":
            self.expire()
        if failure == "reset":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if failure == "hang":
            await asyncio.sleep(self.hang_s)
        if request.query.get("access_token") != self._token or not self._token:
            return web.json_response({"errcode": 42001, "errmsg": "access_token expired"})
        openid, text = body["touser"], body["text"]["content"]
        if time.time() - self.spoke.get(openid, 0) > 48 * 3600:
            return web.json_response({"errcode": 45015, "errmsg": "response out of time limit"})
        if self.since[openid] >= 5:
            return web.json_response({"errcode": 45047, "errmsg": "out of response count limit"})
        if len(text.encode()) > 2048:
            return web.json_response({"errcode": 45002, "errmsg": "content size out of limit"})
        self.since[openid] += 1
        self.sent.append((openid, text))
        if failure == "reset_after":
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({"errcode": 0, "errmsg": "ok"})
