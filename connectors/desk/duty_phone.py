"""Tells the duty phone of dangers: a POST to the group robot of 企业微信 or 钉钉, or to anything that takes their text message.

It says of what kind, in which conversation and when; never what was said.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import httpx
import structlog

from bot import alarms, database
from bot.clock import SHANGHAI, utcnow
from bot.danger import NAMES
from bot.errors import StoreBusy
from bot.models.conversations import Alarm

log = structlog.get_logger(__name__)

_LOOK_S = 2.0
_AGAIN_S = 15.0
"""How long it waits after the phone could not be reached"""
_OLD = timedelta(hours=6)
"""What is older is told to nobody any more: it is on the list"""
_TIMEOUT_S = 5.0


async def tell_forever(url: str) -> None:
    """Tell of every alarm once; what could not be told is told again."""
    async with httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=False) as http:
        while True:
            try:
                told = await tell(http, url)
            except StoreBusy:
                told = True
            except Exception:
                log.exception("duty_phone.failed")
                told = False
            await asyncio.sleep(_LOOK_S if told else _AGAIN_S)


async def tell(http: httpx.AsyncClient, url: str) -> bool:
    """Tell of what nobody was told of yet; whether all of it arrived."""
    for alarm in await asyncio.to_thread(_untold):
        try:
            answer = await http.post(url, json={"msgtype": "text", "text": {"content": words(alarm)}})
            # The robots refuse with 200 and a code of their own.
            refused = answer.is_error or _code(answer) != 0
            reason = f"{answer.status_code} {_code(answer)}"
        except httpx.HTTPError as error:
            refused, reason = True, type(error).__name__
        if refused:
            log.error("duty_phone.unreachable", reason=reason, turn=alarm.turn_id)
            return False
        await asyncio.to_thread(_told, alarm.turn_id)
    return True


def words(alarm: Alarm) -> str:
    """What the phone shows."""
    kind = NAMES.get(alarm.kind, alarm.kind)
    how = "可能有险情" if alarm.possible else "险情"
    at = f"{alarm.at.astimezone(SHANGHAI):%-m月%-d日 %H:%M}"
    return f"【{how}】{kind}。会话 {alarm.conversation_id}，{at}。请马上在坐席接口查看。"


def _code(answer: httpx.Response) -> int:
    try:
        body = answer.json()
    except ValueError:
        return 0
    return int(body.get("errcode", 0)) if isinstance(body, dict) else 0


def _untold() -> list[Alarm]:
    with database.read() as session:
        found = list(alarms.untold(session, utcnow() - _OLD))
        session.expunge_all()
        return found


def _told(turn_id: str) -> None:
    with database.write() as session:
        alarm = session.get(Alarm, turn_id)
        if alarm is not None:  # erased meanwhile
            alarm.told_at = utcnow()
