"""The mini-program's server side: log-in, the window of its customer service, notices.  Real gateway, real database."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from bot import crypto, database
from bot.models.conversations import ChannelUser, Conversation, InboxMessage
from bot.models.tickets import Ticket
from bot.settings import Settings, get_settings
from connectors.wechat import words
from connectors.wechat.push import parse
from tests.connectors.wechat_account import ASKED, KEY, Account, runner


@pytest.fixture
def run(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    return runner(sqlite_db, monkeypatch, "miniprogram")


async def log_in(one: Account, openid: str) -> dict[str, Any]:
    """What the client gets."""
    code = f"code-{len(one.fake.used)}-{openid}"
    one.fake.codes[code] = openid
    answered = await one.http.post("/api/login/miniprogram", json={"code": code})
    assert answered.status_code == 200, answered.text
    got: dict[str, Any] = answered.json()
    return got


async def ask(one: Account, login: dict[str, Any], text: str, token: str | None = None) -> httpx.Response:
    path = f"/api/conversations/{login['id']}/messages"
    headers = {"Authorization": f"Bearer {token or login['token']}".encode("latin-1")}
    return await one.http.post(path, json={"message_id": f"m-{time.monotonic_ns()}", "text": text}, headers=headers)


def count(table: type[Any]) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


# --- log-in ----------------------------------------------------------------------------------------------------------


def test_a_citizen_logs_in_asks_and_comes_back_to_the_same_conversation(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        first = await log_in(one, "m1")
        assert set(first) == {"id", "token", "expires_in"} and first["expires_in"] == 7200
        replied = (await ask(one, first, ASKED)).json()["replies"][0]
        assert replied["type"] == "answer"
        again = await log_in(one, "m1")
        assert again["id"] == first["id"] and again["token"] != first["token"]
        await one.deliver()
        assert one.fake.sent == [] and one.statuses() == {"available": 1}  # the client has it already
        with database.read() as session:
            stored = session.scalars(select(ChannelUser)).one()
            assert "m1" not in stored.user_digest and stored.address == "m1"

    run(scenario)


def test_nobody_opens_anothers_conversation(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        mine, theirs = await log_in(one, "m1"), await log_in(one, "m2")
        stored = crypto.get_cipher().encrypt(json.dumps(mine["id"]))  # what lies in a database column
        for token in (theirs["token"], "x", "令牌".encode().decode("latin-1"), mine["token"][:-4] + "AAAA", stored):
            assert (await ask(one, mine, ASKED, token)).status_code == 403
        web = (await one.http.post("/api/conversations")).json()
        assert (await ask(one, web, ASKED, mine["token"])).status_code == 403
        assert count(InboxMessage) == 0

    run(scenario)


def test_a_token_ends_and_a_new_login_goes_on(run, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        login = await log_in(one, "m1")
        now = time.time()
        with monkeypatch.context() as patched:
            patched.setattr("cryptography.fernet.time.time", lambda: now + 7300)
            answered = await ask(one, login, ASKED)
            assert (answered.status_code, answered.json()["error"]["code"]) == (401, "unauthorised")
            assert (await ask(one, await log_in(one, "m1"), ASKED)).status_code == 200

    run(scenario)


def test_logins_at_the_same_time_make_one_conversation(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        codes = [f"c{number}" for number in range(8)]
        one.fake.codes = dict.fromkeys(codes, "m1")
        answered = await asyncio.gather(
            *(one.http.post("/api/login/miniprogram", json={"code": code}) for code in codes)
        )
        assert len({one.json()["id"] for one in answered}) == 1 and count(Conversation) == 1

    run(scenario)


@pytest.mark.parametrize(
    ("failure", "status"), [(-1, 503), (40013, 503), (40029, 422), (40163, 422), (40226, 403), (45011, 429)]
)
def test_what_wechat_says_to_a_login_is_told_apart(run, failure: int, status: int) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        one.fake.login_error = failure
        answered = await one.http.post("/api/login/miniprogram", json={"code": "c"})
        assert answered.status_code == status and answered.json()["error"]["message"].endswith("。")
        assert count(Conversation) == 0

    run(scenario)


def test_a_code_serves_once_and_no_session_key_is_kept(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        await log_in(one, "m1")
        (used,) = one.fake.used
        assert (await one.http.post("/api/login/miniprogram", json={"code": used})).status_code == 422
        assert (await one.http.post("/api/login/miniprogram", json={"code": ""})).status_code == 422
        key = b"a-secret-of-the-citizens"
        assert all(key not in file.read_bytes() for file in get_settings().data_dir.rglob("*") if file.is_file())

    run(scenario)


def test_a_network_that_is_down_and_too_many_logins(run, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("YIHAODA_CONVERSATIONS_PER_MINUTE", "2")

    async def scenario(one: Account) -> None:
        await one.fake.__aexit__()
        codes = [(await one.http.post("/api/login/miniprogram", json={"code": "c"})).status_code for _ in range(3)]
        assert codes == [503, 503, 429]

    run(scenario)


def test_without_a_mini_program_there_is_no_such_address(sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    run = runner(sqlite_db, monkeypatch, "wechat")

    async def scenario(one: Account) -> None:
        assert (await one.http.post("/api/login/miniprogram", json={"code": "c"})).status_code == 404
        assert (await one.http.post("/wechat/miniprogram", content=b"{}")).status_code == 404

    run(scenario)


# --- the customer-service window -------------------------------------------------------------------------------------


def event(one: Account, openid: str, name: str) -> str:
    return one.message(openid, "", MsgType="event", Event=name, MsgId="", SessionFrom="help")


def test_who_comes_into_the_window_is_greeted_once(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        one.fake.taps("m1", 2)
        body = event(one, "m1", "user_enter_tempsession")
        for _ in range(3):
            assert (await one.push(body)).text == "success"
        assert one.fake.sent == [("m1", words.WELCOME)] and count(Conversation) == 0
        assert (await one.push(event(one, "m1", "something_new"))).text == "success"

    run(scenario)


@pytest.mark.parametrize("as_json", [False, True])
def test_a_question_in_the_window_is_answered_by_a_message_once(run, as_json: bool) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        body = one.message("m1", ASKED, 7)
        if as_json:
            body = json.dumps(parse(body.encode()), ensure_ascii=False)
        one.fake.says("m1")
        for _ in range(3):
            assert (await one.push(body)).text == "success"
        await settled()
        await one.deliver(timedelta())
        await one.deliver(timedelta())
        assert len(one.fake.sent) == 1 and ASKED in one.fake.sent[0][1]
        assert one.fake.messages[0]["msgtype"] == "text"  # the window knows no menus
        assert one.statuses() == {"delivered": 1}

    run(scenario)


async def settled() -> None:
    """All that was stored has its effect."""
    for _ in range(200):
        with database.read() as session:
            if not session.scalar(select(func.count()).where(InboxMessage.settled.is_(False))):
                return
        await asyncio.sleep(0.05)
    raise AssertionError("a turn was never settled")


def test_a_picture_gets_a_clear_sentence(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        one.fake.says("m1")
        assert (await one.push(one.message("m1", "", MsgType="image"))).text == "success"
        await one.deliver(timedelta())
        assert one.fake.sent == [("m1", words.NO_PICTURES)]

    run(scenario)


def test_the_window_and_the_client_have_conversations_of_their_own(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        login = await log_in(one, "m1")
        await ask(one, login, ASKED)
        one.fake.says("m1")
        await one.push(one.message("m1", "粮油购买凭证现在还需要吗"))
        await settled()
        await one.deliver(timedelta())
        assert len(one.fake.sent) == 1 and "不再需要" in one.fake.sent[0][1] and ASKED not in one.fake.sent[0][1]
        assert one.statuses() == {"available": 1, "delivered": 1}

    run(scenario)


def test_forged_pushes_are_refused_and_in_safe_mode_plain_ones(run, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("YIHAODA_MINIPROGRAM_AES_KEY", KEY)

    async def scenario(one: Account) -> None:
        assert (await one.push(one.message("m1", ASKED), token="another")).status_code == 403
        assert (await one.push(one.message("m1", ASKED))).status_code == 403
        assert (await one.http.get("/wechat/miniprogram", params={"timestamp": "1"})).status_code == 403
        assert count(InboxMessage) == 0

    run(scenario)


def test_without_a_token_for_pushes_the_window_is_closed(run, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        await log_in(one, "m1")
        get_settings().miniprogram_token = type(get_settings().miniprogram_token)("")
        assert (await one.push(one.message("m1", ASKED), token="")).status_code == 404

    run(scenario)


# --- notices ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("agreed", "noticed"), [(1, 1), (0, 0)])
def test_a_ticket_s_answer_is_announced_to_whom_agreed(run, monkeypatch, agreed: int, noticed: int) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("YIHAODA_MINIPROGRAM_TEMPLATE", "template-2")

    async def scenario(one: Account) -> None:
        login = await log_in(one, "m1")
        await ask(one, login, "转人工")
        one.fake.subscribed["m1"] = agreed
        with database.read() as session:
            number = session.scalars(select(Ticket.number)).one()
        await one.operate(f"tickets/{number}/claim")
        await one.operate(f"tickets/{number}/reply", text="已责令整改。")
        await one.operate(f"tickets/{number}/close")  # nobody agreed to a second notice
        await one.deliver(timedelta())
        await one.deliver(timedelta())
        assert one.fake.sent == [] and len(one.fake.notices) == noticed
        assert all(notice["page"] == "pages/tickets" for notice in one.fake.notices)
        assert one.statuses() == {"available": 3}
        path, headers = f"/api/conversations/{login['id']}/messages", {"Authorization": f"Bearer {login['token']}"}
        assert "已责令整改" in (await one.http.get(path, headers=headers)).text

    run(scenario)


def test_an_agent_s_words_wait_for_the_client(run) -> None:  # type: ignore[no-untyped-def]
    async def scenario(one: Account) -> None:
        await one.operate("duty", hours=1)
        login = await log_in(one, "m1")
        await ask(one, login, "转人工")
        await one.operate(f"conversations/{login['id']}/claim")
        await one.operate(f"conversations/{login['id']}/messages", text="您好，请讲。")
        await one.deliver(timedelta())
        assert one.fake.sent == [] and one.statuses() == {"available": 3}

    run(scenario)
