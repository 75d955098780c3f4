"""The official account end to end: real gateway, real database, a WeChat API that enforces its rules and breaks as it does."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import structlog
from conftest import forget
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from bot import conversations, database, guards, retention
from bot.clock import utcnow
from bot.desk import words as desk_words
from bot.errors import InvalidInput, StoreBusy
from bot.models.conversations import ChannelUser, Conversation, InboxMessage, OutboxMessage, Rating
from bot.models.knowledge import QA, ServiceGuide
from bot.models.tickets import Ticket
from bot.replies import TextReply, TicketStatusReply
from bot.settings import Settings
from bot.tickets import moves
from connectors.gateway.app import create_app
from connectors.terminal.cli import main
from connectors.web.context import Gateway
from connectors.wechat import centres, channel, inbox, menu, notice, outbox, render, words
from connectors.wechat.account import GRACE
from connectors.wechat.api import Sent, WeChatApi
from connectors.wechat.push import parse, signature
from index import themes
from index.assistant import phrases
from index.assistant.acts import literal_act
from tests.connectors.wechat_account import APP, ASKED, KEY, SECRET, TOKEN, Account, runner
from tests.connectors.wechat_api import FakeWeChat, serving


@pytest.fixture
def run(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    return runner(sqlite_db, monkeypatch, "wechat")


def late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is answered in time: every reply is pushed."""

    async def settled(received: inbox.Received, here: Gateway, until: float) -> None:
        await here.dispatcher.answer(received.conversation_id, received.turn_id)

    monkeypatch.setattr(channel, "_settled", settled)


def test_an_answer_in_time_goes_back_as_it_came_and_is_not_pushed(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        said = await one.say("o1", ASKED)
        assert said.startswith(f"【{ASKED}】") and "依据：《图书馆条例》第三条" in said
        await one.deliver()
        assert one.fake.sent == [] and one.statuses() == {"delivered": 1}

    run(scenario)


def says(one: Account, *texts: str, sender: str = "agent") -> None:
    """Put messages for the only citizen into the outbox."""
    with database.write() as session:
        conversation = conversations.lock(session, session.scalars(select(ChannelUser)).one().conversation_id)
        for text in texts:
            conversations.say(session, conversation, [TextReply(text=text)], sender=sender)


def sentences(name: str, count: int) -> str:
    return "".join(f"{name}第{number:03}句话说到这里为止。" for number in range(count))


async def read_on(one: Account, got: str) -> str:
    """What was got and all that 更多 brings."""
    whole = got.removesuffix(render.MORE)
    while got.endswith(render.MORE):
        assert len(got.encode()) <= render.TEXT_BYTES
        got = await one.say("o1", "更多")
        whole += got.removesuffix(render.MORE)
    return whole


def test_a_push_that_comes_again_makes_no_second_turn_and_no_second_reply(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        replies = await asyncio.gather(*(one.say("o1", ASKED, number=7) for _ in range(3)))
        assert sorted(map(bool, replies)) == [False, False, True]
        await one.deliver()
        assert one.fake.sent == [] and one.statuses() == {"delivered": 1}

    run(scenario)


def test_pushes_out_of_order_are_turns_of_their_own_each_once(run) -> None:  # type: ignore[no-untyped-def]
    """WeChat tries the first message again when a later one is answered already: nothing is said twice, or of the other."""
    other = "粮油购买凭证现在还需要吗"

    async def scenario(one: Account) -> None:
        later = await one.say("o1", other, number=8)
        assert other in later and ASKED in await one.say("o1", ASKED, number=7)
        assert await one.say("o1", other, number=8) == await one.say("o1", ASKED, number=7) == ""
        await one.deliver()
        assert one.fake.sent == [] and one.statuses() == {"delivered": 2}

    run(scenario)


def test_a_push_that_comes_again_because_our_reply_got_lost_gets_it_again(run, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        first = await one.say("o1", ASKED, number=7)
        monkeypatch.setattr(inbox, "RETRIED_AFTER", timedelta())
        assert await one.say("o1", ASKED, number=7) == first
        await one.deliver()
        assert one.fake.sent == []

    run(scenario)


def test_a_late_answer_is_pushed_once(run, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    late(monkeypatch)

    async def scenario(one: Account) -> None:
        assert await one.say("o1", ASKED) == ""
        await one.wechat.deliver()
        assert one.fake.sent == []  # the passive way still has its time
        await one.deliver()
        await one.deliver()
        assert [openid for openid, _ in one.fake.sent] == ["o1"] and ASKED in one.fake.sent[0][1]
        assert one.statuses() == {"delivered": 1}

    run(scenario)


@pytest.mark.parametrize("failures", [["expired"], ["busy"], ["reset_connect"], ["busy", "expired", "busy"]])
def test_what_did_not_go_out_is_tried_again(run, monkeypatch, failures: list[str]) -> None:  # type: ignore[no-untyped-def]
    late(monkeypatch)

    async def scenario(one: Account) -> None:
        await one.say("o1", ASKED)
        one.fake.failures = [failure for failure in failures if failure != "reset_connect"]
        for minutes in range(1, 7):
            await one.deliver(timedelta(minutes=minutes))
        assert len(one.fake.sent) == 1 and one.statuses() == {"delivered": 1}

    run(scenario)


@pytest.mark.parametrize(("failure", "got"), [("reset", 0), ("reset_after", 1), ("hang", 1)])
def test_what_may_have_gone_out_is_never_pushed_again_but_offered(run, monkeypatch, failure: str, got: int) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("connectors.wechat.api._TIMEOUT_S", 0.3)

    async def scenario(one: Account) -> None:
        with monkeypatch.context() as patched:
            late(patched)
            await one.say("o1", ASKED)
            one.fake.failures = [failure]
            for minutes in range(1, 4):
                await one.deliver(timedelta(minutes=minutes))
            await asyncio.sleep(0.5)
        assert len(one.fake.sent) == got and one.statuses() == {"offered": 1}
        said = await one.say("o1", "你好")
        assert said.startswith(words.OFFERED) and ASKED in said and words.NOW in said
        assert words.OFFERED not in await one.say("o1", "谢谢")
        assert len(one.fake.sent) == got

    run(scenario, hang_s=0.5)


def test_the_quota_is_kept_and_what_exceeds_it_is_offered(run, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        await one.say("o1", ASKED)
        with database.write() as session:
            user = session.scalars(select(ChannelUser)).one()
            conversation = conversations.lock(session, user.conversation_id)
            for number in range(8):
                conversations.say(session, conversation, [TextReply(text=f"第{number}条")], sender="agent")
        await one.deliver(timedelta())
        assert [text for _, text in one.fake.sent] == [f"第{number}条" for number in range(5)]
        said = await one.say("o1", "你好")
        assert all(f"第{number}条" in said for number in (5, 6, 7))
        assert one.statuses()["offered"] == 0

    run(scenario)


def test_all_that_is_offered_is_said_however_much_it_is(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        await one.say("o1", ASKED)
        texts = [sentences(f"答复{number}", 20) for number in range(12)]
        says(one, *texts)
        await one.deliver(timedelta())
        assert len(one.fake.sent) == 5 and one.statuses()["offered"] == 7
        whole = await read_on(one, await one.say("o1", "你好", number=7))
        assert all(text in whole for text in texts[5:]) and one.statuses()["offered"] == 0
        assert whole.index(words.OFFERED) == 0 and words.NOW in whole

    run(scenario)


def test_the_rest_of_a_long_reply_does_not_vanish_behind_another(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        await one.say("o1", ASKED)
        first, second = sentences("甲", 150), sentences("乙", 150)
        says(one, first, second)
        await one.deliver(timedelta())
        got = [text.removesuffix(render.MORE) for _, text in one.fake.sent]
        assert ASKED in await one.say("o1", ASKED)
        rest = await read_on(one, await one.say("o1", "更多"))
        assert rest == second.removeprefix(got[1]) + words.EARLIER + first.removeprefix(got[0])

    run(scenario)


def test_what_follows_on_gengduo_is_not_lost_with_a_lost_reply(run, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        await one.say("o1", ASKED)
        text = sentences("甲", 200)
        says(one, text)
        await one.deliver(timedelta())
        first = one.fake.sent[0][1].removesuffix(render.MORE)
        second = await one.say("o1", "更多", number=77)
        monkeypatch.setattr(inbox, "RETRIED_AFTER", timedelta())
        assert await one.again("o1", "更多", 77) == second
        assert text == first + await read_on(one, second)

    run(scenario)


def test_a_lost_reply_comes_again_with_what_was_offered_in_it(run, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        await one.say("o1", ASKED)
        says(one, *(f"答复{number}" for number in range(7)))
        await one.deliver(timedelta())
        got = await one.say("o1", "你好", number=77)
        assert "答复5" in got and "答复6" in got
        monkeypatch.setattr(inbox, "RETRIED_AFTER", timedelta())
        assert await one.again("o1", "你好", 77) == got

    run(scenario)


def test_what_cannot_be_stored_is_not_acknowledged(run, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    def busy(*_: object) -> None:
        raise StoreBusy("系统正忙")

    async def scenario(one: Account) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(inbox, "receive", busy)
            assert (await one.push(one.message("o1", ASKED, 7))).status_code == 503
        assert ASKED in await one.say("o1", ASKED, number=7)

    run(scenario)


def test_after_48_hours_nothing_is_pushed(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        await one.say("o1", ASKED)
        with database.write() as session:
            user = session.scalars(select(ChannelUser)).one()
            user.push_until = utcnow() - timedelta(hours=1)
            conversation = conversations.lock(session, user.conversation_id)
            conversations.say(session, conversation, [TextReply(text="办好了")], sender="agent")
        await one.deliver(timedelta())
        assert one.fake.sent == [] and one.statuses()["offered"] == 1

    run(scenario)


def test_a_long_reply_is_cut_at_a_sentence_and_goes_on_at_gengduo(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        await one.say("o1", ASKED)
        text = "".join(f"第{number:03}句话说到这里为止。" for number in range(120))
        with database.write() as session:
            user = session.scalars(select(ChannelUser)).one()
            conversation = conversations.lock(session, user.conversation_id)
            conversations.say(session, conversation, [TextReply(text=text)], sender="agent")
        await one.deliver(timedelta())
        got = one.fake.sent[0][1]
        while got.endswith(render.MORE):
            assert len(got.encode()) <= render.TEXT_BYTES and got.removesuffix(render.MORE).endswith("。")
            text = text.removeprefix(got.removesuffix(render.MORE))
            got = await one.say("o1", "更多")
        assert got == text

    run(scenario)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"MsgType": "voice", "Recognition": f"{ASKED}。"}, ASKED),
        ({"MsgType": "voice", "Recognition": ""}, words.TYPE_IT),
        ({"MsgType": "image"}, words.NO_PICTURES),
        ({"MsgType": "event", "Event": "subscribe"}, "12345"),
        ({"MsgType": "event", "Event": "CLICK", "EventKey": "tickets"}, "工单编号"),
        ({"MsgType": "event", "Event": "VIEW"}, ""),
        ({"MsgType": "text", "Content": ""}, phrases.EMPTY),
    ],
)
def test_kinds_of_message(run, more: dict[str, str], said: str) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        got = await one.say("o1", "", **more)
        assert said in got if said else got == ""

    run(scenario)


FACES = st.lists(st.sampled_from(words.EMOTICONS), min_size=1, max_size=4).map("".join)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{ASKED}[微笑]", f"【{ASKED}】"),
        (f"[抱拳][抱拳]{ASKED}/::)[玫瑰]", f"【{ASKED}】"),
        ("[微笑]", words.ALL_EARS),
        ("/:strong /::D", words.ALL_EARS),
        ("【收到不支持的消息类型，暂无法显示】", words.NO_PICTURES),
        ("[收到了一个表情，请在手机上查看]", words.NO_PICTURES),
        ("[图片]", words.NO_PICTURES),
        ("[动画表情]", words.NO_PICTURES),
        ("[语音]", words.TYPE_IT),
        (f"{ASKED}\x07\x1b", f"【{ASKED}】"),
        (f"{ASKED}\x00", f"【{ASKED}】"),
        (f"<!DOCTYPE html>{ASKED}", f"【{ASKED}】"),
        (f'<!ENTITY a "b">{ASKED}&a;&#1;', ASKED),
        (f"{ASKED}\ufffe\uffff\U0001f600", f"【{ASKED}】"),
        ("\x01\x02", phrases.EMPTY),
    ],
)
def test_what_people_paste_and_wechat_puts_into_a_text(run, text: str, said: str) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        got = await one.say("o1", text)
        assert said in got and got
        if not said.startswith("【"):
            assert "工单编号" not in got

    run(scenario)


@pytest.mark.parametrize(
    "body",
    [
        {"MsgType": "text", "Content": ASKED + "\ud83d", "MsgId": 7},
        {"MsgType": "text", "Content": ASKED, "MsgId": "7\x00\x08"},
        {"MsgType": "text", "Content": [ASKED, "x"], "MsgId": 7},
        {"MsgType": "text", "Content": ASKED, "MsgId": 10**30, "Extra": {"a": [1, {"b": None}]}},
        {"MsgType": "TEXT", "Content": ASKED, "MsgId": None},
        {"MsgType": "text", "Content": ASKED, "MsgId": True, "CreateTime": 5.7},
        {"MsgType": " text ", "Content": ASKED, "MsgId": "m" * 5000},
    ],
)
def test_whatever_json_can_carry_is_read(run, body: dict[str, object]) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        known = {"FromUserName": "o1", "ToUserName": "gh", "CreateTime": int(time.time())}
        first, again = [await one.push(json.dumps(known | body)) for _ in range(2)]
        assert first.status_code == again.status_code == 200 and ASKED in first.text
        with database.read() as session:
            assert len(session.scalars(select(InboxMessage)).all()) == 1

    run(scenario)


@pytest.mark.parametrize(
    "place", [{}, {"Location_X": "28.2", "Location_Y": "112.9"}, {"Location_X": "nan", "Location_Y": "1e999"}]
)
def test_a_location_without_a_name_is_asked_for_in_words(run, place: dict[str, str]) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        assert await one.say("o1", "", MsgType="location", Label="", **place) == words.WHERE

    run(scenario)


def test_any_text_in_a_push_of_wechat_s_is_answered(run) -> None:  # type: ignore[no-untyped-def]
    """No text, in XML or JSON, makes WeChat tell the citizen that we are out of order."""

    async def scenario(one: Account) -> None:
        loop = asyncio.get_running_loop()
        number = itertools.count(1)

        async def both(text: str) -> None:
            n = next(number)
            xml = one.message(f"o{n}", text.replace("]]>", "]]]]><![CDATA[>"), n)
            fields = {
                "FromUserName": f"j{n}",
                "ToUserName": "gh",
                "CreateTime": n,
                "MsgType": "text",
                "Content": text,
                "MsgId": n,
            }
            for body in (xml, json.dumps(fields)):
                assert (await one.push(body)).status_code == 200, text

        @settings(max_examples=40, deadline=None, database=None)
        @given(st.text(st.characters(codec=None), max_size=60) | FACES | st.text("<!DOCTYPE&#x0;]>[微笑]", max_size=30))
        def check(text: str) -> None:
            asyncio.run_coroutine_threadsafe(both(text), loop).result(30)

        await asyncio.to_thread(check)

    run(scenario)


# --- menus, links, codes ---------------------------------------------------------------------------------------------


def items(one: Account) -> list[dict[str, str]]:
    """What the last pushed message lets the citizen tap."""
    assert one.fake.messages[-1]["msgtype"] == "msgmenu", one.fake.messages[-1]
    listed: list[dict[str, str]] = one.fake.messages[-1]["msgmenu"]["list"]
    return listed


def ratings() -> dict[str, bool]:
    """By the text that was answered."""
    with database.read() as session:
        rows = session.execute(
            select(InboxMessage.text, Rating.helpful).join(Rating, Rating.turn_id == InboxMessage.turn_id)
        )
        return {str(text): helpful for text, helpful in rows}


@pytest.mark.parametrize(("word", "helpful"), [("有用", True), ("没用", False)])
def test_a_pushed_answer_is_rated_by_a_tap(run, monkeypatch, word: str, helpful: bool) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        with monkeypatch.context() as patched:
            late(patched)
            await one.say("o1", ASKED)
        await one.deliver()
        assert render.RATE not in one.fake.sent[0][1]
        item = next(item for item in items(one) if item["content"] == word)
        assert await one.tap("o1", item)
        assert ratings() == {ASKED: helpful}

    run(scenario)


def test_a_tap_rates_the_answer_that_it_stands_under(run, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    other = "粮油购买凭证现在还需要吗"

    async def scenario(one: Account) -> None:
        with monkeypatch.context() as patched:
            late(patched)
            await one.say("o1", ASKED)
        await one.deliver()
        below = items(one)
        assert "不再需要" in await one.say("o1", other)
        assert await one.tap("o1", below[1]) == words.RATED
        assert ratings() == {ASKED: False}
        assert await one.tap("o1", {"id": "good:another-citizens-turn", "content": "有用"})  # as if typed
        assert ratings() == {ASKED: False, other: True}

    run(scenario)


def test_an_answer_in_text_is_rated_in_words(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        assert (await one.say("o1", ASKED)).endswith(render.RATE)
        await one.say("o1", "有用")
        assert ratings() == {ASKED: True}

    run(scenario)


def test_options_are_tapped_where_pushed_and_numbered_in_text(run, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("YIHAODA_ANSWER_AT", "0.999")
    monkeypatch.setenv("YIHAODA_CLARIFY_AT", "0.001")

    async def scenario(one: Account) -> None:
        asked = "借书证弄丢"
        with monkeypatch.context() as patched:
            late(patched)
            await one.say("o1", asked)
        await one.deliver()
        below = items(one)
        assert below[-1] == {"id": "none", "content": "以上都不是"}
        assert "1. " not in one.fake.messages[-1]["msgmenu"]["head_content"]
        assert f"【{below[0]['content']}】" in await one.tap("o1", below[0])
        assert f"1. {below[0]['content']}" in await one.say("o2", asked)
        assert f"【{below[0]['content']}】" in await one.say("o2", "1")

    run(scenario)


def test_an_account_that_may_not_send_menus_sends_text(run, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    late(monkeypatch)

    async def scenario(one: Account) -> None:
        one.fake.menus = False
        await one.say("o1", ASKED)
        await one.deliver()
        assert len(one.fake.sent) == 1 and one.fake.sent[0][1].endswith(render.RATE)

    run(scenario)


def test_after_a_tap_there_is_a_minute_and_then_the_reply_waits(run, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    late(monkeypatch)

    async def scenario(one: Account) -> None:
        assert await one.event("o1", "CLICK", "tickets") is None
        await one.deliver(timedelta(minutes=2))
        assert one.fake.sent == [] and one.statuses() == {"offered": 1}
        assert await one.event("o2", "CLICK", "ask") is None
        await one.deliver(GRACE)
        assert [openid for openid, _ in one.fake.sent] == ["o2"]
        await one.say("o2", ASKED)
        await one.event("o2", "CLICK", "tickets")  # takes nothing away from the 48 hours
        await one.deliver(timedelta(minutes=5))
        assert [openid for openid, _ in one.fake.sent] == ["o2"] * 3

    run(scenario)


GUIDE = "https://www.gov.cn/fuwu/a?b=1&c=<补领>"


def with_guide(url: str) -> None:
    """The answer to ``ASKED`` gets a service guide."""
    fields = {name: [] for name in ("steps",)} | {"materials": ["身份证"], "channels": ["市图书馆"], "region": "100000"}
    with database.write() as session:
        session.add(ServiceGuide(id="g1", title="借书证补领", url=url, **fields))
        session.get_one(QA, "plain").guides = ["g1"]


def test_a_guide_is_a_link_in_the_answer_and_a_card_when_asked_for(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        with_guide(GUIDE)
        said = await one.say("o1", ASKED)
        assert '<a href="https://www.gov.cn/fuwu/a?b=1&c=%3C%E8%A1%A5%E9%A2%86%3E">借书证补领</a>' in said
        answered = ET.fromstring((await one.push(one.message("o1", "办事指南"))).text)
        assert answered.findtext("MsgType") == "news" and answered.findtext("ArticleCount") == "1"
        article = answered.find("Articles/item")
        assert article is not None and article.findtext("Title") == "借书证补领" and article.findtext("Url") == GUIDE
        assert "身份证" in (article.findtext("Description") or "")
        with database.write() as session:
            session.get_one(QA, "plain").status = "paused"
        answered = ET.fromstring((await one.push(one.message("o1", "办事指南"))).text)
        assert answered.findtext("MsgType") == "text"  # a card for what may not be answered any more would mislead
        for _ in range(2):
            assert await one.say("o2", "办事指南")  # nothing was answered yet: the assistant says something

    run(scenario)


@pytest.mark.parametrize("event", ["subscribe", "SCAN"])
def test_a_code_that_names_a_matter_offers_its_questions(run, event: str) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        answered = await one.event("o1", event, ("qrscene_" if event == "subscribe" else "") + "测试事项")
        assert answered is not None
        said = answered.findtext("Content") or ""
        first = said.split("1. ")[1].split("\n")[0]
        assert "测试事项" in said and "自行车上牌照" not in said  # that rule is not in force any more
        assert f"【{first}】" in await one.say("o1", "1")
        with database.read() as session:
            texts = session.scalars(select(InboxMessage.text).order_by(InboxMessage.seq)).all()
        assert texts == ["扫码：测试事项", "1"]

    run(scenario)


def test_a_menu_that_names_a_theme_offers_its_questions(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        answered = await one.event("o1", "CLICK", "theme:其他")
        assert answered is not None
        first = (answered.findtext("Content") or "").split("1. ")[1].split("\n")[0]
        assert f"【{first}】" in await one.say("o1", "1")
        assert await one.event("o1", "CLICK", "theme:") is None

    run(scenario)


def test_a_code_of_a_theme_and_one_that_nobody_knows(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        answered = await one.event("o1", "SCAN", "其他")
        assert answered is not None and "1. " in (answered.findtext("Content") or "")
        answered = await one.event("o1", "SCAN", "海报3号")
        assert answered is not None and answered.findtext("Content") == words.WELCOME
        answered = await one.event("o1", "subscribe")
        assert answered is not None and answered.findtext("Content") == words.WELCOME

    run(scenario)


# --- tickets and people ----------------------------------------------------------------------------------------------


async def ticket(one: Account) -> str:
    """The number of the ticket that o1 makes."""
    assert "工单编号" in await one.say("o1", "转人工")
    await one.say("o1", "不用")
    with database.read() as session:
        number: str = session.scalars(select(Ticket.number)).one()
    return number


def over() -> None:
    """The citizen's time for being pushed to is over."""
    with database.write() as session:
        session.scalars(select(ChannelUser)).one().push_until = utcnow() - timedelta(minutes=1)


def test_a_ticket_leads_to_the_mini_program_where_there_is_one(run, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("YIHAODA_MINIPROGRAM_APP_ID", "wx-mini")
    monkeypatch.setenv("YIHAODA_MINIPROGRAM_APP_SECRET", "mini-secret")

    async def scenario(one: Account) -> None:
        said = await one.say("o1", "转人工")
        assert '<a data-miniprogram-appid="wx-mini" data-miniprogram-path="pages/tickets">' in said
        assert "<a " not in await one.say("o1", ASKED)

    run(scenario)


def test_a_ticket_s_answer_is_pushed_within_the_quota(run, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("YIHAODA_WECHAT_TEMPLATE", "template-1")

    async def scenario(one: Account) -> None:
        number = await ticket(one)
        await one.operate(f"tickets/{number}/claim")
        await one.operate(f"tickets/{number}/reply", text="已责令整改。")
        await one.deliver(timedelta())
        await one.operate(f"tickets/{number}/close")
        await one.deliver(timedelta())
        assert [("已责令整改" in text) for _, text in one.fake.sent] == [True, True] and one.fake.notices == []

    run(scenario)


@pytest.mark.parametrize("failures", [[], ["expired"], ["busy", "busy"]])
def test_where_it_may_not_be_pushed_a_notice_goes_and_the_answer_waits(run, monkeypatch, failures: list[str]) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("YIHAODA_WECHAT_TEMPLATE", "template-1")

    async def scenario(one: Account) -> None:
        number = await ticket(one)
        over()
        await one.operate(f"tickets/{number}/claim")
        await one.operate(f"tickets/{number}/reply", text="已责令整改。")
        one.fake.failures = list(failures)
        for minutes in range(5):
            await one.deliver(timedelta(minutes=minutes))
        assert one.fake.sent == [] and len(one.fake.notices) == 1
        data = {name: given["value"] for name, given in one.fake.notices[0]["data"].items()}
        assert data["character_string1"] == number and data["phrase2"] == "已答复" and "整改" not in str(data)
        assert "已责令整改" in await one.say("o1", "你好")
        assert "已责令整改" not in await one.say("o1", "谢谢")

    run(scenario)


def test_a_notice_goes_too_where_wechat_counts_otherwise_than_we(run, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("YIHAODA_WECHAT_TEMPLATE", "template-1")

    async def scenario(one: Account) -> None:
        number = await ticket(one)
        one.fake.allowed.clear()
        await one.operate(f"tickets/{number}/claim")
        await one.operate(f"tickets/{number}/reply", text="已责令整改。")
        await one.deliver(timedelta())
        assert one.fake.sent == [] and len(one.fake.notices) == 1 and one.statuses()["offered"] == 1

    run(scenario)


def test_without_a_template_the_answer_waits(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        number = await ticket(one)
        over()
        await one.operate(f"tickets/{number}/claim")
        await one.operate(f"tickets/{number}/reply", text="已责令整改。")
        await one.deliver(timedelta())
        assert one.fake.sent == one.fake.notices == []
        assert "已责令整改" in await one.say("o1", "你好")

    run(scenario)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("", "没有字段"),
        ("thing1=姓名", "只能是"),
        ("phrase1=编号", "放不了"),
        ("time3", "只能是"),
    ],
)
def test_a_template_that_cannot_hold_what_it_should_is_refused_at_the_start(fields: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        notice.official("template-1", fields)
    assert notice.official("", fields) is None


def test_a_notice_opens_the_mini_program_or_the_page() -> None:
    ticket = TicketStatusReply(number="20261121748480", state="已办结", text="")
    plain = notice.official("t", "thing1=提示")
    both = notice.official("t", "thing1=提示", "wx-mini", "https://example.gov.cn")
    assert plain is not None and both is not None
    assert not {"url", "miniprogram"} & set(plain.message("o1", ticket, utcnow()))
    body = both.message("o1", ticket, utcnow())
    assert body["url"] == "https://example.gov.cn/#/pages/tickets"
    assert body["miniprogram"] == {"appid": "wx-mini", "pagepath": "pages/tickets"}


def test_a_human_may_sit_at_wechat_s_own_desk(run, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("YIHAODA_WECHAT_TRANSFER", "true")

    async def scenario(one: Account) -> None:
        await one.operate("duty", hours=1)
        assert ASKED in await one.say("o1", ASKED)
        one.fake.says("o1")
        for said in ("转人工", "在吗"):
            answered = ET.fromstring((await one.push(one.message("o1", said))).text)
            assert answered.findtext("MsgType") == "transfer_customer_service" and answered.find("Content") is None
        await one.deliver()
        assert len(one.fake.sent) == 2  # what the assistant said is not lost
        answered_event = await one.event("o1", "CLICK", "ask")  # an event is none of the desk's business
        assert answered_event is not None and answered_event.findtext("MsgType") == "text"
        assert await one.event("o1", "kf_close_session") is None
        assert ASKED in await one.say("o1", ASKED)

    run(scenario)


@pytest.mark.parametrize("transfer", ["true", "false"])
def test_in_danger_the_card_goes_back_at_once_whoever_has_the_conversation(run, monkeypatch, transfer: str) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("YIHAODA_WECHAT_TRANSFER", transfer)

    async def scenario(one: Account) -> None:
        await one.operate("duty", hours=1)
        await one.say("o1", "转人工")
        with database.read() as session:
            conversation = session.scalars(select(ChannelUser)).one().conversation_id
        for claimed in (False, True):
            if claimed:
                await one.operate(f"conversations/{conversation}/claim")
            answered = await one.say("o1", "我爸躺地上怎么喊都不应声")
            assert answered.startswith("120 急救") and "照调度员说的做" in answered

    run(scenario)


def test_by_default_a_human_sits_at_our_desk(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        await one.operate("duty", hours=1)
        assert await one.say("o1", "转人工")
        with database.read() as session:
            conversation = session.scalars(select(ChannelUser)).one().conversation_id
        await one.operate(f"conversations/{conversation}/claim")
        assert await one.say("o1", "在吗") == ""
        await one.operate(f"conversations/{conversation}/messages", text="您好，请讲。")
        await one.deliver(timedelta())
        await one.deliver(timedelta())
        assert [text for _, text in one.fake.sent] == [desk_words.TAKEN.format(agent="xiaoli"), "您好，请讲。"]

    run(scenario)


# --- all the rest ----------------------------------------------------------------------------------------------------


def test_two_citizens_never_see_each_others_words(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        first, second = await asyncio.gather(one.say("o1", ASKED), one.say("o2", ASKED))
        assert first == second
        with database.read() as session:
            users = session.scalars(select(ChannelUser)).all()
            assert len({user.conversation_id for user in users}) == 2
            assert {user.address for user in users} == {"o1", "o2"}
            assert "o1" not in {user.user_digest for user in users}

    run(scenario)


def test_when_its_time_is_over_a_citizens_trace_is_gone_and_they_begin_anew(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        await one.say("o1", ASKED)
        with database.write() as session:
            now = utcnow() + timedelta(days=200)
            assert retention.purge(session, now, 180, retention.host_clock(), confirmed_by="王") == 1
        with database.read() as session:
            assert session.scalars(select(ChannelUser)).all() == []
        assert ASKED in await one.say("o1", ASKED)

    run(scenario)


def test_forged_or_broken_pushes_are_refused_and_the_address_check_passes(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        assert (await one.push(one.message("o1", ASKED), token="another")).status_code == 403
        assert (await one.push("<xml>")).status_code == 403
        assert (await one.push("x" * 2_000_000)).status_code == 413
        timestamp = str(int(time.time()))
        query = {"timestamp": timestamp, "nonce": "n", "signature": signature(TOKEN, timestamp, "n"), "echostr": "77"}
        answered = await one.http.get("/wechat", params=query)
        assert (answered.status_code, answered.text) == (200, "77")
        assert (await one.http.get("/wechat", params=query | {"signature": "x"})).status_code == 403
        assert one.statuses() == {}

    run(scenario)


def test_a_used_signature_serves_no_other_message_after_a_restart(run) -> None:  # type: ignore[no-untyped-def]
    timestamp = str(int(time.time()))
    query = {"timestamp": timestamp, "nonce": "n", "signature": signature(TOKEN, timestamp, "n")}
    statuses = []

    async def scenario(one: Account) -> None:  # a gateway of its own each time
        for number, text in ((1, ASKED), (2, "粮油购买凭证现在还需要吗")):
            body = one.message("o1", text, number, CreateTime=timestamp).encode()
            statuses.append((await one.http.post("/wechat", params=query, content=body)).status_code)

    run(scenario)
    run(scenario)
    assert statuses == [200, 403, 200, 403]
    with database.read() as session:
        assert len(session.scalars(select(InboxMessage)).all()) == 1


def test_in_wechat_the_openid_is_what_waits_after_a_wrong_code(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        await one.say("o1", "火星移民签证在哪里办理")
        made = await one.say("o1", "好")
        number, code = re.findall(r"\d{14}|\d{8}(?!\d)", made)[:2]
        wrong = "0" * 8 if code != "0" * 8 else "1" * 8
        said = [await one.say("o2", f"{number} {wrong}") for _ in range(8)]
        assert said[0] == moves.NOT_FOUND and "后再试" in said[-1]
        with database.write() as session:
            retention.erase(session, list(session.scalars(select(Conversation.id))))  # a new one is no new source
        assert "后再试" in await one.say("o2", f"{number} {code}")
        assert number in await one.say("o3", f"{number} {code}")  # all pushes come from the same addresses

    run(scenario)


def test_in_safe_mode_the_reply_is_encrypted(run, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("YIHAODA_WECHAT_AES_KEY", KEY)

    async def scenario(one: Account) -> None:
        verifier, timestamp = one.wechat.verifier, str(int(time.time()))
        body = verifier.seal(one.message("o1", ASKED), "n", timestamp)
        query = {"timestamp": timestamp, "nonce": "n", "msg_signature": parse(body.encode())["MsgSignature"]}
        answered = await one.http.post("/wechat", params=query, content=body.encode())
        fields = parse(answered.content)
        opened = verifier._opened(
            fields["Encrypt"],
            {"msg_signature": fields["MsgSignature"], "timestamp": fields["TimeStamp"], "nonce": fields["Nonce"]},
        )
        assert ASKED in opened
        assert (await one.push(one.message("o1", ASKED))).status_code == 403

    run(scenario)


def test_without_an_account_there_is_no_such_address(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.gateway.app.logs.configure", lambda level: None)

    async def scenario() -> None:
        app = create_app()
        transport = httpx.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://t") as http,
        ):
            assert (await http.post("/wechat", content=b"<xml/>")).status_code == 404

    asyncio.run(scenario())


def test_processes_share_one_token_and_renew_it_once(sqlite_db: Settings) -> None:
    async def scenario() -> None:
        async with FakeWeChat(APP, SECRET) as fake:
            apis = [WeChatApi(APP, SECRET, fake.url) for _ in range(3)]
            fake.says("o1")
            assert (
                await asyncio.gather(*(api.send("o1", render.text_message("一")) for api in apis))
                == [Sent.DELIVERED] * 3
            )
            assert fake.tokens == 1
            fake.expire()
            assert await apis[0].send("o1", render.text_message("二")) is Sent.DELIVERED
            assert await apis[1].send("o1", render.text_message("三")) is Sent.DELIVERED
            assert (fake.tokens, fake.forced) == (2, 0)
            assert await apis[2].send("o1", render.text_message("四")) is Sent.REFUSED  # 45047
            assert await apis[2].send("o2", render.text_message("五")) is Sent.REFUSED  # 45015
            for api in apis:
                await api.close()

    asyncio.run(scenario())


def test_processes_that_renew_the_token_at_once_do_not_push_each_other_out(sqlite_db: Settings) -> None:
    async def scenario() -> None:
        async with FakeWeChat(APP, SECRET) as fake:
            apis = [WeChatApi(APP, SECRET, fake.url) for _ in range(4)]
            for round_ in range(3):
                fake.expire()
                openids = [f"o{round_}-{number}" for number in range(20)]
                for openid in openids:
                    fake.says(openid)
                sent = await asyncio.gather(
                    *(apis[n % 4].send(openid, render.text_message("好")) for n, openid in enumerate(openids))
                )
                assert set(sent) == {Sent.DELIVERED}
            assert (fake.tokens, fake.forced) == (3, 0)
            for api in apis:
                await api.close()

    asyncio.run(scenario())


def test_refusals_do_not_open_the_breaker_and_failures_do(sqlite_db: Settings) -> None:
    async def scenario() -> None:
        async with FakeWeChat(APP, SECRET) as fake:
            api = WeChatApi(APP, SECRET, fake.url)
            for _ in range(12):
                assert await api.send("stranger", render.text_message("好")) is Sent.REFUSED
            fake.says("o1")
            assert await api.send("o1", render.text_message("好")) is Sent.DELIVERED
            fake.failures = ["busy"] * 5
            for _ in range(6):
                assert await api.send("o1", render.text_message("好")) is Sent.AGAIN
            assert len(fake.sent) == 1 and fake.failures == []  # the sixth was not even tried
            await api.close()

    asyncio.run(scenario())


def test_a_wrong_secret_is_no_crash_and_nothing_is_lost(run, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    late(monkeypatch)

    async def scenario(one: Account) -> None:
        one.fake.secret = "changed"
        await one.say("o1", ASKED)
        for hours in range(1, 13):
            one.wechat.api._open_at = 0
            await one.deliver(timedelta(hours=hours))
        assert one.statuses() == {"offered": 1}

    run(scenario)


@pytest.mark.parametrize("messages", [60, pytest.param(1000, marks=pytest.mark.full)])
def test_under_failures_every_reply_comes_once_or_is_offered(run, monkeypatch, messages: int) -> None:  # type: ignore[no-untyped-def]
    """A tenth of the pushes fails; every message also comes three times."""
    late(monkeypatch)
    monkeypatch.setattr(outbox, "take", lambda turn_id, again: "")  # not to a push that comes again, either

    async def scenario(one: Account) -> None:
        one.fake.failing = 0.1
        citizens = [f"o{number}" for number in range(messages // 2)]
        for start in range(0, len(citizens), 10):
            batch = citizens[start : start + 10]
            for text in (ASKED, "粮油购买凭证现在还需要吗"):
                number = 10_000 + start
                await asyncio.gather(
                    *(one.say(openid, text, number=number + hash((openid, text)) % 10**9) for openid in batch * 3)
                )
        for hours in range(1, 13):
            one.wechat.api._open_at = 0
            await one.deliver(timedelta(hours=hours))
        with database.read() as session:
            rows = session.execute(select(OutboxMessage.status, OutboxMessage.error)).all()
        counted = Counter(status for status, _ in rows)
        assert len(rows) == messages and set(counted) <= {"delivered", "offered"}
        pushed = Counter(one.fake.sent)
        assert max(pushed.values()) == 1
        assert counted["delivered"] <= len(pushed) <= messages
        print(counted, Counter(error for _, error in rows), "got by push", len(pushed))

    run(scenario)


@pytest.fixture
def served(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeWeChat]:
    """WeChat's API, and the settings that lead there."""
    with serving(FakeWeChat(APP, SECRET)) as fake:
        for name, value in {"APP_ID": APP, "APP_SECRET": SECRET, "TOKEN": TOKEN, "API_URL": fake.url}.items():
            monkeypatch.setenv(f"YIHAODA_WECHAT_{name}", value)
        forget()
        yield fake
    structlog.reset_defaults()  # the command's log goes to a standard error that ends with the test


def test_the_menu_is_published_by_one_command(served: FakeWeChat, capsys: pytest.CaptureFixture[str]) -> None:

    def publish() -> int:
        with pytest.raises(SystemExit) as ended:
            main(["wechat", "menu", "publish"])
        return int(ended.value.code or 0)

    assert publish() == 0 and "菜单已发布" in capsys.readouterr().out
    assert [button["name"] for button in served.menu["button"]] == ["我要问", "我要办", "我的工单"]
    served.expire()  # a token that WeChat takes back is renewed
    assert publish() == 0
    served.expire()
    served.secret = "changed"
    assert publish() == 1 and "没有给凭证" in capsys.readouterr().err


def test_a_code_is_made_by_one_command(served: FakeWeChat, capsys: pytest.CaptureFixture[str]) -> None:
    for scene, ended in (("生育", 0), ("长" * 65, 1)):
        with pytest.raises(SystemExit) as exited:
            main(["wechat", "qrcode", scene])
        assert int(exited.value.code or 0) == ended
    assert served.scenes == ["生育"]
    assert "ticket=gQH%2B%2Fx%3D%3D" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("nothing", "JSON"),
        ("{}", "1 到 3 个"),
        ('{"button": [{"name": "一个太长太长的名字", "type": "click", "key": "ask"}]}', "太长"),
        ('{"button": [{"name": "问", "type": "click", "key": "weather"}]}', "key 只能是"),
        ('{"button": [{"name": "办", "type": "click", "key": "theme: "}]}', "主题名"),
        (f'{{"button": [{{"name": "办", "type": "click", "key": "theme:{"生" * 50}"}}]}}', "太长"),
        ('{"button": [{"name": "办", "type": "view", "url": "javascript:x"}]}', "https"),
        ('{"button": [{"name": "办", "type": "scan"}]}', "type 只能是"),
        ('{"button": [{"name": "办", "sub_button": []}]}', "1 到 5 个"),
        ('{"button": [{"type": "click", "key": "ask"}]}', "名字"),
        ('{"button": ["x"]}', "名字"),
    ],
)
def test_a_menu_that_wechat_would_not_take_is_refused_before(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "menu.json").write_text(content, encoding="utf-8")
    with pytest.raises(InvalidInput, match=said):
        menu.read(tmp_path / "menu.json")


def test_every_theme_of_the_menu_that_comes_along_exists() -> None:
    keys = [sub["key"] for button in menu.read()["button"] for sub in button.get("sub_button", [button])]
    named = [key.removeprefix(words.THEME) for key in keys if key.startswith(words.THEME)]
    assert named and set(named) <= {life.title for life in themes.lives()}


def test_every_key_of_the_menu_says_something_the_assistant_understands() -> None:
    for said in words.MENU.values():
        assert literal_act(said) or guards.wants_human(said), said


CENTRES = """名称,地址,纬度,经度,开放时间,电话
甲区政务服务中心,人民路1号,28.2000,112.9400,周一至周五 9:00—17:00,12345
乙街道便民服务中心,中山路2号,28.2100,112.9500,,
丙市政务服务中心,长江路3号,30.5900,114.3000,,
"""


def test_a_location_gets_the_nearest_centres(run, monkeypatch, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "centres.csv").write_text(CENTRES, encoding="utf-8")
    monkeypatch.setenv("YIHAODA_CENTRES_FILE", str(tmp_path / "centres.csv"))

    async def scenario(one: Account) -> None:
        said = await one.say("o1", "", MsgType="location", Location_X="28.2010", Location_Y="112.9410", Label="人民路")
        assert said.index("甲区政务服务中心（约 148 米）") < said.index("乙街道便民服务中心") and "丙市" not in said
        assert "周一至周五" in said and "12345" in said and "coord:28.2,112.94" in said
        assert "没有查到" in await one.say("o1", "", MsgType="location", Location_X="45", Location_Y="126")
        assert await one.say("o1", "", MsgType="location", Location_X="x", Location_Y="y", Label="长沙市岳麓区")

    run(scenario)


def test_distances_are_those_on_the_globe() -> None:
    beijing = centres.Centre("北京", "", 39.9042, 116.4074, "", "")
    assert centres.distance_km(31.2304, 121.4737, beijing) == pytest.approx(1067, abs=3)  # Shanghai
    assert centres.distance_km(39.9042, 116.4074, beijing) == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "表头"),
        ("名称,地址\n甲,乙\n", "表头"),
        ("名称,地址,纬度,经度,开放时间,电话\n甲,乙,x,112,,\n", "第 2 行"),
        ("名称,地址,纬度,经度,开放时间,电话\n甲,乙,112,28,,\n", "写反"),
        ("名称,地址,纬度,经度,开放时间,电话\n,乙,28,112,,\n", "没有名称"),
    ],
)
def test_a_bad_table_of_centres_is_refused_with_the_line(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "centres.csv").write_text(content, encoding="utf-8")
    with pytest.raises(InvalidInput, match=said):
        centres.read(tmp_path / "centres.csv")
