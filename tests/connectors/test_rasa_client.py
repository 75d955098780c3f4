"""The way to Rasa: what it gets to see, and when it is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from aiohttp import web

from connectors.run.background import free_ports
from connectors.turns.rasa_client import CHARS, RasaClient, RasaFailed

LONG = "我是个老人家说来话长" * 2000


def played(scenario: Callable[[RasaClient, list[str]], Coroutine[Any, Any, None]], *, hangs: bool = False) -> None:
    async def body() -> None:
        seen: list[str] = []
        go = asyncio.Event()

        async def webhook(request: web.Request) -> web.Response:
            seen.append((await request.json())["message"])
            if hangs:
                await go.wait()
            return web.json_response([])

        app = web.Application()
        app.router.add_post("/webhooks/rest/webhook", webhook)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        rasa = RasaClient(f"http://127.0.0.1:{runner.addresses[0][1]}", timeout_s=0.1 if hangs else 30)
        try:
            await scenario(rasa, seen)
        finally:
            go.set()
            await rasa.close()
            await runner.cleanup()

    asyncio.run(body())


async def failure(rasa: RasaClient, text: str) -> str:
    with pytest.raises(RasaFailed) as raised:
        await rasa.send("s", text, "t")
    return raised.value.reason


def test_rasa_sees_no_more_of_a_text_than_it_needs() -> None:
    async def scenario(rasa: RasaClient, seen: list[str]) -> None:
        for text in (LONG, "/" + LONG, " " * 1000 + "/restart", "短", "字" * CHARS):
            await rasa.send("s", text, "t")
        assert max(len(text) for text in seen) <= CHARS
        assert seen[0] == LONG[:CHARS] and seen[-2:] == ["短", "字" * CHARS]
        assert not any(text.strip().startswith("/") for text in seen)

    played(scenario)


def test_long_texts_that_take_too_long_do_not_shut_the_others_out() -> None:
    async def scenario(rasa: RasaClient, seen: list[str]) -> None:
        assert [await failure(rasa, LONG) for _ in range(6)] == ["timeout"] * 6
        assert await failure(rasa, "你好") == "timeout"  # it was tried
        assert len(seen) == 7

    played(scenario, hangs=True)


def test_a_server_that_hangs_is_left_alone() -> None:
    async def scenario(rasa: RasaClient, seen: list[str]) -> None:
        reasons = [await failure(rasa, text) for text in ("一", LONG, "二", LONG, "三", "四", LONG)]
        assert reasons == ["timeout"] * 5 + ["breaker"] * 2

    played(scenario, hangs=True)


def test_each_server_has_its_own_breaker_and_a_turn_names_its_release() -> None:
    async def scenario(rasa: RasaClient, seen: list[str]) -> None:
        assert [await failure(rasa, "一") for _ in range(4)] == ["timeout"] * 3 + ["breaker"]
        (other,) = free_ports(1)
        with pytest.raises(RasaFailed, match="unreachable"):
            await rasa.send("s", "二", "t", port=other, bundle="b")
        bodies: list[Any] = []

        async def webhook(request: web.Request) -> web.Response:
            bodies.append(await request.json())
            return web.json_response([])

        app = web.Application()
        app.router.add_post("/webhooks/rest/webhook", webhook)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", other).start()
        await rasa.send("s", "三", "t", port=other, bundle="b")
        await runner.cleanup()
        assert [body["metadata"] for body in bodies] == [{"turn_id": "t", "bundle": "b"}]
        assert await failure(rasa, "四") == "breaker"

    played(scenario, hangs=True)
