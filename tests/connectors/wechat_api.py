"""WeChat's API as it behaves: tokens that end, quotas, error codes, delays and broken connections.  For tests only."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from aiohttp import web

HANG_S = 6.0
Answer = web.Response

_FIELDS = {
    "thing": r"[^\n]{1,20}",
    "character_string": r"[!-~]{1,32}",
    "number": r"\d{1,32}",
    "phrase": r"[\u4e00-\u9fff]{1,5}",
    "const": r"[^\n]{1,20}",
    "time": r"(\d{4}年\d{1,2}月\d{1,2}日 )?\d{2}:\d{2}",
    "date": r"\d{4}年\d{1,2}月\d{1,2}日( \d{2}:\d{2})?",
}
"""What each kind of template field takes (参数值内容限制)"""


class FakeWeChat:
    """Serves the API on a free port of 127.0.0.1, for an official account and, with ``others``, for more apps."""

    def __init__(self, app_id: str, secret: str, *, token_s: int = 7200, hang_s: float = HANG_S, **others: str) -> None:
        """``others``: app ids with their secrets."""
        self.app_id, self.secret, self.token_s, self.hang_s, self._others = app_id, secret, token_s, hang_s, others
        self.sent: list[tuple[str, str]] = []
        """(openid, text) of every customer-service message that citizens got; a menu's items are lines of its text"""
        self.messages: list[dict[str, Any]] = []
        """The same as they came"""
        self.allowed: dict[str, tuple[int, float]] = {}
        """By citizen: messages that may still be sent, and until when"""
        self.notices: list[dict[str, Any]] = []
        """Template and subscription messages that citizens got"""
        self.subscribed: Counter[str] = Counter()
        """How many subscription messages a citizen agreed to"""
        self.codes: dict[str, str] = {}
        """Log-in codes that were not used yet, and the openids behind them"""
        self.used: set[str] = set()
        self.login_error = 0
        self.menus = True
        """Whether the account may send menu messages: test accounts may not"""
        self.tokens = 0
        self.forced = 0
        self.failures: list[str] = []
        """What the next pushes meet, in order: busy, reset, reset_after, hang, expired"""
        self.failing = 0.0
        """Share of pushes that meet one of these at random"""
        self.random = random.Random(1)
        self._tokens: dict[str, tuple[str, float]] = {}
        self.url = ""
        self.menu: dict[str, Any] = {}
        self.scenes: list[str] = []

    def says(self, openid: str) -> None:
        """A citizen wrote: five messages in 48 hours."""
        self.allowed[openid] = (5, time.time() + 48 * 3600)

    def taps(self, openid: str, messages: int = 3) -> None:
        """A citizen tapped a menu, scanned, subscribed, or (2) came into the customer-service window: for a minute."""
        left, until = self.allowed.get(openid, (0, 0.0))
        if not left or until < time.time():
            self.allowed[openid] = (messages, time.time() + 60)

    async def __aenter__(self) -> FakeWeChat:
        app = web.Application()
        app.router.add_post("/cgi-bin/stable_token", self._stable_token)
        app.router.add_get("/sns/jscode2session", self._session)
        for path, answer in {
            "/cgi-bin/message/custom/send": self._custom,
            "/cgi-bin/message/template/send": self._template,
            "/cgi-bin/message/subscribe/send": self._subscription,
            "/cgi-bin/menu/create": self._menu,
            "/cgi-bin/qrcode/create": self._qrcode,
        }.items():
            app.router.add_post(path, self._with_token(answer))
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def expire(self) -> None:
        """The current tokens end now, whatever they promised."""
        self._tokens.clear()

    # --- tokens and log-in -------------------------------------------------------------------------------------------

    def _knows(self, app_id: str, secret: str) -> bool:
        return {self.app_id: self.secret, **self._others}.get(app_id) == secret

    async def _stable_token(self, request: web.Request) -> Answer:
        asked = await request.json()
        app_id = asked.get("appid")
        if not self._knows(app_id, asked.get("secret")):
            return error(40125, "invalid appsecret")
        self.forced += bool(asked.get("force_refresh"))
        token, until = self._tokens.get(app_id, ("", 0.0))
        if time.time() > until or asked.get("force_refresh"):
            self.tokens += 1
            token, until = f"token-{self.tokens}", time.time() + self.token_s
            self._tokens[app_id] = token, until
        return web.json_response({"access_token": token, "expires_in": int(until - time.time())})

    async def _session(self, request: web.Request) -> Answer:
        asked = request.query
        if not self._knows(asked["appid"], asked["secret"]):
            return error(40125, "invalid appsecret")
        if self.login_error:
            return error(self.login_error, "as the test wants")
        if asked["js_code"] in self.used:
            return error(40163, "code been used")
        openid = self.codes.pop(asked["js_code"], None)
        if openid is None:
            return error(40029, "invalid code")
        self.used.add(asked["js_code"])
        return web.json_response({"openid": openid, "session_key": "a-secret-of-the-citizens"})

    def _with_token(self, answer: Any) -> Any:
        """The handler, behind what may happen to any call."""

        async def handle(request: web.Request) -> web.StreamResponse:
            body = await request.json()
            failure = self.failures.pop(0) if self.failures else ""
            if not failure and self.random.random() < self.failing:
                failure = self.random.choice(["busy", "reset", "reset_after", "expired"])
            if failure == "busy":
                return error(-1, "system error")
            if failure == "expired":
                self.expire()
            if failure == "reset":
                assert request.transport is not None
                request.transport.abort()
                return Answer()
            if failure == "hang":
                await asyncio.sleep(self.hang_s)
            if request.query.get("access_token") not in {token for token, _ in self._tokens.values()}:
                return error(42001, "access_token expired")
            answered: web.StreamResponse = answer(body)
            if failure == "reset_after":
                assert request.transport is not None
                request.transport.abort()
            return answered

        return handle

    # --- calls with a token ------------------------------------------------------------------------------------------

    def _custom(self, body: dict[str, Any]) -> Answer:
        openid, kind = body["touser"], body["msgtype"]
        left, until = self.allowed.get(openid, (0, 0.0))
        if kind == "msgmenu" and not self.menus:
            return error(40200, "invalid account type")
        if kind not in ("text", "msgmenu"):
            return error(40008, "invalid message type")
        if time.time() > until:
            return error(45015, "response out of time limit")
        if left <= 0:
            return error(45047, "out of response count limit")
        content = body["text"]["content"] if kind == "text" else menu_text(body["msgmenu"])
        if len(content.encode()) > 2048:
            return error(45002, "content size out of limit")
        self.allowed[openid] = (left - 1, until)
        self.sent.append((openid, content))
        self.messages.append(body)
        return error(0, "ok")

    def _template(self, body: dict[str, Any]) -> Answer:
        return self._notice(body)

    def _subscription(self, body: dict[str, Any]) -> Answer:
        if not self.subscribed[body["touser"]]:
            return error(43101, "user refuse to accept the msg")
        if not re.fullmatch(r"pages/[a-z]+", body["page"]):
            return error(41030, "invalid page")
        answered = self._notice(body)
        if self.notices and self.notices[-1] is body:
            self.subscribed[body["touser"]] -= 1
        return answered

    def _notice(self, body: dict[str, Any]) -> Answer:
        if not body["template_id"]:
            return error(40037, "invalid template_id")
        for name, given in body["data"].items():
            if not re.fullmatch(_FIELDS[name.rstrip("0123456789")], given["value"]):
                return error(47003, f"argument invalid! data.{name}.value is invalid")
        self.notices.append(body)
        return error(0, "ok")

    def _menu(self, body: dict[str, Any]) -> Answer:
        self.menu = body
        return error(0, "ok")

    def _qrcode(self, body: dict[str, Any]) -> Answer:
        if body["action_name"] != "QR_LIMIT_STR_SCENE":
            return error(40053, "invalid action info")
        scene = body["action_info"]["scene"]["scene_str"]
        if not 1 <= len(scene) <= 64:
            return error(40053, "invalid action info")
        self.scenes.append(scene)
        return web.json_response({"ticket": "gQH+/x==", "url": f"http://weixin.example/q/{len(self.scenes)}"})


def error(code: int, message: str) -> Answer:
    """An answer as most of WeChat's are; 0 is no error."""
    return web.json_response({"errcode": code, "errmsg": message})


def menu_text(menu: dict[str, Any]) -> str:
    """What a citizen sees of a menu message."""
    return "\n".join([menu["head_content"], *(item["content"] for item in menu["list"]), menu["tail_content"]])


@contextlib.contextmanager
def serving(fake: FakeWeChat) -> Iterator[FakeWeChat]:
    """The fake in a thread of its own, for tests that have no loop, or leave it to others."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(fake.__aenter__(), loop).result(10)
        yield fake
        asyncio.run_coroutine_threadsafe(fake.__aexit__(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
