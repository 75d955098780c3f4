"""Replies within WeChat's limits: as text, cut at sentence ends, or with a menu to tap; as a passive reply's XML.

A question is answered by one message, for WeChat counts them.  The answer comes first: a menu or a link is added only where
nothing has to be cut for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_never
from urllib.parse import quote
from xml.sax.saxutils import escape

from bot.replies import (
    AnswerReply,
    AskReply,
    CalculationReply,
    ClarifyReply,
    EmergencyReply,
    Guide,
    HandoverReply,
    PassagesReply,
    Reply,
    Source,
    TextReply,
    TicketReply,
    TicketStatusReply,
)
from bot.settings import get_settings
from index.assistant import phrases

TEXT_BYTES = 2048
"""Most bytes, in UTF-8, of a text that is replied or pushed (微信公众平台《发送客服消息》, 《被动回复用户消息》)"""
TITLE_BYTES, DESCRIPTION_BYTES = 64, 512
"""Of a card, so that WeChat shows all of it"""
MORE = "\n……回复“更多”看后面的内容"
REGISTER = "要登记给工作人员，请回复“登记”。"
RATE = "有帮助请回复“有用”，没解决请回复“没用”。"
RATE_TAP = "\n这个回答："
GOOD, BAD, NONE = "有用", "没用", "以上都不是"
TICKETS_PAGE = "pages/tickets"
"""Of the mini-program"""
_URL_CHARACTERS = 500
_SOURCES = 3
_ENDS = re.compile(r"(?<=[。！？；\n])")


@dataclass(frozen=True)
class Card:
    """One article of a news message."""

    title: str
    description: str
    url: str


def text_of(replies: Sequence[Reply], *, menu: bool = False) -> str:
    """All of a turn's replies as one text; ``menu``: without what ``menu_of`` puts to tap."""
    return "\n\n".join(filter(None, (_text(reply, menu) for reply in replies)))


def menu_of(replies: Sequence[Reply], turn_id: str | None) -> dict[str, Any] | None:
    """The replies as a menu message (msgmenu): options, or 有用 and 没用; None where there is nothing to tap or no room."""
    items: list[tuple[str, str]] = []
    match replies[-1] if replies else None:
        case ClarifyReply(options=options):
            items = [(f"option:{one.number}", one.question) for one in options] + [("none", NONE)]
        case AnswerReply(certainty="likely", others=others) if others:
            items = [(f"option:{one.number}", one.question) for one in others] + [("none", NONE)]
        case AnswerReply() | CalculationReply() if turn_id:
            items = [(f"good:{turn_id}", GOOD), (f"bad:{turn_id}", BAD)]
    head = text_of(replies, menu=True)
    if not items or len("".join([head, *(content for _, content in items)]).encode()) > TEXT_BYTES:
        return None
    listed = [{"id": id_, "content": content} for id_, content in items]
    return {"msgtype": "msgmenu", "msgmenu": {"head_content": head, "list": listed, "tail_content": ""}}


def text_message(text: str) -> dict[str, Any]:
    """A customer-service message of text."""
    return {"msgtype": "text", "text": {"content": text}}


def cut(text: str, limit: int = TEXT_BYTES) -> tuple[str, str]:
    """(what fits into ``limit`` bytes with the hint at more, the rest)."""
    if len(text.encode()) <= limit:
        return text, ""
    room = limit - len(MORE.encode())
    kept = ""
    for piece in _ENDS.split(text):
        if len((kept + piece).encode()) > room:
            break
        kept += piece
    if not kept.strip():
        kept = text.encode()[:room].decode("utf-8", "ignore")
    return kept.rstrip() + MORE, text[len(kept) :].lstrip()


def link(title: str, url: str) -> str:
    """A link that opens from a text; bare where it is no sound https address."""
    safe = quote(url.strip(), safe=":/?#[]@!$&()*+,;=%-._~")
    if not re.match(r"https://[^/?#]", safe) or len(safe) > _URL_CHARACTERS:
        return f"{title} {url}".strip()
    label = re.sub(r"[<>。！？；\n]", " ", title).strip()
    return f'<a href="{safe}">{label}</a>'


def card_of(guides: Sequence[Guide]) -> Card | None:
    """The first of the guides that can be opened, as a card."""
    for guide in guides:
        if guide.url and guide.url.startswith("https://"):
            lines = _guide(guide).split("\n")[1:]
            description = _fit("\n".join(lines) or "点开查看怎么办", DESCRIPTION_BYTES)
            return Card(_fit(guide.title, TITLE_BYTES), description, guide.url)
    return None


# --- passive replies -------------------------------------------------------------------------------------------------

TRANSFER = "<MsgType>transfer_customer_service</MsgType>"
"""Hands the message to WeChat's own desk"""


def text_body(text: str) -> str:
    """Of a passive text reply."""
    return f"<MsgType>text</MsgType><Content>{_xml(text)}</Content>" if text else ""


def news_body(card: Card) -> str:
    """Of a passive news reply: one article, as many as WeChat allows."""
    return (
        "<MsgType>news</MsgType><ArticleCount>1</ArticleCount><Articles><item>"
        f"<Title>{_xml(card.title)}</Title><Description>{_xml(card.description)}</Description>"
        f"<PicUrl></PicUrl><Url>{_xml(card.url)}</Url></item></Articles>"
    )


def passive(body: str, citizen: str, account: str, at: int) -> str:
    """The XML of a passive reply.  ``]]>`` would end a CDATA section: texts are escaped instead."""
    return (
        f"<xml><ToUserName>{escape(citizen)}</ToUserName><FromUserName>{escape(account)}</FromUserName>"
        f"<CreateTime>{at}</CreateTime>{body}</xml>"
    )


def _xml(text: str) -> str:
    """Escaped, and without the control characters that XML 1.0 forbids."""
    return escape(re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", text))


# --- each reply ------------------------------------------------------------------------------------------------------


def _text(reply: Reply, menu: bool) -> str:
    match reply:
        case AnswerReply():
            parts = [f"【{reply.question}】", reply.text.strip()]
            if reply.condition:
                parts.insert(1, phrases.CONDITION.format(condition=reply.condition))
            if reply.certainty == "likely":
                parts.insert(0, phrases.LIKELY)
            if reply.opening:
                parts.insert(0, reply.opening)
            parts += [one.said for one in reply.local]
            if reply.sources:
                parts.append(_basis(reply.sources))
            parts += [_guide(guide) for guide in reply.guides[:1]]
            if reply.as_of:
                parts.append(f"截至 {reply.as_of:%Y年%-m月%-d日}")
            if reply.note:
                parts.append(reply.note)
            if reply.report:
                parts.append(REGISTER)
            if menu and reply.others:
                return "\n".join([*parts, f"\n{phrases.NOT_THIS}"])
            if reply.certainty == "likely":
                parts.append(f"{phrases.NOT_THIS}回复数字看别的：" if reply.others else phrases.NOT_THIS_ONE)
                parts += [f"{one.number}. {one.question}" for one in reply.others]
            if reply.more:
                parts.append("您还问了（回复数字接着回答）：")
                parts += [f"{number}. {text}" for number, text in enumerate(reply.more, start=len(reply.others) + 1)]
            return "\n".join([*parts, RATE_TAP if menu else RATE])
        case CalculationReply():
            sources = (f"依据：{_source(one)}" for one in reply.sources[:2])
            local = (f"用的本地标准：{one.said}" for one in reply.local)
            checked = [f"规定截至 {reply.as_of:%Y年%-m月%-d日}"] if reply.as_of else []
            return "\n".join([f"【{reply.title}】", reply.text, *local, *sources, *checked, RATE_TAP if menu else RATE])
        case ClarifyReply():
            options = () if menu else (f"{option.number}. {option.question}" for option in reply.options)
            return "\n".join([reply.text, *options])
        case PassagesReply():
            quotes = (f"《{one.title}》{one.doc_no or ''}{one.label}\n{one.text}" for one in reply.passages)
            return "\n\n".join([reply.text, *quotes])
        case TicketReply():
            return "\n".join(filter(None, [reply.text, _tickets()]))
        case TicketStatusReply():
            answer = f"答复：{reply.answer}" if reply.answer else ""
            return "\n".join(filter(None, [reply.text, answer, _tickets()]))
        case EmergencyReply():
            return "\n".join(
                [*(f"{phone} {reply.labels.get(phone, '')}".strip() for phone in reply.phones), "", reply.text]
            )
        case TextReply() | HandoverReply() | AskReply():
            return reply.text
        case _:
            assert_never(reply)


def _tickets() -> str:
    """A link to the mini-program's tickets, where there is one.  It must be tied to the official account."""
    app_id = get_settings().miniprogram_app_id
    opens = f'data-miniprogram-appid="{app_id}" data-miniprogram-path="{TICKETS_PAGE}"'
    return f"<a {opens}>在小程序里看我的工单</a>" if app_id else ""


def _basis(sources: Sequence[Source]) -> str:
    shown, left = sources[:_SOURCES], sources[_SOURCES:]
    unverified = "等（另有待核的）" if any(source.unverified for source in left) else ""
    return f"依据：{'；'.join(map(_source, shown))}{unverified}"


def _source(source: Source) -> str:
    number, mark = f"（{source.doc_no}）" if source.doc_no else "", "（待核）" if source.unverified else ""
    return f"《{source.title}》{number}{source.clause or ''}{mark}"


def _guide(guide: Guide) -> str:
    parts = [f"办事指南：{link(guide.title, guide.url) if guide.url else guide.title}"]
    if guide.materials:
        parts.append("要带：" + "、".join(guide.materials))
    if guide.channels:
        parts.append("在哪办：" + "、".join(guide.channels))
    if guide.fee:
        parts.append(f"费用：{guide.fee}")
    parts += [one.said for one in guide.local]
    return "\n".join(parts)


def _fit(text: str, limit: int) -> str:
    """At most ``limit`` bytes, with an ellipsis where it was longer."""
    if len(text.encode()) <= limit:
        return text
    return text.encode()[: limit - len("…".encode())].decode("utf-8", "ignore") + "…"
