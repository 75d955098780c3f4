"""The account's menu: read from a file, checked, published.  Rules: 微信公众平台《创建接口》 of 自定义菜单."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bot.errors import InvalidInput
from connectors.wechat.words import MENU, THEME

DEFAULT = Path(__file__).with_name("menu.json")
_TOP, _SUB = 3, 5
_TOP_NAME, _SUB_NAME = 16, 60
"""Bytes of a name"""
_KEY = 128
"""Bytes of a key"""


def read(path: Path = DEFAULT) -> dict[str, Any]:
    """The menu in a file.  Raises: InvalidInput, saying what WeChat would not take."""
    try:
        menu = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"菜单文件 {path.name} 读不了，应当是 UTF-8 的 JSON。") from error
    buttons = menu.get("button") if isinstance(menu, dict) else None
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= _TOP:
        raise InvalidInput(f"一级菜单（button）要有 1 到 {_TOP} 个。")
    for button in buttons:
        subs = button.get("sub_button") if isinstance(button, dict) else None
        _named(button, _TOP_NAME)
        if subs is None:
            _acts(button)
        elif not isinstance(subs, list) or not 1 <= len(subs) <= _SUB:
            raise InvalidInput(f"菜单“{button['name']}”的二级菜单要有 1 到 {_SUB} 个。")
        for sub in subs or ():
            _named(sub, _SUB_NAME)
            _acts(sub)
    return {"button": buttons}


def _named(button: Any, limit: int) -> None:
    name = button.get("name") if isinstance(button, dict) else None
    if not isinstance(name, str) or not name.strip():
        raise InvalidInput("每个菜单都要有名字（name）。")
    if len(name.encode()) > limit:
        raise InvalidInput(f"菜单名“{name}”太长，最多 {limit} 字节（{limit // 3} 个汉字）。")


def _acts(button: dict[str, Any]) -> None:
    match button.get("type"):
        case "click":
            key = str(button.get("key"))
            names_theme = key.startswith(THEME) and key.removeprefix(THEME).strip() != ""
            if key not in MENU and not names_theme:
                raise InvalidInput(f"菜单“{button['name']}”的 key 只能是 {'、'.join(MENU)}，或者 {THEME}主题名。")
            if len(key.encode()) > _KEY:
                raise InvalidInput(f"菜单“{button['name']}”的 key 太长，最多 {_KEY} 字节。")
        case "view":
            if not str(button.get("url") or "").startswith(("https://", "http://")):
                raise InvalidInput(f"菜单“{button['name']}”要有以 https:// 开头的 url。")
        case "miniprogram":
            if not all(button.get(name) for name in ("url", "appid", "pagepath")):
                raise InvalidInput(f"菜单“{button['name']}”打开小程序，要有 url、appid 和 pagepath。")
        case _:
            raise InvalidInput(f"菜单“{button['name']}”的 type 只能是 click、view 或 miniprogram。")
