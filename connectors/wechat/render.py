"""Replies as plain text within WeChat's limits, cut at sentence ends."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.sax.saxutils import escape

from bot.replies import (
    AnswerReply,
    CalculationReply,
    ClarifyReply,
    Guide,
    PassagesReply,
    Reply,
    Source,
    TicketStatusReply,
)

TEXT_BYTES = 2048
"""Most bytes, in UTF-8, of a text that is replied or pushed (微信公众平台《发送客服消息》, 《被动回复用户消息》)"""
MORE = "\n……回复“更多”看后面的内容"
_ENDS = re.compile(r"(?<=[。！？；\n])")


def text_of(replies: Sequence[Reply]) -> str:
    """All of a turn's replies as one text: one question is one message, for WeChat counts them."""
    return "\n\n".join(filter(None, map(_text, replies)))


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


def passive(text: str, citizen: str, account: str, at: int) -> str:
    """The XML of a passive text reply.  ``]]>`` would end the section: the text is escaped instead."""
    return (
        f"<xml><ToUserName>{escape(citizen)}</ToUserName><FromUserName>{escape(account)}</FromUserName>"
        f"<CreateTime>{at}</CreateTime><MsgType>text</MsgType><Content>{escape(_legal(text))}</Content></xml>"
    )


def _legal(text: str) -> str:
    """Without the control characters that XML 1.0 forbids."""
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", text)


def _text(reply: Reply) -> str:
    match reply:
        case AnswerReply():
            parts = [f"【{reply.question}】", reply.text.strip()]
            if reply.sources:
                parts.append("依据：" + "；".join(map(_source, reply.sources[:3])))
            parts += [_guide(guide) for guide in reply.guides[:1]]
            if reply.as_of:
                parts.append(f"截至 {reply.as_of:%Y年%-m月%-d日}")
            if reply.note:
                parts.append(reply.note)
            if reply.more:
                parts.append("您还问了（回复数字接着回答）：")
                parts += [f"{number}. {text}" for number, text in enumerate(reply.more, start=1)]
            return "\n".join(parts)
        case CalculationReply():
            return "\n".join(
                [f"【{reply.title}】", reply.text, *(f"依据：{_source(one)}" for one in reply.sources[:2])]
            )
        case ClarifyReply():
            return "\n".join([reply.text, *(f"{option.number}. {option.question}" for option in reply.options)])
        case PassagesReply():
            quotes = (f"《{one.title}》{one.doc_no or ''}{one.label}\n{one.text}" for one in reply.passages)
            return "\n\n".join([reply.text, *quotes])
        case TicketStatusReply():
            return "\n".join(filter(None, [reply.text, f"答复：{reply.answer}" if reply.answer else ""]))
        case _:
            return reply.text


def _source(source: Source) -> str:
    return f"《{source.title}》{f'（{source.doc_no}）' if source.doc_no else ''}{source.clause or ''}"


def _guide(guide: Guide) -> str:
    parts = [f"办事指南：{guide.title}"]
    if guide.materials:
        parts.append("要带：" + "、".join(guide.materials))
    if guide.channels:
        parts.append("在哪办：" + "、".join(guide.channels))
    if guide.fee:
        parts.append(f"费用：{guide.fee}")
    if guide.url:
        parts.append(guide.url)
    return "\n".join(parts)
