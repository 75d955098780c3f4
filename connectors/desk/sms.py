"""Gives short messages to the city's SMS platform: one POST each, see docs/sms.md.

The platform knows a message by its id.  All the same one that may have gone out is not sent again by itself: a person decides.
"""

from __future__ import annotations

import asyncio

import httpx
import structlog

from bot import database, sms
from bot.clock import utcnow
from bot.errors import StoreBusy
from bot.settings import Settings
from bot.sms import Sent

log = structlog.get_logger(__name__)

_LOOK_S = 2.0
_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
_LATER = frozenset({401, 403, 408, 425, 429})
"""What is not wrong with the message itself: the key, too many at a time"""


async def send_forever(settings: Settings) -> None:
    """Until it is cancelled."""
    headers = {"Authorization": f"Bearer {settings.sms_key.get_secret_value()}"}
    async with httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False, headers=headers) as http:
        while True:
            try:
                await send(http, settings.sms_url)
            except StoreBusy:
                pass
            except Exception:
                log.exception("sms.failed")
            await asyncio.sleep(_LOOK_S)


async def send(http: httpx.AsyncClient, url: str) -> None:
    """Send what is due, one after the other."""
    await asyncio.to_thread(_take_back)  # there is one sender: what is being sent now is being sent by nobody
    for message_id in await asyncio.to_thread(_due):
        claimed = await asyncio.to_thread(_claim, message_id)
        if claimed is None:
            continue
        sent, reason = await _give(http, url, claimed)
        if sent is not Sent.ACCEPTED:
            log.warning("sms.not_accepted", message=message_id, outcome=sent.value, reason=reason)
        await asyncio.to_thread(_settle, message_id, sent, reason)


async def _give(http: httpx.AsyncClient, url: str, message: sms.Claimed) -> tuple[Sent, str]:
    """What came of it, and why not, in words for people."""
    try:
        answer = await http.post(url, json={"id": message.id, "phone": message.phone, "text": message.text})
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
        return Sent.AGAIN, "连不上短信平台"
    except httpx.HTTPError:
        return Sent.UNKNOWN, "短信平台没有回应，不知道发出没有"
    return read(answer)


def read(answer: httpx.Response) -> tuple[Sent, str]:
    """What the platform's answer means."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    said = body.get("reason") if isinstance(body, dict) else None
    reason = said if isinstance(said, str) and said.strip() else f"短信平台返回 {answer.status_code}"
    if answer.is_success:
        if not isinstance(body, dict) or not isinstance(body.get("accepted"), bool):
            return Sent.UNKNOWN, "短信平台的回应看不懂，不知道发出没有"
        return (Sent.ACCEPTED, "") if body["accepted"] else (Sent.REFUSED, reason)
    if answer.is_client_error and answer.status_code not in _LATER:
        return Sent.REFUSED, reason
    if answer.status_code in (httpx.codes.BAD_GATEWAY, httpx.codes.GATEWAY_TIMEOUT):  # said by what stands before it
        return Sent.UNKNOWN, "短信平台没有回应，不知道发出没有"
    return Sent.AGAIN, reason


def _take_back() -> None:
    with database.read() as session:
        if not sms.any_sending(session):
            return
    with database.write() as session:
        sms.take_back(session, utcnow())


def _due() -> list[str]:
    with database.read() as session:
        return list(sms.due(session, utcnow()))


def _claim(message_id: str) -> sms.Claimed | None:
    with database.write() as session:
        return sms.claim(session, message_id)


def _settle(message_id: str, sent: Sent, reason: str) -> None:
    with database.write() as session:
        sms.settle(session, message_id, sent, reason, utcnow())
