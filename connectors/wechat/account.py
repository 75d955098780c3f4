"""A WeChat app that we serve, an official account or a mini-program: what opens its pushes, and what is sent to its citizens."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from bot import counters, database, reminders
from bot.clock import utcnow
from bot.conversations import MINIPROGRAM
from bot.settings import Settings
from connectors import metrics
from connectors.wechat import centres, notice, outbox, render
from connectors.wechat.api import WeChatApi
from connectors.wechat.centres import Centre
from connectors.wechat.notice import Template
from connectors.wechat.outbox import DESK, OFFICIAL
from connectors.wechat.push import WINDOW_S, Verifier

log = structlog.get_logger(__name__)

GRACE = timedelta(seconds=6)
"""A turn's reply is left to the passive way for so long before it is pushed"""
_RECEIVERS = 2
"""Messages stored at a time"""
_FRESH = timedelta(seconds=2 * WINDOW_S)
"""An event may come again for so long"""
_POLL_S = 1.0
_REMIND_S = 30.0
"""How often it is looked for citizens to be reminded"""


class Account:
    """One app's parts, made at start-up where its AppID is set."""

    def __init__(
        self,
        api: WeChatApi,
        verifier: Verifier,
        channels: Sequence[str],
        *,
        template: Template | None = None,
        grace: timedelta = timedelta(),
        places: Sequence[Centre] = (),
    ) -> None:
        """``channels``: those whose outbox is delivered through this app."""
        self.api, self.verifier, self.centres = api, verifier, list(places)
        self._channels, self._template, self._grace = channels, template, grace
        # Threads of their own: in a rush, replies that are ready do not queue behind the messages that come in.
        self.receivers = ThreadPoolExecutor(_RECEIVERS, thread_name_prefix="receive")

    async def greet(self, event_id: str, openid: str, words: str) -> None:
        """Greet a citizen who comes in, once.  It may be said for a minute only, so it is not kept for later."""
        if await asyncio.to_thread(_first, event_id):
            await self.api.send(openid, render.text_message(words))

    async def deliver_forever(self) -> None:
        """Push what waits."""
        await asyncio.to_thread(outbox.take_back, self._channels)
        while True:
            try:
                while await self.deliver():
                    pass
            except Exception:
                log.exception("wechat.delivery_failed")
            await asyncio.sleep(_POLL_S)

    async def deliver(self, now: datetime | None = None) -> int:
        """Push what is due; how many messages were taken up."""
        due = await asyncio.to_thread(outbox.due, self._channels, now or utcnow(), self._grace)
        for message_id in due:
            await self._deliver_one(message_id, now or utcnow())
        return len(due)

    async def _deliver_one(self, message_id: str, now: datetime) -> None:
        claimed = await asyncio.to_thread(outbox.claim, message_id, now, self._template)
        if claimed is None:
            return
        if claimed.notice and self._template:
            sent = await self.api.push(self._template.path, claimed.forms[0])
        else:
            sent = await self.api.send(claimed.openid, *claimed.forms)
        metrics.WECHAT_PUSHES.labels(sent.value).inc()
        await asyncio.to_thread(outbox.settle, message_id, claimed, sent, now)


async def remind_forever(minutes: int) -> None:
    """Remind citizens of the official account who left a question open and have said nothing for so long."""
    while True:
        try:
            await asyncio.to_thread(reminders.remind, OFFICIAL, timedelta(minutes=minutes), utcnow())
        except Exception:
            log.exception("wechat.reminding_failed")
        await asyncio.sleep(_REMIND_S)


def _first(event_id: str) -> bool:
    """Whether the event comes for the first time."""
    name = f"greeted:{hashlib.sha256(event_id.encode()).hexdigest()}"
    with database.write() as session:
        return counters.hit(session, name, 1, _FRESH, utcnow())


def official(settings: Settings) -> Account | None:
    """The official account; None where none is set.

    Raises:
        ValueError: the EncodingAESKey is none.
        InvalidInput: a bad table of centres, or template.
    """
    app_id = settings.wechat_app_id
    if not app_id:
        return None
    return Account(
        WeChatApi(app_id, settings.wechat_app_secret.get_secret_value(), settings.wechat_api_url),
        Verifier(settings.wechat_token.get_secret_value(), app_id, settings.wechat_aes_key.get_secret_value()),
        (OFFICIAL,),
        template=notice.official(
            settings.wechat_template,
            settings.wechat_template_fields,
            settings.miniprogram_app_id,
            settings.public_url,
        ),
        grace=GRACE,
        places=centres.read(Path(settings.centres_file)) if settings.centres_file else (),
    )


def miniprogram(settings: Settings) -> Account | None:
    """The mini-program; None where none is set.  Raises as ``official`` does."""
    app_id = settings.miniprogram_app_id
    if not app_id:
        return None
    token, key = settings.miniprogram_token.get_secret_value(), settings.miniprogram_aes_key.get_secret_value()
    return Account(
        WeChatApi(app_id, settings.miniprogram_app_secret.get_secret_value(), settings.wechat_api_url),
        Verifier(token, app_id, key),
        (DESK, MINIPROGRAM),
        template=notice.miniprogram(settings.miniprogram_template, settings.miniprogram_template_fields),
    )
