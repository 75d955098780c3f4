"""Dialogue acts that can be read off the words alone: for the path without Rasa, and where a mistake would cost dear."""

from __future__ import annotations

import re
from dataclasses import dataclass

from index.calculators.numbers import NUMBER
from index.search.normalise import clean

_EDGE = re.compile(r"^[\s,，。.!！?？、~啊呀哦嗯]+|[\s,，。.!！?？、~啊呀哦吧呢了]+$")

_PHRASES: dict[str, tuple[str, ...]] = {
    "greet": ("你好", "您好", "在吗", "在不在", "喂", "hello", "hi", "早上好", "下午好", "晚上好", "有人吗"),
    "goodbye": ("再见", "拜拜", "bye", "没事了", "不问了", "88"),
    "thanks": ("谢谢", "多谢", "谢谢你", "谢谢您", "感谢", "辛苦", "知道了谢谢", "好的谢谢"),
    "bot_identity": ("你是谁", "你是机器人吗", "你是真人吗", "你叫什么", "是人工吗"),
    "capabilities": ("你会什么", "你能做什么", "你能干什么", "你能干啥", "你会啥", "有什么功能", "帮助", "怎么用"),
    "affirm": ("是", "是的", "对", "对的", "好", "好的", "可以", "行", "嗯", "ok", "要"),
    "deny": ("不", "不是", "不用", "不要", "没有", "不对", "不行", "不需要"),
    "none_of_these": ("以上都不是", "都不是", "没有我要的", "都不对", "没有一个是"),
    "check_ticket": (
        "查工单",
        "查单",
        "催单",
        "催办",
        "工单查询",
        "查进度",
        "我的工单",
        "工单进度",
        "查询工单",
        "查办件",
        "查一下工单",
    ),
    "report_problem": ("我要反映", "我要投诉", "我要举报", "我要建议", "我要求助", "帮我投诉", "帮我反映", "帮我举报"),
    "rate_good": ("有用", "满意", "有帮助", "解决了", "很好", "👍"),
    "rate_bad": ("没用", "不满意", "没帮助", "没解决", "没有解决", "答非所问", "不对题", "👎"),
    "simpler": (
        "看不懂",
        "听不懂",
        "没看懂",
        "没听懂",
        "不明白",
        "说简单点",
        "简单点说",
        "简单点",
        "讲慢点",
        "说慢点",
        "读给我听",
        "念给我听",
        "我没文化",
        "我不识字",
        "太长了",
        "说人话",
        "字太小",
        "字太小了",
    ),
    "repeat": ("再说一遍", "重复一遍", "重说一遍", "没听清", "没看清", "再发一遍", "查看上一条回复"),
}
_ACT_OF = {phrase: act for act, phrases in _PHRASES.items() for phrase in phrases}

_ORDER = re.compile(
    r"^(?:你好|您好)?[,，。\s]*(?:我(?:要|想|得)|(?:请|麻烦)?(?:你|您)?(?:们)?(?:帮(?:我|忙|俺)|替(?:我|俺)|给我)|俺要|请)(?:向你们?|跟你们?)?"
    r"(?P<kind>投诉|举报|反映|反应|提(?:个|点|一个)?建议|建议|求助)(?:一下|下|个事|个问题)?(?P<content>.*)$",
    re.DOTALL,
)
_ASKS = re.compile(
    r"怎么|咋|如何|哪|吗|么|多久|多少|什么|啥|能不能|可不可以|是不是|[?？]|(?:部门|电话|渠道|流程|号码)$"
)
_AROUND = " \n\t\u3000,，。:：;；!！"
_LEAD = 40
"""The order itself (您好，请你们帮我投诉一下) is shorter."""
_KINDS = {"投诉": "投诉", "举报": "举报", "建议": "建议", "求助": "求助"}


_OWN_TICKET = re.compile(
    r"工单|办件|(?:我|俺|刚才|上次|之前).{0,8}(?:投诉|举报|反映|登记|问题).{0,10}(?:进度|进展|结果|怎么样|咋样|处理|回复|答复)"
)


def about_own_ticket(text: str) -> bool:
    """Whether a message that asks for progress means a ticket registered here, not how an office handles something."""
    return _OWN_TICKET.search(clean(text)) is not None


_WHO = r"(?:我|俺|咱|我们|公司|单位|厂里|老板|银行|工资|工资卡|卡|卡里|这个月|上个月|每个月|本月|今天|昨天|的|里|上|又|都|就|直接|莫名其妙)"
_TAKEN_OFF = re.compile(
    rf"{_WHO}{{0,4}}(?:给|被|帮|让)?{_WHO}{{0,2}}扣(?:了|掉了?|走了?|除了?)?(?:我|俺)?(?:将近|快|差不多|大概)?"
    rf"{NUMBER}(?:来|几)?多?(?:块|元)?(?:钱)?多?"
)


def only_taken_off(text: str) -> bool:
    """Whether a message says no more than that so much money was taken off (扣了八百多): not what for."""
    return bool(_TAKEN_OFF.fullmatch(_EDGE.sub("", clean(text))))


def literal_act(text: str) -> str | None:
    """The act whose set phrase the whole message is, or None."""
    return _ACT_OF.get(_EDGE.sub("", clean(text)))


def order(text: str) -> tuple[str, str] | None:
    """(kind, content) of an explicit order to register something (帮我投诉…), or None: a question about it is a question.

    The content is as it was typed: it becomes the ticket's.
    """
    match = _ORDER.match(clean(text))
    if match is None:
        return None
    content = match["content"].strip(_AROUND)
    if _ASKS.search(content):
        return None
    content = next(
        (text[start:] for start in range(min(len(text), _LEAD)) if clean(text[start:]).strip(_AROUND) == content),
        content,
    ).strip(_AROUND)
    kind = next((name for word, name in _KINDS.items() if word in match["kind"]), "投诉")
    return kind, content


_NEXT = re.compile(
    r"[?？!！。；;\n]+"
    r"|(?<=\S)[,，、\s]*(?:另外|还有(?:就是|一?个(?:问题|事)?|一件事)?|顺便|顺带|再(?:问|请教|咨询)(?:一下|下|个)?|"
    r"我?[还也]?想再?(?:问|请教|咨询)(?:一下|下)?|第[二三四](?:个(?:问题)?)?|其次)[,，、:：\s]*"
    r"|(?:^|(?<=[\s,，]))[1-9一二三四][.．、)）](?!\d)\s*"
)
_WONDERS = re.compile(
    r"怎么|咋|如何|哪|吗|么|多久|多少|几|什么|啥|谁|呢|(.)不\1|是不是|有没有|可以不|[不没]$|[不没](?=[,，\s])"
)


def wonders(text: str) -> bool:
    """Whether a text has a word that asks."""
    return _WONDERS.search(text) is not None


_STUB = 6
"""Shorter pieces belong to the question before them."""


def questions(text: str) -> list[str]:
    """The questions of a message, each with the story that leads to it; the text itself if it holds one or none.

    Rests of a question (要带啥) stay with it.
    """
    found: list[str] = []
    story = ""
    for piece in filter(None, (piece.strip(" ,，、") for piece in _NEXT.split(text) if piece)):
        whole = f"{story}，{piece}" if story else piece
        story = ""
        if not _WONDERS.search(piece):
            story = whole
        elif found and (elliptic(whole) or len(whole) < _STUB):
            found[-1] += f"，{whole}"
        else:
            found.append(whole)
    if story and found:
        found[-1] += f"，{story}"
    return found if len(found) > 1 else [text]


_ELLIPTIC = re.compile(
    r"^(?:那|这|它|还|另外|然后|如果|要是|假如|是不是)|(?:呢|的话)[?？]?$|"
    r"^(?:要|需要|得)?(?:带|准备)?(?:网上|线上|手机上|什么|啥|哪些|多少|多久|几天|几年|哪里|哪儿|在哪|怎么|咋|多少钱|要钱|收费|材料|流程|条件|费用|时间|地点|电话)"
)


def elliptic(text: str) -> bool:
    """Whether a message reads as the rest of a question whose subject was named before (要带啥, 那能领多久)."""
    return len(text) <= 24 and _ELLIPTIC.search(text) is not None


_BARE = 4
"""A question with a subject of its own has more characters"""
_HOW = re.compile(r"(?:怎么|咋个?|如何|怎样)(?:办理|办|弄|搞|整)?|附近|在?哪(?:里|儿|个|有)?")
_ONLY_SAYS_WHICH = re.compile(r"(?:呢|吗|么|的话)[?？]?$")


def asks_itself(text: str) -> bool:
    """Whether a few words ask something by themselves (火星签证怎么办), rather than say which was meant (老人的, 离婚的呢)."""
    return (
        len(text) > _BARE and not elliptic(text) and _WONDERS.search(_ONLY_SAYS_WHICH.sub("", clean(text))) is not None
    )


def subject(text: str) -> str:
    """A few words without those that ask how and where (狗证 of 狗证怎么办, 公厕 of 附近哪有公厕); themselves where nothing else is left."""
    return _HOW.sub("", text) or text


@dataclass(frozen=True)
class Refusal:
    """What the citizen refuses of what was offered."""

    not_: str = ""
    """What it isn't (补办 of 不是补办，是到期换); empty: all of it"""
    rest: str = ""
    """What it is instead, as far as they say"""
    all_: bool = False
    """Whether it is said of all that was offered (都不对，我是问…)"""


_NOT_BUT = re.compile(
    r"^(?:我)?(?:要|想)?(?:问|说)?的?(?:不是|不要)(?:问|说)?(?P<no>[^,，。;；]{1,12}?)(?:的|那个|这个)?[,，。;；\s]+"
    r"(?:我)?(?:而?是|想问的?是?|要问的?是?|问的是|说的是|想|要|问)?(?:问|说|想问)?(?P<rest>.{2,})$"
)
_NONE_BUT = re.compile(
    r"^(?:以上|这些|这几个|上面|好像)?(?:全?都?|统统)?(?:不是|不对|错了|不是这个(?:意思|问题)?|不是这些|不是的|没有|没有我(?:要|想)的|没我要的|不是这个意思)"
    r"(?:我(?:想|要)问的)?[了啊呀吧嘞哦]*[,，。;；!！\s]+"
    r"(?:我)?(?:是|想|要|就是|其实是?)?(?:要|想)?(?:问|说|知道|了解|打听)?(?:的)?(?:是)?(?P<rest>.{2,})$"
)
_ALL = re.compile("都|统统|以上|没有我|没我|意思")
_NOT_THIS = re.compile(
    r"^(?:这个)?(?:不是|不对|错了|没对上|答错了|不是这个(?:问题|意思)?|不是我(?:要|想)?问的|问的不是这个|答非所问|文不对题)[的了啊呀吧嘞]*[,，。!！]*$"
)
_THIS = re.compile(
    r"^(?:嗯+|恩+|哦|噢|唉|哎)?[,，\s]*(?:是的?|对的?|对头|没错|不错|是嘞|是嘛|是呀|是啊|对呀|对啊|对嘞|就是|正是|要得|可以|好嘞|好滴)"
    r"(?:(?:[,，。!！~\s]|就|是|对|的|嘞|啊|呀|嘛|吧|它|这个|这条|这样)*$|[,，。!！\s].{0,12}$)"
    r"|^(?:嗯+|恩+)?[,，\s]*(?:就|就是|是)(?:这个|这条|它|上面那个|你说的(?:这个|对))[的了啊呀吧嘞]*[,，。!！]*$"
    r"|^(?:嗯+|恩+|对+)?[,，\s]*(?:我|俺|额|偶|咱|阿拉)?(?:就|想)(?:是|想)?(?:问|要|讲|说)的?(?:是|就是)?(?:这个|这条|它|这事)[的了啊呀吧嘞咧]*[,，。!！]*$"
    r"|^(?:对|是)着?(?:咧|哩|嘞|呢|滴|哒)[,，。!！]*$"
)
_OTHER_THAN = re.compile(r"[,，]?(?:而?不是|不要|没问)(?P<no>[^,，。;；]{1,8})")


def refusal(text: str) -> Refusal | None:
    """What a reply to offered options refuses (都不对，我是问…, 不是…是…, 不是这个); None if it refuses nothing."""
    said = clean(text).strip(_AROUND)
    if found := _NONE_BUT.match(said):
        return Refusal(rest=found["rest"], all_=_ALL.search(found[0][: found.start("rest")]) is not None)
    if found := _NOT_BUT.match(said):
        return Refusal(found["no"], found["rest"])
    return Refusal() if _NOT_THIS.match(said) else None


_REGISTER = re.compile(
    r"^(?:那|好|好的|嗯|行|请|麻烦)*[,，]?(?:帮(?:我|忙)|给我|我要|替我)?(?:登记|记下来?|记录|上报|报上去)(?:一下|下|吧|了|给工作人员)*$"
)


def register(text: str) -> bool:
    """Whether a reply takes the offer to register (帮我登记)."""
    return _REGISTER.match(clean(text).strip(_AROUND + "。.~")) is not None


def this_one(text: str) -> bool:
    """Whether a reply to an offer takes what comes first (是这个, 就这个)."""
    return _THIS.match(clean(text).strip(_AROUND)) is not None


def told_apart(text: str) -> tuple[str, str]:
    """(what it is, what it isn't) of 念书的事，不是医保; nothing that it isn't: the text and ''."""
    found = _OTHER_THAN.search(clean(text))
    if found is None:
        return text, ""
    said = clean(text)
    return (said[: found.start()] + said[found.end() :]).strip(_AROUND), found["no"]


_SENTENCE = re.compile(r"[。!！?？;；\n]+")


def asking(text: str) -> list[str]:
    """The sentences of a long text that ask, each with the clause before it."""
    found: list[str] = []
    for sentence in filter(None, (piece.strip(" ,，、") for piece in _SENTENCE.split(text))):
        clauses = [clause for clause in re.split(r"[,，、]", sentence) if clause]
        asks = [n for n, clause in enumerate(clauses) if _WONDERS.search(clause)]
        if asks:
            found.append("，".join(clauses[max(0, asks[0] - 1) : asks[-1] + 1]))
    return found
