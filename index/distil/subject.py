"""Whether a document is a policy that gives citizens something, and what people call that."""

from __future__ import annotations

import re

_KINDS = "办法|细则|规定|规则|条例|措施|方案|指南|须知|问答|公告|通告|意见|通知|标准|规程|流程|政策"
_POLICY = re.compile(rf"(?:{_KINDS})(?:[（(][^()（）]{{1,12}}[）)])?》?$")
_NO_POLICY = re.compile(
    r"要点|报告|简报|交流|讲话|致辞|发言|总结|计划|规划|纲要|会议|纪要|通报|表彰|经验|典型|案例|期刊|倡议|考核|督查|竞赛|评选|任命|选编|摘登|动态"
)
_NUMBER = re.compile(r"[（(][^()（）]*〔\d{4}〕[^()（）]*[）)]$")
_QUOTED = re.compile(r"《([^《》]{4,80})》")
_ABOUT = re.compile(r"^.*?关于(?:印发|发布|公布|转发)?(.*?)(?:的(?:通知|意见|公告|通告))?$")
_PLACE = re.compile(r"^[\u4e00-\u9fff]{2,9}?(?:省|自治区|自治州|市(?!场)|[县区](?!域))(?=.{4})")
_ORGAN = re.compile(r"^[\u4e00-\u9fff]{2,20}?(?:局|委员会|办公厅|办公室|管理中心|联合会|人民政府)(?=.{4})")
_YEAR = re.compile(r"^(?:19|20)\d\d年度?(?:至(?:19|20)\d\d年度?)?")
_DO = re.compile(r"^(?:进一步|切实|发放|兑现|继续|全面|调整|做好|开展|组织|加强|规范|实施|提高|完善|落实|明确)+")
_TAIL = re.compile(
    r"(?:有关|相关)?(?:事项|问题)$|(?:工作|发放|申领|申报|申请|办理|办事|管理|实施|资金|暂行|试行|若干|补充|政策|使用)$"
)
_CALLED = (
    ("城乡居民基本医疗保险", "居民医保"),
    ("职工基本医疗保险", "职工医保"),
    ("城乡居民基本养老保险", "居民养老保险"),
    ("职工基本养老保险", "职工养老保险"),
    ("最低生活保障", "低保"),
    ("公共租赁住房", "公租房"),
    ("住房公积金", "公积金"),
    ("社会保险", "社保"),
    ("财政补助", "补助"),
    ("既有住宅", "老旧住宅"),
)
"""Official words and what people say"""


def is_policy(title: str) -> bool:
    """Whether a document of this title can be one that citizens act on: no briefing, report, plan of work, speech or article."""
    bare = _NUMBER.sub("", re.sub(r"\s+", "", title))
    return bool(_POLICY.search(bare)) and not _NO_POLICY.search(bare)


def subject(title: str) -> str:
    """What a policy is about, by its title: 示例市民政局关于印发《示例市高龄津贴发放办法》的通知 → 高龄津贴.  Empty: it can't be told."""
    name = _NUMBER.sub("", re.sub(r"\s+", "", title))
    if quoted := _QUOTED.search(name):
        name = quoted[1]
    elif about := _ABOUT.match(name):
        name = about[1]
    name = re.sub(r"[（(][^()（）]*[）)]", "", name)
    before = ""
    while name != before:
        before = name
        for head in (_ORGAN, _PLACE, _YEAR, _DO):
            name = head.sub("", name)
        name = re.sub(rf"(?:实施|管理|工作|暂行|试行|补充|若干)*(?:{_KINDS})$", "", name)
        name = _TAIL.sub("", name)
    return name if 3 <= len(name) <= 24 else ""


def spoken(name: str) -> str:
    """In people's words: 公共租赁住房 → 公租房."""
    for official, said in _CALLED:
        name = name.replace(official, said)
    return name
