"""One turn through Rasa's REST webhook.  What goes wrong there is a ``RasaFailed`` with a reason; the caller falls back."""

from __future__ import annotations

import time
from dataclasses import dataclass

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
    """Rasa gave no answer to this turn.  ``reason``: unreachable, timeout, status, breaker, or no_port: its release has no server."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def neutral(text: str) -> str:
    """The text as Rasa may see it: cut, and without a leading slash, a command (/restart) or an intent (/greet) to Rasa."""
    text = text[:CHARS]
    stripped = text.strip()
    return f"／{stripped.lstrip('/')}" if stripped.startswith("/") else text


@dataclass
class _Breaker:
    """What is known of one server."""

    timeouts: int = 0
    open_until: float = 0.0


class RasaClient:
    """Talks to the Rasa servers, one for each model that is in use.  After a few time-outs in a row one is left alone for a while."""

    def __init__(self, url: str, timeout_s: float, secret: str = "") -> None:
        """Args: url: of the first one; the others differ in the port alone."""
        self._host, _, port = url.rpartition(":")
        self._port = int(port)
        # Half the cost of a turn in this process was the client: aiohttp's is a third of httpx's.
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=timeout_s, connect=1.0),
            headers={"Authorization": f"Bearer {secret}"} if secret else {},
        )
        self._breakers: dict[int, _Breaker] = {}

    async def send(
        self, sender: str, text: str, turn_id: str, *, port: int | None = None, bundle: str | None = None
    ) -> None:
        """Have Rasa handle a turn; the action settles it in the database.

        Args:
            port: Of the server that is to handle it; None: the first one.
            bundle: The release that answers it, told to the action.

        Raises:
            RasaFailed: it did not.
        """
        port = port or self._port
        breaker = self._breakers.setdefault(port, _Breaker())
        if time.monotonic() < breaker.open_until:
            raise RasaFailed("breaker")
        body = {"sender": sender, "message": neutral(text), "metadata": {"turn_id": turn_id, "bundle": bundle}}
        with metrics.RASA_SECONDS.time():
            try:
                async with self._http.post(self._webhook(port), json=body) as response:
                    await response.read()
            except TimeoutError as error:
                breaker.timeouts += len(text) <= CHARS  # that a long text takes long says nothing about the others
                if breaker.timeouts >= _BREAK_AFTER:
                    breaker.open_until = time.monotonic() + _BREAK_S
                    log.warning("rasa.breaker_open", port=port, seconds=_BREAK_S)
                raise RasaFailed("timeout") from error
            except aiohttp.ClientError as error:
                raise RasaFailed("unreachable") from error
        if response.status != 200:
            raise RasaFailed("status")
        breaker.timeouts = 0

    async def ready(self, port: int | None = None) -> bool:
        """Whether a server answers; None: the first one."""
        try:
            async with self._http.get(
                self._webhook(port or self._port).removesuffix("webhook"), timeout=aiohttp.ClientTimeout(total=1)
            ) as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.close()

    def _webhook(self, port: int) -> str:
        return f"{self._host}:{port}/webhooks/rest/webhook"
