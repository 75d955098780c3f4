"""WeChat's server API: the access token and what is sent with it, with what goes wrong told apart."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import aiohttp
import structlog

from bot import database
from bot.errors import Forbidden, InvalidInput, TooMany, YihaodaError
from bot.models.housekeeping import SharedToken

log = structlog.get_logger(__name__)

OFFICIAL = "https://api.weixin.qq.com"
_TIMEOUT_S, _CONNECT_S = 5.0, 2.0
_EARLY = timedelta(minutes=5)
"""A token is renewed so long before it ends: its successor is valid from the start, the old one five minutes more."""
_BAD_TOKEN = frozenset({40001, 40014, 42001})
_BUSY = frozenset({-1, 45009, 45011})
"""WeChat is busy, or the account called too often: the same call may do later"""
_UNFIT = frozenset({40008, 40200})
"""Not a kind of message that this account may send"""
_EXPECTED = frozenset({45015, 45047, 43004, 43101})
"""Outside the time or over the number allowed; the citizen unsubscribed, or did not agree to notices"""
_BREAK_AFTER, _BREAK_S = 5, 30.0
_FAILED = (aiohttp.ClientError, TimeoutError, ValueError)
"""The call ended without an answer that can be read"""


class WeChatFailed(YihaodaError):
    """WeChat did not do what it was asked; says why, in Chinese."""

    code = "wechat_failed"


class Sent(StrEnum):
    """What came of a push."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    """WeChat does not let us; the citizen is told at their next message"""
    UNFIT = "unfit"
    """Not this kind of message; another may do"""
    AGAIN = "again"
    """It certainly did not go out: try later"""
    UNKNOWN = "unknown"
    """It may have gone out: never push it again"""


class WeChatApi:
    """The one owner of an app's access token in this process; processes share it through the database."""

    def __init__(self, app_id: str, secret: str, url: str = "") -> None:
        """``url``: where WeChat's API is; empty for WeChat's own."""
        self._app_id, self._secret = app_id, secret
        self._http = aiohttp.ClientSession(
            base_url=url or OFFICIAL, timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S, connect=_CONNECT_S)
        )
        self._one_flight = asyncio.Lock()
        self._failures = 0
        self._open_at = 0.0

    async def close(self) -> None:
        """End the connections."""
        await self._http.close()

    # --- to citizens -------------------------------------------------------------------------------------------------

    async def send(self, openid: str, *forms: dict[str, Any]) -> Sent:
        """Push one customer-service message.  ``forms``: what it may look like, the best first; each has its msgtype."""
        sent = Sent.REFUSED
        for form in forms:
            sent = await self.push("/cgi-bin/message/custom/send", {"touser": openid, **form})
            if sent is not Sent.UNFIT:
                return sent
        return Sent.REFUSED if sent is Sent.UNFIT else sent

    async def push(self, path: str, body: dict[str, Any]) -> Sent:
        """Send what reaches a citizen.  Never raises for what WeChat or the network does."""
        if time.monotonic() < self._open_at:
            return Sent.AGAIN
        try:
            found = await self._call(path, body)
        except (WeChatFailed, aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            return self._count(Sent.AGAIN)  # no token or no connection: nothing went out
        except _FAILED as error:
            log.warning("wechat.push_unknown", error=type(error).__name__)
            return self._count(Sent.UNKNOWN)
        code = _errcode(found)
        if code == 0:
            return self._count(Sent.DELIVERED)
        if code not in _EXPECTED:
            log.warning("wechat.push_failed", path=path, errcode=code, errmsg=found.get("errmsg"))
        if code in _BUSY | _BAD_TOKEN:
            return self._count(Sent.AGAIN)
        return self._count(Sent.UNFIT if code in _UNFIT else Sent.REFUSED)

    # --- for ourselves -----------------------------------------------------------------------------------------------

    async def ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Have something done.  Raises: WeChatFailed."""
        try:
            found = await self._call(path, body)
        except _FAILED as error:
            raise WeChatFailed("连不上微信，请稍后再试。") from error
        if _errcode(found):
            raise WeChatFailed(f"微信没有接受：{found.get('errmsg')}（{_errcode(found)}）")
        return found

    async def login(self, code: str) -> str:
        """The openid behind a mini-program's log-in code.  The session key that comes with it is not kept.

        Raises:
            InvalidInput: the code is wrong or was used before.
            TooMany, Forbidden: WeChat limits this citizen.
            WeChatFailed: WeChat is busy or out of reach.
        """
        query = {"appid": self._app_id, "secret": self._secret, "js_code": code, "grant_type": "authorization_code"}
        try:
            async with self._http.get("/sns/jscode2session", params=query) as response:
                found = await _object(response)
        except _FAILED as error:
            raise WeChatFailed("微信暂时连不上，请稍后再试。") from error
        match _errcode(found):
            case 0 if found.get("openid"):
                return str(found["openid"])
            case 40029 | 40163:
                raise InvalidInput("登录码无效或已经用过，请重新打开小程序。")
            case 45011:
                raise TooMany("登录太频繁了，请稍后再试。")
            case 40226:
                raise Forbidden("微信限制了这个账号登录。")
            case failure:
                log.error("wechat.login_failed", errcode=failure, errmsg=found.get("errmsg"))
                raise WeChatFailed("微信登录暂时不可用，请稍后再试。")

    # --- the access token --------------------------------------------------------------------------------------------

    async def _call(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """WeChat's answer; with a token that it rejects, once more with a new one.  Raises: WeChatFailed, ``_FAILED``."""
        token = await self._token()
        found = await self._post(path, body, access_token=token)
        if _errcode(found) in _BAD_TOKEN:
            token = await self._token(instead_of=token)
            found = await self._post(path, body, access_token=token)
        return found

    async def _post(self, path: str, body: dict[str, Any], **query: str) -> dict[str, Any]:
        async with self._http.post(path, json=body, params=query) as response:
            return await _object(response)

    async def _token(self, instead_of: str | None = None) -> str:
        """A valid access token, the shared one unless it is ``instead_of``.  Raises: WeChatFailed."""
        async with self._one_flight:
            kept = await asyncio.to_thread(self._kept)
            if kept is not None and kept != instead_of:
                return kept
            try:
                found = await self._fetch(force=False)
                if instead_of is not None and found.get("access_token") == instead_of:
                    found = await self._fetch(force=True)  # WeChat rejects the token that it calls current
                token, seconds = str(found["access_token"]), int(found["expires_in"])
            except (*_FAILED, KeyError, TypeError) as error:
                log.error("wechat.no_token", error=type(error).__name__)
                raise WeChatFailed("微信没有给凭证，请检查 AppID、AppSecret 和 IP 白名单。") from error
            await asyncio.to_thread(self._keep, token, seconds)
            return token

    async def _fetch(self, *, force: bool) -> dict[str, Any]:
        return await self._post(
            "/cgi-bin/stable_token",
            {
                "grant_type": "client_credential",
                "appid": self._app_id,
                "secret": self._secret,
                "force_refresh": force,
            },
        )

    @property
    def _name(self) -> str:
        return f"wechat:{self._app_id}"

    def _kept(self) -> str | None:
        with database.read() as session:
            row = session.get(SharedToken, self._name)
            return str(row.value) if row is not None and row.expires_at - _EARLY > datetime.now(UTC) else None

    def _keep(self, token: str, seconds: int) -> None:
        with database.write() as session:
            until = datetime.now(UTC) + timedelta(seconds=seconds)
            session.merge(SharedToken(name=self._name, value=token, expires_at=until))

    def _count(self, sent: Sent) -> Sent:
        """After some failures in a row WeChat is left alone for a while.  A refusal is an answer, no failure."""
        self._failures = self._failures + 1 if sent in (Sent.AGAIN, Sent.UNKNOWN) else 0
        if self._failures >= _BREAK_AFTER:
            self._failures, self._open_at = 0, time.monotonic() + _BREAK_S
            log.warning("wechat.breaker_open", seconds=_BREAK_S)
        return sent


async def _object(response: aiohttp.ClientResponse) -> dict[str, Any]:
    """The JSON object in a response, whatever type it says it has.  Raises: ValueError."""
    found = await response.json(content_type=None)
    if not isinstance(found, dict):
        raise ValueError("WeChat's answer is no object")
    return found


def _errcode(found: dict[str, Any]) -> int:
    return int(found.get("errcode") or 0)
