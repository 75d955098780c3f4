"""The official account end to end: real gateway, real database, a WeChat API that enforces its rules and breaks as it does."""

from __future__ import annotations

import asyncio
import threading
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import structlog
from conftest import forget
from sqlalchemy import select

from bot import conversations, database, guards, retention
from bot.errors import InvalidInput
from bot.models import ChannelUser, OutboxMessage, utcnow
from bot.replies import TextReply
from bot.settings import Settings
from connectors.cli import main
from connectors.gateway import create_app
from connectors.wechat import centres, channel, menu, render, words
from connectors.wechat.api import Sent, WeChatApi
from connectors.wechat.channel import GRACE, WeChat
from connectors.wechat.push import parse, signature
from index import wording
from index.acts import literal_act
from tests.connectors.wechat_api import FakeWeChat
from tests.index.test_assistant import make

APP, SECRET, TOKEN, KEY = (
    "wx0123456789abcdef",
    "app-secret",
    "push-token",
    "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
)
ASKED = "图书馆借书证丢失如何补领"


class Account:
    """The gateway with an official account, the fake WeChat behind it, and citizens who write."""

    def __init__(self, http: httpx.AsyncClient, wechat: WeChat, fake: FakeWeChat) -> None:
        self.http, self.wechat, self.fake = http, wechat, fake
        self._number = 0

    def message(self, openid: str, text: str, number: int | None = None, **more: str) -> str:
        self._number += 1
        fields = {"ToUserName": "gh_1", "FromUserName": openid, "CreateTime": str(int(time.time())), "MsgType": "text"}
        fields |= {"Content": text, "MsgId": str(number or 1000 + self._number)} | more
        return "<xml>" + "".join(f"<{k}><![CDATA[{v}]]></{k}>" for k, v in fields.items()) + "</xml>"

    async def push(self, body: str, token: str = TOKEN) -> httpx.Response:
        self._number += 1
        timestamp, nonce = str(int(time.time())), f"n{self._number}"
        query = {"timestamp": timestamp, "nonce": nonce, "signature": signature(token, timestamp, nonce)}
        return await self.http.post("/wechat", params=query, content=body.encode())

    async def say(self, openid: str, text: str, number: int | None = None, **more: str) -> str:
        """What comes back passively; empty for a bare acknowledgement."""
        self.fake.says(openid)
        answered = await self.push(self.message(openid, text, number, **more))
        assert answered.status_code == 200
        if answered.text == "success":
            return ""
        return ET.fromstring(answered.text).findtext("Content") or ""

    async def deliver(self, after: timedelta = GRACE) -> None:
        while await self.wechat.deliver(utcnow() + after):
            pass

    def statuses(self) -> Counter[str]:
        with database.read() as session:
            return Counter(session.scalars(select(OutboxMessage.status)))


@asynccontextmanager
async def account(monkeypatch: pytest.MonkeyPatch, **options: float) -> AsyncIterator[Account]:
    async with FakeWeChat(APP, SECRET, **options) as fake:  # type: ignore[arg-type]
        for name, value in {"APP_ID": APP, "APP_SECRET": SECRET, "TOKEN": TOKEN, "API_URL": fake.url}.items():
            monkeypatch.setenv(f"YIHAODA_WECHAT_{name}", value)
        monkeypatch.setattr(channel, "_POLL_S", 3600)  # the tests say when it is time to push
        # The log would go to a standard error that ends with the test.
        monkeypatch.setattr("connectors.gateway.logs.configure", lambda level: None)
        forget()
        app = create_app()
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
                yield Account(http, app.state.wechat, fake)
    forget()


@pytest.fixture
def run(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    monkeypatch.setenv("YIHAODA_DENSE", "false")
    monkeypatch.setenv("YIHAODA_RASA_PORT", "1")  # nobody there: the gateway answers by itself
    make(sqlite_db, region="100000")

    def call(scenario: Callable[[Account], Awaitable[None]], **options: float) -> None:
        async def body() -> None:
            async with account(monkeypatch, **options) as one:
                await scenario(one)

        asyncio.run(body())

    return call


def late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is answered in time: every reply is pushed."""
    monkeypatch.setattr(channel, "ANSWER_WITHIN_S", 0.0)

    async def slow(push: object, here: object, until: float) -> str:
        said, fixed = words.read(push)  # type: ignore[arg-type]
        if said is None:
            return fixed
        received = await asyncio.to_thread(channel._receive, push, said, here.settings)  # type: ignore[attr-defined, arg-type]
        if not received.settled:
            await here.dispatcher.answer(received.conversation_id, received.turn_id)  # type: ignore[attr-defined]
        return ""

    monkeypatch.setattr(channel, "_answer", slow)


def test_an_answer_in_time_goes_back_as_it_came_and_is_not_pushed(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        said = await one.say("o1", ASKED)
        assert said.startswith(f"【{ASKED}】") and "依据：《图书馆条例》第三条" in said
        await one.deliver()
        assert one.fake.sent == [] and one.statuses() == {"delivered": 1}

    run(scenario)


def test_a_push_that_comes_again_makes_no_second_turn_and_no_second_reply(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        replies = await asyncio.gather(*(one.say("o1", ASKED, number=7) for _ in range(3)))
        assert sorted(map(bool, replies)) == [False, False, True]
        await one.deliver()
        assert one.fake.sent == [] and one.statuses() == {"delivered": 1}

    run(scenario)


def test_a_push_that_comes_again_because_our_reply_got_lost_gets_it_again(run, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        first = await one.say("o1", ASKED, number=7)
        monkeypatch.setattr(channel, "RETRIED_AFTER", timedelta())
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


def test_after_48_hours_nothing_is_pushed(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        await one.say("o1", ASKED)
        with database.write() as session:
            user = session.scalars(select(ChannelUser)).one()
            user.spoke_at = utcnow() - timedelta(hours=49)
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
        ({"MsgType": "event", "Event": "CLICK", "EventKey": "tickets"}, "办件编号"),
        ({"MsgType": "event", "Event": "VIEW"}, ""),
        ({"MsgType": "text", "Content": ""}, wording.EMPTY),
    ],
)
def test_kinds_of_message(run, more: dict[str, str], said: str) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        got = await one.say("o1", "", **more)
        assert said in got if said else got == ""

    run(scenario)


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
            assert retention.purge(session, utcnow() + timedelta(days=200), 180) == 1
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
    monkeypatch.setattr("connectors.gateway.logs.configure", lambda level: None)

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
            from pydantic import SecretStr

            settings = sqlite_db.model_copy(
                update={"wechat_app_id": APP, "wechat_app_secret": SecretStr(SECRET), "wechat_api_url": fake.url}
            )
            apis = [WeChatApi(settings) for _ in range(3)]
            fake.says("o1")
            assert await asyncio.gather(*(api.send_text("o1", "一") for api in apis)) == [Sent.DELIVERED] * 3
            assert fake.tokens == 1
            fake.expire()
            assert await apis[0].send_text("o1", "二") is Sent.DELIVERED
            assert await apis[1].send_text("o1", "三") is Sent.DELIVERED
            assert (fake.tokens, fake.forced) == (2, 0)
            assert await apis[2].send_text("o1", "四") is Sent.REFUSED  # 45047
            assert await apis[2].send_text("o2", "五") is Sent.REFUSED  # 45015
            for api in apis:
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
    """WeChat's API in a thread of its own, and the settings that lead there."""
    loop, fake = asyncio.new_event_loop(), FakeWeChat(APP, SECRET)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(fake.__aenter__(), loop).result(10)
    for name, value in {"APP_ID": APP, "APP_SECRET": SECRET, "TOKEN": TOKEN, "API_URL": fake.url}.items():
        monkeypatch.setenv(f"YIHAODA_WECHAT_{name}", value)
    forget()
    yield fake
    asyncio.run_coroutine_threadsafe(fake.__aexit__(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    structlog.reset_defaults()  # the command's log goes to a standard error that ends with the test


def test_the_menu_is_published_by_one_command(served: FakeWeChat, capsys: pytest.CaptureFixture[str]) -> None:

    def publish() -> int:
        with pytest.raises(SystemExit) as ended:
            main(["wechat", "menu", "publish"])
        return int(ended.value.code or 0)

    assert publish() == 0 and "菜单已发布" in capsys.readouterr().out
    assert [button["name"] for button in served.menu["button"]] == ["我要问", "我要反映", "我的工单"]
    served.expire()  # a token that WeChat takes back is renewed
    assert publish() == 0
    served.expire()
    served.secret = "changed"
    assert publish() == 1 and "没有给凭证" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("nothing", "JSON"),
        ("{}", "1 到 3 个"),
        ('{"button": [{"name": "一个太长太长的名字", "type": "click", "key": "ask"}]}', "太长"),
        ('{"button": [{"name": "问", "type": "click", "key": "weather"}]}', "key 只能是"),
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
