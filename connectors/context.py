"""What the gateway's routes share; made at start-up, reached through ``gateway``."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import Counter
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request
from pydantic import BaseModel, ConfigDict

from bot.crypto import get_cipher
from bot.errors import Unauthorised
from bot.settings import Settings
from connectors.dispatcher import Dispatcher, Notifier
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


class Body(BaseModel):
    """The body of a request: an unknown field is a mistake that must not pass unseen."""

    model_config = ConfigDict(extra="forbid")


def client_address(request: Request) -> str:
    """Where the request came from; of an IPv6 address its /64, any address of which one host may use."""
    host = request.client.host if request.client else "unknown"
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
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
