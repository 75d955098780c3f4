"""Danger to life or property: its kinds, whom to call for each, and what to say.

Whether a message tells of one is for ``bot.guards`` (patterns, the floor) and ``index.danger`` (the floor and a classifier).
The words follow what 12356, 120 and WHO's guidance on suicide for those who report on it advise: no method, no reproach, no
promise; first the call, then what to do until help is there.  As of November 2026.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from bot.replies import EmergencyReply

Kind = Literal[
    "suicide_self",
    "suicide_other",
    "fire",
    "gas",
    "medical",
    "poisoning",
    "drowning",
    "trapped",
    "violence",
    "abduction",
    "fraud",
    "traffic",
    "structure",
    "unknown",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

NAMES: Mapping[str, str] = {
    "suicide_self": "轻生自伤（本人）",
    "suicide_other": "轻生自伤（他人）",
    "fire": "火情",
    "gas": "燃气、有毒气体",
    "medical": "急病、受伤",
    "poisoning": "中毒、误服",
    "drowning": "溺水、涉水",
    "trapped": "被困",
    "violence": "暴力、跟踪",
    "abduction": "走失、拐骗、被关",
    "fraud": "正在被骗",
    "traffic": "交通事故",
    "structure": "坍塌、坠落、漏电",
    "unknown": "求救",
}
"""What the staff reads of each kind"""

PHONES = {
    "110": "报警",
    "119": "火警和救援",
    "120": "急救",
    "122": "交通事故",
    "12356": "心理援助",
    "96110": "反诈专线",
}

_SMS = "不方便说话，可以发短信到12110报警，写清楚在哪里、出了什么事。"


@dataclass(frozen=True)
class Card:
    """What is said about one kind of danger."""

    phones: tuple[str, ...]
    """The one to call first comes first"""
    lead: str
    """One sentence that cares, or says what counts now"""
    steps: tuple[str, ...]
    """What to do until help is there"""
    asks: str
    """The caring question, where it may be a danger and may be none"""
    sms: bool = False
    """Whether speaking may be dangerous"""


CARDS: dict[Kind, Card] = {
    "suicide_self": Card(
        ("12356", "120", "110"),
        "谢谢您愿意说出来，我们很担心您。您不用一个人扛着。",
        (
            "请先到有人的地方，或者请一位信任的人过来陪您。",
            "离开水边、高处和会伤到自己的东西。",
            "12356是全国统一的心理援助热线，有人会认真听您说；已经受伤或有危险，请拨打120或110。",
            "您也可以在这里接着说。",
        ),
        "听起来您现在很难受。您现在安全吗？身边有没有人陪着？",
    ),
    "suicide_other": Card(
        ("110", "120", "12356"),
        "您愿意帮忙，这很重要。",
        (
            "能到身边就陪着对方，别让对方一个人待着；平静地听，不争论，不责怪。",
            "把会伤到人的东西移开；在高处或水边的，不要上前拉扯，也不要让人围观。",
            "不在身边：给对方和离得最近的人打电话，并拨打110，说清楚最后知道的位置。",
            "怎么劝、怎么帮，可以拨打12356问一问。",
        ),
        "您说的这个人现在在哪里？有没有人陪着？",
    ),
    "fire": Card(
        ("119",),
        "请马上离开，到安全的地方拨打119。",
        (
            "说清楚地点、什么着了、有没有人被困。",
            "不要坐电梯，不要回去拿东西；有烟就低下身子，用湿毛巾捂住口鼻。",
            "出不去：关上门，堵住门缝，到窗口呼救。",
        ),
        "现在还有烟、火或者焦糊味吗？人都出来了吗？",
    ),
    "gas": Card(
        ("119", "120"),
        "请马上带大家到室外通风的地方，再打电话。",
        (
            "不要开关电器，不要点火，不要在屋里打电话。",
            "路过门窗时能开就开；来得及才关阀门。",
            "有人头晕、恶心、叫不醒，马上拨打120，也要先离开那里。",
        ),
        "现在还闻得到吗？有没有人头晕、恶心？",
    ),
    "medical": Card(
        ("120",),
        "请马上拨打120，照调度员说的做。",
        (
            "说清楚地点、病人怎么样了、多大年纪。",
            "不要随意搬动病人，不要喂水喂药。",
            "叫不醒、没有呼吸：请调度员在电话里教您做心肺复苏。",
            "派人到路口接救护车。",
        ),
        "病人现在清醒吗？呼吸顺畅吗？",
    ),
    "poisoning": Card(
        ("120",),
        "请马上拨打120，照调度员说的做。",
        (
            "说清楚吃了、喝了或者沾了什么，多少，什么时候。",
            "不要自己催吐，不要喂东西，除非调度员让您这样做。",
            "把剩下的、包装和吐出来的留好，带给医生。",
        ),
        "人现在清醒吗？有没有恶心、抽搐、喘不过气？",
    ),
    "drowning": Card(
        ("119", "120", "110"),
        "请马上拨打119，大声叫附近的人来帮忙。",
        (
            "说清楚是哪一段水面，有几个人。",
            "不会救人不要下水，也不要手拉手下去；把绳子、竹竿、救生圈、空桶递过去或者扔过去。",
            "人上来了没有呼吸：马上拨打120，请调度员教您做心肺复苏。",
            "水往上涨：往高处走，不要蹚水，不要开车过去。",
        ),
        "现在有人在水里或者被水围住吗？",
    ),
    "trapped": Card(
        ("119", "120"),
        "请马上拨打119，说清楚地点、几个人、伤没伤。",
        (
            "在电梯里：按紧急呼叫按钮，不要扒门，不要跳。",
            "在山上、野外：待在原地保暖，省着用手机，把定位发出去。",
            "有人喘不上气、被压住：同时拨打120，不要硬拉。",
        ),
        "现在人出得来吗？有没有受伤、喘不上气？",
    ),
    "violence": Card(
        ("110", "120"),
        "请先到安全、有人的地方，或者锁好门，马上拨打110。",
        (
            "说清楚在哪里，对方几个人，手里有没有东西。",
            "不要和对方争，不要开门。",
            "有人受伤，同时拨打120。",
        ),
        "您现在安全吗？对方还在附近吗？",
        sms=True,
    ),
    "abduction": Card(
        ("110",),
        "请马上拨打110，不用等满24小时。",
        (
            "说清楚什么时候、在哪里不见的，穿什么衣服，有没有病；把照片准备好。",
            "请身边的人分头问、看监控，家里留一个人。",
            "自己被关着：先别激怒对方，记住周围看得到、听得到的。",
        ),
        "人现在联系得上吗？最后是在哪里、什么时候？",
        sms=True,
    ),
    "fraud": Card(
        ("110", "96110"),
        "先停手：不要再转钱，不要共享屏幕，不要说验证码，挂掉电话。",
        (
            "警察不会在电话里办案，没有“安全账户”。",
            "钱已经转出去：马上拨打110，越快越好，再打银行的客服电话。",
            "拿不准是不是骗局，拨打96110问。96110打来的电话要接。",
            "聊天和转账记录不要删。",
        ),
        "对方有没有让您转钱、共享屏幕、说验证码，或者不许告诉家里人？",
    ),
    "traffic": Card(
        ("122", "120", "119"),
        "先保住人：人到护栏外、离车远的安全地方，再拨打122。",
        (
            "有人受伤，马上拨打120；不要随意搬动伤者。",
            "打开双闪；能安全走过去，才去车后放警示牌。",
            "有人卡在车里、漏油、冒烟，拨打119，离远一点。",
        ),
        "有人受伤吗？人都离开车道了吗？",
    ),
    "structure": Card(
        ("119", "110", "120"),
        "请马上走远一点，也叫别人不要靠近。",
        (
            "说清楚地点，有没有人被压、受伤。",
            "掉下来的电线、冒火花的设备、泡着电器的水都不要碰；触电的人不要直接用手拉。",
            "房子、墙、边坡在响或者裂开，不要回去拿东西。",
        ),
        "现在有人在下面或者附近吗？有没有人受伤？",
    ),
    "unknown": Card(
        ("110", "120", "119"),
        "请马上拨打110；有人受伤拨打120，着火或者被困拨打119。",
        ("说清楚您在哪里、出了什么事。",),
        "您现在安全吗？出了什么事，在哪里？",
    ),
}

_CANNOT = "这里不能代您报警，请直接拨打电话。"
CALL = "到了安全的地方，请拨打{phones}。"
NOW = "如果是现在的事，请马上拨打{phones}。"
IF_NOW = "如果现在有人有危险，请马上拨打{phones}。"
"""The line below an answer to a question about such a thing"""
GO_ON = "请照接线员说的做。情况变了，或者电话打不通，请马上告诉我，或者换一个号码：{phones}。"
ONLY_ASKING = "没有危险，我想咨询"
"""What the button below a card says that may have been called up by a question"""
SAY_ONLY_ASKING = f"如果没有危险，只是想问办事，请回复“{ONLY_ASKING}”。"
IT_IS_OVER = "那就好。要是又不对劲，请马上拨打{phones}。您还想问什么，请接着说。"


def phones_of(kinds: Sequence[Kind]) -> list[str]:
    """The numbers to call, the first one first."""
    return list(dict.fromkeys(phone for kind in kinds for phone in CARDS[kind].phones))


def named(phones: Sequence[str]) -> str:
    """120（急救）或110（报警）"""
    return "或".join(f"{phone}（{PHONES[phone]}）" for phone in phones)


def card(kinds: Sequence[Kind], *, possible: bool = False, words: str = "", may_ask: bool = False) -> EmergencyReply:
    """What to say about these kinds of danger, the gravest first; of more than two only two are read.

    Args:
        possible: it may be one and may be none: a caring question, and the numbers.
        words: said instead of the first sentence (what follows on a card).
        may_ask: the message may be a question all the same: the way to its answer is shown below.
    """
    cards = [CARDS[kind] for kind in kinds[:2]]
    phones = phones_of(kinds)
    lead = words or (cards[0].asks if possible else cards[0].lead)
    steps = [] if possible else [step for one in cards for step in one.steps]
    if any(one.sms for one in cards):
        steps.append(_SMS)
    call = NOW.format(phones=named(phones[:2])) if possible else ""
    if phones[0] not in f"{lead}{''.join(steps)}":
        call = call or CALL.format(phones=named(phones[:2]))
    return EmergencyReply(
        text="\n".join(filter(None, [lead, call, *steps, _CANNOT, SAY_ONLY_ASKING if may_ask else ""])),
        phones=phones,
        kind=kinds[0],
        possible=possible,
        lead=f"{lead}{call}",
        steps=[*steps, _CANNOT],
        labels={phone: PHONES[phone] for phone in phones},
        sms="12110" if any(one.sms for one in cards) else None,
        only_asking=ONLY_ASKING if may_ask else None,
    )
