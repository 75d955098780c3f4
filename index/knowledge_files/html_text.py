"""The text of a web page as government sites publish documents: the article without the page around it, and the facts
that its table of 索引号, 标题, 发文机关, 成文日期 … gives.
"""

from __future__ import annotations

import copy
import re
import unicodedata
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.errors import InvalidInput
from index.knowledge_files.office_files import shown_name

_LABELS = {
    "title": "标题 名称 文件名称 信息名称 公文名称 文件标题 公文标题 信息标题",
    "doc_no": "发文字号 文号 发文文号 公文文号 文件字号 文件文号 公文字号 文件编号 发布文号 令号",
    "issuer": "发文机关 发布机构 发文单位 制发机关 发布单位 发布机关 公开机构 公开机关 制定机关 制发单位 发文部门 发布部门 印发机关 印发单位 公开单位 责任部门 制发机构 发文机构",
    "issued": "成文日期 发文日期 成文时间 发文时间 印发日期 印发时间 制发日期 公布日期 签发日期 签署日期 制定日期",
    "published": "发布日期 公开日期 发布时间 公开时间 生成日期 生成时间 上网日期 信息公开日期",
    "effective": "施行日期 生效日期 实施日期 生效时间 施行时间 实施时间 执行日期 开始实施日期 生效起始日期",
    "ended": "失效日期 废止日期 失效时间 废止时间",
    "status": "有效性 时效性 时效 效力状态 文件状态 是否有效 有效状态 效力 时效状态",
    "access": "公开属性 公开方式 公开形式 公开类别 信息公开选项 公开选项 公开类型 公开程度 公开范围",
    "secrecy": "密级 保密级别 秘密等级",
    "other": "索引号 信息索引号 索引 索取号 主题分类 主题词 分类 信息分类 信息类别 体裁分类 体裁 组配分类 服务对象分类 公文种类 关键词 关键字 "
    "来源 信息来源 字号 浏览次数 阅读次数 点击数 责任编辑 编辑 作者 有效期 有效期限 规范性文件编号 统一编号 内容概述 信息名称拼音 备注文号 文件类型 文种 主题 废止依据 发文日期状态",
}
_FIELD = {label: name for name, labels in _LABELS.items() for label in labels.split()}
_META = {
    "articletitle": "title",
    "contentsource": "source",
    "pubdate": "published",
}
"""Names of <meta> elements in 《政府网站发展指引》 (国办发〔2017〕47号), appendix 4"""
_FURNITURE = re.compile(
    r"(?:^|[-_ ])(?:nav|navbar|navigation|menu|breadcrumbs?|crumbs?|position|location|dqwz|wz|footer?|foot|header|banner|share|bdshare|"
    r"copyright|sidebar|side|related|xgjd|xgwj|xglj|recommend|toolbar|tools?|print|search|login|qrcode|ewm|friend|links?|pagination|pages?|hidden|logo|topbar|sitemap|wza)(?:$|[-_ ])",
    re.IGNORECASE,
)
_CONTENT = (
    "UCAP-CONTENT", "TRS_Editor", "TRS_UEDITOR", "Custom_UnionStyle", "pages_content", "article-content", "article_content", "art_con",
    "zoom", "Zoom", "xxgk_content", "con_text", "news_content", "detail-content", "b12c", "wzcon", "zwcon", "content_body",
)  # fmt: skip
"""Ids and classes that the common publishing systems give an article's body"""
_BLOCKS = [
    "p",
    "div",
    "li",
    "tr",
    "br",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "section",
    "table",
    "ul",
    "ol",
    "dl",
    "dt",
    "dd",
    "blockquote",
    "pre",
    "article",
    "center",
    "td",
    "th",
    "caption",
    "hr",
]
_SITE = re.compile(r"[_\-—|–>]+[^_\-—|–>]{2,30}(?:政府|网|局|委|办|厅|部|门户|平台|网站|公报|中心)[^_\-—|–>]*$")


@dataclass
class HtmlText:
    """What a page says."""

    lines: list[str] = field(default_factory=list)
    links: set[str] = field(default_factory=set)
    """What links say, without spaces: a site's menu has 依申请公开, and that is no mark"""
    around: list[str] = field(default_factory=list)
    """The page's lines outside the article: heads, menus, the table of facts"""
    facts: dict[str, str] = field(default_factory=dict)
    """title, doc_no, issuer, issued, published, effective, ended, status, access, secrecy: as the page writes them"""


def decode(raw: bytes) -> str:
    """A page's text: by its byte order mark, as UTF-8, in the encoding that it names, as GB18030, as Big5.

    Raises:
        ValueError: it is none of these.
    """
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16")
    said = re.search(rb"charset\s*=\s*[\"']?\s*([\w-]+)", raw[:4096], re.IGNORECASE)
    named = said[1].decode("ascii").lower() if said else "utf-8"
    named = "gb18030" if named.startswith(("gb", "x-gb")) else named
    for encoding in ("utf-8-sig", named, "gb18030", "big5"):
        try:
            text = raw.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
        if "\x00" not in text:
            return text
    # A page cut off within a character, or with a few bytes lost, is still the page that it says it is.
    try:
        text = raw.decode(named, "replace")
    except LookupError:
        text = raw.decode("utf-8", "replace")
    if "\x00" in text or text.count("\ufffd") > len(text) / 500:
        raise ValueError("unknown encoding")
    return text


def looks_like_html(text: str) -> bool:
    """Whether a text has the tags or entities of HTML, rather than a < or & of its own."""
    return bool(_TAG.search(text) or _ENTITY.search(text))


_TAG = re.compile(
    r"<(?:!--|/?(?:p|br|div|span|a|b|i|u|em|strong|font|ul|ol|li|table|thead|tbody|tr|td|th|h[1-6]|img|hr|sup|sub|center|section|o:p)(?:\s[^<>]*)?/?>)",
    re.IGNORECASE,
)
_ENTITY = re.compile(
    r"&(?:nbsp|lt|gt|amp|quot|ldquo|rdquo|mdash|hellip|middot|emsp|ensp|#\d{2,6}|#x[0-9a-f]{2,5});", re.IGNORECASE
)


def plain_text(html: str) -> str:
    """A fragment of HTML as text, a line a block; list items keep their order, links their address."""
    soup = _soup(html)
    for tag in soup(["script", "style", "head"]):
        tag.decompose()
    for link in soup.find_all("a", href=re.compile(r"^https?://")):
        address, words = str(link["href"]), link.get_text()
        if words.strip() and address not in words:
            link.append(f"（{address}）")
    for number_list in soup.find_all("ol"):
        for number, item in enumerate(number_list.find_all("li", recursive=False), 1):
            if not re.match(r"\s*[（(]?[0-9一二三四五六七八九十]+[）)、.．]", item.get_text()):
                item.insert(0, f"{number}. ")
    for picture in soup.find_all("img"):
        picture.replace_with(f"〔图：{alt}〕" if (alt := str(picture.get("alt") or "").strip()) else "")
    return "\n".join(_lines(soup)).replace("\t", " ")


def read(path: Path) -> HtmlText:
    """Read a page.  Raises: InvalidInput (its encoding can't be told)."""
    try:
        text = decode(path.read_bytes())
    except ValueError as error:
        raise InvalidInput(f"{shown_name(path)}：网页的编码认不出来，请在浏览器里打开后另存为 UTF-8。") from error
    return parse(text)


def parse(text: str) -> HtmlText:
    """A page's facts, and the lines of its article."""
    soup = _soup(text)
    for tag in soup(
        ["script", "style", "noscript", "template", "iframe", "button", "input", "select", "option", "textarea", "svg"]
    ):
        tag.decompose()
    for tag in soup.find_all(
        lambda tag: tag.has_attr("hidden") or "display:none" in re.sub(r"\s", "", str(tag.get("style", "")))
    ):
        tag.decompose()
    links = {re.sub(r"\s+", "", link.get_text()) for link in soup.find_all("a")}
    whole = _lines(copy.copy(soup))
    found = HtmlText(links=links, facts=_facts(soup))
    headline = soup.find("h1")
    named = _tidy(headline.get_text(" ")) if headline else ""
    for tag in soup(["nav", "footer", "aside"]):
        tag.decompose()
    main = _content(soup)
    for tag in main.find_all(_is_furniture):
        if not tag.decomposed and len(_tidy(tag.get_text())) < 400:
            tag.decompose()
    found.lines = _lines(main)
    article = set(found.lines)
    found.around = [line for line in whole if line not in article]
    for name, value in _meta(soup).items():
        found.facts.setdefault(name, value)
    if named and "title" not in found.facts and not any(_bare(line) == _bare(named) for line in found.lines[:12]):
        found.lines.insert(0, named)  # a page's headline may stand outside its article
    return found


def _soup(text: str) -> Any:
    from bs4 import BeautifulSoup  # every other command would wait for this import

    warnings.filterwarnings("ignore", module="bs4")  # it quotes the text in its guesses of what was meant
    return BeautifulSoup(text, "lxml")


def _tidy(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("\u00a0", " ")).strip()


def _bare(text: str) -> str:
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))


def _label(text: str) -> str | None:
    """The fact that a label names; None for other words.  Labels are set with gaps: 索 引 号："""
    return _FIELD.get(_bare(text).strip(":[]【】*·"))


def _facts(soup: Any) -> dict[str, str]:
    """Pairs of label and value out of a table, a list or blocks, if there are at least two; they leave the page."""
    pairs: list[tuple[str, str, list[Any]]] = []
    claimed: set[int] = set()
    for element in soup.find_all(
        ["th", "td", "dt", "dd", "li", "div", "p", "span", "strong", "b", "label", "em", "i", "font", "h4", "h5"]
    ):
        if id(element) in claimed:
            continue
        text = _tidy(element.get_text())
        if not 2 <= len(text) <= 300:
            continue
        name = _label(text)
        if name is not None:
            label = element
            while (
                label.parent is not None
                and label.parent.name not in ("tr", "body")
                and _label(label.parent.get_text()) == name
            ):
                label = label.parent
            value = _value_of(label)
            if value is not None and id(value) not in claimed:
                words = _words_of(value, name)
                if _label(words) is None and len(words) <= 300:
                    claimed.update(id(one) for one in (label, *label.find_all(True)))
                    if not isinstance(value, str):
                        claimed.update(id(one) for one in (value, *value.find_all(True)))
                    pairs.append((name, words, [label, value]))
        elif element.name in ("td", "dd", "li", "div", "p", "span") and (
            cut := re.match(r"([^:：]{2,14})[:：]\s*(.+)$", text)
        ):
            name = _label(cut[1])
            inner = [one for one in element.find_all(True) if _label(one.get_text()) is not None]
            if name is not None and not inner and len(re.findall("[:：]", cut[2])) <= 1:
                claimed.update(id(one) for one in (element, *element.find_all(True)))
                pairs.append((name, cut[2], [element]))
    if len({name for name, _, _ in pairs} - {"other"}) + (sum(name == "other" for name, _, _ in pairs) > 0) < 2:
        return {}
    facts: dict[str, str] = {}
    for name, words, elements in pairs:
        if words and words not in ("-", "—", "无", "/"):
            facts.setdefault(name, words)
        for element in elements:
            element.extract()
    facts.pop("other", None)
    return facts


def _words_of(value: Any, name: str) -> str:
    """A value on one line: a title broken by <br> goes on, organs below each other stay apart."""
    if isinstance(value, str):
        return _tidy(value)
    parts = [_tidy(part) for part in _lines(copy.copy(value))]
    return ("" if name in ("title", "doc_no") else " ").join(parts)


def _value_of(label: Any) -> Any:
    """What stands beside a label: the next element or words; for a label alone in its block, the next block's."""
    for sibling in label.next_siblings:
        if isinstance(sibling, str):
            if sibling.strip(" \t\r\n\u00a0\u3000:："):
                return sibling
        elif sibling.name == "br":
            return None
        else:
            return sibling
    return None


def _meta(soup: Any) -> dict[str, str]:
    facts: dict[str, str] = {}
    for tag in soup.find_all("meta"):
        name = _META.get(str(tag.get("name", "")).lower())
        if name and (value := _tidy(str(tag.get("content", "")))):
            facts.setdefault(name, value)
    if "title" not in facts and soup.title and (title := _tidy(soup.title.get_text())):
        facts["page"] = _SITE.sub("", title).strip()
    return facts


def _is_furniture(tag: Any) -> bool:
    names = [*tag.get("class", []), str(tag.get("id", ""))]
    return tag.name == "header" or any(_FURNITURE.search(name) for name in names)


def _content(soup: Any) -> Any:
    """The element that holds the article: a known one, else the innermost that has most of the page's own words."""
    body = soup.body or soup
    for name in _CONTENT:
        known = body.find_all(lambda tag, name=name: name in (tag.get("id"), *tag.get("class", [])))
        if known and len(_tidy(known[0].get_text())) >= 30:
            return known[0]
    for name in ("article", "main"):
        if (tag := body.find(name)) and len(_tidy(tag.get_text())) >= 30:
            return tag
    words = {
        id(tag): _words(tag)
        for tag in body.find_all(["div", "td", "section", "table", "tbody", "tr", "form", "center"])
    }
    main, whole = body, _words(body)
    while True:
        inner = [tag for tag in main.find_all(True, recursive=False) if words.get(id(tag), 0) >= 0.8 * whole > 0]
        if not inner or (inner[0].name == "table" and len(inner[0].find_all("tr")) > 3):
            return main
        main = inner[0]


def _words(tag: Any) -> int:
    """Characters of a tag outside links and of sentences rather than of menus."""
    linked = sum(len(_bare(link.get_text())) for link in tag.find_all("a"))
    return len(_bare(tag.get_text())) - linked


def _lines(main: Any) -> list[str]:
    """Text by line: a block is one, a table's row is one, and line breaks of the source are none."""
    for words in main.find_all(string=True):
        if not words.find_parent("pre"):
            joined = re.sub(r"(?<=[^\x00-\xff])[ \t\r]*\n\s*|[ \t\r]*\n\s*(?=[^\x00-\xff])", "", str(words))
            words.replace_with(re.sub(r"[ \t\r\n\u00a0]+", " ", joined))
    for row in main.find_all("tr"):
        cells = row.find_all(["td", "th"], recursive=False)
        for cell in cells if len(cells) > 1 else ():
            for block in cell.find_all(_BLOCKS):
                block.insert_before(" ")
                block.append(" ")
                block.name = "span"
            cell.insert_before("\t")
            cell.name = "span"
    for block in main.find_all(_BLOCKS):
        block.insert_before("\n")
        block.append("\n")
    text = re.sub(r"[ \u00a0]*\t[ \t\u00a0]*", "\t", re.sub(r"[ \u00a0]+", " ", main.get_text("")))
    return [line for line in (one.strip() for one in text.split("\n")) if line]
