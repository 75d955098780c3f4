"""Notices that a ticket was answered or closed: template messages (公众号) and subscription messages (小程序).

A notice says that there is an answer, never the answer itself.  Fields and their limits: 微信公众平台《模板消息》 and
小程序《发送订阅消息》, 参数值内容限制.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.clock import SHANGHAI
from bot.errors import InvalidInput
from bot.replies import Reply, TicketStatusReply
from connectors.wechat.render import TICKETS_PAGE

STATES = ("已答复", "已办结")
"""States that a citizen is told of"""
TEMPLATE, SUBSCRIPTION = "/cgi-bin/message/template/send", "/cgi-bin/message/subscribe/send"
_HINTS = {TEMPLATE: "回复“查工单”查看答复", SUBSCRIPTION: "点开查看答复"}
_KINDS = {
    "编号": ("character_string", "number", "thing"),
    "状态": ("phrase", "const", "thing"),
    "时间": ("time", "date"),
    "提示": ("thing",),
}
"""What a field can hold, and of which kinds it may be: 14 digits, at most 5 Chinese characters, a time, at most 20 characters"""


@dataclass(frozen=True)
class Template:
    """A template that the account was granted."""

    path: str
    """The API that sends it"""
    id: str
    fields: dict[str, str]
    """Its fields (thing1) and what each says, one of 编号, 状态, 时间, 提示"""
    app_id: str = ""
    """The mini-program that a template message opens; empty for none"""
    site: str = ""
    """The address of the web page that it opens where there is no mini-program; empty for none"""

    def message(self, openid: str, ticket: TicketStatusReply, at: datetime) -> dict[str, Any]:
        """The body of the call that sends the notice."""
        said = {
            "编号": ticket.number,
            "状态": ticket.state,
            "时间": f"{at.astimezone(SHANGHAI):%Y年%-m月%-d日 %H:%M}",
            "提示": _HINTS[self.path],
        }
        body: dict[str, Any] = {
            "touser": openid,
            "template_id": self.id,
            "data": {name: {"value": said[what]} for name, what in self.fields.items()},
        }
        if self.path == SUBSCRIPTION:
            return body | {"page": TICKETS_PAGE}
        if self.site:
            body["url"] = f"{self.site}/#/{TICKETS_PAGE}"
        if self.app_id:
            body["miniprogram"] = {"appid": self.app_id, "pagepath": TICKETS_PAGE}
        return body


def official(id_: str, fields: str, app_id: str = "", site: str = "") -> Template | None:
    """The official account's template; None without an id.  Raises: InvalidInput."""
    return Template(TEMPLATE, id_, _read(fields), app_id, site) if id_ else None


def miniprogram(id_: str, fields: str) -> Template | None:
    """The mini-program's template; None without an id.  Raises: InvalidInput."""
    return Template(SUBSCRIPTION, id_, _read(fields)) if id_ else None


def _read(text: str) -> dict[str, str]:
    """The fields of a template, as the setting writes them.  Raises: InvalidInput."""
    fields = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, what = (piece.strip() for piece in part.partition("="))
        kinds = _KINDS.get(what)
        if kinds is None:
            raise InvalidInput(f"模板字段“{part}”写得不对：等号后面只能是{'、'.join(_KINDS)}。")
        if name.rstrip("0123456789") not in kinds:
            raise InvalidInput(f"模板字段“{name}”放不了{what}：{what}要用 {'、'.join(kinds)} 开头的字段。")
        fields[name] = what
    if not fields:
        raise InvalidInput("模板没有字段：请写成 character_string1=编号,phrase2=状态 这样。")
    return fields


def news_in(replies: list[Reply]) -> TicketStatusReply | None:
    """The ticket that the replies say was answered or closed, if any."""
    return next((one for one in replies if isinstance(one, TicketStatusReply) and one.state in STATES), None)
