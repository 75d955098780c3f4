"""What a push says to us, and the fixed words that some kinds of message get."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.wechat.push import Push

WELCOME = (
    "您好，我是 12345 政策问答助手。社保、公积金、户口、身份证、结婚生育、劳动纠纷这些事，直接打字问就行，比如：\n"
    "· 身份证丢了怎么补办\n· 失业金能领几个月\n· 租房怎么提公积金\n"
    "答案都有依据；答不准的会登记给工作人员，给您办件编号。要找人工请说“转人工”。"
)
SCENE = "您好，我是 12345 政策问答助手。关于“{scene}”，常有人问：（回复数字就行，也可以直接打字问别的事）"
TYPE_IT = "语音没有听清，请您打字说一下要问的事，几个字也行。"
NO_PICTURES = "图片、视频我还看不懂，请您打字说一下要问的事；有材料要交的，回复“我要反映”登记给工作人员。"
OFFERED = "您前面的问题有回复了："
NOW = "您刚才的问题："
EARLIER = "\n\n前面没看完的：\n"
RATED = "谢谢，已经记下您对前面那个回答的评价。"

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
            return Meaning(says=str(fields.get("Content") or ""), tapped=tapped, written=not tapped)
        case "voice":
            heard = str(fields.get("Recognition") or "").strip(" 。")
            return Meaning(says=heard, written=True) if heard else Meaning(fixed=TYPE_IT)
        case "location":
            return Meaning(says=f"我在{fields.get('Label') or ''}", written=True)
        case "link":
            return Meaning(says=f"{fields.get('Title') or ''} {fields.get('Description') or ''}".strip(), written=True)
        case "event":
            return _event(push)
        case _:
            return Meaning(fixed=NO_PICTURES)


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
