"""Refuses changes that another site's page asks a signed-in person's browser for (CSRF), and its sockets."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from bot import security_log
from bot.settings import Settings
from connectors.web.access import DEVICE, SESSION
from connectors.web.errors import error_response

_SAFE = ("GET", "HEAD", "OPTIONS")


class SameOrigin:
    """A request that changes something, or opens a socket, with one of our cookies must come from our own page.

    Browsers say where from (``Sec-Fetch-Site``, ``Origin``), and no page can make them say something else.  Whoever says nothing is
    no browser, and has no business with a cookie: programs have keys.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._public = app, urlsplit(settings.public_url).netloc

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request = HTTPConnection(scope)
        changes = scope["type"] == "websocket" or scope["method"] not in _SAFE
        ours = SESSION in request.cookies or DEVICE in request.cookies or request.url.path.startswith("/api/auth/")
        if changes and ours and not self.allowed(request):
            security_log.record("request.cross_site", scope["path"], reason="cross_site")
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 4403})
                return
            refused = error_response(403, "cross_site", "这个请求不是从本系统的页面发出的，没有执行。")
            await refused(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def allowed(self, request: HTTPConnection) -> bool:
        """Whether the browser says that it comes from a page of ours."""
        site = request.headers.get("sec-fetch-site")
        if site is not None and site != "same-origin":
            return False
        origin = request.headers.get("origin")
        if origin is None:
            return site is not None
        host = urlsplit(origin).netloc
        return bool(host) and host in (request.headers.get("host"), self._public)
