"""One turn through Rasa's REST webhook.  What goes wrong there is a ``RasaFailed`` with a reason; the caller falls back."""

from __future__ import annotations

import time

import aiohttp
import structlog

from connectors import metrics

log = structlog.get_logger(__name__)

_BREAK_AFTER = 3
_BREAK_S = 10.0
CHARS = 400
"""So much of a text tells its dialogue act.  Rasa, which is one process, would work on 2,000 characters four times as long, on
20,000 for seconds; the answer itself is made from the text in the database."""


class RasaFailed(Exception):
    """Rasa gave no answer to this turn.  ``reason``: unreachable, timeout, status or breaker."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def neutral(text: str) -> str:
    """The text as Rasa may see it: cut, and without a leading slash, a command (/restart) or an intent (/greet) to Rasa."""
    text = text[:CHARS]
    stripped = text.strip()
    return f"／{stripped.lstrip('/')}" if stripped.startswith("/") else text


class RasaClient:
    """Talks to one Rasa server.  After a few time-outs in a row it is left alone for a while."""

    def __init__(self, url: str, timeout_s: float, secret: str = "") -> None:
        self._url = f"{url}/webhooks/rest/webhook"
        # Half the cost of a turn in this process was the client: aiohttp's is a third of httpx's.
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=timeout_s, connect=1.0),
            headers={"Authorization": f"Bearer {secret}"} if secret else {},
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
                async with self._http.post(self._url, json=body) as response:
                    await response.read()
            except TimeoutError as error:
                self._timeouts += len(text) <= CHARS  # that a long text takes long says nothing about the others
                if self._timeouts >= _BREAK_AFTER:
                    self._open_at = time.monotonic() + _BREAK_S
                    log.warning("rasa.breaker_open", seconds=_BREAK_S)
                raise RasaFailed("timeout") from error
            except aiohttp.ClientError as error:
                raise RasaFailed("unreachable") from error
        if response.status != 200:
            raise RasaFailed("status")
        self._timeouts = 0

    async def ready(self) -> bool:
        """Whether Rasa answers."""
        try:
            async with self._http.get(
                self._url.removesuffix("webhook"), timeout=aiohttp.ClientTimeout(total=1)
            ) as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.close()
