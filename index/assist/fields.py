"""The fields of a ticket from the transcript of a call.

Every value is what somebody said: each field names the lines and characters it comes from, and what no line tells is 待核.
Nothing is made up, no figure is changed, and no language model is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from bot import regions
from bot.clock import SHANGHAI
from index.assist import spoken
from index.assist.categories import Suggestion
from index.assist.lines import Line, Span
from index.calculators import numbers

State = Literal["有出处", "待核"]
MATTER_CHARS, WANTED_CHARS = 240, 120
"""The longest of what happened and of what is wanted; further lines are left out whole"""


@dataclass(frozen=True)
class Field:
    """What was told, and where."""

    value: str | None = None
    spans: tuple[Span, ...] = ()
    """Empty where nothing was told; with a value there is always one"""
    code: str | None = None
    """Of a region or a category, where there is one"""
    state: State = "待核"
    """待核: nobody said it, or not so that it is sure"""

    @property
    def sure(self) -> bool:
        """Whether an agent need not ask."""
        return self.state == "有出处"


NOTHING = Field()


@dataclass(frozen=True)
class Fields:
    """What a ticket on this call says."""

    caller_name: Field = NOTHING
    phone: Field = NOTHING
    region: Field = NOTHING
    address: Field = NOTHING
    told_time: Field = NOTHING
    happened_on: date | None = None
    """The day that ``told_time`` means, where that is sure"""
    matter: Field = NOTHING
    """What happened, in the caller's words"""
    wanted: Field = NOTHING
    """What the caller wants"""
    kind: Field = NOTHING
    category: Field = NOTHING
    department: Field = NOTHING


Suggest = Callable[[str], Suggestion]
"""A text → its category and department (``index.assist.categories.Suggester.suggest``)"""


def fields(
    lines: Sequence[Line], *, today: date | None = None, served: str | None = None, suggest: Suggest | None = None
) -> Fields:
    """What the lines tell.

    Args:
        lines: in their order.
        today: the day of the call, where the lines bear no time of their own; without, no date is worked out.
        served: code of the region that is served: of places with one name, its own is meant.
        suggest: finds category and department; without, they stay open.
    """
    called = next((line.at.astimezone(SHANGHAI).date() for line in lines if line.at), today)
    phone = _phone(lines)
    name = _name(lines)
    place = _region(lines, served)
    address = _address(lines, place)
    when, day = _time(lines, called)
    used = {span.seq for one in (phone, name) for span in one.spans}
    wanted = _wanted(lines, used)
    matter = _matter(lines, used, wanted)
    category = department = NOTHING
    if suggest is not None and matter.value:
        found = suggest("，".join(one.value for one in (matter, wanted) if one.value))
        if found.best is not None:
            spans, state = matter.spans, "有出处" if found.sure else "待核"
            category = Field(found.best.name, spans, found.best.code, state)  # type: ignore[arg-type]
            department = Field(found.best.department, spans, found.best.department_code, state)  # type: ignore[arg-type]
    return Fields(
        caller_name=name,
        phone=phone,
        region=place,
        address=address,
        told_time=when,
        happened_on=day,
        matter=matter,
        wanted=wanted,
        kind=_kind(lines, wanted, told=address.value is not None),
        category=category,
        department=department,
    )


def _phone(lines: Sequence[Line]) -> Field:
    found = spoken.phone(lines)
    if found is None:
        return NOTHING
    return Field(found.digits, found.spans, state="有出处" if found.digits and found.confirmed else "待核")


# The caller's name.

_SURNAMES = (
    "欧阳|司马|上官|诸葛|夏侯|东方|皇甫|尉迟|公孙|慕容|令狐|长孙|宇文|司徒|轩辕|端木|百里|呼延|南宫|司空|闻人|"
    "[洪王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾萧肖田董袁潘蔡蒋余于杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付傅方白邹孟熊秦邱江尹薛"
    "闫阎段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤常温康施文牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单季裴霍"
    "涂成苗谷盛曲翁冉骆蓝路游辛靳管柴蒙鲍华喻祁蒲房滕屈饶解牟艾尤阳时穆农司卓古吉缪简车项连芦麦褚娄窦戚岑景党宫费卜冷晏席卫米柏宗瞿桂全佟应臧闵苟邬边卞姬师和"
    "仇栾隋商刁沙荣巫寇桑郎甄丛仲虞敖巩明佘池查麻苑迟邝官封谈匡鞠惠荆乐冀郁胥南班储原栗燕楚鄢劳谌奚皮粟冼蔺楼盘满闻位厉伊仝区郜海阚花权强帅屠豆朴盖练廉禹井祖漆巴丰支卿国狄平计索"
    "宣晋相初门云容敬来扈晁芮都普阙浦戈伏鹿薄邸雍辜羊阿乌母裘亓修邰赫杭况那宿鲜印逯隆茹诺战慕危玉银亢嵇公哈湛宾戎勾茅利於呼居揭干但尉冶斯元束檀衣信展阴昝智幸奉植衡富尧闭由]"
)
_END = r"(?=$|[幺么零〇一二三四五六七八九\d]|电话|手机|号码|座机|我的?|的(?!生)|是(?!$)|嗯|呃|啊|呢|哈|吧|打|[ ,，。、]|先生|女士|师傅|同志)"
_GIVEN = r"[\u4e00-\u9fff]"
_CALLED = re.compile(
    rf"(?P<lead>我(?:的名字)?叫|我是(?!在|要|想|说)|名字叫?是?|叫做?|姓名是?)(?P<name>(?:{_SURNAMES}){_GIVEN}{{1,2}}?){_END}"
)
_CALLED_THREE = re.compile(rf"(?:我(?:的名字)?叫|名字叫?是?|姓名是?)(?P<name>(?:{_SURNAMES}){_GIVEN}{{2}})")
_NAMED = re.compile(rf"姓(?P<surname>{_SURNAMES})(?:[ ,，]|我?叫|名字叫)*(?P<name>(?P=surname){_GIVEN}{{1,2}}?){_END}")
_SURNAME = re.compile(rf"(?:我|免贵|本人)?(?:就)?姓(?P<name>{_SURNAMES})")
_BARE = re.compile(
    rf"^(?:嗯|呃|啊|哦|我|好的?|行|[ ,，])*(?P<name>(?:{_SURNAMES})(?![太女先师阿])(?:{_GIVEN}{{2}}(?={_GIVEN}{{1,3}}的{_GIVEN})|{_GIVEN}{{1,2}}?))(?:$|(?={_GIVEN}{{1,4}}的{_GIVEN})|(?=[ ,，]*(?:电话|手机|座机|号码|[幺么零〇一二三四五六七八九\d]{{3}})))"
)
_TITLED = re.compile(
    rf"^(?:嗯|呃|我是?)*(?P<name>{_SURNAMES})(?:太太?|女士|先生|师傅|老师|阿姨|大爷)(?=$|电话|手机|[幺么零一\d])"
)
_ASKS_NAME = re.compile(r"贵姓|姓名|名字|怎么称呼|如何称呼|您姓|尊姓|怎么叫|叫什么")
_OTHERS = re.compile(
    r"(?:他|她|老板|对方|教练|医生|那个人|房东|经理|主任|我妈|我爸|母亲|父亲|老师|孩子|儿子|女儿|闺女|老公|老婆|包工头|人家|工头|司机|店)[^,，。]{0,6}$"
)


def _name(lines: Sequence[Line]) -> Field:
    """A full name before a surname, said of oneself before what was said when asked; of several the last."""
    best: tuple[int, Field] | None = None
    asked = -9
    for place, line in enumerate(lines):
        if line.speaker == "agent":
            asked = place if _ASKS_NAME.search(line.text) else asked
        near = 0 < place - asked <= 3
        for rank, pattern, alone in (
            (4, _CALLED, False),
            (4, _NAMED, False),
            (3, _CALLED_THREE, False),
            (3, _BARE, True),
            (1, _TITLED, True),
            (1, _SURNAME, False),
        ):
            if alone and not (near and line.speaker == "caller"):
                continue
            found = pattern.search(line.text)
            if found is None or _OTHERS.search(line.text[: found.start()]):
                continue
            if line.speaker == "agent" and not (pattern is _CALLED and near):
                continue
            value = found["name"]
            if value.endswith(("女士", "先生", "师傅")):
                continue
            if best is None or rank >= best[0]:
                best = rank, Field(value, (Span(line.seq, *found.span("name")),), state="有出处")
            break
    return best[1] if best else NOTHING


# Where it is.

_ORIGIN = re.compile(r"(?:老家|籍贯|户口|户籍|户口在|老家在|来自|我是|是)[^,，。]{0,4}$|^[^,，。]{0,2}(?:老家)")
_FROM = re.compile(r"^(?:人|过来|来的|搬|打工|嫁)")
_NOT_HERE = re.compile(r"(?:不是|没去过|没到过|不在)[^,，。]{0,6}$")
_LEFT = re.compile(r"(?:从|打从)[^,，。]{0,4}$")
_PLACE_END = r"镇|乡|街道|村(?!会|委|干|支|里人)|屯|庄|社区|小区|花园|家园|苑|新城|公馆|广场|大厦|大楼|市场|大道|路(?!过|上|灯)|街(?!上)|巷|胡同|弄|栋|幢|单元|号楼|楼(?![上下道顶梯])|号(?!码|线)|室|园|府|湾|里|门口|口|站|旁边|对面|后面|附近|那里|那边|那块|这边|底下|学校|医院|酒店|宾馆|大厅|工地|家属楼|家属院|安置房"
_ASKS_PLACE = re.compile(
    r"哪个区|哪里|在哪|地址|位置|什么地方|哪个小区|哪个楼|具体地|住哪|哪个县|哪个地方|所在的?区|哪个街道|在什么地方|哪条路"
)


@dataclass(frozen=True)
class _Named:
    code: str | None
    text: str
    span: Span
    line: int
    score: int


def _region(lines: Sequence[Line], served: str | None) -> Field:
    """The district, county or city where it is: told with an address, when asked, or last; not where somebody comes from."""
    named = list(_named(lines, served))
    if not named:
        return NOTHING
    top = max(one.score for one in named)
    best = [one for one in named if one.score == top][-1]
    state: State = "有出处" if best.score > 0 else "待核"
    return Field(best.text, (best.span,), best.code, state)


def _named(lines: Sequence[Line], served: str | None) -> list[_Named]:
    found: list[_Named] = []
    whole = "，".join(line.text for line in lines)
    asked = -9
    for place, line in enumerate(lines):
        if line.speaker == "agent" and _ASKS_PLACE.search(line.text):
            asked = place
        for match in _NAMES.finditer(line.text):
            hit = _known(match, whole, served)
            if hit is None:
                continue
            start, text, code = hit
            before, after = line.text[:start], line.text[start + len(text) :]
            score = 2 if text[-1] in "区县旗" or text.endswith("市") else 1
            score += 2 if re.search(_PLACE_END, after[:16]) else 0
            score += 2 if 0 < place - asked <= 3 and line.speaker == "caller" else 0
            score -= 4 if _ORIGIN.search(before) and not re.search(_PLACE_END, after[:16]) else 0
            score -= 2 if _FROM.match(after) else 0
            score -= 6 if _NOT_HERE.search(before) or _LEFT.search(before) else 0
            score -= 3 if line.speaker == "agent" else 0
            found.append(_Named(code, text, Span(line.seq, start, start + len(text)), place, score))
    return found


_NAMES = re.compile(r"[\u4e00-\u9fff]{1,9}?(?:自治县|自治旗|新区|区|县|旗|市)(?!里|场|政|民|面|委)")
_NO_REGION = re.compile(
    r"(?:小|社|城|市|郊|山|景|园|校|厂|库|片|地|住宅|工业|开发|服务|学|老|新|办公|营业|休息|居民|生活|行政|吸烟|等候|灾|疫|特|专)区$|(?:全|本|贵|外|超|门|夜|城|都|股|楼|集|菜|我们?|咱们?|你们?|这个?|那个?|哪个|一个|二手)[市县区]$"
)


def _known(match: re.Match[str], whole: str, served: str | None) -> tuple[int, str, str | None] | None:
    """The longest name that the match ends with and that is a region's: where it begins, the name, its code if only one has it."""
    text = match.group()
    for start in range(len(text) - 1):
        name = text[start:]
        if _NO_REGION.search(name) and not regions.named(name):
            continue
        meant = regions.named(name)
        if meant:
            codes = {one.code for one in meant}
            if len(codes) > 1:
                codes = {one.code for one in regions.find(whole, within=served)} & codes or codes
            if len(codes) > 1 and served:
                codes = {code for code in codes if regions.overlap(code, served)} or codes
            return match.start() + start, name, codes.pop() if len(codes) == 1 else None
    return None


_PART = re.compile(rf"(?:{_PLACE_END})")
_NUMBERED = re.compile(
    r"[一二三四五六七八九十百零〇幺两\d]+(?:号楼|号院|号|栋|幢|单元|楼|层|室|弄|组|队)?(?:[一二三四五六七八九十百零〇幺两\d]+)?"
)
_LEAD = re.compile(
    r"^(?:我们?|咱们?|俺们?|你们?|这个|那个|就|是|在|住|家|的|呃|嗯|啊|哎|那|这|里|边|位于|地址|地方|到|去|从|往|人|现在|具体|对|好|也|说|小区是|于|到了|搬到)+"
)
_STORY = re.compile(
    r"(?:的(?=房东|驾校|老板|工地上?|租)|租的|搬走|跟|他|她|没|不|被|把|了|有个?(?!限)|卖|买|摆|干|打|说|要(?!路)|给|吃|来(?!宾|凤)|去(?!年)|发|让|拿|喊|想|叫|住着|一直|天天|晚上|每).*$"
)


def _address(lines: Sequence[Line], place: Field) -> Field:
    """The line that tells most of a place, with the next one where that goes on."""
    scored: list[tuple[int, int, Span]] = []
    asked = -9
    for at, line in enumerate(lines):
        if line.speaker == "agent":
            asked = at if _ASKS_PLACE.search(line.text) else asked
            continue
        text, start = line.text, 0
        span = next((one for one in place.spans if one.seq == line.seq), None)
        if span is not None:
            start = span.end
        lead = _LEAD.match(text[start:])
        start += lead.end() if lead else 0
        rest = text[start:]
        cut = _STORY.search(rest)
        said = rest[: cut.start()] if cut else rest
        dates = [one.span() for one in re.finditer(_DATE, said)]
        parts = [one for one in _PART.finditer(said) if not any(begin < one.end() <= end for begin, end in dates)]
        if not parts:
            continue
        end = max([parts[-1].end(), *(one.end() for one in _NUMBERED.finditer(said) if one.start() == parts[-1].end())])
        score = len(parts) + sum(1 for one in _NUMBERED.finditer(said) if len(one.group()) > 1 and not dates)
        score += 2 if span is not None else 0
        score += 2 if 0 < at - asked <= 3 else 0
        score += 1 if re.search(r"镇|街道|小区|栋|单元|号楼|村|路\S*号", said) else 0
        scored.append((score, at, Span(line.seq, start, start + end)))
    if not scored:
        return NOTHING
    best, at, span = max(scored, key=lambda one: (one[0], -one[1]))
    if best < 2:
        return NOTHING
    spans = [span]
    # A place is often told in two breaths: street first, house after it.
    for _, other, more in scored:
        if abs(other - at) == 1 and lines[other].speaker == "caller" and _goes_on(lines[other].text[: more.start]):
            spans.insert(0 if other < at else len(spans), more)
    texts = {line.seq: line.text for line in lines}
    value = "".join(texts[one.seq][one.start : one.end] for one in spans)
    return Field(value, tuple(spans), state="有出处" if best >= 4 else "待核")


def _goes_on(before: str) -> bool:
    """Whether a line begins with the place."""
    return len(_LEAD.sub("", before)) == 0 or len(before) <= 6


# When it was.

_N = r"[一二三四五六七八九十两\d]{1,3}"
_CLOCK = rf"(?:{_N}点(?:半|{_N}分?|钟)?(?:多|左右|来钟|钟)?|{_N}点几?钟?)"
_HOUR = r"(?:凌晨|清早|清晨|早上|早晨|上午|中午|下午|傍晚|晚上|夜里|夜间|半夜|深夜|黑天|后半夜|大早|一大早|夜晚|晚|早)"
_DAY_WORD = r"(?:大前[天日]|前[天日](?!子)|前儿|昨[天日晚夜]|昨儿|今[天日晚早]|今儿|当天|刚才|刚刚)"
_WEEK = r"(?:(?:上上|上个?|这个?|本)(?:周|星期|礼拜)[一二三四五六日天末]?|(?:周|星期|礼拜)[一二三四五六日天])"
_DATE = rf"(?:(?:去年|今年|前年|[二〇零一二三四五六七八九\d]{{2,4}}年)?的?{_N}月(?:份|{_N}[号日])?|{_N}[号日](?!楼|线|院|门|店|窗|桌))"
_SPAN = rf"(?:从)?(?:去年|前年|今年|上个月|上月|这个月|本月)(?:{_N}月份?)?(?:开始|起|到现在|以来)?"
_WHEN = re.compile(
    rf"(?:从|自)?(?:{_DAY_WORD}|{_WEEK}|{_DATE}|{_SPAN})(?:的)?{_HOUR}?(?:上)?{_CLOCK}?(?:开始|起|以来|到现在)?|{_HOUR}{_CLOCK}"
)
_NOT_THE_TIME = re.compile(r"(?:合同|约定|到期|生日|出生|什么时候|截止|之前|明年|每)[^,，。]{0,4}$")
_NOT_SINCE = re.compile(r"之?前|以前|才?[一二三四五六七八九\d]+十|多大")
_HAPPENS = re.compile(
    r"没|坏|漏|断|停|吵|打|骂|丢|欠|扣|堵|倒|摔|撞|烧|开始|发生|看见|看到|遇|又|来了|交|买|下车|上车|去"
)


def _time(lines: Sequence[Line], today: date | None) -> tuple[Field, date | None]:
    """The most exact time that the caller tells; the first of equals."""
    best: tuple[int, Line, re.Match[str]] | None = None
    for line in lines:
        if line.speaker == "agent":
            continue
        for match in _WHEN.finditer(line.text):
            said = match.group()
            around = line.text[: match.start()], line.text[match.end() :]
            if _NOT_THE_TIME.search(around[0]) or _NOT_SINCE.match(around[1]) or len(said) < 2:
                continue
            score = 3 if re.search(_DAY_WORD, said) else 2 if re.search(rf"{_WEEK}|{_DATE}", said) else 1
            score += bool(re.search(_HOUR, said)) + bool(re.search(_CLOCK, said))
            score += bool(_HAPPENS.search(line.text))
            if said in ("刚才", "刚刚", "今年", "当天"):
                score -= 2
            if best is None or score > best[0]:
                best = score, line, match
    if best is None:
        return NOTHING, None
    _, line, match = best
    field = Field(match.group(), (Span(line.seq, *match.span()),), state="有出处")
    called = line.at.astimezone(SHANGHAI).date() if line.at else today
    return field, day_of(match.group(), called) if called else None


_BACK = {"今": 0, "昨": 1, "前": 2, "大前": 3}
_NIGHT = re.compile(r"夜|凌晨|半夜")


def day_of(said: str, today: date) -> date | None:
    """The day that is meant, if only one can be: 昨天夜里两点 may be of today, and is left open."""
    if relative := re.search(r"(大前|前|昨|今)[天日儿晚早夜]", said):
        if _NIGHT.search(said):
            return None
        return today - timedelta(days=_BACK[relative[1]])
    if week := re.search(r"(上上个?|上个?)(?:周|星期|礼拜)([一二三四五六日天])", said):
        back = 14 if week[1].startswith("上上") else 7
        monday = today - timedelta(days=today.weekday() + back)
        return (
            None
            if _NIGHT.search(said)
            else monday + timedelta(days="一二三四五六日".index(week[2].replace("天", "日")))
        )
    dated = re.search(rf"(去年|今年|前年)?的?({_N})月({_N})[号日]", said)
    if dated is None or _NIGHT.search(said):
        return None
    try:
        month, day = (int(numbers.number(dated[at]) or 0) for at in (2, 3))
        years = {"今年": 0, "去年": 1, "前年": 2}
        if dated[1]:
            return date(today.year - years[dated[1]], month, day)
        found = date(today.year, month, day)
        return found if found <= today else date(today.year - 1, month, day)
    except ValueError:
        return None


# What happened, what is wanted, and what kind of matter it is.

_SMALL_TALK = re.compile(
    r"^(?:喂|你好|您好|哎|唉|嗯|啊|哦|呃|同志|领导|老师|请问|那个|我|就是|说|想|问|一下|哈|请讲|谢谢|好的?|对的?|是的?|没有|不是|行|可以|拜托|麻烦|你们?|听得见吗|信号|等一下|稍等|[ ,，。—-])*$"
)
_WANTS = re.compile(
    r"我?(?:就|只)?(?:要求|希望|想要|想请|想让|想叫|请你们|麻烦你们|建议|请求|强烈要求)|能不能|可不可以|能否|给我(?!打|发了|说|看)|帮我|帮忙|赶紧|赶快|尽快|管管|管一管|派人|派个人|处理一下|解决一下|查一下|查查|查处|要么|让他|叫他|让她|必须|"
    r"怎么(?:办|弄|要|罚|找|查|申请|处理|投诉|举报|退|补|才能)|归(?:谁|哪)|找谁|找哪个|谁(?:来|能)?管|该不该|合不合|合法吗|咋(?:办|要|弄|整)|要(?:回|他|她)(?:来|我|道歉|赔)|赔|退(?:钱|款|给)?我|就想|就问|诉求"
)
_RESTATES = re.compile(
    r"(?:您的?|你的?)?(?:诉求|要求|建议|希望)(?:就?是|为)(?P<what>[^,，。]{4,30}?)(?:对吧|是吧|对吗|是吗|吧|对不对)?$"
)


def _wanted(lines: Sequence[Line], used: set[int]) -> Field:
    """What the agent restates and the caller agrees to, or the caller's own last words of it."""
    for place in range(len(lines) - 1, -1, -1):
        line = lines[place]
        restated = _RESTATES.search(line.text) if line.speaker == "agent" else None
        following = next((one.text for one in lines[place + 1 : place + 2] if one.speaker == "caller"), "")
        if (
            restated
            and re.match(r"(?:嗯|啊|哎)*(?:对|是|系|没错|好|可以)", following)
            and not following.startswith("是不是")
        ):
            return Field(restated["what"], (Span(line.seq, *restated.span("what")),), state="有出处")
    picked: list[Line] = []
    length = 0
    for line in reversed(lines):
        wants = line.speaker == "caller" and line.seq not in used and _WANTS.search(line.text)
        if wants and len(picked) < 2 and length + len(line.text) <= WANTED_CHARS:
            picked.insert(0, line)
            length += len(line.text)
    return _joined(picked)


_ABOUT = re.compile(
    r"投诉|举报|反映|欠|没|不|坏|漏|停|断|吵|臭|堵|骗|退|罚|打|骂|丢|占|偷|倒|塌|拖|涨|扣|收|关门|跑|脏|乱|危险|补贴|申请|办|建议|转|查|想|烧|拆"
)


def _matter(lines: Sequence[Line], used: set[int], wanted: Field) -> Field:
    """The caller's own lines of the story, as they were said, the telling ones first where all would be too long."""
    asked = {span.seq for span in wanted.spans}
    told = [
        line
        for line in lines
        if line.speaker == "caller"
        and line.seq not in used | asked
        and len(line.text) >= 5
        and not _SMALL_TALK.match(line.text)
    ]
    by_weight = sorted(told, key=lambda line: (-len(set(_ABOUT.findall(line.text))), line.seq))
    kept: set[int] = set()
    length = 0
    for line in by_weight:
        if length + len(line.text) <= MATTER_CHARS:
            kept.add(line.seq)
            length += len(line.text) + 1
    return _joined([line for line in told if line.seq in kept])


def _joined(lines: Sequence[Line]) -> Field:
    if not lines:
        return NOTHING
    value = "，".join(line.text.strip(" ,，。") for line in lines)
    return Field(value, tuple(Span(line.seq, 0, len(line.text)) for line in lines), state="有出处")


_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("举报", re.compile(r"(?P<word>举报)(?!的|过|了|没用|电话)")),
    ("建议", re.compile(r"(?:提|有|小小的?|我)(?:一?个|点|一点|条)?(?P<word>建议)")),
    ("投诉", re.compile(r"(?P<word>投诉)(?!的|过|了|没用|电话)")),
    ("咨询", re.compile(r"(?P<word>咨询|问一?[下哈个]|打听|了解一下)")),
    ("求助", re.compile(r"(?P<word>求求|求助|帮帮我|救救|没办法了|帮忙)")),
)
_NOT_THAT = re.compile(r"(?:不是|不|没|别|不用|不想|不要)(?:要|想|来)?$")
_SUGGESTS = re.compile(r"能不能(?:在|给|加|多|把|建|设|装|摆|开)|希望(?:增加|增设|加)|加一?(?:站|个|条)")
_GRIEVANCE = re.compile(
    r"不管|没人管|推|踢皮球|态度|骗|不退|欠|拖|扣|骂|乱收|不给|不承认|堵|占|吵|偷|违|拆|停了|坏|漏|没到|不来|不修"
)


def _kind(lines: Sequence[Line], wanted: Field, *, told: bool) -> Field:
    """What the caller calls it; else what the wish sounds like, to be looked at.  ``told``: a place was."""
    said = [line for line in lines if line.speaker == "caller"]
    grievance = any(_GRIEVANCE.search(line.text) for line in said)
    for name, pattern in _KINDS:
        # 我想问一下 begins complaints, too.
        if name == "咨询" and (told or grievance):
            continue
        for line in said:
            for found in pattern.finditer(line.text):
                if not _NOT_THAT.search(line.text[: found.start("word")]):
                    return Field(name, (Span(line.seq, *found.span()),), state="有出处")
    if wanted.value is None:
        return NOTHING
    story = grievance or told or not re.search(r"怎么|多少|吗|哪|什么", wanted.value)
    kind = "建议" if _SUGGESTS.search(wanted.value) else "求助" if story else "咨询"
    return Field(kind, wanted.spans, state="待核")
