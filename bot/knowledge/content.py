"""What an item says, beside how it stands: as columns, and as a version keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import JSON, Date

from bot import regions
from bot.errors import InvalidInput, NotFound
from bot.models.knowledge import QA, Document, ServiceGuide

OTHER = "其他"
"""The matter of what belongs to none yet"""
AUDIENCES = ("个人", "企业", "个人和企业")
_STANDING = {"status", "stops_on", "replaced_by", "reviewed_by", "reviewed_at", "revision", "version", "edits"}
_COLUMNS = {column.name: column.type for column in QA.__table__.columns if column.name not in _STANDING}
FIELDS = tuple(name for name in _COLUMNS if name != "id")
"""The columns of a Q&A that people write"""


def content(item: Document | ServiceGuide | QA) -> dict[str, Any]:
    """What an item says, by column: all but how it stands.

    That a document is public is said by silence: so no file makes an internal one public again.
    """
    skip = _STANDING if isinstance(item, QA) else set()
    if isinstance(item, Document) and item.internal_confirmed_by is None:
        skip = {"internal_confirmed_by"}
    return {name: getattr(item, name) for name in item.__table__.columns.keys() if name not in skip}  # noqa: SIM118


def empty() -> dict[str, Any]:
    """The stored content of an item that says nothing yet."""
    return {name: [] if isinstance(kind, JSON) else None for name, kind in _COLUMNS.items()} | {
        "matter": OTHER,
        "audience": AUDIENCES[-1],
    }


def stored(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Content as JSON has it."""
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in fields.items()}


def fill(qa: QA, kept: Mapping[str, Any]) -> None:
    """Let a row say what was stored.  A column that came later is empty."""
    for name in FIELDS:
        value, kind = kept.get(name), _COLUMNS[name]
        if isinstance(kind, Date):
            value = date.fromisoformat(value) if value else None
        elif isinstance(kind, JSON):
            value = value or []
        setattr(qa, name, value)


def checked(fields: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Stored content with some fields changed.

    Raises:
        InvalidInput: a field is unknown or empty, or two of them don't go together; says which.
    """
    if unknown := [name for name in fields if name not in FIELDS]:
        raise InvalidInput(f"问答没有这样的内容：{'、'.join(unknown)}。")
    new = {**before, **stored({name: _tidy(value) for name, value in fields.items()})}
    for name, title in (("question", "问题"), ("answer", "答案"), ("matter", "事项")):
        if not new.get(name):
            raise InvalidInput(f"{title}不能为空。")
    if new["audience"] not in AUDIENCES:
        raise InvalidInput(f"适用对象应当是{'、'.join(AUDIENCES)}之一。")
    try:
        regions.full_name(new["region"])
    except NotFound as error:
        raise InvalidInput(str(error)) from error
    if new["valid_from"] and new["valid_to"] and new["valid_to"] < new["valid_from"]:
        raise InvalidInput(f"失效日期 {new['valid_to']} 早于生效日期 {new['valid_from']}。")
    if new["stakes"] and not new["condition"]:
        raise InvalidInput("后果重的，要写明先看什么情况。")
    return new


def _tidy(value: Any) -> Any:
    """Without white space around texts; an empty one is none."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, list | tuple):
        tidied = [one.strip() if isinstance(one, str) else one for one in value]
        return [one for one in tidied if one]
    return value
