"""What a ticket says beside the matter itself: who called, where, when, what it is about, how it came in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from bot import guards, regions
from bot.errors import InvalidInput, NotFound
from bot.masking import mask, mask_phone
from bot.models.tickets import Ticket
from bot.tickets import categories
from bot.tickets.moves import KINDS, note_event, still_open

CHANNELS: Mapping[str, str] = {
    "phone": "电话",
    "web": "网页",
    "wechat": "公众号",
    "miniprogram": "小程序",
    "mpservice": "小程序客服",
    "cli": "终端",
    "desk": "坐席登记",
    "other": "其他",
}
"""Where a ticket may come in"""
URGENCIES = ("一般", "紧急", "特急")
LENGTHS: Mapping[str, int] = {"caller_name": 40, "address": 200, "told_time": 60}
"""The most characters of what is told"""


@dataclass(frozen=True)
class Particulars:
    """All of it may be unknown."""

    caller_name: str | None = None
    callback_phone: str | None = None
    address: str | None = None
    told_time: str | None = None
    """When it happened, as it was told"""
    happened_on: date | None = None
    category: str | None = None
    category_scheme: str | None = None
    """None with a category: the tree in force"""
    channel: str | None = None
    urgency: str = "一般"


NAMES: Mapping[str, str] = {
    "kind": "类型",
    "caller_name": "来电人",
    "phone": "联系电话",
    "callback_phone": "回拨电话",
    "region": "地区",
    "address": "地址",
    "told_time": "发生时间",
    "happened_on": "发生日期",
    "category": "分类",
    "urgency": "紧急程度",
}
"""What may be changed → what it is called"""


def checked(session: Session, given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields as they are kept: no blanks around them, numbers as one dials them, the category with its tree.

    Raises:
        InvalidInput: one of them can't be; the message says which and why.
    """
    found: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(value, str):
            value = value.strip() or None
        if value is not None:
            _check(session, name, value)
        if name in ("phone", "callback_phone") and value is not None:
            value = guards.phone_in(value)
        if name == "urgency" and value is None:
            value = "一般"
        found[name] = value
    if "category" in found:
        scheme = found.get("category_scheme") or categories.current(session).id
        found["category_scheme"] = scheme if found["category"] else None
        catalogue = categories.by_id(session, scheme)
        if found["category"] and (catalogue is None or found["category"] not in catalogue.second):
            raise InvalidInput(f"分类目录里没有 {found['category']}，请从目录里选一个二级分类。")
    return found


def _check(session: Session, name: str, value: Any) -> None:
    most = LENGTHS.get(name)
    if most is not None and len(value) > most:
        raise InvalidInput(f"{NAMES[name]}最多{most}个字。")
    if name == "urgency" and value not in URGENCIES:
        raise InvalidInput(f"紧急程度只能是{'、'.join(URGENCIES)}。")
    if name == "kind" and value not in KINDS:
        raise InvalidInput(f"工单类型只能是{'、'.join(KINDS)}。")
    if name in ("phone", "callback_phone") and (
        guards.phone_in(value) is None or any(letter.isalpha() for letter in value)
    ):
        raise InvalidInput(f"{NAMES[name]}不对，请填写11位手机号，或者带区号的固定电话。")
    if name == "region":
        try:
            regions.get(value)
        except NotFound as error:
            raise InvalidInput(f"地区不对：{error}") from error


def of(ticket: Ticket) -> Particulars:
    """What a ticket says now."""
    return Particulars(**{name: getattr(ticket, name) for name in asdict(Particulars())})


PERSONAL = ("caller_name", "callback_phone", "address")
"""What is shown masked unless somebody asks for it"""
_ROOM = re.compile(r"(?<=[栋幢楼元层])[\d一二三四五六七八九十零〇幺-]+(?=$|[室房户号层楼单])")


def masked(ticket: Ticket) -> dict[str, str | None]:
    """``PERSONAL`` as a list or a page may show it: the surname, the number's ends, the place without the flat."""
    name, phone, address = (getattr(ticket, one) for one in PERSONAL)
    return {
        "caller_name": f"{name[0]}{'*' * (len(name) - 1)}" if name else None,
        "callback_phone": mask_phone(phone) if phone else None,
        "address": _ROOM.sub("*", mask(address)) if address else None,
    }


def change(session: Session, number: str, changes: Mapping[str, Any], actor: str) -> Ticket:
    """Put right what an open ticket says; what is left out stays, None removes it.

    The event says which fields changed, and of the category from which to which; never what a person told.

    Raises: NotFound; IllegalMove: not open; InvalidInput: a field that can't be changed, or can't be that.
    """
    if unknown := set(changes) - set(NAMES):
        raise InvalidInput(f"不能改这些内容：{'、'.join(sorted(unknown))}。")
    if changes.get("kind", "") is None:
        raise InvalidInput(f"工单类型只能是{'、'.join(KINDS)}。")
    ticket = still_open(session, number, "修改")
    found = checked(session, changes)
    changed = {name: value for name, value in found.items() if getattr(ticket, name) != value}
    said = [NAMES[name] for name in changed if name in NAMES and name != "category"]
    if {"category", "category_scheme"} & set(changed):
        before = categories.shown(session, ticket.category, ticket.category_scheme)
        said.append(f"分类（{before} → {categories.shown(session, found['category'], found['category_scheme'])}）")
    for name, value in changed.items():
        setattr(ticket, name, value)
    if changed:
        note_event(session, ticket, actor, "更正", f"更正了{'、'.join(said)}。", fields=sorted(changed))
    return ticket
