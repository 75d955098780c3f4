"""Which calculator a question asks for, and what it tells: 我76年3月的女工人啥时候退休.

Precision before recall: a question is taken only if it names the subject, asks for what the calculator finds, and tells at
least one figure about the person.  Whatever else (领失业金要什么条件, 年假有几天) is for retrieval.  A figure that is vague or
about something else is left out; the assistant asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal

from bot.errors import InvalidInput
from index.calculators.form import WORKING_HOURS_A_DAY, Calculator, Request, as_length, plain
from index.calculators.income_tax import ANNUAL_TAX, BONUS_TAX, MONTHLY_TAX
from index.calculators.leave import ANNUAL_LEAVE, LEAVE_PAY, full_days
from index.calculators.numbers import HAN, NUMBER, number, tidy
from index.calculators.overtime import OVERTIME
from index.calculators.reading import (
    MONTH,
    YUAN,
    Length,
    Month,
    elapsed,
    find_amounts,
    find_amounts_before,
    find_date,
    find_length,
    find_money,
    find_month,
    find_year,
    near_half_year,
    tells_money,
)
from index.calculators.retirement import RETIREMENT
from index.calculators.severance import SEVERANCE
from index.calculators.unemployment import UNEMPLOYMENT

MOST_CHARACTERS = 200
"""A longer text is a story, not a sum."""

Found = tuple[Calculator, dict[str, str], dict[str, str]]

_WAGE = (
    r"(?:税前)?(?:月工资|月薪|底薪|基本工资|平均工资|工资条上|工资|薪水|薪资|月入|月收入|税前|应发|(?<![金保险贷租扣交缴还付])[每一]个?月(?:挣|赚|拿|发|开)?|"
    r"挣|赚|工钱)(?:每个?月|一个月|每月|税前|应发|收入)?"
)
# Only a part of what severance is reckoned on.
_PART_WAGE = re.compile(r"底薪|基本工资|保底|提成|绩效|总报酬|总收入")
_TAKE_HOME = re.compile(r"到手|税后|去税|扣完|实发|打到卡|打卡")
_HOW_MUCH = re.compile(
    r"多少|几多|好多|几个?(?:月|块|钱)|怎么算|咋算|咋个算|如何计算|怎样算|计算|算(?:一?算|一?下|下来)|帮我?算|赔几|几倍|多大一笔|能拿|该拿|该给|应该给|该赔|该补"
)


def recognise(text: str, today: date) -> Request | None:
    """The calculation that a question asks for, or None if it asks for none or tells no figure of the person.

    Args:
        text: as typed.
        today: in Beijing; two-digit years and beginnings are read against it.
    """
    if len(text) > MOST_CHARACTERS:
        return None
    # 五千一个月 is 五千 a month, not 五千一.
    said = re.sub(r"(?<=[\d百千万kw元块钱])(?:一个|每个?)月(?!零|又|\d)", "/月", tidy(text))
    # Nor is 8000五 a number in 月薪8000五险一金1000.
    said = re.sub("[三五六]险[一二]金", "险金", said)
    for reader in _READERS:
        found = reader(said, today)
        if found is None:
            continue
        calculator, inputs, hints = found
        return Request(calculator.id, _valid(calculator, inputs, today), hints)
    return None


_OTHER_MONTHLY = re.compile(r"房贷|房租|车贷|贷款|社保|公积金|五险|险金|补贴|津贴|扣(?!多少|税|个税)|生活费|抚养费")


def _wage(said: str) -> Decimal | None:
    """The month's wage, after its name, before it, or with nothing but 一个月 (12k一个月); None if it is told in two ways."""
    told = find_amounts(said, _WAGE) | find_amounts_before(
        said, rf"(?:月?工资|月薪|薪水)(?![是有为:=]?(?!(?:{MONTH})月){NUMBER})"
    )
    if not told and not tells_money(said, _WAGE) and not _OTHER_MONTHLY.search(said):
        told = find_amounts_before(said, "/月")
    return told.pop() if len(told) == 1 else None


def _valid(calculator: Calculator, inputs: dict[str, str], today: date) -> dict[str, str]:
    """Without what the field itself would not take: it is asked for again."""
    kept = {}
    for name, told in inputs.items():
        try:
            calculator.field_named(name).parse(told, today=today)
        except InvalidInput:
            continue
        kept[name] = told
    return kept


# --- retirement ------------------------------------------------------------------------------------------------------

_RETIRE_WHEN = re.compile(
    r"(?:什么时候|啥时候|啥时|何时|几时|么时候|哪一?年|哪个?月|几年几月|几月|几号|多大岁?数?|几岁|多少岁|多久|还有几年|还要几年|还差几年|还得几年|还要干几年|"
    r"还得干几年|能不能|可以|能|好|该|要|到多大|几多岁|多咱|么子时候|算算?|算一下|计算).{0,12}退(?:休|体|下来)|"
    r"退休?(?:年龄|时间|日期|日子)?(?:是|在|要|得|到)?(?:什么时候|啥时候|何时|几时|哪一?年|哪个?月|几年|几岁|多大|多少岁|还有多久|怎么算|咋算|几号)|"
    r"(?:哪一?年|几岁|时候|几时|哪个?月|何时|多大岁?数?)(?:能|可以|该|可)?退|"
    r"退休.{0,6}(?:什么时候|啥时候|哪年|几岁|吗|多久|怎么算|咋算|算一下|多少)|(?:晚|延迟|推迟|延|多干|要晚)(?:退休?)?(?:多少|几|多久)|(?:退休时间|退休年龄)"
)
_RETIRE_VETO = re.compile(
    r"(?:退休金|养老金|退休工资).{0,8}(?:多少|怎么|咋|几|领|发|涨|调|能拿)|退休证|退休人员|(?<!延迟)退休后|退休了|已经?退休|退休手续|退休档案|丧葬|抚恤|返聘|退役|退伍|"
    r"病退|内退|特殊工种|公积金|教师资格|护照|身份证|高龄|老年证|社保卡|结婚|迁户|户口|失业|高温|井下|高空作业|有毒|准备金|劳工|本公司|我们公司"
)
# Who may draw, and what is still to be paid in, where it is not asked when: 社保才交了11年还能领吗.
_DRAW = re.compile(
    r"(?:还|才|就|能|可以|可|够|怎么|咋|给)[^,，。退]{0,4}(?:领|拿)(?!证)|(?:领|拿)(?:到|取)?(?:养老|退休)|补(?:缴|交|齐|够)|一次性[^,，。]{0,2}[缴交补]|[缴交]不[够满到]|没(?:有)?[缴交][够满]|没到(?:15|十五|20|二十)|不[够满](?:15|十五|20|二十)|断[缴交]|居民养老|城乡居民|还(?:差|少|缺)[^,，。]{0,4}年(?:社保|没[交缴]|养老)|能退休吗|转(?:成|到)?居民"
)
_WHEN = re.compile(r"(?:几|多少|好多|多大)岁|多大年纪|(?:什么|啥|么)时候?|哪一?年|何时|几时|几月")
_BIRTH_MARK = re.compile(
    r"生(?!活|病|意|产岗)|出生|的(?:男|女)|属[鼠牛虎兔龙蛇马羊猴鸡狗猪]|年的|年[^,，。]{0,6}月的?|身份证|[男女]|我|俺|他|她|爸|妈|老公|老婆|爱人"
)
_FEMALE_50 = re.compile(
    r"女(?:工人|工(?!作)|职工50|操作工|普工)|(?:工人|操作|生产|普工|车间|厂头工人|一线)岗?.{0,6}女|女.{0,10}(?:工人|车间|流水线|操作岗|生产岗|普工|50岁?退)|(?:妈|妻子|老婆|媳妇|大姐|姐姐|阿姨|婆娘).{0,12}(?:工人|车间|普工|流水线)"
)
_FEMALE_55 = re.compile(
    r"女.{0,8}(?:干部|管理岗|管理人员|技术岗|公务员|灵活就业|自由职业|55岁?退|教师|老师|会计|工程师|事业编)|(?:干部|管理岗|技术岗|灵活就业).{0,6}女|(?:妈|妻子|老婆|媳妇|姐姐|阿姨).{0,12}(?:干部|管理岗|技术岗|灵活就业)"
)
_MALE = re.compile(
    r"男(?!方|女|朋友)|我爸|俺爸|父亲|老爸|我爹|俺爹|爷们|老公|丈夫|他(?!妈)|我哥|我弟|叔叔|大伯|舅舅|姑父"
)
_FEMALE = re.compile(r"女(?!儿|婿|友)|我妈|俺妈|母亲|老妈|我娘|老婆|媳妇|妻子|她|姐|妹|阿姨|姑姑|婶")
_AGE = re.compile(
    rf"(?:今年|现在|虚岁|周岁|刚满|刚过|都|已经|我|俺|她|他)(?:是|有|已经|都|刚|满|周岁|虚岁)*(?P<age>{NUMBER})(?:周?岁|了)"
)


def _retirement(said: str, today: date) -> Found | None:
    if not re.search(r"退休|退体|延迟退|几岁退|哪年退|时候退|能退|退下来|退龄", said) or _RETIRE_VETO.search(said):
        return None
    if _DRAW.search(said) and not _WHEN.search(said):
        return None
    if not _RETIRE_WHEN.search(said):
        return None
    inputs: dict[str, str] = {}
    hints: dict[str, str] = {}
    born = find_month(said, today=today, then=r"份?(?:\d{1,2}[日号])?(?:出生|生(?!产)|的?[男女])")
    other_date = _NOT_BIRTH.search(said)
    month = born or (None if other_date else find_month(said, today=today))
    year = None if other_date else find_year(said, today=today)
    if month is not None and _could_work(month.year, today) and (born or _BIRTH_MARK.search(said)):
        inputs["birth"] = str(month)
    elif year is not None and _could_work(year, today) and _BIRTH_MARK.search(said):
        hints["birth"] = str(year)
    elif not ((age := _AGE.search(said)) and 30 <= (number(age["age"]) or 0) <= 75) and not _OWN_RETIREMENT.fullmatch(
        said
    ):
        return None
    category = _category(said)
    if category and not _CHANGED.search(said):
        inputs["category"] = category
    paid = find_length(said, r"(?:养老保险|养老|社保|保险)?(?:已经|一共|总共)?(?:交了?|缴了?|缴费|交够|交满)")
    if paid is not None and not paid.more:
        inputs["paid"] = as_length(paid.months)
    return RETIREMENT, inputs, hints


# Nothing told, and asked about somebody: their own day is what they want to know, and the table of ages is not it.
_OWN_RETIREMENT = re.compile(
    r"(?:那|请问|问一下|想问|想知道|你好|您好|,|，)*(?:我|俺|咱|本人|我自己|我(?:爸|妈|老公|老婆|爱人|对象|姐|哥))(?:到底|大概|究竟|得|要|能)?(?:什么时候|啥时候|啥时|何时|几时|哪一?年|几岁|多大)(?:能|可以|该|才能|办|正式)*退休(?:啊|呢|呀|哦|[?？。])*"
)


# A month in which something else began, or will: 2000年1月参加工作.
_NOT_BIRTH = re.compile(
    r"[\d零〇一二三四五六七八九]年[^,，。]{0,4}(?:参加工作|工作|入职|进厂|进的|开始|起|缴|交|参保|买|上班|毕业|入伍|当兵|下岗|买断|办|退休的|退休[,，。]|调|转正|结婚|到龄|到期|后|前)|从[^,，。]{0,3}\d{2,4}年"
)


# Two people, or two kinds of work: which category holds is to be asked.
_CHANGED = re.compile(r"以前|后来|原来|转岗|调到|调去|换到|我和|和我|我俩|我们俩|都是")


def _could_work(year: int, today: date) -> bool:
    """Whether somebody born in a year can think of retiring: not a date to come."""
    return 16 <= today.year - year <= 96


def _category(said: str) -> str | None:
    fifty, fifty_five = _FEMALE_50.search(said), _FEMALE_55.search(said)
    if bool(fifty) != bool(fifty_five):
        return "female_50" if fifty else "female_55"
    if fifty and fifty_five:
        return None
    if _MALE.search(said) and not _FEMALE.search(said):
        return "male"
    return None


# --- unemployment ----------------------------------------------------------------------------------------------------

_DOLE = re.compile(r"失业(?:保险)?金|失业保险|失业险|失业补助|失业救济|失业的?钱|失业社保")
_DOLE_HOW_LONG = re.compile(
    r"几个?月|多少个?月|多久|多长|几年|好久|好多个?月|几多个?月|多少期|几期|多少次|领(?:满)?几|最多(?:能|可以?)?领|期限|怎么算|咋算"
)
_DOLE_VETO = re.compile(
    r"不(?:是|到|够|满|足)|没(?:到|满|够|交)|断交|断了|还没|领了|已经领|领过|领到了|领着|领完|每个?月(?:能|可以?|可|是)?(?:领|拿|发|有)?多少|(?:多少|几多|好多)(?:钱|块|元)|"
    r"(?:几天|多久|多长时间).{0,4}(?:到账|审核|批|下来|能办|发放)|多久内|之后多久|失业(?:了|已经|都)|离职(?:了|已经|都)?.{0,6}(?:年|月|天)(?:了|还|能)|"
    r"农民工|一次性|辞职|主动离|转移|断缴|自己(?:离|辞|走|不干|提)|自愿离|怎么领|咋领|哪里领|补缴|生育|还差|工伤"
)
_PAID = r"(?:失业(?:保险|险)|社保|保险|五险)?(?:已经|一共|总共|累计|都|我)*(?:交了?|缴了?|缴费|缴纳了?|参保了?|买了?|交过|缴过|交满|缴满|交够)(?:失业保险|失业险|失业|社保)?(?:已经|一共|总共|费)?"


def _unemployment(said: str, today: date) -> Found | None:
    if not _DOLE.search(said) or _DOLE_VETO.search(said) or not _DOLE_HOW_LONG.search(said):
        return None
    paid = find_length(said, _PAID) or _length_before(said, r"的?(?:失业保险|失业险|社保|失业社保|五险)(?!金)")
    if paid is None:
        return None
    inputs = {"paid": as_length(paid.months)}
    if unused := re.search(rf"(?:剩|还剩|没领的?)(?:下|了)?(?P<n>{NUMBER})个?月", said):
        value = number(unused["n"])
        if value is not None:
            inputs["unused"] = plain(value)
    return UNEMPLOYMENT, inputs, {}


def _length_before(said: str, mark: str) -> Length | None:
    """A length of time right before a mark: 七年的失业保险."""
    for cue in (r"(?:有|我|了|交|缴)",):
        for match in re.finditer(mark, said):
            found = find_length(said[: match.start()], cue)
            if found is not None and said[: match.start()].endswith(("年", "月", "半", "年多")):
                return found
    return None


# --- leave -----------------------------------------------------------------------------------------------------------

_LEAVE = re.compile(r"年休假?|年假|带薪假|带薪休假|公休假")
_LEAVE_DAYS = re.compile(r"几天|多少天?|好多天|几多天|怎么算|咋算|折算|折几|算下|算一下|多少日|几日")
_LEAVE_VETO = re.compile(
    r"不到|不满|没满|未满|差|快|事假|婚假|产假|病假|丧假|陪产|探亲|育儿假|不给|不让|不批|作废|清零|跨年|公务员|春节|拒绝|抵|转让|提前休|试用期|能不能分|连着|必须|年终奖|加班费|那年|年中|当年"
)
# Part of a year with an employer: then the day is needed.
_JOINS = r"(?:就|才|刚|正式|新)*(?:入职|进(?:的|了)?(?:这|新|公司|单位|厂)|来(?:的|了)?(?:这|新|公司|单位|厂)|换(?:的|了)?新?(?:工作|公司|单位)|跳槽|调入|到岗|报到)"
_LEAVES = r"(?:就|才|要|正式|办|被)*(?:离职|辞职|辞退|辞的|离开|走的|裁)"
_JOINED_NOW = rf"今年[^,，。]{{0,8}}{_JOINS}|刚{_JOINS}"
_LEFT = re.compile("离职|辞职")
_WORKED = r"(?:工龄|工作|上班|上了|干了|参加工作|累计工作|累计|总工龄|做了|干|打工|社保交|社保缴|司龄|工作经验)(?:已经|都|一共|总共|加起来|了|有|满|累计|是|年限)*"
_UNTAKEN = re.compile(
    rf"(?:{NUMBER}|几)天半?[^,，。]{{0,4}}年(?:休)?假?[^,，。]{{0,3}}(?:没|未).{{0,12}}(?:钱|工资|折现|元)"
)
_TAKEN = re.compile(
    rf"(?<![没未能可以])(?:已经?(?:用|请|都)*休(?:了|过|掉)?|(?:休|请|用)(?:了|过|掉))(?:年假|年休假)?(?P<days>{NUMBER}天半?(?!零|又|\d))?(?![假息])"
)
_REST_OF_LEAVE = re.compile(r"休(?:了|过|掉)?[^,，。]{0,4}天.{0,4}(?:还剩|剩|还有).{0,4}(?:几|多少)天")
"""已休3天，还剩几天 speaks of leave, where no other kind of it is named."""


def _leave(said: str, today: date) -> Found | None:
    if not (_LEAVE.search(said) or _REST_OF_LEAVE.search(said)) or _LEAVE_VETO.search(said):
        return None
    untaken = re.search(
        rf"(?:(?<![\d{HAN}.~\-–—/到至或])(?<!(?<!\d\d)\d[ ,、'’_])(?P<a>{NUMBER})天(?:的)?(?:带薪)?年(?:休)?假?(?:都|一天)?(?:没|未)|(?:没|未|剩|还剩)(?:有)?(?:休|休完|下|用|余)?(?:的)?(?:年假|年休假)?(?:有|了)?(?P<b>{NUMBER})天(?!半)|"
        rf"(?:年假|年休假)(?:还有|剩了?|还剩|有)(?P<c>{NUMBER})天(?:没|未))",
        said,
    )
    if (
        untaken
        and re.search(r"多少|几倍|怎么算|咋算|赔|补|折|算", said)
        and re.search(r"钱|工资|补|赔|块|折现|元", said)
    ):
        days = number(next(one for one in untaken.groups() if one is not None))
        wage = None if _TAKE_HOME.search(said) else _wage(said)
        if days is None or days <= 0 or (wage is None and not tells_money(said, _WAGE)):
            return None
        return LEAVE_PAY, {"days": plain(days)} | ({} if wage is None else {"wage": plain(wage)}), {}
    if not _LEAVE_DAYS.search(said) or re.search(r"多少(?:钱|工资|块)|几倍|赔|补偿", said):
        # 剩5天半: what the days are worth, and they are to be asked for.
        wage = _wage(said) if _UNTAKEN.search(said) and not _TAKE_HOME.search(said) else None
        return None if wage is None else (LEAVE_PAY, {"wage": plain(wage)}, {})
    inputs: dict[str, str] = {}
    hints: dict[str, str] = {}
    worked = find_length(said, _WORKED)
    began = None if worked else _since(said, today, _BEGAN_TO_WORK)
    if worked is not None:
        inputs["worked"] = as_length(worked.months)
    elif began is not None and not (began.more and full_days(began.months - 1) != full_days(began.months)):
        inputs["worked"] = as_length(began.months)
    left, left_month = _event(said, _LEAVES, r"离职(?:时间|日期|日)?(?:是|为|在|:)?", today)
    joined, joined_month = _event(said, _JOINS, r"入职(?:时间|日期|日)?(?:是|为|在|:)?", today)
    if not (inputs or began or left or left_month or joined or joined_month):
        return None
    year = left.year if left else left_month.year if left_month else today.year
    if left:
        inputs["left"] = left.isoformat()
    elif left_month or _LEFT.search(said):
        hints["left"] = str(left_month or "")
    if joined and joined.year == year:
        inputs["joined"] = joined.isoformat()
    elif joined_month and joined_month.year == year:
        hints["joined"] = str(joined_month)
    elif (
        joined is None
        and joined_month is None
        and re.search(rf"{_JOINED_NOW}|[月日号\d]{_JOINS}|{today.year}年{_JOINS}", said)
    ):
        hints["joined"] = ""
    if (taken := _TAKEN.search(said)) and "去年" not in said[max(0, taken.start() - 6) : taken.start()]:
        if taken["days"]:
            inputs["taken"] = taken["days"]
        elif re.match(r"[\d几一二两三四五]", said[taken.end() :]):
            hints["taken"] = ""
    return ANNUAL_LEAVE, inputs, hints


def _event(said: str, verb: str, noun: str, today: date) -> tuple[date | None, Month | None]:
    """The day on which something happened (2026年7月1日入职, 离职日期是6月30日), or at least its month."""
    if day := find_date(said, today=today, then=verb, before=noun):
        return day, None
    if month := find_month(said, today=today, then=rf"份?{verb}"):
        return None, month
    if match := re.search(rf"(?P<year>[今去前]年)?(?<![\d{HAN}年])(?P<month>{MONTH})月份?{verb}", said):
        value = number(match["month"])
        back = {"去年": 1, "前年": 2}.get(match["year"] or "", 0)
        return None, None if value is None else Month(today.year - back, int(value))
    return None, None


# --- severance -------------------------------------------------------------------------------------------------------

_SEVER = re.compile(
    r"裁|辞退|辞了|开除|解雇|炒(?:了|鱿鱼|掉)|被辞|解除|解约|优化|不续签?|没续签?|不再续|到期|劝退|遣散|下岗|离职补偿|经济补偿|补偿金|赔偿金|n\+1|n\+1|2n|让我走|叫我走|撵|赶我走|"
    r"倒闭|破产|散伙|关门|被迫离职|清退|关厂|搬迁|不要我"
)
_SEVER_ASK = re.compile(r"赔|补|n\+1|2n|遣散|(?:拿|给|领|要).{0,4}(?:多少|几)|多少钱")
_SEVER_VETO = re.compile(
    r"工伤|车祸|拆迁|征地|征收|伤残|理赔|违约|竞业|事故|医疗费|退货|房东|租房|租金|押金|保险公司|交通|死亡|培训费|服务期|彩礼|离婚|赔(?:给)?(?:公司|单位|老板|厂里)|我要赔|产假|欠(?:了|我)?\S{0,4}(?:个月|月)(?:的)?工资|"
    r"烫伤|受伤|烧伤|评定|级(?!别)|保姆|家政|钟点工|去世|病故|退休|村干部|劳务派遣怎么|社保补|补缴|失业(?:保险)?金|生育|双倍工资|没签(?:劳动)?合同|年终奖|扣税|个税|交税"
)
_SERVICE = (
    r"(?:干|工作|上班|上|做|待|呆|进厂|入职|工龄|司龄|打工|服务|来公司|来|在这(?:家|个)?(?:公司|单位|厂)?(?:里)?|在(?:公司|单位|厂里?|店里?)|这(?:公司|单位|厂)|"
    r"任职|在职)(?:这里|这儿|公司|单位|厂里)?(?:已经|都|一共|总共|快要)?"
)
_REASONS: tuple[tuple[str, str], ...] = (
    (
        "resigned",
        r"(?<!被迫)(?:自己|主动|我)(?:提出?|要|想)?(?:的)?(?:辞职|离职|不干)|(?<![跟和与给把同])我(?:要|想|主动)*解除(?:劳动)?合同",
    ),
    ("probation", r"试用期"),
    ("fault", r"违纪|旷工|打架"),
    ("illegal", r"违法|无故|无缘无故|没有?理由|毫无理由|怀孕|孕期|哺乳期"),
    ("expired", r"(?:合同)?到期|不续签?|没续签?|不再续"),
    ("closed", r"倒闭|破产|散伙|关门|关厂|解散"),
    ("employer_fault", r"被迫离职|不(?:给|交|缴)社保|没(?:给我)?(?:交|缴)社保|欠薪|拖欠"),
    ("negotiated", r"协商"),
    ("no_fault", r"不能?胜任|医疗期|撤销岗位|客观情况"),
)


def _severance(said: str, today: date) -> Found | None:
    if not _SEVER.search(said) or not _SEVER_ASK.search(said) or not _HOW_MUCH.search(said) or _SEVER_VETO.search(said):
        return None
    inputs: dict[str, str] = {}
    service = (
        find_length(said, _SERVICE)
        or _since(said, today, _BEGAN)
        or _length_before(said, r"(?:的)?(?:老员工|工龄|司龄)")
    )
    wage = None if _TAKE_HOME.search(said) or _PART_WAGE.search(said) else _wage(said)
    if service is not None and not service.more:
        inputs["service"] = as_length(service.months)
    if wage is not None:
        inputs["wage"] = plain(wage)
    if not inputs and service is None and not tells_money(said, _WAGE):
        return None
    told = [reason for reason, words in _REASONS if re.search(words, said)]
    if len(told) == 1:
        inputs["reason"] = told[0]
    return SEVERANCE, inputs, {}


_BEGAN_TO_WORK = r"份?(?:\d{1,2}[日号])?(?:就|才)?(?:参加工作|开始(?:上班|工作|干)|工作|上班)"
_BEGAN = rf"(?:{_BEGAN_TO_WORK}|份?(?:\d{{1,2}}[日号])?(?:就|才)?(?:入职|进厂|进的?(?:这|公司|单位|厂)|来的|来(?:这|公司|单位|厂)))"
_ENDED = re.compile(
    r"(?:去|前)年[^,，。]{0,6}(?:离|辞|裁|走|到期|开除|倒闭|解)|上个?月[^,，。]{0,6}(?:离|辞|裁|走|到期|开除|倒闭|解)|"
    r"(?:月|号|日|底|初)份?(?:离职|被|裁|辞退|到期|走|倒闭)"
)


def _since(said: str, today: date, began: str) -> Length | None:
    """The time since a month or day in which somebody began: 2019年3月入职, 从18年7月干到现在; None where it has ended.

    ``more`` is set where only the day would tell on which side of a half year it lies.
    """
    until_now = r"份?.{0,8}(?:到现在|至今|到今)"
    start = find_month(said, today=today, then=began) or find_month(said, today=today, then=until_now)
    if start is None or _ENDED.search(said) or len(re.findall(rf"(?<!\d)(?:{MONTH})月(?!薪)", said)) > 1:
        return None
    if day := find_date(said, today=today, then=f"{began}|{until_now}"):
        return Length(elapsed(day, today), more=near_half_year(day, today)) if day < today else None
    months = Month.of(today).index - start.index
    return Length(Decimal(months), more=months % 6 == 0) if months > 0 else None


# --- income tax ------------------------------------------------------------------------------------------------------

_TAX = re.compile(
    r"个税|扣税|交税|缴税|所得税|上税|纳税|扣(?:我)?(?:掉|去|走)?(?:多少|几多|好多|几)(?:钱|块)?(?:的)?(?:个)?税|(?:多少|几多|好多)(?:钱|块)?(?:的)?(?:个)?税|税(?:是|要)?(?:多少|几多|好多|怎么算|咋算)|退税|补税|汇算"
)
_TAX_ASK = re.compile(
    r"扣了(?!多少)[^,，。]{0,6}(?:个?税|所得税)|多少|几多|好多|怎么算|咋算|咋个算|算(?:一?算|一?下)|几个?点|要不要|用不用|要(?:交|缴|扣|上)税|要交|要缴|交不交|吗|需要交|该交|该扣|到手"
)
_TAX_VETO = re.compile(
    r"房产|买房|卖房|二手房|契税|增值税|车船|购置税|租金|出租|房租[^,，。]{0,4}(?:收入|[\d一二三四五六七八九十][万千]?(?:元|块)?(?:要|交|得|怎))|公司的?年(?!终|底)|个体|个体户|小规模|企业|开公司|办公司|公司一年|开厂|公司(?:要|得)?(?:交|缴)|营业执照|开店|开票|发票|经营|中奖|彩票|股票|股权|分红|转让|赠与|继承|遗产|"
    r"外国人|非居民|退休金|养老金|失业金|补偿金|赔偿金|稿费|稿酬|利息|印花|关税|烟酒|公积金(?:要|提)|超过|以上|以下|起征|免征额|多少(?:钱)?(?:开始|以上|起)|才(?:要|开始)?(?:交|扣|缴)|"
    r"专项附加扣除(?:怎么|咋|是|标准|多少)|能扣多少|可以扣多少|扣除标准|抵扣多少|抵多少|外卖|骑手|跑腿|网约车|滴滴|主播|结婚|补税了?\d|日薪|劳务|兼职|两份|两家|经济补偿|生育津贴|加班|入职|跳槽|换(?:了|个)?(?:新)?工作|刚(?:上班|工作|毕业)|离职"
)
_BONUS = re.compile(r"年终奖?|全年一次性奖金|年底奖金|十三薪|13薪|年底双薪|年终(?:奖金|分红)?")
_BONUS_CUE = r"(?:年终奖金?|全年一次性奖金|年底奖金|年终|十三薪|13薪|年底双薪)(?:发了?|拿了?|给了?|到账|税前|金额)*"
_YEAR_CUE = r"(?:年薪|年收入|全年(?:工资|收入|一共|总共)?|一年(?:工资|收入|一共|总共|能)?(?:挣|赚|拿|下来)?|去年(?:工资|收入|一共|全年|总共|一年)*(?:挣了?|赚了?|拿了?|工资|收入)?)(?:收入|工资)?"
# Not 社保 or 五险 alone: the housing fund belongs to it.
_SOCIAL_CUE = r"(?:五险一金|三险一金|公积金[和、加]?社保|社保[和、加]?公积金|险金)(?:个人)?(?:每月|部分|一个?月|一共|自己)?(?:扣掉?|交|缴|缴费)?(?:了|去)?"
_WITHHELD_CUE = r"(?:已经|预)?(?:扣|交|缴|预缴|预扣)了?(?:个税|税|个人所得税)(?:一共|总共|了)*"


def _tax(said: str, today: date) -> Found | None:
    if not _TAX.search(said) or not _TAX_ASK.search(said) or _TAX_VETO.search(said) or _TAKE_HOME_INCOME.search(said):
        return None
    inputs: dict[str, str] = {}
    extra = find_money(said, _BONUS_CUE)
    wage = _wage(said)
    if _BONUS.search(said):
        if extra is not None:
            inputs["bonus"] = plain(extra)
        elif not tells_money(said, _BONUS_CUE):
            return None
        if wage is not None and wage != extra:
            inputs["wage"] = plain(wage)
        return BONUS_TAX, inputs, {}
    year = find_money(said, _YEAR_CUE)
    if (year is not None and year >= 3000) or (year is None and tells_money(said, _YEAR_CUE)):
        if year is not None:
            inputs["wages"] = plain(year)
        if (told := _tax_year(said, today)) is not None:
            inputs["year"] = str(told)
        withheld = find_money(said, _WITHHELD_CUE)
        if withheld is not None:
            inputs["withheld"] = plain(withheld)
        return ANNUAL_TAX, inputs, {}
    if re.search(r"年|退税|补税|汇算", said) or (
        wage is None and not tells_money(said, _WAGE) and not re.search(rf"[\d千万]{YUAN}?的?(?:工资|月薪)", said)
    ):
        return None
    if wage is not None:
        inputs["wage"] = plain(wage)
    social = find_money(said, _SOCIAL_CUE)
    if social is not None and (wage is None or social < wage):
        inputs["social"] = plain(social)
    if month := re.search(rf"(?<![\d个])(?P<m>{NUMBER})月份?(?:要|该|会|能|的?工资|扣|交)", said):
        value = number(month["m"])
        if value is not None and 1 <= value <= 12:
            inputs["month"] = plain(value)
    return MONTHLY_TAX, inputs, {}


def _tax_year(said: str, today: date) -> int | None:
    """The year of an income: 2024年收入, 前年的工资; None where it is not told, or is last year."""
    if match := re.search(
        r"(?<!\d)(?P<year>20\d\d|[前今])年(?:度|的|我|全年|一年|总|汇算)*(?:工资|收入|年薪|个税|挣|赚)", said
    ):
        return {"前": today.year - 2, "今": today.year}.get(match["year"]) or int(match["year"])
    return None


_TAKE_HOME_INCOME = re.compile(r"(?:到手|税后|实发|打到卡)(?:工资|收入|拿|是|有)*[\d一二两三四五六七八九]")


# --- overtime --------------------------------------------------------------------------------------------------------

_OVERTIME_VETO = re.compile(
    r"不给|不发|不付|没给|没发|拒付|拖欠|欠|不定时|年终奖|补休|调休(?!.{0,6}没)|值班|拒绝|强制|自愿|犯法|违法|合法|投诉|举报|个税|扣税|交税|产假|税|年假|天假|还是按|日薪|日工资|时薪|一天工资|每天工资|一小时工资"
)
_EVERY = re.compile(r"每天|每周|天天|每个?(?:周|星期|礼拜)|一天(?:加班|要加)|日均|经常")
_KINDS: tuple[tuple[str, str], ...] = (
    ("weekday", r"(?:工作日|平时|平日|下班后|周一到周五|(?<![六日天末])晚上)"),
    ("restday", r"(?:周末|休息日|双休日?|周[六日]|星期[六日天]|礼拜[六日天])"),
    (
        "holiday",
        r"(?:法定(?:节?假日|节日|假期?|休假日)|元旦(?:当天|那天)?|大?年初[一二三]|除夕|五一当天|国庆(?:当天|1号|一号)|十一当天|中秋当天|端午当天|清明当天)",
    ),
)


_HOLIDAY_WORKED = re.compile(
    rf"(?:国庆|十一|春节|过年|五一|中秋|端午|清明|元旦)(?:节|假期|放假|长假)?(?:期间|我|都|在|一直)?(?:加班了?{NUMBER}个?[天日]|{NUMBER}个?[天日](?:都在)?加班费?)"
)


def _overtime(said: str, today: date) -> Found | None:
    bare = (
        len(said) <= 16 and not _OVERTIME_VETO.search(said) and not re.search(rf"\d{{3}}|[千万]|{YUAN}|工资|薪", said)
    )
    if bare and _HOLIDAY_WORKED.search(said):
        return OVERTIME, {}, {"holiday": ""}  # which of its days are holidays by law is to be asked
    if "加班" not in said or not _HOW_MUCH.search(said) or _OVERTIME_VETO.search(said):
        return None
    if not re.search(r"多少|怎么算|咋算|算|几多|好多|该给|应该给|能拿", said) or re.search(r"几倍|百分之", said):
        return None
    wage = None if _TAKE_HOME.search(said) else _wage(said)
    hours = {} if _EVERY.search(said) else _hours_told(said)
    inputs: dict[str, str] = {}
    if hours:
        # What is not spoken of is none; what is spoken of without a certain figure is asked for.
        spoken = {kind: re.search(words, said) for kind, words in _KINDS}
        inputs = {kind: hours.get(kind, "0") for kind, _ in _KINDS if kind in hours or not spoken[kind]}
    if wage is not None:
        inputs["wage"] = plain(wage)
    return (OVERTIME, inputs, {}) if inputs or tells_money(said, _WAGE) else None


def _hours_told(said: str) -> dict[str, str]:
    """The hours of each kind of day that a text tells for certain: not 周六周日各8小时, 三个周末每次8小时, 周六和国庆当天8小时."""
    anyday = "|".join(words for _, words in _KINDS)
    claims: dict[int, set[str]] = {}
    amounts: dict[str, list[tuple[int, Decimal]]] = {}
    for kind, words in _KINDS:
        for match in re.finditer(
            rf"(?:{words})(?P<between>[^,，。;；\d一二两三四五六七八九十半]{{0,8}})(?P<n>{NUMBER})个?(?P<unit>整天|天|小时|钟头)"
            rf"(?!多|来|几|半|左右|上下|以上|不到|[零又]?{NUMBER}(?:分|刻|个?小时|个?钟))",
            said,
        ):
            place, value = match.start("n"), number(match["n"])
            claims.setdefault(place, set()).add(kind)
            several = re.search(
                rf"{anyday}|各|都|分别|每|[、和跟与]", match["between"].replace("晚上", "")
            ) or re.search(rf"[\d{HAN}几]个$|(?:{anyday})[、和跟与,，]?$", said[: match.start()])
            if value is not None and not several:
                amounts.setdefault(kind, []).append(
                    (place, value * (WORKING_HOURS_A_DAY if match["unit"] in ("整天", "天") else 1))
                )
    return {
        kind: plain(told[0][1]) for kind, told in amounts.items() if len(told) == 1 and claims[told[0][0]] == {kind}
    }


_READERS: tuple[Callable[[str, date], Found | None], ...] = (
    _retirement,
    _unemployment,
    _leave,
    _severance,
    _overtime,
    _tax,
)
