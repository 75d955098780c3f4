"""What went wrong, as HTTP: which status each of our errors has, and the framework's own in the same shape."""

from __future__ import annotations

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException

from bot import disk, security_log
from bot.errors import (
    Forbidden,
    IllegalMove,
    InvalidInput,
    NotFound,
    PhoneTailNeeded,
    StoreBusy,
    TooMany,
    Unauthorised,
    YihaodaError,
)
from connectors.turns.dispatcher import TurnFailed
from connectors.web.errors import error_response
from connectors.wechat.api import WeChatFailed

log = structlog.get_logger(__name__)

STATUS: dict[type[YihaodaError], int] = {
    Unauthorised: 401,
    Forbidden: 403,
    NotFound: 404,
    InvalidInput: 422,
    PhoneTailNeeded: 422,
    IllegalMove: 409,
    TooMany: 429,
    StoreBusy: 503,
    WeChatFailed: 503,
}
RETRY_AFTER_S = {429: 30, 503: 3}


def handle(app: FastAPI) -> None:
    """Let the application answer errors so."""
    app.add_exception_handler(YihaodaError, _known_error)
    app.add_exception_handler(TurnFailed, _turn_failed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)


async def _known_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, YihaodaError)
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)
    if status in (401, 403, 429):
        # The route and not the address, which may hold a ticket's number and its query code.
        route = getattr(request.scope.get("route"), "path", "")
        security_log.record("request.refused", f"{request.method} {route}", reason=error.code, status=status)
    trouble = disk.reason(error) if isinstance(error, StoreBusy) else None
    if status == 500 or trouble:
        log.error("request.failed", error=error.code, reason=trouble or str(error))
    elif status == 503:
        log.warning("request.busy", error=error.code, reason=str(error.__cause__ or error))
    return _with_retry(
        error_response(status, error.code, str(error)), error.retry_after_s if isinstance(error, TooMany) else None
    )


async def _turn_failed(_request: Request, _error: Exception) -> JSONResponse:
    return _with_retry(error_response(503, "busy", "系统正忙。您的消息已经收到，稍后会回复。"))


def _with_retry(response: JSONResponse, seconds: int | None = None) -> JSONResponse:
    if seconds := seconds or RETRY_AFTER_S.get(response.status_code):
        response.headers["Retry-After"] = str(seconds)
    return response


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0] if error.errors() else {}
    where = ".".join(str(part) for part in first.get("loc", ()) if part != "body")
    if first.get("type") == "json_invalid":
        return error_response(400, "invalid_json", "请求的内容不是有效的 JSON。")
    return error_response(422, "invalid_input", f"请求的内容不对：{where or '正文'}（{first.get('msg', '格式不对')}）")


_WORDS = {
    400: ("invalid_json", "请求的内容不是有效的 JSON。"),
    404: ("not_found", "没有这个地址。"),
    405: ("method_not_allowed", "这个地址不支持这种请求方式。"),
}


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code, message = _WORDS.get(error.status_code, ("http_error", str(error.detail)))
    response = error_response(error.status_code, code, message)
    if error.status_code == 405:
        response.headers["Allow"] = ", ".join(sorted(_allowed(request))) or (error.headers or {}).get("Allow", "GET")
    return response


def _allowed(request: Request) -> set[str]:
    """The methods of all routes with this path: the framework names those of the first one only (RFC 9110, 10.2.1)."""
    return {
        method
        for context in iter_route_contexts(request.app.routes)
        if (path := getattr(context, "path_regex", None)) and path.match(request.scope["path"])
        for method in context.methods or ()
    }
