"""WeChat's server API: the access token and customer-service messages, with what goes wrong told apart."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import aiohttp
import structlog

from bot import database
from bot.errors import YihaodaError
from bot.models import SharedToken
from bot.settings import Settings

log = structlog.get_logger(__name__)

OFFICIAL = "https://api.weixin.qq.com"
_TIMEOUT_S, _CONNECT_S = 5.0, 2.0
_EARLY = timedelta(minutes=5)
"""A token is renewed so long before it ends: its successor is valid from the start, the old one five minutes more."""
_BAD_TOKEN = frozenset({40001, 40014, 42001})
_NOT_ALLOWED = frozenset({45015, 45047, 48001, 40003, 43004})
"""Outside 48 hours; over the quota; no such permission; unknown or unsubscribed citizen: pushing again changes nothing"""
_BREAK_AFTER, _BREAK_S = 5, 30.0


class WeChatFailed(YihaodaError):
    """WeChat did not do what it was asked; says why, in Chinese."""

    code = "wechat_failed"


class Sent(StrEnum):
    """What came of a push."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    """WeChat does not let us; the citizen is told at their next message"""
    AGAIN = "again"
    """It certainly did not go out: try later"""
    UNKNOWN = "unknown"
    """It may have gone out: never push it again"""


class WeChatApi:
    """The one owner of an account's access token in this process; processes share it through the database."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._http = aiohttp.ClientSession(
            base_url=settings.wechat_api_url or OFFICIAL,
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S, connect=_CONNECT_S),
        )
        self._one_flight = asyncio.Lock()
        self._failures = 0
        self._open_at = 0.0

    async def close(self) -> None:
        """End the connections."""
        await self._http.close()

    async def send_text(self, openid: str, text: str) -> Sent:
        """Push one customer-service message.  Never raises for what WeChat or the network does."""
        if time.monotonic() < self._open_at:
            return Sent.AGAIN
        token = await self._token()
        for renewed in (False, True):
            if token is None:
                return self._count(Sent.AGAIN)
            code = await self._push(token, openid, text)
            if isinstance(code, Sent):
                return self._count(code)
            if code not in _BAD_TOKEN or renewed:
                break
            token = await self._token(instead_of=token)
        if code == 0:
            return self._count(Sent.DELIVERED)
        if code in _NOT_ALLOWED:
            return Sent.REFUSED
        log.warning("wechat.push_failed", errcode=code)
        return self._count(Sent.AGAIN)

    async def create_menu(self, menu: dict[str, Any]) -> None:
        """Publish the account's menu in place of the one before.  Raises: WeChatFailed."""
        token = await self._token()
        for renewed in (False, True):
            if token is None:
                raise WeChatFailed("微信没有给凭证，请检查 AppID、AppSecret 和 IP 白名单。")
            try:
                found = await self._post("/cgi-bin/menu/create", menu, access_token=token)
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                raise WeChatFailed("连不上微信，请稍后再试。") from error
            code = int(found.get("errcode") or 0)
            if code == 0:
                return
            if code not in _BAD_TOKEN or renewed:
                raise WeChatFailed(f"微信没有接受：{found.get('errmsg')}（{code}）")
            token = await self._token(instead_of=token)

    async def _push(self, token: str, openid: str, text: str) -> int | Sent:
        body = {"touser": openid, "msgtype": "text", "text": {"content": text}}
        try:
            found = await self._post("/cgi-bin/message/custom/send", body, access_token=token)
        except aiohttp.ClientConnectorError:
            return Sent.AGAIN  # there was no connection: nothing went out
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            log.warning("wechat.push_unknown", error=type(error).__name__)
            return Sent.UNKNOWN
        return int(found.get("errcode") or 0)

    async def _post(self, path: str, body: dict[str, Any], **query: str) -> dict[str, Any]:
        async with self._http.post(path, json=body, params=query) as response:
            found = await response.json(content_type=None)
        if not isinstance(found, dict):
            raise ValueError("WeChat's answer is no object")
        return found

    async def _token(self, instead_of: str | None = None) -> str | None:
        """A valid access token, the shared one unless it is ``instead_of``; None if WeChat gives none."""
        async with self._one_flight:
            kept = await asyncio.to_thread(self._kept)
            if kept is not None and kept != instead_of:
                return kept
            try:
                found = await self._fetch(force=False)
                if found.get("access_token") == instead_of is not None:
                    found = await self._fetch(force=True)  # WeChat rejects what it says is current: make it change
                token, seconds = str(found["access_token"]), int(found["expires_in"])
            except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
                log.error("wechat.no_token", error=type(error).__name__)
                return None
            await asyncio.to_thread(self._keep, token, seconds)
            return token

    async def _fetch(self, *, force: bool) -> dict[str, Any]:
        return await self._post(
            "/cgi-bin/stable_token",
            {
                "grant_type": "client_credential",
                "appid": self._settings.wechat_app_id,
                "secret": self._settings.wechat_app_secret.get_secret_value(),
                "force_refresh": force,
            },
        )

    @property
    def _name(self) -> str:
        return f"wechat:{self._settings.wechat_app_id}"

    def _kept(self) -> str | None:
        with database.read() as session:
            row = session.get(SharedToken, self._name)
            return str(row.value) if row is not None and row.expires_at - _EARLY > datetime.now(UTC) else None

    def _keep(self, token: str, seconds: int) -> None:
        with database.write() as session:
            until = datetime.now(UTC) + timedelta(seconds=seconds)
            session.merge(SharedToken(name=self._name, value=token, expires_at=until))

    def _count(self, sent: Sent) -> Sent:
        """After some failures in a row WeChat is left alone for a while."""
        self._failures = 0 if sent is Sent.DELIVERED else self._failures + 1
        if self._failures >= _BREAK_AFTER:
            self._failures, self._open_at = 0, time.monotonic() + _BREAK_S
            log.warning("wechat.breaker_open", seconds=_BREAK_S)
        return sent
