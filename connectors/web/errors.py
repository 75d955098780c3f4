"""The one shape of every error, and what a route may answer."""

from __future__ import annotations

from typing import Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel


class Problem(BaseModel):
    """What went wrong: a code for programs, a sentence for people."""

    code: str
    message: str


class ErrorBody(BaseModel):
    """The one shape of every error."""

    error: Problem


_MEANINGS = {
    400: "The body is not JSON",
    401: "No token, a malformed one, or one whose time is over",
    403: "Not yours, or no such thing; both read the same",
    404: "There is no such thing",
    409: "Not in its present state",
    413: "The request is too large",
    422: "What was sent can't be used; the message says why",
    429: "Too many; `Retry-After` says how many seconds to wait",
    503: "Busy; `Retry-After` says in how many seconds to try again",
}


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route may answer besides its own result, for its OpenAPI description."""
    return {status: {"model": ErrorBody, "description": _MEANINGS[status]} for status in statuses}


def error_response(status: int, code: str, message: str) -> JSONResponse:
    """The one shape of every error."""
    shown = message.encode("utf-8", "replace").decode("utf-8")  # it may repeat what was sent, half a character too
    return JSONResponse({"error": {"code": code, "message": shown}}, status_code=status)
