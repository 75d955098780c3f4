"""What citizens, clients and attackers send: each gets a clear answer, and nothing is lost."""

from __future__ import annotations

import concurrent.futures
import json
import threading
import uuid

import httpx
import pytest
from processes import Citizen, Stack
from sqlalchemy import update

from bot import database
from bot.models.housekeeping import Counter
from connectors.web.limits import PerMinute


def error(response: httpx.Response) -> str:
    """The error's code; every error has the one shape."""
    body = response.json()
    assert set(body) == {"error"} and set(body["error"]) == {"code", "message"}, body
    assert body["error"]["message"]
    code: str = body["error"]["code"]
    return code


@pytest.mark.parametrize("text", ["", "   \n\t ", "😀😀👍", "？！。……", "\u200b\u200d", "\x00\x01\x1b"])
def test_nothing_to_understand(citizen: Citizen, text: str) -> None:
    reply = citizen.say(text)
    assert reply["type"] == "text" and "没看懂" in reply["text"]


def test_ten_thousand_characters_are_answered_and_said_to_be_cut(citizen: Citizen) -> None:
    reply = citizen.say("身份证丢了咋补办，" + "我是个老人家说来话长" * 1000)
    said = reply["text"] + (reply.get("note") or "")
    assert "2000" in said


def test_control_characters_do_no_harm(citizen: Citizen) -> None:
    assert citizen.say("身份证\x00丢了\x07咋补\u202e办")["type"] == "answer"


@pytest.mark.parametrize("text", ["/restart", '/ask_policy{"x":1}', "//greet", " /session_start", "/back"])
def test_a_leading_slash_is_only_text(stack: Stack, citizen: Citizen, text: str) -> None:
    citizen.say("身份证丢了咋补办")
    response = citizen.post(text)
    assert response.status_code == 200 and response.json()["replies"]
    with stack.http(headers=stack.operator) as http:
        detail = http.get(f"/api/desk/turns/{response.json()['turn_id']}").json()
    assert detail["engine"] == "rasa"
    assert citizen.say("再说一遍") == response.json()["replies"][0]


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>身份证丢了咋补办", "'; DROP TABLE tickets; --", "{{7*7}} ${jndi:ldap://x}", "%s%s%n"],
)
def test_markup_and_sql_are_only_text(citizen: Citizen, text: str) -> None:
    assert citizen.post(text).status_code == 200
    assert citizen.messages()[0]["text"] == text
    assert citizen.say("身份证丢了咋补办")["type"] == "answer"


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 400),
        (b"", 422),
        (b"[]", 422),
        (b'"text"', 422),
        (b'{"text": "x"}', 422),
        (b'{"message_id": "m", "text": 7}', 422),
        (b'{"message_id": "", "text": "x"}', 422),
        (b'{"message_id": "a b", "text": "x"}', 422),
        (b'{"message_id": "m", "text": "x", "admin": true}', 422),
        (b'{"message_id": "m", "text": null}', 422),
        (b"\xff\xfe", 400),
        (b'{"message_id": "m", "text": "' + b"x" * 100_000 + b'"}', 413),
    ],
)
def test_malformed_bodies(citizen: Citizen, content: bytes, status: int) -> None:
    headers = citizen.headers | {"Content-Type": "application/json"}
    response = citizen.http.post(f"{citizen.path}/messages", content=content, headers=headers)
    assert response.status_code == status, response.text
    assert error(response)
    assert citizen.messages() == []


def test_a_lone_surrogate_is_refused_or_stored_but_never_a_500(citizen: Citizen) -> None:
    headers = citizen.headers | {"Content-Type": "application/json"}
    response = citizen.http.post(
        f"{citizen.path}/messages", content=b'{"message_id": "m", "text": "\\ud83d"}', headers=headers
    )
    assert response.status_code < 500


@pytest.mark.parametrize("header", [None, "Bearer", "Basic abc", "Bearer wrong"])
def test_wrong_tokens(citizen: Citizen, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    body = {"message_id": "m", "text": "x"}
    response = citizen.http.post(f"{citizen.path}/messages", json=body, headers=headers)
    assert response.status_code in (401, 403) and error(response)


def test_anothers_conversation_is_closed(stack: Stack, citizen: Citizen) -> None:
    other = Citizen(stack)
    for method, path in (("POST", "messages"), ("GET", "messages"), ("POST", "ratings")):
        body = {"message_id": "m", "text": "x"} if path == "messages" else {"helpful": True, "turn_id": "x"}
        options = {"json": body} if method == "POST" else {}
        response = citizen.http.request(method, f"{other.path}/{path}", headers=citizen.headers, **options)
        assert response.status_code == 403 and error(response) == "forbidden"
        unknown = citizen.http.request(
            method, f"/api/conversations/{uuid.uuid4().hex}/{path}", headers=citizen.headers, **options
        )
        assert unknown.status_code == 403 and unknown.json() == response.json()


def test_the_desks_routes_need_a_sign_in_or_a_key(stack: Stack, citizen: Citizen) -> None:
    for headers in ({}, citizen.headers, {"Authorization": "Bearer"}):
        response = citizen.http.get("/api/desk/tickets", headers=headers)
        assert response.status_code == 401 and error(response) == "unauthorised"


def test_unknown_routes_and_methods(citizen: Citizen) -> None:
    assert error(citizen.http.get("/api/nothing")) == "not_found"
    assert error(citizen.http.delete("/api/conversations")) == "method_not_allowed"


def test_a_duplicate_message_is_answered_the_same_once(citizen: Citizen) -> None:
    first, again = citizen.post("护照多少钱", "m1"), citizen.post("护照多少钱", "m1")
    assert first.json() == again.json()
    assert [message["sender"] for message in citizen.messages()] == ["citizen", "bot"]


def test_duplicates_at_the_same_time_are_one_turn(citizen: Citizen) -> None:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        bodies = list(pool.map(lambda _: citizen.post("养宠物乌龟的市民补贴在哪里申请领取", "m1").json(), range(8)))
    assert all(body == bodies[0] for body in bodies)
    assert [message["sender"] for message in citizen.messages()] == ["citizen", "bot"]


def test_message_ids_need_no_order(citizen: Citizen) -> None:
    for message_id in ("9", "1", "5"):
        citizen.post("你好", message_id)
    said = [message["message_id"] for message in citizen.messages() if message["sender"] == "citizen"]
    assert said == ["9", "1", "5"]


def test_fifty_messages_at_once_in_one_conversation(citizen: Citizen) -> None:
    texts = {f"m{n}": ("你好", "身份证丢了咋补办", "护照多少钱", "谢谢", "身份证")[n % 5] for n in range(50)}
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda pair: citizen.post(pair[1], pair[0]), texts.items()))
    assert all(answer.status_code == 200 for answer in answers)
    assert all(len(answer.json()["replies"]) == 1 for answer in answers)
    said = citizen.messages()
    asked = [message for message in said if message["sender"] == "citizen"]
    replied = [message for message in said if message["sender"] == "bot"]
    assert len(asked) == len(replied) == 50
    assert len({message["turn_id"] for message in replied}) == 50
    # Answered in the order in which they were taken in.
    turn_of = {answer.json()["turn_id"]: key for key, answer in zip(texts, answers, strict=True)}
    assert [turn_of[message["turn_id"]] for message in replied] == [message["message_id"] for message in asked]


def test_a_wrong_query_code_tells_nothing_and_guessing_is_slow(stack: Stack, citizen: Citizen) -> None:
    """Through Rasa, and with a conversation for each guess: the address is what waits."""
    ticket, mine = (Citizen(stack).register("养宠物乌龟的市民补贴在哪里申请领取") for _ in range(2))
    number = ticket["number"]
    wrong, unknown = (citizen.say(f"{one} 00000000") for one in (number, "20261120123455"))
    assert wrong["type"] == "text" and wrong == unknown
    with stack.database(), database.write() as session:  # as if it had gone on for a while
        session.execute(update(Counter).where(Counter.name.like("tries:%")).values(value=11))
    said = [Citizen(stack).say(f"{number} {guess:08}")["text"] for guess in range(3)]
    assert all("分钟后再试" in text for text in said), said
    with stack.http() as http:
        refused = http.post(f"/api/tickets/{number}", json={"code": ticket["query_code"]})
    assert refused.status_code == 429 and error(refused) == "too_many" and int(refused.headers["Retry-After"]) > 0
    assert Citizen(stack).say(f"{mine['number']} {mine['query_code']}")["type"] == "ticket_status"


def test_the_rest_look_up_tells_nothing_either(stack: Stack, citizen: Citizen) -> None:
    number = citizen.register("养宠物乌龟的市民补贴在哪里申请领取")["number"]
    with stack.http() as http:
        wrong = http.post(f"/api/tickets/{number}", json={"code": "00000000"})
        unknown = http.post("/api/tickets/20261120123466", json={"code": "00000000"})
    assert wrong.status_code == unknown.status_code == 404
    assert wrong.json() == unknown.json()


def test_ratings_of_nothing_or_of_anothers_turn_are_refused(stack: Stack, citizen: Citizen) -> None:
    turn_id = citizen.post("护照多少钱").json()["turn_id"]
    rate = f"{citizen.path}/ratings"
    assert (
        citizen.http.post(rate, json={"helpful": True, "turn_id": turn_id}, headers=citizen.headers).status_code == 204
    )
    assert citizen.http.post(rate, json={"helpful": True}, headers=citizen.headers).status_code == 422
    other = Citizen(stack)
    response = other.http.post(
        f"{other.path}/ratings", json={"helpful": True, "turn_id": turn_id}, headers=other.headers
    )
    assert response.status_code == 404


def test_an_open_stream_brings_what_is_said(citizen: Citizen) -> None:
    events: list[dict[str, object]] = []

    def follow() -> None:
        headers = citizen.headers | {"Accept": "text/event-stream"}
        with citizen.http.stream("GET", f"{citizen.path}/messages", headers=headers) as stream:
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    events.append(json.loads(line[5:]))
                    if len(events) == 2:
                        return

    thread = threading.Thread(target=follow)
    thread.start()
    reply = citizen.say("身份证丢了咋补办")
    thread.join(20)
    assert [event["sender"] for event in events] == ["citizen", "bot"]
    assert events[1]["replies"] == [reply]


def test_a_flood_is_slowed_down_and_the_rest_goes_on() -> None:
    messages = PerMinute(3)
    assert [messages.allow("a") for _ in range(5)] == [True, True, True, False, False]
    assert messages.allow("b")
