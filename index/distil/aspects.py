"""What a statement of a policy tells a citizen: who gets it, how much, how long, with what, where, by when, from whom."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Aspect:
    """One thing that people ask of a policy.

    Attributes:
        name: As reviewers read it.
        says: What a statement of it looks like.
        asks: The question; ``{it}`` stands for what the policy gives.
        also: The same, asked second.
    """

    name: str
    says: re.Pattern[str]
    asks: str
    also: str


_N = r"[\d〇零一二三四五六七八九十百千万两半]+"
_DAYS = rf"{_N}个?(?:工作日|日|天|自然日)"
_GOOD = r"补贴|补助|津贴|资助|奖励|救助|助学金|待遇|资金|款项|证"

ASPECTS = (
    Aspect(
        "不能享受的情形",
        re.compile(
            r"不(?:享受.{0,10}(?:补贴|补助|待遇)|予(?:补贴|补助|受理|发放|提取|资助|奖励|报销)|能申请|得(?:申请|申领|享受)|纳入.{0,8}范围|再重复(?:补贴|享受|发放))"
        ),
        "哪些情况不能{do}？",
        "哪些情况不行？",
    ),
    Aspect(
        "退出和停发",
        re.compile(r"停止(?:发放|补贴|补助|资助|享受)|停发|应当(?:退回|腾退)|取消.{0,8}资格"),
        "什么情况下{it}会停掉？",
        "什么情况要停？",
    ),
    Aspect(
        "骗取的后果",
        re.compile(r"(?:骗取|冒领|虚假|弄虚作假|隐瞒).{0,60}(?:退回|追回|追缴|追究|不得再)"),
        "弄虚作假{do}会怎么处理？",
        "弄虚作假会怎样？",
    ),
    Aspect(
        "异议和申诉",
        re.compile(r"有异议的|不服的|申诉|行政复议"),
        "对{it}的审核结果有异议怎么办？",
        "有异议怎么办？",
    ),
    Aspect(
        "材料",
        re.compile(
            r"(?:提交|提供|携带|出示|准备|填写|凭).{0,30}(?:材料|证件|身份证|户口簿|证明|申请表|凭证|合同)|材料$|不(?:再|需要)(?:要求)?提供"
        ),
        "{do}要带什么材料？",
        "要什么材料？",
    ),
    Aspect(
        "申请期限",
        re.compile(
            rf"(?:集中缴费期|申报时间|申请时间|受理时间|逾期(?:未|不)[^。]{{0,6}}(?:申请|受理|申报))|(?:{_DAYS}|{_N}个月)(?:内|前|起)，?[^。]{{0,40}}(?:申请(?!人)|申报)|{_N}日前[^。]{{0,20}}(?:申请(?!人)|申报)|[^。]{{2,20}}{_N}个?[月日]起[^。]{{0,40}}(?:申请(?!人)|申报)"
        ),
        "{it}要在什么时候申请？",
        "什么时候办？",
    ),
    Aspect(
        "次数",
        re.compile(rf"只能(?:享受|补贴|申请|领取){_N}次|每(?:{_N})?个?(?:年|月|学年).{{0,6}}(?:申请|进行){_N}次"),
        "{it}可以申请几次？",
        "能申请几次？",
    ),
    Aspect(
        "标准",
        re.compile(
            r"(?:标准|金额|额度|比例|费用|租金).{0,60}[\d一二三四五六七八九十].{0,12}(?:元|%|之[一二三四五六七八九])|[\d.]+万?元|给予.{0,20}(?:元|%)|免除.{0,6}费"
        ),
        "{it}有多少钱？",
        "多少钱？",
    ),
    Aspect(
        "对象和条件",
        re.compile(
            r"(?:符合|满足|具备).{0,12}(?:条件|要求)|(?:可以|可|均可|能够)(?:独立)?(?:申请|申领|参加|享受|领取)|(?:补贴|补助|资助|发放|服务|适用|保障|救助)对象(?:为|是|包括|：)|(?:补贴|补助|资助|保障|服务|适用)对象$|参保范围$"
        ),
        "什么人可以{do}？",
        "要什么条件？",
    ),
    Aspect(
        "享受期限",
        re.compile(rf"(?:期限|最长|累计).{{0,20}}(?:不超过|为){_N}(?:个月|年)|期限(?:一般)?为{_N}(?:个月|年)"),
        "{it}可以享受多久？",
        "能享受多久？",
    ),
    Aspect(
        "起算时间",
        re.compile(r"(?:从|自).{0,24}(?:次月|当月|之日|之月)起(?:计发|发放|享受)"),
        "{it}从什么时候开始发？",
        "从什么时候算起？",
    ),
    Aspect(
        "要谁同意",
        re.compile(r"(?:业主|成员|双方|全体)[^。]{0,30}(?:同意|表决)"),
        "{base}要多少人同意？",
        "要谁同意？",
    ),
    Aspect(
        "到账时间",
        re.compile(rf"(?:{_DAYS}内|前|月底前|按月|按季度?|按学期)[^。]{{0,40}}(?:拨付|发放|转入|到账)"),
        "{it}什么时候到账？",
        "什么时候到账？",
    ),
    Aspect(
        "办理时限",
        re.compile(rf"{_DAYS}内.{{0,30}}(?:完成|作出|办结|审[核批]|初审|复核|核准|答复|核查|核验|认定)|即时办结"),
        "{do}多久能办好？",
        "多久办好？",
    ),
    Aspect(
        "地点和渠道",
        re.compile(
            r"(?:窗口|服务大厅|服务中心|网点|手机应用|小程序|网站|平台|网上|街道|社区|委员会|学校|代办点)[^。]{0,30}(?:申请|办理|申报|缴费|提出)|(?:到|向|登录|通过)[^。]{2,40}(?:申请|办理|申报|缴费)"
        ),
        "{it}在哪里申请？",
        "在哪里办？",
    ),
    Aspect(
        "能否同时享受",
        re.compile(r"可以同时(?:领取|享受|申请)|不计入.{0,20}收入|不影响.{0,12}(?:享受|领取)"),
        "领了别的补贴，还能领{it}吗？",
        "能和别的一起领吗？",
    ),
    Aspect(
        "责任单位",
        re.compile(r"(?:局|部门|中心|政府|办事处|联合会)负责.{2,30}(?:审[核批]|发放|受理|实施|协调)"),
        "{it}由哪个部门负责？",
        "归谁管？",
    ),
    Aspect(
        "咨询电话",
        re.compile(r"(?:电话|致电|：)\D{0,8}(?:0\d{2,3}-?\d{7,8}|123\d\d)"),
        "{it}咨询打什么电话？",
        "电话多少？",
    ),
)
"""In the order in which they are looked for: what narrows a claim goes before what gives it"""

_HEADED = (
    (r"对象|条件|范围|哪些人|适用人群", "对象和条件"),
    (r"不能|不予|除外|禁止", "不能享受的情形"),
    (r"标准|金额|额度|租金", "标准"),
    (r"材料|资料|证件", "材料"),
    (r"时限|多久|办结", "办理时限"),
    (r"在哪|地点|方式|渠道|途径", "地点和渠道"),
    (r"流程|程序|步骤|怎么办", "流程"),
    (r"发放|拨付|兑付", "到账时间"),
    (r"期限", "享受期限"),
    (r"退出|停发", "退出和停发"),
    (r"注意|提醒", "注意事项"),
    (r"电话|咨询", "咨询电话"),
)
"""What a section's heading says that it is about"""

PROCESS = Aspect("流程", re.compile(r"(?!)"), "{it}怎么申请，要走哪些程序？", "怎么申请？")
NOTES = Aspect("注意事项", re.compile(r"(?!)"), "{do}要注意什么？", "要注意什么？")
"""Both only told by a heading"""
BY_NAME = {aspect.name: aspect for aspect in (*ASPECTS, PROCESS, NOTES)}

INSIDE = re.compile(
    r"预算|绩效|稽核|审计|专班|领导小组|约谈|通报工作|组织领导|贯彻执行|认真组织|监督检查|政策宣传|宣传引导|资金监管|资金管理|信息管理系统|数据核对"
    r"|财政.{0,12}(?:分担|保障|足额安排)|比例分担"
    r"|^(?:各[级地县区市]|各?有关)[^。]{0,24}(?:要|应当|应)|本(?:办法|细则|规定|方案|通知|意见|措施)[^。]{0,12}(?:由|自)[^。]{0,40}(?:解释|施行|实施|印发)"
    r"|制定本|适用于本市行政区域内|指导(?:和|与)?监督|原则[。；]?$|为?(?:落实|贯彻|弘扬|推进|规范)[^。]{2,40}，(?:根据|结合|制定|现就)"
)
"""What offices tell one another"""
NOT_FOR_CITIZENS = re.compile(
    r"指导思想|目标任务|总体要求|工作要求|工作目标|保障措施|组织保障|组织实施|监督管理|基本原则|重点任务|建设标准|附则"
)
"""Headings of sections for offices alone"""
HANGING = re.compile(r"(?:前款|上述|前条|本条|第[一二三四五六七八九十]+款)(?:规定)?")
"""Words that point to what another clause says"""


def told(text: str) -> list[Aspect]:
    """What a statement tells, the main thing first."""
    return [aspect for aspect in ASPECTS if aspect.says.search(text)]


def headed(heading: str) -> list[Aspect]:
    """What a section is about by its heading, in the heading's order."""
    found = [(match.start(), name) for pattern, name in _HEADED if (match := re.search(pattern, heading))]
    return [BY_NAME[name] for _, name in sorted(found)]


def narrative(texts: Sequence[str]) -> float:
    """The share of sentences that tell what was done instead of what holds: briefings, reports and speeches are made of them."""
    tells = re.compile(
        r"今年以来|截至目前|已(?:累计|有|建成|完成|实现|开展)|累计[^。]{0,12}(?:万|余|人次|件)|同比|打造|擦亮|率先|创新(?!创业)|经验|成效|推动|着力|深化|聚焦|持续|强化|不断|全力|扎实"
    )
    sentences = [one for text in texts for one in re.split(r"[。！？\n]", text) if len(one) >= 8]
    return sum(bool(tells.search(one)) for one in sentences) / len(sentences) if sentences else 1.0
