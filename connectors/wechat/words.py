"""What a push says to us, and the fixed words that some kinds of message get."""

from __future__ import annotations

from connectors.wechat.push import Push

WELCOME = (
    "您好，我是 12345 政策问答助手。社保、公积金、户口、身份证、结婚生育、劳动纠纷这些事，直接打字问就行，比如：\n"
    "· 身份证丢了怎么补办\n· 失业金能领几个月\n· 租房怎么提公积金\n"
    "答案都有依据；答不准的会登记给工作人员，给您办件编号。要找人工请说“转人工”。"
)
TYPE_IT = "语音没有听清，请您打字说一下要问的事，几个字也行。"
NO_PICTURES = "图片、视频我还看不懂，请您打字说一下要问的事；有材料要交的，回复“我要反映”登记给工作人员。"
OFFERED = "您前面的问题有回复了："
NOW = "您刚才的问题："

MENU = {"ask": "你会什么", "tickets": "查工单", "human": "转人工", "report": "我要反映"}
"""Keys of the account's menu: what a tap says"""


def wants_more(text: str) -> bool:
    """Whether the citizen asks for what did not fit."""
    return text.strip(' “”"。！!') in ("更多", "看更多", "继续")


def read(push: Push) -> tuple[str | None, str]:
    """(what the citizen says, "") where it is to be answered as a turn; (None, fixed words) else, empty for none."""
    fields = push.fields
    match push.kind:
        case "text":
            return str(fields.get("Content") or ""), ""
        case "voice":
            heard = str(fields.get("Recognition") or "").strip(" 。")
            return (heard, "") if heard else (None, TYPE_IT)
        case "location":
            return f"我在{fields.get('Label') or ''}", ""
        case "link":
            return f"{fields.get('Title') or ''} {fields.get('Description') or ''}".strip(), ""
        case "event":
            return _event(push)
        case _:
            return None, NO_PICTURES


def _event(push: Push) -> tuple[str | None, str]:
    if push.event in ("subscribe", "scan"):
        return None, WELCOME
    if push.event == "click":
        said = MENU.get(str(push.fields.get("EventKey") or "").lower())
        return (said, "") if said else (None, "")
    return None, ""
