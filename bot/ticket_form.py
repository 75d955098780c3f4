"""The ticket form: what happened, what a ticket on it must say, where, a phone number, "is that right?": a pure state machine over a small draft.

The draft lies in the conversation's row.  The caller looks for emergencies and for the wish for a human first, and answers
questions in between (``looks_like_answer``).  The form can be left at any point and never loops: it ends, submitted or not,
after ``MAX_TURNS`` messages at the latest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from bot import guards, regions
from bot.masking import mask_phone

MAX_TURNS = 13
"""Messages that the form takes at most; an answer to each question, all retries and one correction need twelve."""
PHONE_TRIES = 2
"""How often a wrong phone number is asked for again."""
CONTENT_CHARS = 1500
"""The longest content; the rest is cut."""

FindRegion = Callable[[str], str | None]
"""Text → code of the one region that it names, or None."""

Step = Literal["content", "details", "region", "phone", "confirm"]


@dataclass(frozen=True)
class Draft:
    """What the form knows so far."""

    step: Step = "content"
    kind: str = "投诉"
    content: str = ""
    needs: tuple[str, ...] = ()
    """What the content still has to say; asked for once, all together"""
    region: str | None = None
    address: str | None = None
    """Where it is, in words that name no region; never asked for"""
    phone: str | None = None
    phone_settled: bool = False
    """Whether a phone was given or declined"""
    tries: int = 0
    """Useless answers to the present question"""
    turns: int = 0
    """Messages taken so far"""

    def to_json(self) -> dict[str, Any]:
        """For the conversation's row."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Draft:
        """From the conversation's row; fields of another version are passed over."""
        known = {field.name for field in fields(cls)}
        given = {name: value for name, value in data.items() if name in known}
        return cls(**given | {"needs": tuple(given.get("needs", ()))})


@dataclass(frozen=True)
class FormStep:
    """What to say next.  ``done``: submit ``draft``; ``cancelled``: forget it; neither: keep it and wait."""

    draft: Draft | None
    text: str
    done: bool = False
    cancelled: bool = False


ASK_CONTENT = "请说说您要反映的事：什么时候、在哪里、发生了什么。随时可以回复“算了”退出。"
MORE_CONTENT = "请再说具体一点，比如地点和发生的事情，方便工作人员办理。"
ASK_DETAILS = (
    "好的，帮您登记。请一次说清：{needs}。知道多少说多少，一句话就行；说不上来可以回复“跳过”，不登记了回复“算了”。"
)
ASK_REGION = "事情发生在哪个区县？比如“岳麓区”。不清楚可以回复“跳过”。"
REGION_AGAIN = "没有认出这个地区，请写到市或区县，比如“长沙市岳麓区”，也可以回复“跳过”。"
ASK_PHONE = (
    "请留一个联系电话，方便工作人员回复您。号码只用于办理这件事，加密保存，不会公开；"
    "回复号码就表示您同意这样使用。不想留可以回复“跳过”。"
)
PHONE_AGAIN = "这个号码好像不对：手机号是11位，座机请带区号，比如0731-88881234。请再发一次，或者回复“跳过”。"
NO_NUMBER = "还没有收到号码。方便的话请发手机号，或者带区号的座机号；不想留可以回复“跳过”。"
PHONE_TAKEN = "电话记下了。"
NO_PHONE = "那就先不留电话。"
WHAT_IS_WRONG = "哪里要改？请回复“改内容”“改地区”“改电话”；不提交请回复“算了”。"
CONFIRM = "以上信息确认提交吗？回复“是”提交；要改请回复“改内容”“改地区”“改电话”；不提交请回复“算了”。"
LEFT = "好的，已退出登记，没有提交。需要时随时告诉我。"
GO_ON = "好的，接着登记。"
GIVEN_UP = "还没能确认，这次先不提交。需要时请再说“我要反映”，也可以直接拨打12345。"
SUBMITTED = "好的，正在为您登记。"

_SKIP = re.compile(
    "(?:那|就|先|我|请|都|帮我|,)*(?:跳过|略过|略|下一步|下一个|不留|不想留|不用留?|不要|不需要|不填|不想填|不方便(?:留|说|提供)?|不提供|不想提供|"
    "不想?说|不知道|不清楚|不记得|没有(?:电话|手机|号码)?|无|保密|匿名)(?:电话|号码|手机号?|地区|地址|了|吧|的|谢谢|,|。|!)*"
)
_ABANDON = re.compile("算了|取消|退出|放弃|停止|结束|不(?:登记|反映|投诉|举报|办|弄|提交)")
_QUESTION = re.compile(
    "(?:怎么|如何|怎样|咋)(?:办(?!事)|办理|申请|申领|领|取|查|交|缴|报销|转|开|补|算)|什么(?:材料|条件|手续|时候|流程|政策|意思)|哪些|多少(?:钱|年|天|费)|多久|在哪里?(?:办|交|领|查)|能不能|可不可以|是不是|要不要|吗[?。!]*$"
)
_COMPLAINT = re.compile(
    "投诉|举报|反映|没人管|不管|扰民|噪音|太吵|拖欠|欠薪|不退|态度|乱收费|违建|违停|占道|污水|漏水|停水|停电|坏了|堵|臭|骗|一直不"
)
_WRONG_PHONE = re.compile(
    "(?:改|换|修改|更正)[^,。]{0,4}(?:电话|手机|号码)|(?:电话|手机|号码)[^,。]{0,4}(?:错|不对|改|换|不是)"
)
_WRONG_REGION = re.compile(
    "(?:改|换|修改|更正)[^,。]{0,4}(?:地区|地址|地点|区县|区域)|(?:地区|地址|地点|区县|区域)[^,。]{0,4}(?:错|不对|改|换|不是)"
)
_WRONG_CONTENT = re.compile(
    "(?:改|换|修改|更正)[^,。]{0,4}(?:内容|事情|诉求)|(?:内容|事情|诉求)[^,。]{0,4}(?:错|不对|改|换|不是)"
)


def start(
    content: str | None,
    *,
    kind: str = "投诉",
    needs: Sequence[str] = (),
    region: str | None = None,
    find_region: FindRegion | None = None,
) -> FormStep:
    """Open the form.

    Args:
        content: what the citizen already said, or None.
        kind: one of ``bot.tickets.KINDS``.
        needs: what a ticket on it must say besides.
        region: the region's code, if known.
        find_region: reads the region out of ``content``.
    """
    draft = Draft(kind=kind, needs=tuple(needs), region=region)
    if content is None or not _enough(content):
        return FormStep(draft, ASK_CONTENT)
    place = find_region(content) if find_region else None
    return _next(replace(draft, content=guards.beginning(content.strip(), CONTENT_CHARS), region=place or region))


def advance(draft: Draft, message: str, *, find_region: FindRegion) -> FormStep:
    """Take one message.  Every call uses up one of the form's turns."""
    draft = replace(draft, turns=draft.turns + 1)
    said = guards.plain(message)
    optional = draft.step in ("details", "region", "phone")
    # 不用了 declines an optional answer; 算了 leaves the form anywhere.
    if _leaves(message) and (not optional or _ABANDON.search(said)):
        return FormStep(None, LEFT, cancelled=True)
    step = {"content": _content, "details": _details, "region": _region, "phone": _phone, "confirm": _confirm}[
        draft.step
    ](draft, message.strip(), said, find_region)
    if step.draft is not None and not step.done and draft.turns >= MAX_TURNS:
        return FormStep(None, GIVEN_UP, cancelled=True)
    return step


def _leaves(message: str) -> bool:
    """Also where it is said twice (算了，不投诉了; 算了不填了)."""
    match = _TWICE.fullmatch(message)
    return guards.leaves_form(message) or (match is not None and guards.leaves_form(match["again"]))


_TWICE = re.compile(r"\s*(?:算了|等等|对了|取消)[,，。!！\s]*(?P<again>.{2,12})", re.DOTALL)


_ASIDE = re.compile(
    r"\s*(?:算了|先不(?:填|登记|说|弄)了?|等等|等一?下|等会儿?|慢着|稍等|对了)[,，。!！\s]*(?:我?先|我想|想|我)?(?:再)?(?:问|咨询|打听)?(?:一下|下|个事|一个问题)?[,，:：\s]*(?P<asked>.{4,})",
    re.DOTALL,
)


def put_aside(message: str) -> str | None:
    """What somebody asks who leaves the form for it (算了，先问下护照多少钱); None where nothing is asked."""
    match = _ASIDE.fullmatch(message)
    if match is None or guards.leaves_form(match["asked"]) or _COMPLAINT.search(guards.plain(match["asked"])):
        return None
    return match["asked"].strip()


def again(draft: Draft) -> FormStep:
    """The question that a draft waits at, once more."""
    text = {
        "content": ASK_CONTENT,
        "details": ASK_DETAILS.format(needs="、".join(draft.needs)),
        "region": ASK_REGION,
        "phone": ASK_PHONE,
        "confirm": summary(draft),
    }[draft.step]
    return FormStep(replace(draft, tries=0), GO_ON + text)


_OWN_PHONE = re.compile(
    r"(?:^|[,，。;；\s])(?:我的?|联系)?(?:电话|手机|号码)(?:号码?)?[是:：]?\s*(?=[\d(（])|打我|联系我"
)


def own_phone(message: str) -> str | None:
    """A phone number that is the citizen's own: it stands alone, or is said to be.  Another may be what they report."""
    phone = guards.phone_in(message)
    if phone is None:
        return None
    letters = sum(character.isalpha() for character in message)
    return phone if letters <= 6 or _OWN_PHONE.search(message) else None


def looks_like_answer(draft: Draft, message: str) -> bool:
    """Whether the message plausibly fills the present step, rather than asking something else in between."""
    said = guards.plain(message)
    if _leaves(message):
        return True
    asks = bool(_QUESTION.search(said)) and not _COMPLAINT.search(said)
    match draft.step:
        case "region":
            return bool(_SKIP.fullmatch(said) or (not asks and (len(said) <= 20 or regions.find(message))))
        case "phone":
            answers = _SKIP.fullmatch(said) or guards.is_no(message) or guards.phone_in(message)
            return bool(answers or (not asks and re.search(r"\d{5}", said)) or guards.is_yes(message))
        case "confirm" if guards.is_yes(message) or guards.is_no(message) or guards.phone_in(message):
            return True
    return not asks


def _content(draft: Draft, message: str, said: str, find_region: FindRegion) -> FormStep:
    if not _enough(message):
        if draft.tries:
            return FormStep(None, GIVEN_UP, cancelled=True)
        return FormStep(replace(draft, tries=1), MORE_CONTENT)
    place = find_region(message)
    return _next(replace(draft, content=guards.beginning(message, CONTENT_CHARS), region=place or draft.region))


def _details(draft: Draft, message: str, said: str, find_region: FindRegion) -> FormStep:
    """Whatever is said goes in, as it was said; only a refusal does not."""
    draft = replace(draft, needs=())
    if _SKIP.fullmatch(said) or guards.is_no(message):
        return _next(draft)
    phone, place = own_phone(message), find_region(message)
    content = guards.beginning(f"{draft.content}\n补充：{message}", CONTENT_CHARS)
    draft = replace(draft, content=content, region=place or draft.region)
    return _next(replace(draft, phone=phone, phone_settled=True) if phone else draft)


def _region(draft: Draft, message: str, said: str, find_region: FindRegion) -> FormStep:
    if code := find_region(message):
        return _next(replace(draft, region=code))
    if _SKIP.fullmatch(said) or guards.is_no(message):
        return _next(draft, after="region")
    if phone := own_phone(message):  # told before it was asked for
        return FormStep(replace(draft, phone=phone, phone_settled=True), PHONE_TAKEN + ASK_REGION)
    if not draft.tries:
        return FormStep(replace(draft, tries=1), REGION_AGAIN)
    # Words that are no region may still say where it is.
    return _next(replace(draft, address=guards.beginning(message, 100)), after="region")


def _phone(draft: Draft, message: str, said: str, find_region: FindRegion) -> FormStep:
    if phone := guards.phone_in(message):
        return _next(replace(draft, phone=phone, phone_settled=True))
    declined = bool(_SKIP.fullmatch(said)) or guards.is_no(message)
    if not declined and draft.tries < PHONE_TRIES:
        return FormStep(replace(draft, tries=draft.tries + 1), PHONE_AGAIN if re.search(r"\d", said) else NO_NUMBER)
    step = _next(replace(draft, phone=None, phone_settled=True))
    return replace(step, text=NO_PHONE + step.text)


def _confirm(draft: Draft, message: str, said: str, find_region: FindRegion) -> FormStep:
    if guards.is_yes(message):
        return FormStep(draft, SUBMITTED, done=True)
    phone = guards.phone_in(message)
    if phone or _WRONG_PHONE.search(said):
        return _next(replace(draft, phone=phone)) if phone else _back(draft, "phone", ASK_PHONE)
    code = find_region(message) if len(said) <= 20 else None
    if code or _WRONG_REGION.search(said):
        return _next(replace(draft, region=code)) if code else _back(draft, "region", ASK_REGION)
    if _WRONG_CONTENT.search(said):
        return _back(draft, "content", ASK_CONTENT)
    if guards.is_no(message) or not _enough(message):
        return FormStep(draft, WHAT_IS_WRONG)
    return _next(replace(draft, content=guards.beginning(f"{draft.content}\n补充：{message}", CONTENT_CHARS)))


def _back(draft: Draft, step: Step, text: str) -> FormStep:
    return FormStep(replace(draft, step=step, tries=0), text)


def _next(draft: Draft, after: Step | None = None) -> FormStep:
    """The first question that is still open; ``after`` the region's, it isn't asked again."""
    if draft.needs:
        return _back(draft, "details", ASK_DETAILS.format(needs="、".join(draft.needs)))
    early = draft.step == "details" or (draft.step in ("content", "region") and not draft.phone_settled)
    if draft.region is None and after != "region" and early:
        return _back(draft, "region", ASK_REGION)
    if not draft.phone_settled:
        return _back(draft, "phone", ASK_PHONE)
    return _back(draft, "confirm", summary(draft))


def summary(draft: Draft) -> str:
    """What will be submitted, the phone masked, and the question whether it is right."""
    content = draft.content if len(draft.content) <= 200 else f"{draft.content[:200]}……"
    place = (regions.full_name(draft.region) if draft.region else "") + (draft.address or "") or "未填写"
    phone = mask_phone(draft.phone) if draft.phone else "未留"
    return f"请核对：\n类型：{draft.kind}\n内容：{content}\n地区：{place}\n电话：{phone}\n{CONFIRM}"


def _enough(content: str) -> bool:
    """Whether there are words enough to act on."""
    return sum(character.isalnum() for character in content) >= 4
