"""What the gateway's routes share; made at start-up, reached through ``gateway``."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from fastapi import Depends, Header, Request
from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from bot.crypto import get_cipher
from bot.errors import Unauthorised
from bot.settings import Settings
from connectors.dispatcher import Dispatcher
from connectors.notifier import Notifier
from connectors.rasa_client import RasaClient
from index.assistant import Assistant

_LOADING_WAIT_S = 2.0


class PerMinute:
    """At most so many a minute under one key.  In memory: there is one gateway process, and a restart forgives."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._minute = 0
        self._counts: Counter[str] = Counter()

    def allow(self, key: str) -> bool:
        """Count one; whether it is within the limit."""
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._counts = minute, Counter()
        self._counts[key] += 1
        return self._counts[key] <= self._limit


@dataclass(frozen=True)
class Gateway:
    """The running gateway's parts."""

    settings: Settings
    operator_token: str
    assistant: Assistant
    rasa: RasaClient
    notifier: Notifier
    dispatcher: Dispatcher
    lookups: PerMinute
    """Calculations and readings of the catalogue, by address"""
    openings: PerMinute
    """New conversations, by address"""
    messages: PerMinute
    """Messages and changes of settings, by conversation; changes of tickets, by ticket"""
    loading: asyncio.Task[None]
    """Ends when the index is in memory, or can't be; messages are taken and stored meanwhile"""

    @property
    def reply_wait_s(self) -> float:
        """How long a request waits for its reply.  Briefly while the index is loading: Rasa may answer all the same."""
        return self.settings.reply_wait_s if self.loading.done() else min(_LOADING_WAIT_S, self.settings.reply_wait_s)


MAX_INT = 2**31 - 1
"""The largest number that a column of ours takes (PostgreSQL's integer): no parameter may be larger"""


class Body(BaseModel):
    """The body of a request.

    An unknown field is a mistake that must not pass unseen.  Types are strict: false is no number, "1" neither.  U+0000,
    which PostgreSQL stores in no text, is refused in every field but those that a citizen writes in their own words, which
    rest encrypted.
    """

    model_config = ConfigDict(extra="forbid", strict=True)
    own_words: ClassVar[frozenset[str]] = frozenset()

    @field_validator("*")
    @classmethod
    def _storable(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, str) and "\0" in value and info.field_name not in cls.own_words:
            raise ValueError("有不能用的字符 U+0000")
        return value


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


def client_address(request: Request) -> str:
    """Where the request came from.

    Of an IPv6 address the first 64 bits: the rest is the subscriber's to choose (RFC 6177), and each choice would count anew.
    Behind a reverse proxy named in ``settings.proxies`` it is what the proxy says.
    """
    host = request.client.host if request.client else "unknown"
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host[:64]
    if isinstance(address, ipaddress.IPv4Address):
        return host
    return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))


def source_of(request: Request) -> str:
    """Who asks, for what is kept: the pseudonym of their address."""
    return get_cipher().pseudonym(f"address {client_address(request)}")


def bearer(authorization: Annotated[str | None, Header()] = None) -> str:
    """The token of a request.  Raises: Unauthorised."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorised("缺少令牌：请在 Authorization 头里带上 Bearer 令牌。")
    return token.strip()


def gateway(request: Request) -> Gateway:
    """The gateway that serves this request."""
    here: Gateway = request.app.state.gateway
    return here


TheGateway = Annotated[Gateway, Depends(gateway)]
"""A route's parameter: the gateway that serves it"""
