"""As many citizens at once as a city has at noon, through the REST API, the way the page and the mini-program talk."""

from __future__ import annotations

import asyncio
import random
import time
import uuid

import aiohttp
import numpy as np
import pytest
from processes import Stack

CITIZENS = 50
LINES = (
    "你好", "身份证丢了咋补办", "那要多少钱", "有用", "公积金", "2", "护照到期了怎么换新的", "领结婚证要带什么", "今天天气怎么样", "谢谢",
)  # fmt: skip


@pytest.mark.full
@pytest.mark.timeout(600)
def test_fifty_citizens_who_talk_at_once_all_get_their_answers_in_order(stack: Stack) -> None:
    took: list[float] = []
    deferred = 0

    async def talk(http: aiohttp.ClientSession, number: int) -> None:
        nonlocal deferred
        think = random.Random(number)
        async with http.post("/api/conversations") as opened:
            assert opened.status == 201
            made = await opened.json()
        path, headers = f"/api/conversations/{made['id']}/messages", {"Authorization": f"Bearer {made['token']}"}
        for line in LINES:
            await asyncio.sleep(think.uniform(1, 3))
            start = time.monotonic()
            async with http.post(path, json={"message_id": uuid.uuid4().hex, "text": line}, headers=headers) as said:
                assert said.status in (200, 202)
                answer = await said.json()
            took.append(time.monotonic() - start)
            deferred += answer["deferred"]
        async with asyncio.timeout(60):
            messages: list[dict[str, str]] = []
            while len(messages) < 2 * len(LINES):
                async with http.get(path, headers=headers) as history:
                    messages = (await history.json())["messages"]
                await asyncio.sleep(0.5)
        assert [one["text"] for one in messages if one["sender"] == "citizen"] == list(LINES)
        asked = [one["turn_id"] for one in messages if one["sender"] == "bot"]
        assert len(asked) == len(set(asked)) == len(LINES)

    async def everybody() -> None:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(stack.url, connector=connector) as http:
            await asyncio.gather(*(talk(http, number) for number in range(CITIZENS)))

    asyncio.run(everybody())
    half, most, all_but_few = np.percentile(np.array(took) * 1000, [50, 95, 99])
    print(f"{len(took)} turns: median {half:.0f} ms, p95 {most:.0f} ms, p99 {all_but_few:.0f} ms, {deferred} deferred")
    assert len(took) == CITIZENS * len(LINES)
