"""What the gateway's routes share; made at start-up, reached through ``gateway``."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request

from bot.settings import Settings
from connectors.dispatcher import Dispatcher, Notifier
from connectors.rasa_client import RasaClient
from index.assistant import Assistant


@dataclass(frozen=True)
class Gateway:
    """The running gateway's parts."""

    settings: Settings
    operator_token: str
    assistant: Assistant
    rasa: RasaClient
    notifier: Notifier
    dispatcher: Dispatcher


def gateway(request: Request) -> Gateway:
    """The gateway that serves this request."""
    here: Gateway = request.app.state.gateway
    return here
