"""One turn through Rasa's REST webhook.  What goes wrong there is a ``RasaFailed`` with a reason; the caller falls back."""

from __future__ import annotations

import asyncio
import time

import httpx
import structlog

from connectors import metrics

log = structlog.get_logger(__name__)

_BREAK_AFTER = 3
_BREAK_S = 10.0


class RasaFailed(Exception):
    """Rasa gave no answer to this turn.  ``reason``: unreachable, timeout, status or breaker."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def neutral(text: str) -> str:
    """The text as Rasa may see it: a leading slash would be taken for a command (/restart) or an intent (/greet)."""
    stripped = text.strip()
    return f"／{stripped.lstrip('/')}" if stripped.startswith("/") else text


class RasaClient:
    """Talks to one Rasa server.  After a few time-outs in a row it is left alone for a while."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._http = httpx.AsyncClient(
            base_url=url,
            timeout=httpx.Timeout(timeout_s, connect=1.0),
            limits=httpx.Limits(max_connections=64),
            trust_env=False,  # a proxy has no business between us and this machine
        )
        self._timeouts = 0
        self._open_at = 0.0

    async def send(self, sender: str, text: str, turn_id: str) -> None:
        """Have Rasa handle a turn; the action settles it in the database.  Raises: RasaFailed."""
        if time.monotonic() < self._open_at:
            raise RasaFailed("breaker")
        body = {"sender": sender, "message": neutral(text), "metadata": {"turn_id": turn_id}}
        with metrics.RASA_SECONDS.time():
            try:
                async with asyncio.timeout(self._timeout_s):
                    response = await self._http.post("/webhooks/rest/webhook", json=body)
            except (TimeoutError, httpx.TimeoutException) as error:
                self._timeouts += 1
                if self._timeouts >= _BREAK_AFTER:
                    self._open_at = time.monotonic() + _BREAK_S
                    log.warning("rasa.breaker_open", seconds=_BREAK_S)
                raise RasaFailed("timeout") from error
            except httpx.HTTPError as error:
                raise RasaFailed("unreachable") from error
        if response.status_code != 200:
            raise RasaFailed("status")
        self._timeouts = 0

    async def ready(self) -> bool:
        """Whether Rasa answers."""
        try:
            return (await self._http.get("/webhooks/rest/", timeout=1.0)).status_code == 200
        except httpx.HTTPError:
            return False

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()
