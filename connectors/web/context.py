"""What the gateway's routes share; made at start-up, reached through ``gateway``."""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from fastapi import Depends, Header, Request
from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from bot.crypto import get_cipher
from bot.errors import Unauthorised
from bot.settings import Settings
from connectors.turns.dispatcher import Dispatcher
from connectors.turns.notifier import Notifier
from connectors.turns.rasa_client import RasaClient
from connectors.turns.typing import Typing
from connectors.web.limits import PerMinute
from index.assistant.respond import Assistant
from index.versions.holding import Holder

_LOADING_WAIT_S = 2.0


@dataclass(frozen=True)
class Gateway:
    """The running gateway's parts."""

    settings: Settings
    assistant: Assistant
    rasa: RasaClient
    notifier: Notifier
    dispatcher: Dispatcher
    typing: Typing
    lookups: PerMinute
    """Calculations and readings of the catalogue, by address"""
    openings: PerMinute
    """New conversations, by address"""
    messages: PerMinute
    """Messages and changes of settings, by conversation; changes of tickets, by ticket"""
    loading: asyncio.Task[None]
    """Ends when the index is in memory, or can't be; messages are taken and stored meanwhile"""
    holder: Holder
    """Knows which releases are held"""

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
