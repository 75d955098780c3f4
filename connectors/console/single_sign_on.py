"""Signing in by the city's own identity provider (OpenID Connect, authorization code with PKCE and nonce), where one is set.

The provider says who somebody is; whether they have an account, and what it may, is decided here.  All of it happens under
``/auth/oidc/``: its state lies in a signed cookie of its own, for that path, for ten minutes, and Lax, since the provider's page
sends the browser back to us.
"""

from __future__ import annotations

from html import escape
from typing import Any

import structlog
from authlib.integrations.starlette_client import OAuth
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from bot import database, security_log
from bot.accounts import sign_in
from bot.crypto import get_cipher
from bot.errors import Unauthorised
from bot.settings import Settings
from connectors.console.account import set_cookies
from connectors.web.access import cookies_secure
from connectors.web.context import source_of

log = structlog.get_logger(__name__)

PATH = "/auth/oidc"
STATE = "yhd_oidc"
"""The cookie of a sign-in that is under way"""
_STATE_S = 600
_CONSOLE = "/console/"
_HEADERS = {"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}  # fmt: skip
_TIMEOUT_S = 10.0


def application(settings: Settings) -> Starlette:
    """What is mounted at ``PATH``; without a provider in the settings there is nothing there."""
    if not settings.oidc_issuer:
        return Starlette()
    oauth = OAuth()
    oauth.register(
        "city",
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value(),
        server_metadata_url=f"{settings.oidc_issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid profile", "code_challenge_method": "S256", "timeout": _TIMEOUT_S},
    )

    async def begin(request: Request) -> Response:
        """To the provider's page."""
        back = f"{settings.public_url or str(request.base_url).rstrip('/').removesuffix(PATH)}{PATH}/callback"
        try:
            answer: Response = await oauth.city.authorize_redirect(request, back)
        except Exception as error:  # of several libraries; all mean the same to whoever wants in
            return _failed("统一身份认证现在连不上，请稍后再试，或者用工号和密码登录。", error)
        return answer

    async def back(request: Request) -> Response:
        """The provider sends the browser back: who it is, and in."""
        try:
            token: dict[str, Any] = await oauth.city.authorize_access_token(request)
        except Exception as error:  # refused, forged, too old, or the provider is away
            return _failed("统一身份认证没有成功，请再试一次。", error)
        number = str((token.get("userinfo") or {}).get(settings.oidc_claim) or "")
        try:
            with database.write() as session:
                entered = sign_in.admit(
                    session,
                    number,
                    source=source_of(request),
                    agent=request.headers.get("user-agent", ""),
                    by=settings.oidc_issuer,
                )
        except Unauthorised as refused:
            security_log.record("sign_in.refused", number[:64], reason="no account")
            return _failed(str(refused), None, 403)
        # Not a redirect: a Strict cookie that was just set would not be sent along on one that another site began.
        page = HTMLResponse(
            f'<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={_CONSOLE}">'
            f'<title>正在进入</title><p><a href="{_CONSOLE}">正在进入……</a></p></html>',
            headers=_HEADERS,
        )
        set_cookies(page, entered, settings)
        request.session.clear()
        return page

    state = Middleware(
        SessionMiddleware,
        secret_key=get_cipher().pseudonym("oidc state"),
        session_cookie=STATE,
        max_age=_STATE_S,
        path=PATH,
        same_site="lax",
        https_only=cookies_secure(settings),
    )
    return Starlette(routes=[Route("/sign-in", begin), Route("/callback", back)], middleware=[state])


def _failed(said: str, error: Exception | None, status: int = 502) -> Response:
    if error is not None:
        log.warning("oidc.failed", error=type(error).__name__, reason=str(error)[:200])
    return HTMLResponse(
        f'<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<title>没有登录成功</title><h1>没有登录成功</h1><p>{escape(said)}</p><p><a href="{_CONSOLE}">回到登录页</a></p></html>',
        status_code=status,
        headers=_HEADERS,
    )
