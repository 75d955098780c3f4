"""Pushes of WeChat: its published vectors, and what is refused."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from bot import database
from bot.clock import utcnow
from bot.models.housekeeping import Counter
from bot.settings import Settings
from connectors.wechat import push
from connectors.wechat.push import PushRefused, Verifier, signature

TOKEN, KEY, APP = "test-token", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "wx0123456789abcdef"
TEXT = (
    "<xml><ToUserName>gh_1</ToUserName><FromUserName>o_1</FromUserName><CreateTime>1714037059</CreateTime>"
    "<MsgType>text</MsgType><Content>身份证丢了</Content><MsgId>42</MsgId></xml>"
)


def signed(token: str = TOKEN, nonce: str = "n1", at: float | None = None) -> dict[str, str]:
    timestamp = str(int(at if at is not None else time.time()))
    return {"timestamp": timestamp, "nonce": nonce, "signature": signature(token, timestamp, nonce)}


def sealed(verifier: Verifier, text: str, nonce: str = "n1") -> tuple[bytes, dict[str, str]]:
    timestamp = str(int(time.time()))
    body = verifier.seal(text, nonce, timestamp).encode()
    fields = push.parse(body)
    return body, {"timestamp": timestamp, "nonce": nonce, "msg_signature": fields["MsgSignature"]}


def test_a_plain_text_message() -> None:
    got = Verifier(TOKEN, APP).open(TEXT.encode(), signed())
    assert (got.kind, got.sender, got.account, got.message_id) == ("text", "o_1", "gh_1", "42")
    assert got.fields["Content"] == "身份证丢了"


def test_a_message_in_safe_mode_and_back() -> None:
    verifier = Verifier(TOKEN, APP, KEY)
    body, query = sealed(verifier, TEXT)
    assert "身份证".encode() not in body
    assert verifier.open(body, query).fields["Content"] == "身份证丢了"


def test_compatible_mode_trusts_only_what_is_signed() -> None:
    verifier = Verifier(TOKEN, APP, KEY)
    body, query = sealed(verifier, TEXT)
    both = body.replace(b"<xml>", b"<xml><FromUserName>forged</FromUserName><Content>forged</Content>", 1)
    assert verifier.open(both, query).sender == "o_1"


def test_a_json_push() -> None:
    body = json.dumps(
        {"FromUserName": "o_1", "ToUserName": "gh_1", "CreateTime": 5, "MsgType": "text", "Content": "护照", "MsgId": 7}
    )
    got = Verifier(TOKEN, APP).open(body.encode(), signed())
    assert (got.message_id, got.fields["Content"]) == ("7", "护照")


def test_an_event_is_told_apart_by_sender_time_and_name() -> None:
    body = "<xml><ToUserName>g</ToUserName><FromUserName>o</FromUserName><CreateTime>9</CreateTime><MsgType>event</MsgType><Event>subscribe</Event></xml>"
    got = Verifier(TOKEN, APP).open(body.encode(), signed())
    assert (got.event, got.message_id) == ("subscribe", "o:9:subscribe:")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "读不懂"),
        (b"<xml></xml>", "空"),
        (b"<xml><a>", "读不懂"),
        (b"[1]", "读不懂"),
        (b"{}", "FromUserName"),
        (b"\xff\xfe", "读不懂"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><xml>&a;</xml>', "实体"),
        (
            b"<xml><FromUserName>o</FromUserName><MsgType>text</MsgType><CreateTime>soon</CreateTime></xml>",
            "CreateTime",
        ),
        (b"<xml><ToUserName>g</ToUserName><MsgType>text</MsgType></xml>", "FromUserName"),
    ],
)
def test_bad_bodies_are_refused_with_a_reason(body: bytes, said: str) -> None:
    with pytest.raises(PushRefused, match=said):
        Verifier(TOKEN, APP).open(body, signed())


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (dict, "时间戳"),
        (lambda: signed(at=time.time() - 3600), "过期"),
        (lambda: signed(token="another"), "签名"),
        (lambda: signed() | {"signature": "签名"}, "签名"),
    ],
    ids=["nothing", "old", "another token", "no signature"],
)
def test_bad_signatures_are_refused(query: Callable[[], dict[str, str]], said: str) -> None:
    with pytest.raises(PushRefused, match=said):
        Verifier(TOKEN, APP).open(TEXT.encode(), query())  # signed now: collecting may be long ago


def test_in_safe_mode_plain_or_foreign_or_changed_is_refused() -> None:
    verifier = Verifier(TOKEN, APP, KEY)
    with pytest.raises(PushRefused, match="没有加密"):
        verifier.open(TEXT.encode(), signed())
    body, query = sealed(Verifier(TOKEN, "wx_another_app", KEY), TEXT)
    with pytest.raises(PushRefused, match="解密"):
        verifier.open(body, query)
    body, query = sealed(verifier, TEXT)
    with pytest.raises(PushRefused, match="签名"):
        verifier.open(body.replace(b"<Encrypt><![CDATA[", b"<Encrypt><![CDATA[A"), query)
    with pytest.raises(PushRefused, match="EncodingAESKey"):
        Verifier(TOKEN, APP).open(body, query)


def test_a_signature_serves_one_body_however_often_it_is_pushed_also_after_a_restart(db: Settings) -> None:
    query, other = signed(), TEXT.replace("身份证", "护照").encode()
    for _ in range(3):
        Verifier(TOKEN, APP).claim(TEXT.encode(), query)  # a new one each time, as after a restart
    with pytest.raises(PushRefused, match="重复"):
        Verifier(TOKEN, APP).claim(other, query)
    Verifier(TOKEN, APP).claim(other, signed(nonce="n2"))
    Verifier(TOKEN, "wx_another_app").claim(other, query)
    with database.read() as session:
        rows = session.scalars(select(Counter).where(Counter.name.like("push:%"))).all()
        assert len(rows) == 3
        assert all(row.expires_at and row.expires_at > utcnow() + timedelta(seconds=push.WINDOW_S) for row in rows)


def test_the_address_check_plain_and_encrypted() -> None:
    assert Verifier(TOKEN, APP).echo(signed() | {"echostr": "12345"}) == "12345"
    verifier = Verifier(TOKEN, APP, KEY)
    body, query = sealed(verifier, "67890")
    assert verifier.echo(query | {"echostr": push.parse(body)["Encrypt"]}) == "67890"
    with pytest.raises(PushRefused):
        Verifier(TOKEN, APP).echo(signed(token="x") | {"echostr": "1"})


@pytest.mark.parametrize("key", ["short", "!" * 43])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="EncodingAESKey"):
        Verifier(TOKEN, APP, key)


@given(st.binary(max_size=400))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(PushRefused):
        Verifier(TOKEN, APP).open(body, signed())


@given(st.text(max_size=300), st.text(alphabet="abc123", min_size=1, max_size=12))
def test_what_is_sealed_opens_to_the_same(text: str, nonce: str) -> None:
    verifier = Verifier(TOKEN, APP, KEY)
    body, query = sealed(verifier, text, nonce)
    assert verifier.echo(query | {"echostr": push.parse(body)["Encrypt"]}) == text


VECTORS = os.environ.get("YIHAODA_WECHAT_VECTORS", "")
"""A file of the vectors that WeChat publishes with its documentation and its sample code; they are not ours to pass on"""


@pytest.mark.skipif(not VECTORS, reason="YIHAODA_WECHAT_VECTORS names no file")
def test_the_vectors_that_wechat_publishes() -> None:
    given = json.loads(Path(VECTORS).read_text(encoding="utf-8"))
    told, sample = given["documentation_set"], given["sample_code_set"]
    for name in ("get_verification", "plaintext_post"):
        one = told[name]
        assert signature(told["token"], one["timestamp"], one["nonce"]) == one["signature"]
    one = told["encrypted_json_post"]
    verifier = Verifier(told["token"], told["app_id"], told["encoding_aes_key"])
    opened = json.loads(verifier._opened(one["encrypt"], one))
    assert opened["ToUserName"] and opened["FromUserName"]
    verifier = Verifier(sample["token"], sample["app_id"], sample["encoding_aes_key"])
    one = sample["encrypted_xml_post"]
    body = f"<xml><Encrypt><![CDATA[{one['encrypt']}]]></Encrypt></xml>"
    got = verifier.open(body.encode(), one, now=int(one["timestamp"]))
    assert (got.kind, got.fields["Content"]) == (one["decrypted_type"], one["decrypted_content"])
    assert verifier.echo(sample["echostr"], now=int(sample["echostr"]["timestamp"])) == sample["echostr"]["plaintext"]
