"""What WeChat pushes: authenticated, decrypted, parsed.

Protocol: 微信公众平台《消息推送》 and 《消息加解密说明》.  In plaintext mode ``signature`` covers token, timestamp and nonce only; in
safe mode ``msg_signature`` covers the encrypted body too, and what is not encrypted is refused.  wechatpy does the cryptography;
JSON pushes, which it does not read, and the checks around it are here.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from xml.parsers.expat import ExpatError

import xmltodict
from wechatpy.crypto import WeChatCrypto
from wechatpy.exceptions import WeChatException

from bot import counters, database
from bot.clock import utcnow
from bot.errors import YihaodaError

WINDOW_S = 600
"""How far a push's timestamp may be from now, in seconds"""
_ENTITY = re.compile(r"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_CDATA = re.compile(r"(<!\[CDATA\[.*?\]\]>)", re.DOTALL)
# What a citizen can paste, WeChat passes on, and XML 1.0 (production 2, Char) or a database takes nowhere.
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_REFERENCE = re.compile(r"&#(?:[xX]([0-9a-fA-F]{1,8})|(\d{1,9}));")


class PushRefused(YihaodaError):
    """Not a push of WeChat's, or not a sound one."""

    code = "push_refused"


@dataclass(frozen=True)
class Push:
    """One message or event."""

    kind: str
    """text, image, voice, video, shortvideo, location, link; or event"""
    sender: str
    """The citizen's openid"""
    account: str
    """The official account's original id"""
    created: int
    message_id: str
    """MsgId, or what an event is told apart by: sender, time, event"""
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def event(self) -> str:
        """The event's name in lower case; empty for a message."""
        return str(self.fields.get("Event") or "").lower()


def signature(*parts: str) -> str:
    """SHA-1, in hex, over the sorted parts."""
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


class Verifier:
    """Checks and opens what comes in, and seals what goes out."""

    def __init__(self, token: str, app_id: str, aes_key: str = "") -> None:
        """``aes_key``: EncodingAESKey; empty in plaintext mode.  Raises: ValueError if it is none."""
        self._token, self._app_id = token, app_id
        self._crypto: WeChatCrypto | None = None
        if aes_key:
            try:
                self._crypto = WeChatCrypto(token, aes_key, app_id)
            except (AssertionError, ValueError) as error:
                raise ValueError("EncodingAESKey 应当是 43 位字母数字") from error

    def echo(self, query: Mapping[str, str], now: float | None = None) -> str:
        """What to answer the check of the server's address with.  Raises: PushRefused."""
        self._fresh(query, now)
        echo = query.get("echostr", "")
        if self._crypto is not None and "msg_signature" in query:
            return self._opened(echo, query)
        self._signed(query.get("signature", ""), query.get("timestamp", ""), query.get("nonce", ""))
        return echo

    def open(self, body: bytes, query: Mapping[str, str], now: float | None = None) -> Push:
        """The push in a request's body; ``claim`` it before anything is done.  Raises: PushRefused, saying why."""
        self._fresh(query, now)
        fields = parse(body)
        if "Encrypt" in fields:
            if self._crypto is None:
                raise PushRefused("收到加密的推送，但没有设置 EncodingAESKey")
            # Compatible mode sends the plain fields beside the encrypted ones: only what is signed counts.
            fields = parse(self._opened(str(fields["Encrypt"]), query).encode())
        elif self._crypto is not None:
            raise PushRefused("安全模式下收到没有加密的推送")
        else:
            self._signed(query.get("signature", ""), query.get("timestamp", ""), query.get("nonce", ""))
        return _push(fields)

    def claim(self, body: bytes, query: Mapping[str, str]) -> None:
        """Have the signature of a push that was opened serve this body alone, for as long as it is fresh.

        In plaintext mode it does not cover the body: with another one it is a forgery, with the same one WeChat tries again.
        Raises: PushRefused, StoreBusy.
        """
        if self._crypto is not None:
            return
        signed = f"{self._app_id} {query.get('timestamp', '')} {query.get('nonce', '')}"
        value = int.from_bytes(hashlib.sha256(body).digest()[:8]) >> 1  # what fits into a counter
        now = utcnow()
        with database.write() as session:
            name = f"push:{hashlib.sha256(signed.encode()).hexdigest()}"
            if not counters.once(session, name, value, now + timedelta(seconds=2 * WINDOW_S), now):
                raise PushRefused("签名被重复使用")

    def seal(self, xml: str, nonce: str, timestamp: str) -> str:
        """A reply as WeChat wants it: encrypted where a key is set."""
        return xml if self._crypto is None else str(self._crypto.encrypt_message(xml, nonce, timestamp))

    def _fresh(self, query: Mapping[str, str], now: float | None) -> None:
        try:
            sent = int(query.get("timestamp", ""))
        except ValueError as error:
            raise PushRefused("推送没有时间戳") from error
        if abs((now if now is not None else time.time()) - sent) > WINDOW_S:
            raise PushRefused("推送的时间戳过期")

    def _signed(self, given: str, *parts: str) -> None:
        if not hmac.compare_digest(signature(self._token, *parts).encode(), given.encode()):
            raise PushRefused("签名不对")

    def _opened(self, encrypted: str, query: Mapping[str, str]) -> str:
        assert self._crypto is not None
        self._signed(query.get("msg_signature", ""), query.get("timestamp", ""), query.get("nonce", ""), encrypted)
        try:
            opened = self._crypto.decrypt_message(
                {"Encrypt": encrypted}, query["msg_signature"], query["timestamp"], query["nonce"]
            )
        except (WeChatException, ValueError, KeyError, IndexError, TypeError) as error:
            raise PushRefused("推送解密失败") from error
        return opened.decode("utf-8", "replace") if isinstance(opened, bytes) else str(opened)


def parse(body: bytes) -> dict[str, Any]:
    """The fields of an XML or a JSON push, without characters that are none.  Raises: PushRefused."""
    text = body.decode("utf-8", "replace").removeprefix("\ufeff").strip()
    try:
        found = json.loads(text) if text.startswith("{") else _parse_xml(text)
    except (ValueError, ExpatError, RecursionError) as error:
        raise PushRefused("推送读不懂") from error
    if not isinstance(found, dict):
        raise PushRefused("推送是空的")
    return {name: _field(value) for name, value in found.items()}


def _parse_xml(text: str) -> Any:
    # Outside of CDATA stands WeChat's own markup, inside what people wrote: there <!DOCTYPE and &#1; are words.
    pieces = _CDATA.split(_NO_TEXT.sub("", text))
    if any(_ENTITY.search(markup) for markup in pieces[::2]):
        raise PushRefused("推送里有实体声明")
    pieces[::2] = [_REFERENCE.sub(_sound_reference, markup) for markup in pieces[::2]]
    return (xmltodict.parse("".join(pieces)) or {}).get("xml")


def _sound_reference(match: re.Match[str]) -> str:
    code = int(match[1], 16) if match[1] else int(match[2])
    sound = code <= 0x10FFFF and not _NO_TEXT.match(chr(code))
    return match.group() if sound else ""


def _field(value: Any) -> Any:
    """A field's value: of several the first, of an element with attributes its text; text without what is none."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, dict) and "#text" in value:
        value = value["#text"]
    if isinstance(value, str):
        return _NO_TEXT.sub("", value)
    return value if isinstance(value, dict) else None if value is None else str(value)


def _push(fields: dict[str, Any]) -> Push:
    sender, account, kind = (str(fields.get(name) or "").strip() for name in ("FromUserName", "ToUserName", "MsgType"))
    try:
        created = int(float(fields.get("CreateTime") or 0))
    except (TypeError, ValueError, OverflowError) as error:
        raise PushRefused("推送的 CreateTime 不是数字") from error
    if not sender or not kind:
        raise PushRefused("推送缺少 FromUserName 或 MsgType")
    message_id = str(fields.get("MsgId") or fields.get("MsgID") or "")
    if kind == "event" or not message_id:
        message_id = f"{sender}:{created}:{fields.get('Event') or kind}:{fields.get('EventKey') or ''}"
    return Push(kind.lower(), sender, account, created, message_id[:200], fields)
