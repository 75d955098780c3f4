"""Roles, and what programs may be allowed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from bot.errors import InvalidInput

AGENT, SUPERVISOR, EDITOR, APPROVER, OFFICER, ADMIN = "agent", "supervisor", "editor", "approver", "officer", "admin"

ROLES = MappingProxyType(
    {
        AGENT: "坐席",
        SUPERVISOR: "班长",
        EDITOR: "知识编辑",
        APPROVER: "知识审核",
        OFFICER: "承办单位人员",
        ADMIN: "管理员",
    }
)
"""Role → what it is called"""

GUARDED = frozenset({ADMIN, SUPERVISOR, APPROVER})
"""Whoever has one of these needs a second factor in production"""

SCOPES = MappingProxyType(
    {
        "tickets.read": "查看工单",
        "tickets.write": "办理工单",
        "conversations": "查看和接入会话",
        "calls": "送来电话和转写",
        "dangers": "查看险情",
        "unanswered": "查看没有答上的提问",
    }
)
"""What a program's key may open → in words"""


def checked_roles(roles: Iterable[str]) -> list[str]:
    """Each once, in the order of ``ROLES``.  Raises: InvalidInput: none, or an unknown one."""
    return _checked(roles, ROLES, "角色")


def checked_scopes(scopes: Iterable[str]) -> list[str]:
    """Each once, in the order of ``SCOPES``.  Raises: InvalidInput: none, or an unknown one."""
    return _checked(scopes, SCOPES, "权限")


def _checked(names: Iterable[str], known: Mapping[str, str], what: str) -> list[str]:
    given = set(names)
    if unknown := sorted(given - set(known)):
        raise InvalidInput(f"没有这个{what}：{'、'.join(unknown)}。可以用的有：{'、'.join(known)}。")
    if not given:
        raise InvalidInput(f"至少要有一个{what}。")
    return [name for name in known if name in given]
