"""What a push says to us, and the fixed words that some kinds of message get."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from connectors.wechat.push import Push

WELCOME = (
    "您好，我是 12345 政策问答助手。社保、公积金、户口、身份证、结婚生育、劳动纠纷这些事，直接打字问就行，比如：\n"
    "· 身份证丢了怎么补办\n· 失业金能领几个月\n· 租房怎么提公积金\n"
    "答案都有依据；答不准的会登记给工作人员，给您工单编号。要找人工请说“转人工”。"
)
SCENE = "您好，我是 12345 政策问答助手。关于“{scene}”，常有人问：（回复数字就行，也可以直接打字问别的事）"
TYPE_IT = "语音没有听清，请您打字说一下要问的事，几个字也行。"
NO_PICTURES = "图片、视频我还看不懂，请您打字说一下要问的事；有材料要交的，回复“我要反映”登记给工作人员。"
WHERE = "收到您发的位置了，但上面没有写地名。请您打字说一下在哪个区县，要问什么事。"
ALL_EARS = "收到。有什么想问的，直接打字就行，比如：身份证丢了怎么补办。"
OFFERED = "您前面的问题有回复了："
NOW = "您刚才的问题："
EARLIER = "\n\n前面没看完的：\n"
RATED = "谢谢，已经记下您对前面那个回答的评价。"

_NOT_SHOWN = re.compile(
    r"[【\[](?:收到)?(?:不支持的消息(?:类型)?(?:，暂无法显示)?|(?P<voice>语音)(?:消息)?|图片|照片|视频|小视频|动画表情|表情|文件|"
    r"位置|地理位置|链接|名片|个人名片|小程序|聊天记录|音乐|红包|微信红包|转账|视频号|笔记|收到了?一[个条][^】\]]{1,24})[】\]]"
)
"""What stands in a text where WeChat, or a phone's clipboard, has something else than text"""
EMOTICONS = tuple(Path(__file__).with_name("emoticons.txt").read_text(encoding="utf-8").split())
"""WeChat's faces, as they stand in the text of a push: [微笑], or /::) where an older WeChat wrote it"""
_EMOTICON = re.compile("|".join(map(re.escape, sorted(EMOTICONS, key=len, reverse=True))))

MENU = {"ask": "你会什么", "tickets": "查工单", "human": "转人工", "report": "我要反映"}
"""Keys of the account's menu: what a tap says"""
THEME = "theme:"
"""Before the name of a theme or a matter, a key of the menu too: a tap shows what people ask about it, as a scanned code does"""


@dataclass(frozen=True)
class Meaning:
    """What a push comes to: words to be answered as a turn, else fixed words, else nothing."""

    says: str | None = None
    fixed: str = ""
    """What it gets at once, without a turn"""
    reply: str = ""
    """What its turn comes to, where that is known already"""
    scene: str = ""
    """What the scanned QR code or the menu names: a theme or a matter"""
    tapped: str = ""
    """The id of the menu message's item that was tapped"""
    written: bool = False
    """The citizen sent a message; a tap and an event allow us less (see ``inbox``)"""


def wants_more(text: str) -> bool:
    """Whether the citizen asks for what did not fit."""
    return text.strip(' “”"。！!') in ("更多", "看更多", "继续")


def wants_guide(text: str) -> bool:
    """Whether the citizen asks for the service guide of what was answered last."""
    return text.strip(' “”"。！!？?') in ("办事指南", "看指南", "看办事指南", "指南")


def read(push: Push) -> Meaning:
    """What the push comes to."""
    fields = push.fields
    match push.kind:
        case "text":
            tapped = str(fields.get("bizmsgmenuid") or "")
            return _text(str(fields.get("Content") or ""), tapped)
        case "voice":
            heard = str(fields.get("Recognition") or "").strip(" 。")
            return Meaning(says=heard, written=True) if heard else Meaning(fixed=TYPE_IT)
        case "location":
            label = str(fields.get("Label") or "").strip()
            return Meaning(says=f"我在{label}", written=True) if label else Meaning(fixed=WHERE)
        case "link":
            return Meaning(says=f"{fields.get('Title') or ''} {fields.get('Description') or ''}".strip(), written=True)
        case "event":
            return _event(push)
        case _:
            return Meaning(fixed=NO_PICTURES)


def _text(content: str, tapped: str) -> Meaning:
    """A text.  WeChat's faces say nothing beside words, and nothing that asks for an answer where they stand alone."""
    if shown := _NOT_SHOWN.fullmatch(content.strip()):
        return Meaning(fixed=TYPE_IT if shown["voice"] else NO_PICTURES)
    words = _EMOTICON.sub("", content)
    if content.strip() and not words.strip():
        return Meaning(says=content, reply=ALL_EARS, written=True)
    return Meaning(says=words, tapped=tapped, written=not tapped)


def _event(push: Push) -> Meaning:
    key = str(push.fields.get("EventKey") or "")
    match push.event:
        case "subscribe" | "scan":
            scene = key.removeprefix("qrscene_").strip()
            return Meaning(says=f"扫码：{scene}" if scene else None, fixed=WELCOME, scene=scene)
        case "click":
            theme = key.removeprefix(THEME).strip() if key.startswith(THEME) else ""
            return Meaning(says=f"看主题：{theme}", scene=theme) if theme else Meaning(says=MENU.get(key.lower()))
        case _:
            return Meaning()
