"""The official account through the whole stack: pushes through the gateway and Rasa, late replies to WeChat's API."""

from __future__ import annotations

import asyncio
import time
import xml.etree.ElementTree as ET
from collections import Counter

import aiohttp
import pytest
from processes import WECHAT, Stack

from connectors.turns.dispatcher import BUSY
from connectors.wechat.push import signature
from tests.connectors.wechat_api import FakeWeChat

TOKEN = WECHAT["wechat_token"]


@pytest.fixture
def account(own_stack: Stack) -> Stack:
    own_stack.handle.wait_ready(timeout_s=120)
    return own_stack


def request(openid: str, text: str, number: int) -> tuple[dict[str, str], bytes]:
    timestamp, nonce = str(int(time.time())), f"n{number}"
    body = (
        f"<xml><ToUserName>gh</ToUserName><FromUserName>{openid}</FromUserName><CreateTime>{timestamp}</CreateTime>"
        f"<MsgType>text</MsgType><Content><![CDATA[{text}]]></Content><MsgId>{number}</MsgId></xml>"
    )
    query = {"timestamp": timestamp, "nonce": nonce, "signature": signature(TOKEN, timestamp, nonce)}
    return query, body.encode()


def test_a_question_is_answered_through_rasa(account: Stack, fake_wechat: FakeWeChat) -> None:
    fake_wechat.says("o1")
    query, body = request("o1", "身份证丢了咋补办", 1)
    with account.http() as http:
        before = http.get("/metrics").text
        answered = http.post("/wechat", params=query, content=body)
        after = http.get("/metrics").text
    content = ET.fromstring(answered.text).findtext("Content") or ""
    assert "居民身份证法" in content and "办事指南" in content
    counted = [line for line in after.splitlines() if line.startswith('yihaoda_turns_total{engine="rasa"}')]
    assert counted and counted[0] not in before


def test_a_letter_of_eight_thousand_characters_is_answered_at_once(account: Stack, fake_wechat: FakeWeChat) -> None:
    fake_wechat.says("letter")
    query, body = request("letter", "我家的情况是这样的，请听我慢慢说。" * 500 + "身份证丢了咋补办", 2)
    with account.http() as http:
        answered = http.post("/wechat", params=query, content=body)
    assert answered.status_code == 200
    assert ET.fromstring(answered.text).findtext("Content"), "not in time for the passive reply"


@pytest.mark.parametrize(("messages", "seconds"), [(40, 2.0), pytest.param(500, 5.0, marks=pytest.mark.full)])
def test_every_reply_of_a_burst_arrives_once(
    account: Stack, fake_wechat: FakeWeChat, messages: int, seconds: float
) -> None:
    """How long the slowest acknowledgement took is printed (``-s``): WeChat asks again after five seconds."""
    fake_wechat.sent.clear()
    took: list[float] = []
    passive: list[str] = []

    async def push(http: aiohttp.ClientSession, number: int) -> None:
        await asyncio.sleep(seconds * number / messages)
        openid = f"burst-{messages}-{number}"
        fake_wechat.says(openid)
        query, body = request(openid, "身份证丢了咋补办", 100_000 * messages + number)
        start = time.monotonic()
        async with http.post(f"{account.url}/wechat", params=query, data=body) as answered:
            text = await answered.text()
        took.append(time.monotonic() - start)
        assert answered.status == 200
        if text != "success" and BUSY not in text:
            passive.append(openid)

    async def burst() -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
            await asyncio.gather(*(push(http, number) for number in range(messages)))

    asyncio.run(burst())
    until = time.monotonic() + 180
    while len(passive) + len(fake_wechat.sent) < messages and time.monotonic() < until:
        time.sleep(0.5)
    time.sleep(3)  # whatever came twice would come now
    got = Counter([*passive, *(openid for openid, _ in fake_wechat.sent)])
    print(f"{messages} pushes: slowest {max(took):.2f} s, {len(passive)} in time, {len(fake_wechat.sent)} pushed")
    assert len(got) == messages and set(got.values()) == {1}
