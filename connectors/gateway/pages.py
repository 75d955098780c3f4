"""The citizens' page (``/``, the build of connectors/miniprogram), the staff's (``/console``, of console_web), and the API's.

They bring all that they need: nothing is fetched from elsewhere, and the browser is told not to.
"""

from __future__ import annotations

from pathlib import Path

import fastapi_offline
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.settings import ROOT

BUILD = ROOT / "connectors" / "miniprogram" / "dist" / "build" / "h5"
CONSOLE = ROOT / "connectors" / "console_web" / "dist" / "build"
_SWAGGER = "/api/docs/files"

_SECURITY = {
    # The page brings its own scripts and styles and talks to nobody but us.  uni-app sizes its elements by style
    # attributes, so inline styles have to be allowed; inline scripts and eval do not.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src 'self' data:; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=(), payment=(), usb=()",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_NOT_BUILT = """<!doctype html>
<html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>页面还没有准备好 · 一号答</title>
<h1>页面还没有准备好</h1>
<p>要咨询或反映问题，请直接拨打 <a href="tel:12345">12345</a>。</p>
<p>管理员：这台机器上还没有编译网页，请在项目文件夹里运行 <code>make run</code>。</p>
</html>
"""
_NO_CONSOLE = """<!doctype html>
<html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>工作台还没有准备好 · 一号答</title>
<h1>工作台还没有准备好</h1>
<p>这台机器上还没有编译工作台的网页，请管理员在项目文件夹里运行 <code>make run</code>。</p>
</html>
"""


async def index(_request: Request) -> Response:
    """The page itself: asked for anew each time, since it names the scripts of the present build."""
    return _page(BUILD / "index.html", _NOT_BUILT)


async def console(_request: Request) -> Response:
    """The staff's page, under each of its addresses: it reads from the address what to show."""
    return _page(CONSOLE / "index.html", _NO_CONSOLE)


def _page(page: Path, otherwise: str) -> Response:
    headers = {**_SECURITY, "Cache-Control": "no-cache"}
    if not page.is_file():
        return HTMLResponse(otherwise, status_code=503, headers=headers)
    return FileResponse(page, headers=headers)


async def worker(_request: Request) -> Response:
    """The service worker, which opens the page without network: asked for anew each time, as the page is."""
    script = BUILD / "worker.js"
    if not script.is_file():
        raise HTTPException(404)
    return FileResponse(script, headers={**_SECURITY, "Cache-Control": "no-cache"})


async def documentation(_request: Request) -> Response:
    """The API's description, to browse and to try: Swagger UI, whose files fastapi_offline brings."""
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="一号答 · 接口",
        swagger_js_url=f"{_SWAGGER}/swagger-ui-bundle.js",
        swagger_css_url=f"{_SWAGGER}/swagger-ui.css",
        swagger_favicon_url=f"{_SWAGGER}/favicon.png",
    )
    # FastAPI starts it with a script in the page.
    policy = _SECURITY["Content-Security-Policy"].replace("script-src 'self'", "script-src 'self' 'unsafe-inline'")
    page.headers.update({**_SECURITY, "Content-Security-Policy": policy})
    return page


class Files:
    """Scripts, styles and pictures of one folder (ASGI)."""

    def __init__(self, folder: Path, cache_control: str) -> None:
        files = _Files(directory=folder, check_dir=False)
        self._files: ASGIApp = GZipMiddleware(files, minimum_size=1024)
        self._cache_control = cache_control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one, with its headers."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Cache-Control"] = self._cache_control
            await send(message)

        await self._files(scope, receive, with_headers)


class _Files(StaticFiles):
    async def check_config(self) -> None:
        """A build that is not there yet is no reason to fail: the file is not found."""


def mounts() -> dict[str, Files]:
    """Path → what is served there: ``assets``, whose names hold a hash of their content, ``static``, as written, and Swagger UI."""
    return {
        "/assets": Files(BUILD / "assets", "public, max-age=31536000, immutable"),
        "/static": Files(BUILD / "static", "no-cache"),
        "/console/assets": Files(CONSOLE / "assets", "public, max-age=31536000, immutable"),
        _SWAGGER: Files(Path(fastapi_offline.__file__).parent / "static", "no-cache"),
    }
