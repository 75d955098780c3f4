"""Regions (行政区划, codes as in GB/T 2260) down to county level, and finding them in what people write.

``data/regions.csv`` (code, name, parent) holds the statistical division codes of the National Bureau of Statistics,
edition of 30 June 2023, published 11 September 2023, as packaged in npm's ``china-division`` 2.7.0; later changes are not
in it.  Besides GB/T 2260's units it knows development zones (codes ending in 7x).  The placeholders 市辖区, 县 and
省直辖县级行政区划 are left out: their members belong to the province.  Taiwan, Hong Kong and Macao stand without parts.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from bot.errors import NotFound

NATION = "100000"
"""全国"""

_DATA = Path(__file__).parent / "data" / "regions.csv"

_PEOPLES = (
    "蒙古|维吾尔|哈萨克|柯尔克孜|布依|朝鲜|土家|哈尼|傈僳|拉祜|东乡|纳西|景颇|达斡尔|仫佬|布朗|撒拉|毛南|仡佬|锡伯|阿昌|普米|塔吉克"
    "|独龙|保安|裕固|鄂温克|鄂伦春|各|回|藏|苗|彝|壮|满|侗|瑶|白|傣|黎|佤|畲|水|土|羌|怒"
)
_SUFFIX = re.compile(
    rf"(?:(?:{_PEOPLES})族|蒙古|哈萨克|柯尔克孜|锡伯|塔吉克)*自治[区州县旗]$|特别行政区$|(?:地区|林区|特区|新区|矿区)$|[省市区县盟旗州]$"
)
_NOT_A_PLACE = re.compile(
    r"[东西南北中]?(?:路|街|大道)|大学|学院|银行|公园|广场|大厦|籍贯|话|菜|石|油田|装|巴巴|码|道(?!路)|山(?!区)|村"
)
"""What follows a name that stands for something else: 北京路, 南京大学, 上海银行."""

_CITY_WORDS = frozenset(("来宾", "日照", "开封", "白银", "大同", "和田", "长治", "四平", "海东", "兴安", "朝阳"))
"""Cities whose short names are ordinary words: they need their suffix, a province before them, or nothing around them."""

_COUNTY_WORD_LIST = """
    公安 资源 友好 合作 和平 前进 平安 城中 城北 城西 城东 城关 城区 安居 港口 开化 方正 比如 无为 同心 中方 会同
    富裕 富民 石棉 温泉 延长 运河 灯塔 解放 建设 惠民 爱民 民权 民乐 振兴 兴业 复兴 老城 新建 新兴 新华 邻水 大通
    大方 大足 平房 共和 友谊 团结 光明 红旗 莲花 凤凰 牡丹 木兰 白云 天涯 海棠 芙蓉 麒麟 东风 前锋 七星 三元 二七
    元宝 仁和 乐业 全国 兴文 古城 南部 双桥 向阳 回民 大名 大观 太平 安定 安平 宏伟 建华 政和 新民 新星 明光 河口
    海港 朝阳 东方 新城 长安 永安 安宁 天门 江南 江北 河东 河西 南山 西山 东山 宝山 金山 工农 市中 市南 市北 中原
    开发 高明 文明 永定 安全 天桥 鼓楼 西湖 东湖 南湖 太湖 通道 阳光 山城 泰山 华山 海安 小店 天元 正安
"""
_COUNTY_WORDS = frozenset(_COUNTY_WORD_LIST.split())
"""Counties and districts whose short names are ordinary words."""

_TWO_CHARACTERS_AFTER = re.compile(r"(?:^|[在到去回住是从来,。!?])$")
_WHOLE_LEADS = r"(?:我们?|现在|人|就|是|在|住|家|来自|属于|户口|户籍|,)*"
_WHOLE_TAILS = r"(?:的|人|这边|这里|那边|那里|吧|呢|啊|呀|,|。|!|了)*"


@dataclass(frozen=True)
class Region:
    """A region: six-digit code, official name, its parent's code (empty for the nation)."""

    code: str
    name: str
    parent: str

    @property
    def level(self) -> int:
        """0 nation, 1 province, 2 city, 3 county; a county right under its province has 3 too."""
        if self.code == NATION:
            return 0
        return 1 if self.code.endswith("0000") else 2 if self.code.endswith("00") else 3


@dataclass(frozen=True)
class _Name:
    """What a string may mean, and whether it carries its suffix (区, 市 …)."""

    regions: tuple[Region, ...]
    full: bool


@lru_cache
def _regions() -> dict[str, Region]:
    with _DATA.open(encoding="utf-8", newline="") as file:
        return {row["code"]: Region(**row) for row in csv.DictReader(file)}


@lru_cache
def _names() -> tuple[dict[str, _Name], dict[str, tuple[int, ...]]]:
    """Name → meanings, and first two characters → lengths of the names that begin so, the longest first."""
    full: dict[str, set[Region]] = defaultdict(set)
    short: dict[str, set[Region]] = defaultdict(set)
    for region in _regions().values():
        full[region.name].add(region)
        stem = _SUFFIX.sub("", region.name)
        if len(stem) < 2 or stem == region.name:
            continue
        short[stem].add(region)
        if "自治" in region.name and region.name[-1] != "区":
            full[stem + region.name[-1]].add(region)  # 恩施州, 长阳县
    names = {name: _Name(_sorted(found), full=True) for name, found in full.items()}
    for name, found in short.items():
        names.setdefault(name, _Name(_sorted(found), full=False))
    lengths: dict[str, set[int]] = defaultdict(set)
    for name in names:
        lengths[name[:2]].add(len(name))
    return names, {start: tuple(sorted(found, reverse=True)) for start, found in lengths.items()}


def _sorted(regions: set[Region]) -> tuple[Region, ...]:
    return tuple(sorted(regions, key=lambda region: region.code))


def get(code: str) -> Region:
    """The region with this code.  Raises: NotFound."""
    region = _regions().get(code)
    if region is None:
        raise NotFound(f"没有代码为{code}的行政区划。")
    return region


def ancestors(code: str) -> list[str]:
    """The region's own code first, then its parents', the nation's last.  Raises: NotFound."""
    codes = []
    while code:
        codes.append(code)
        code = get(code).parent
    return codes


def full_name(code: str) -> str:
    """The name with its parents' before it: 湖南省长沙市岳麓区; the nation is 全国.  Raises: NotFound."""
    names = [get(one).name for one in ancestors(code) if one != NATION]
    return "".join(reversed(names)) or get(NATION).name


def is_within(code: str, other: str) -> bool:
    """Whether the region is ``other`` or a part of it.  Raises: NotFound."""
    return other in ancestors(code)


def overlap(code: str, other: str) -> bool:
    """Whether one of the regions is the other or a part of it.  Raises: NotFound."""
    return is_within(code, other) or is_within(other, code)


def children(code: str) -> list[Region]:
    """The regions right under this one, by code; none for a county.  Raises: NotFound."""
    get(code)
    return _children().get(code, [])


@lru_cache
def _children() -> dict[str, list[Region]]:
    children: dict[str, list[Region]] = defaultdict(list)
    for region in sorted(_regions().values(), key=lambda region: region.code):
        children[region.parent].append(region)
    return dict(children)


def named(name: str) -> tuple[Region, ...]:
    """The regions that have this name in full, by code; none where it only is a part of one, or an everyday word."""
    found = _names()[0].get(name)
    return found.regions if found is not None and found.full else ()


def find(text: str, within: str | None = None) -> list[Region]:
    """The regions that a sentence names, in their order; of a chain (湖南长沙岳麓区) only the last.

    Provinces and cities are known without suffix.  Counties and districts need it, unless the whole message is the name,
    or a parent is named beside it (or is ``within``): 和平, 朝阳 and 新城 are words, too.  A name that several regions share
    gives all of them, unless another name in the text or ``within`` decides.

    Args:
        within: code of the region that the asker is likely to mean, e.g. the city that is served.
    """
    said = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))
    found = _scan(said)
    if not found:
        return []
    whole = len(found) == 1 and _is_whole(said, found[0])
    # Which codes a name in this text speaks of, to decide what the other names mean.
    speaks = {
        one.text: {region.code for region in one.name.regions if region.level < 3 or one.name.full}
        for one in found
        if one.text not in _CITY_WORDS
    }
    kept: list[list[Region]] = []
    for position, one in enumerate(found):
        named = {code for text, codes in speaks.items() if text != one.text for code in codes}
        before = found[position - 1] if position and found[position - 1].end == one.start else None
        meant = [region for region in one.name.regions if _means(region, one, said, whole, before, named, within)]
        if meant:
            kept.append(_decided(meant, named, within, one.text in _CITY_WORDS))
    flat = list(dict.fromkeys(region for group in kept for region in group))
    parents = {code for region in flat for code in ancestors(region.code)[1:]}
    return [region for region in flat if region.code not in parents]


def without(text: str, served: str) -> str:
    """The text without the names of ``served`` and its parts: to those who live there they say nothing more.

    What is left has no white space where a name was found; the text itself where none was, or where nothing else is left.
    """
    codes = {
        code
        for region in find(text, within=served)
        if is_within(region.code, served)
        for code in ancestors(region.code)
    }
    if not codes:
        return text
    said = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))
    for hit in reversed(_scan(said)):
        if any(region.code in codes for region in hit.name.regions):
            said = said[: hit.start] + said[hit.end :]
    return said or text


@dataclass(frozen=True)
class _Hit:
    name: _Name
    text: str
    start: int
    end: int


def _scan(said: str) -> list[_Hit]:
    names, lengths = _names()
    hits = []
    start = 0
    while start < len(said) - 1:
        for length in lengths.get(said[start : start + 2], ()):
            text = said[start : start + length]
            if len(text) == length and text in names:
                end = start + length
                # 济南市中区 is 济南 + 市中区.
                if text[-1] == "市" and said[end - 1 : end + 2] in ("市中区", "市南区", "市北区"):
                    continue
                hits.append(_Hit(names[text], text, start, end))
                start = end - 1
                break
        start += 1
    return hits


def _is_whole(said: str, hit: _Hit) -> bool:
    return bool(re.fullmatch(_WHOLE_LEADS, said[: hit.start]) and re.fullmatch(_WHOLE_TAILS, said[hit.end :]))


def _means(
    region: Region, hit: _Hit, said: str, whole: bool, before: _Hit | None, named: set[str], within: str | None
) -> bool:
    """Whether this hit really speaks of ``region``."""
    rest = said[hit.end :]
    if whole:
        return True
    parents = set(ancestors(region.code)[1:]) - {NATION}
    beside = before is not None and any(other.code in parents for other in before.name.regions)
    if hit.name.full:
        if rest.startswith("级"):
            return False
        # 城区, 郊区, 和县 in 省和县: two characters are no name by themselves.
        if len(hit.text) > 2:
            return True
        return beside or (region.name[-1] == "县" and bool(_TWO_CHARACTERS_AFTER.search(said[: hit.start])))
    if _NOT_A_PLACE.match(rest):
        return False
    if region.level == 1:
        return True
    if region.level == 2:
        return hit.text not in _CITY_WORDS or beside
    if hit.text in _COUNTY_WORDS:
        return beside and not re.match("[局厅部机所院馆站费者性化路街工房]", rest)
    return beside or bool(parents & named) or (within is not None and within in parents and within != NATION)


def _decided(regions: list[Region], named: set[str], within: str | None, word: bool) -> list[Region]:
    """Those of several regions of one name that the other names or ``within`` point to, else all.

    Of several levels the highest: 吉林 is the province, 长沙 the city.  A ``word`` has no such rank: 朝阳 may mean any.
    """
    for wanted in (named, {within} if within and within != NATION else set()):
        chosen = [region for region in regions if wanted & set(ancestors(region.code)[1:])]
        if chosen:
            return _highest(chosen)
    return regions if word else _highest(regions)


def _highest(regions: list[Region]) -> list[Region]:
    level = min(region.level for region in regions)
    return [region for region in regions if region.level == level]
