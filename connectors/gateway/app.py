"""The gateway: one FastAPI application for citizens, agents and operations.  ``uvicorn connectors.gateway.app:app`` serves it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import ClassVar

import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from bot import database, logs, security_log
from bot.errors import YihaodaError
from bot.private import keep_private
from bot.settings import get_settings
from connectors.citizens import conversations
from connectors.console import account as own_account
from connectors.console import administration, documents, going_live, local_figures, recalls, reviews, single_sign_on
from connectors.console import asked as asked_routes
from connectors.console import golden as golden_routes
from connectors.console import imports as import_routes
from connectors.console import jobs as job_routes
from connectors.console import knowledge as knowledge_routes
from connectors.console import releases as release_routes
from connectors.console import replay as replay_routes
from connectors.console import review as review_routes
from connectors.console import surges as surge_routes
from connectors.desk import (
    call_outcome,
    callbacks,
    choices,
    doubts,
    duty_phone,
    floor,
    handover,
    live,
    minding,
    particulars,
    short_messages,
    sms,
    states,
    work,
)
from connectors.desk import calls as desk_calls
from connectors.desk import conversations as desk_conversations
from connectors.desk import search as desk_search
from connectors.desk import tickets as desk_tickets
from connectors.desk.assisting import Assisting
from connectors.gateway import errors, health, pages
from connectors.gateway.disks import Disks
from connectors.turns.dispatcher import Dispatcher
from connectors.turns.notifier import Notifier
from connectors.turns.rasa_client import RasaClient
from connectors.turns.shadow import Shadow
from connectors.turns.typing import Typing
from connectors.web.context import Gateway
from connectors.web.errors import answers, error_response
from connectors.web.limits import PerMinute
from connectors.web.same_origin import SameOrigin
from connectors.wechat import account, channel, miniprogram
from index.assistant.respond import Assistant, get_assistant
from index.versions.holding import Holder

log = structlog.get_logger(__name__)

_RECOVER_S = 30.0
"""How often the inbox is searched for messages that nobody is working on."""


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings = get_settings()
    open_files = keep_private(settings)
    logs.configure(settings.log_level)
    security_log.record("gateway.started", counted=False)
    if open_files:
        log.warning("files.were_open", reason=open_files)
    await asyncio.to_thread(database.migrate)
    assistant = get_assistant()
    rasa = RasaClient(settings.rasa_url, settings.rasa_timeout_s, settings.service_secret.get_secret_value())
    notifier = Notifier(settings.streams_per_conversation, settings.streams_per_address)
    dispatcher = Dispatcher(settings, rasa, assistant, notifier)
    holder = Holder(assistant.reader, settings)
    shadow = Shadow(assistant, holder.live_and_shadow, lambda: dispatcher.busy)
    dispatcher.answered = shadow.offer
    shadow.start()
    loading = asyncio.create_task(_load(assistant, holder))
    app.state.gateway = Gateway(
        settings,
        assistant,
        rasa,
        notifier,
        dispatcher,
        Typing(),
        openings=PerMinute(settings.conversations_per_minute),
        lookups=PerMinute(settings.conversations_per_minute),
        messages=PerMinute(settings.rate_per_minute),
        loading=loading,
        holder=holder,
    )
    app.state.wechat = account.official(settings)
    app.state.miniprogram = account.miniprogram(settings)
    apps = [one for one in (app.state.wechat, app.state.miniprogram) if one is not None]
    app.state.feed = live.Feed()
    app.state.assisting = Assisting(settings, assistant.reader)
    app.state.started_at = time.monotonic()
    tasks = [loading, asyncio.create_task(_recover_forever(dispatcher))]
    tasks += [asyncio.create_task(one.deliver_forever()) for one in apps]
    if app.state.wechat is not None and settings.wechat_reminder_minutes:
        tasks.append(asyncio.create_task(account.remind_forever(settings.wechat_reminder_minutes)))
    app.state.assisting.start()
    tasks.append(asyncio.create_task(minding.mind_forever(app.state.gateway)))
    if settings.danger_webhook:
        tasks.append(asyncio.create_task(duty_phone.tell_forever(settings.danger_webhook)))
    if settings.sms_url:
        tasks.append(asyncio.create_task(sms.send_forever(settings)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for one in apps:
            await one.api.close()
        await app.state.feed.close()
        await asyncio.to_thread(app.state.assisting.close)
        await asyncio.to_thread(shadow.close)
        await asyncio.to_thread(holder.close)
        await dispatcher.close()
        await rasa.close()
        await asyncio.to_thread(database.reset_engine)


async def _load(assistant: Assistant, holder: Holder) -> None:
    """Messages are taken, stored and (by Rasa) answered meanwhile; what we have to answer ourselves waits for this."""
    try:
        await asyncio.to_thread(holder.start)
        await asyncio.to_thread(assistant.warm_up)
    except YihaodaError as error:
        log.error("index.unavailable", reason=str(error))  # readyz says so; tickets are made meanwhile
    except Exception:
        log.exception("index.unavailable")


async def _recover_forever(dispatcher: Dispatcher) -> None:
    """Take up what nobody is working on, and see to it that what was erased can't be read any more."""
    while True:
        try:
            await dispatcher.recover()
        except Exception:
            log.exception("inbox.recover_failed")
        try:
            await asyncio.to_thread(database.forget_erased)  # what others erased or changed, or a killed process left
        except Exception:
            log.exception("database.forget_failed")
        await asyncio.sleep(_RECOVER_S)


class Source:
    """Tells the security log where a request came from."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] in ("http", "websocket"):
            security_log.source.set(scope["client"][0] if scope.get("client") else "unknown")
        await self._app(scope, receive, send)


class BodyLimit:
    """Refuses a request body over a size, whether announced or not, before anything reads it whole.

    Files are bounded by their own route, once it is known who sends them.
    """

    def __init__(self, app: ASGIApp, limit: int, files: str) -> None:
        """Args: files: the path to which files are sent (POST)."""
        self._app, self._limit, self._files = app, limit, files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or (scope["method"] == "POST" and scope["path"] == self._files):
            await self._app(scope, receive, send)
            return
        body = b""
        more = True
        while more and len(body) <= self._limit:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if len(body) > self._limit:
            refused = error_response(413, "too_large", "内容太长了，请缩短后再发。")
            await refused(scope, receive, send)
            return
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)


class Private:
    """Nothing that we say is kept by a browser or a proxy, or read as another type, unless the answer itself says so."""

    HEADERS: ClassVar = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)


class Address:
    """Refuses U+0000 in a request's path and query: PostgreSQL and file systems take it in no name."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and ("\0" in scope["path"] or b"%00" in scope["query_string"]):
            refused = error_response(422, "invalid_input", "地址里有不能用的字符 U+0000。")
            await refused(scope, receive, send)
            return
        await self._app(scope, receive, send)


@cache
def _routes() -> APIRouter:
    """All that programs and pages ask for; the same for every application."""
    routes = APIRouter()
    for module in (
        conversations,
        desk_tickets,
        particulars,
        desk_conversations,
        handover,
        desk_calls,
        call_outcome,
        desk_search,
        states,
        choices,
        doubts,
        callbacks,
        short_messages,
        floor,
        work,
        live,
        own_account,
        administration,
        job_routes,
        import_routes,
        documents,
        reviews,
        local_figures,
        going_live,
        asked_routes,
        replay_routes,
        review_routes,
        release_routes,
        surge_routes,
        recalls,
        golden_routes,
        knowledge_routes,
        channel,
        miniprogram,
        health,
    ):
        routes.include_router(module.router, responses=answers(413, 422, 503))
    routes.include_router(desk_calls.stream_router)
    return routes


def create_app() -> FastAPI:
    """The application."""
    settings = get_settings()
    app = FastAPI(
        title="一号答",
        version="0.1.0",
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.disks = Disks(settings)
    # As they are: included, each route would be made anew for every application, at its first request.
    app.router.routes.extend(_routes().routes)
    app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)(pages.index)
    app.add_route("/worker.js", pages.worker)
    app.add_route("/api/docs", pages.documentation)
    app.mount(single_sign_on.PATH, single_sign_on.application(settings))
    for path, files in pages.mounts().items():
        app.mount(path, files)
    # After what is mounted below it.
    for path in ("/console", "/console/{path:path}"):
        app.api_route(path, methods=["GET", "HEAD"], include_in_schema=False)(pages.console)
    app.add_middleware(SameOrigin, settings=settings)
    app.add_middleware(BodyLimit, limit=settings.body_bytes, files=import_routes.PATH)
    app.add_middleware(Address)
    app.add_middleware(Source)
    app.add_middleware(Private)
    # Whatever else sends X-Forwarded-For may write into it what it likes.  Outermost: the others see the citizen's address.
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=settings.proxies)
    errors.handle(app)
    app.add_exception_handler(Exception, _unknown_error)
    return app


async def _unknown_error(_request: Request, error: Exception) -> JSONResponse:
    log.error("request.crashed", exc_info=error)
    response = error_response(500, "internal", "系统出了点问题，请稍后再试。")
    response.headers.update(Private.HEADERS)  # this one is written outside of every middleware
    return response


app = create_app()
