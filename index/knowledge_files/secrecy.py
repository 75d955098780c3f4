"""Marks on a document that keep it from citizens: 国家秘密标志 (绝密、机密、秘密), and marks of what is internal (内部资料, 不予公开).

A mark is told by its form and its place, not by its words: documents *about* secrets are full of them.  The form of the
state-secret mark (密级★保密期限, or the level alone) is fixed by 《国家秘密定密管理规定》 and its place, the head of the first
page, by GB/T 9704-2012, 7.2.2.  Marks are looked for in heads, headers, footers, text boxes and cells, so the caller says
where a line stands.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from bot.errors import InvalidInput

HEAD_LINES = 15
"""Lines of a document among which a level that stands alone is a mark, if no sentence comes before it."""

_LEVEL = "绝密|机密|秘密|絕密|機密|祕密|極機密|絕對機密"
_STAR = "[★☆✩✭✮⭐*※﹡]"
_BEFORE = rf"{_STAR}*(?:(?:份号|编号|NO\.?|№)?[::]?[A-Z]{{0,4}}\d{{1,12}})?(?:特急|特提|加急|平急|急件)?"
_AFTER = r"(?:特急|特提|加急|平急|急件)?(?:(?:份号|编号|NO\.?|№)[::]?[A-Z]{0,4}\d{1,12}|\d{6})?"
_STARRED = re.compile(rf"{_BEFORE}(?:密级[::])?(?P<level>{_LEVEL})级?{_STAR}+[^。;!?]{{0,30}}")
_TERM = r"(?:[0-9一二三四五六七八九十]{1,3}(?:年|个月|月|天|日)|长期|永久)"
_ALONE = re.compile(rf"{_BEFORE}(?P<level>{_LEVEL})(?:级|件|文件|资料|材料)?(?:[-—·,:(]?{_TERM}\)?)?{_STAR}*{_AFTER}")
_LABELLED = re.compile(
    rf"(?:文件)?(?:密级|秘密等级|保密等级|保密级别|涉密等级|密级标识|国家秘密标志)(?:和保密期限|及保密期限)?(?:[::]|为)?[(]?(?P<level>{_LEVEL})(?!、|和|或|,).{{0,24}}"
)
_SAID = re.compile(
    rf"(?:本|此|该)(?:文件|件|资料|材料|文|表|册)(?:属于|属|为|系|是|定为)(?:国家秘密)?[,、(\"“]?(?P<level>{_LEVEL})"
    rf"(?:级)?(?:国家秘密)?[)\"”]?(?:级)?(?:文件|资料|材料|事项|件)?(?:[,。;!].*)?"
)
_FENCED = re.compile(
    rf"^[\[【((〔](?:{_LEVEL})级?(?:{_STAR}[^\])】)〕]{{0,16}})?[\])】)〕]|[\[【((〔](?:{_LEVEL})级?(?:{_STAR}[^\])】)〕]{{0,16}})?[\])】)〕]$"
)
"""A mark in brackets before or behind a title: 【机密】关于…的通知"""
_EXAMPLE = re.compile(r"(?:例|样|式|如下|标注|标志|标识|写作|形式|格式)[^。;]{0,12}[::]$|^[-—>＞]?(?:例|示例|如)[::]")

_INTERNAL_WORDS = (
    r"内部(?:资料|文件|材料|工作资料|工作文件|使用|参考|刊物|发行|传阅|掌握|公开|事项)?|仅供内部(?:使用|参考|传阅|掌握)|(?:仅)?限内部(?:使用|传阅)"
    r"|工作秘密|敏感信息|(?:核心|普通)?商业秘密|(?:核心|普通)商密|不予公开|不公开|依申请公开|暂不公开|删减后公开"
)
_KEEP = r"(?:[,、!:-]?(?:请)?(?:注意|妥善|严格)?(?:保管|保存|保密)|[,、!:-]?(?:严禁|不得|请勿|禁止|切勿)(?:外传|外泄|转载|翻印|复制|扩散|公开|上网|传播)+)*!?"
_INTERNAL = re.compile(rf"{_BEFORE}(?P<mark>{_INTERNAL_WORDS}){_STAR}*{_TERM}?{_KEEP}")
_DISPOSAL = re.compile(
    r"(?:(?:政府)?信息)?(?:公开|公布)(?:属性|方式|形式|类别|选项|类型|范围|程度|级别)[::](?P<mark>依申请公开|不予公开|不公开|暂不公开|内部公开|内部|不宜公开|删减后公开|部分公开)"
)
_THIS_PIECE = re.compile(r"(?:此|本)(?:件|文|文件)(?P<mark>依申请公开|不予公开|不公开|暂不公开|删减后公开|不宜公开)")
_LABELLED_INTERNAL = re.compile(
    r"(?:文件)?(?:密级|秘密等级|保密等级|保密级别|涉密等级)[::](?P<mark>内部|工作秘密|敏感|商密|商业秘密).{0,12}"
)

_FENCED_INTERNAL = re.compile(
    rf"^[\[【((〔](?P<mark>{_INTERNAL_WORDS})[\])】)〕]|[\[【((〔](?P<behind>{_INTERNAL_WORDS})[\])】)〕]$"
)

_FENCES = "【】[]〔〕()<>《》「」『』\"“”'‘’|·•#>"
_BODY = re.compile(r"[。;]$|^第[一二三四五六七八九十百0-9]+[条章]|^[一二三四五六七八九十]{1,3}、")
"""A line of the text itself: the head ends before it"""
_SECRET_COLUMNS = frozenset(
    {"密级", "秘密等级", "保密等级", "保密级别", "涉密等级", "密级标识", "定密", "密级和保密期限"}
)
_OPEN_COLUMNS = frozenset(
    {"公开属性", "公开方式", "公开形式", "公开类别", "公开选项", "公开范围", "信息公开选项", "是否公开"}
)
_NOT_OPEN = re.compile(rf"(?:{_INTERNAL_WORDS}|不宜公开|部分公开|否|不)")
_FILE_NAME = re.compile(rf"[\[【((〔](?P<level>{_LEVEL})[^\])】)〕]{{0,16}}[\]】))〕]|(?P<starred>{_LEVEL}){_STAR}")


class Classified(InvalidInput):
    """A file bears a state-secret mark.  Nothing of it may be kept or logged: not its text, nor its title or name."""

    code = "classified"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name}：文件标有国家秘密标志，没有导入，系统没有留下它的任何内容。"
            "请马上把这个文件从本系统所在的机器上移除，不要转发、复制或另存，并按本单位的保密规定报告。"
        )


class NeedsConfirmation(InvalidInput):
    """A file is marked as internal, and nobody has confirmed that it may be kept for staff."""

    code = "internal"


def bare(line: str) -> str:
    """A line as marks are compared: half-width, upper case, without spaces and without the fences around it."""
    text = unicodedata.normalize("NFKC", line).upper()
    return re.sub(r"[\s\u200b-\u200f\u2060\ufeff]+", "", text).strip(_FENCES)


def _pieces(line: str) -> list[str]:
    """The whole line, and its parts where a tab or a wide gap sets them apart."""
    parts = re.split(r"\t|[ \u00a0\u3000]{2,}", line.strip())
    return [bare(line), *(bare(part) for part in parts if len(parts) > 1 and part.strip())]


def secret_mark(line: str, *, alone: bool) -> bool:
    """Whether a line is a state-secret mark.

    Args:
        alone: whether the place (a head, a header, a text box) makes a mark of a level without star and term.
    """
    pieces = _pieces(line)
    if any(_STARRED.fullmatch(piece) for piece in pieces):
        return True
    if not alone:
        return False
    levels = {match["level"] for piece in pieces[1:] if (match := _ALONE.fullmatch(piece))}
    if len(levels) > 1:  # a row that lists the levels
        return False
    fenced = _FENCED.search(re.sub(r"\s", "", unicodedata.normalize("NFKC", line)))
    return bool(fenced) or any(form.fullmatch(piece) for piece in pieces for form in (_LABELLED, _SAID, _ALONE))


def internal_mark(line: str, *, alone: bool) -> str | None:
    """The mark (内部资料, 依申请公开) that keeps a document within the office; None if a line is none.

    Args:
        alone: whether the place makes a mark of the bare words.
    """
    forms = [_DISPOSAL, _THIS_PIECE]
    if alone:
        forms += [_INTERNAL, _LABELLED_INTERNAL]
        if m := _FENCED_INTERNAL.search(re.sub(r"\s", "", unicodedata.normalize("NFKC", line))):
            return m["mark"] or m["behind"]
    return next((m["mark"] for piece in _pieces(line) for form in forms if (m := form.fullmatch(piece))), None)


def check(name: str, lines: Sequence[str], furniture: Iterable[str] = ()) -> str | None:
    """Look through a document.  The internal mark that it bears, or None.

    Args:
        name: the file's name, for the person who brought it.
        lines: its text in order.
        furniture: what stands beside the text: headers, footers, text boxes, cells of a metadata table, watermarks.

    Raises:
        Classified: it bears a state-secret mark.
    """
    internal: str | None = None
    for line in furniture:
        if secret_mark(line, alone=True):
            raise Classified(name)
        internal = internal or internal_mark(line, alone=True)
    lines = [line for line in lines if line.strip()]
    head = _head(lines)
    levels = {number for number in range(head) if secret_mark(lines[number], alone=True)}
    listed = {number for number in levels if _one_of_a_list(lines, number)}
    if levels - listed:
        raise Classified(name)
    for number, line in enumerate(lines):
        if secret_mark(line, alone=False) and not (number and _EXAMPLE.search(bare(lines[number - 1]))):
            raise Classified(name)
        internal = internal or internal_mark(line, alone=number < head)
    return internal


def refuse_table(name: str, words: Iterable[str]) -> None:
    """Look at what stands above or beside a table.

    Raises:
        Classified: a state-secret mark.
        NeedsConfirmation: a mark of what is internal: what is in a table is for citizens.
    """
    for word in words:
        for line in word.split("\n"):
            if secret_mark(line, alone=True):
                raise Classified(name)
            if mark := internal_mark(line, alone=True):
                raise NeedsConfirmation(
                    f"{name}：标着「{mark}」，没有导入。问答、办事指南和文件目录都是给市民看的；"
                    "确认可以公开的，请由定稿的单位去掉标志后再导入。"
                )


def check_name(path: Path, shown: str) -> None:
    """A mark within brackets or with a star in a file's own name counts too.  Raises: Classified."""
    stem = unicodedata.normalize("NFKC", path.stem)
    if _FILE_NAME.search(stem) or secret_mark(stem, alone=True):
        raise Classified(shown)


def column(header: str) -> bool:
    """Whether a table's column says how secret or how public its rows are."""
    return bare(header) in _SECRET_COLUMNS | _OPEN_COLUMNS


def check_cell(name: str, header: str, value: str) -> str | None:
    """What a cell of such a column keeps from citizens, or None.  Raises: Classified."""
    text = bare(value)
    if bare(header) in _SECRET_COLUMNS:
        if secret_mark(value, alone=True):
            raise Classified(name)
        return text if re.fullmatch(_INTERNAL_WORDS, text) or text in ("敏感", "商密") else None
    return text if _NOT_OPEN.fullmatch(text) else None


def _head(lines: Sequence[str]) -> int:
    """How many lines are before the first sentence or clause."""
    for number, line in enumerate(lines[:HEAD_LINES]):
        if _BODY.search(bare(line)) and not _SAID.fullmatch(bare(line)):
            return number
    return min(len(lines), HEAD_LINES)


def _one_of_a_list(lines: Sequence[str], number: int) -> bool:
    """Whether a level stands next to another one: a list of the levels is no mark."""
    own = _ALONE.fullmatch(bare(lines[number]))
    beside = [lines[n] for n in (number - 1, number + 1) if 0 <= n < len(lines)]
    others = [match for line in beside if (match := _ALONE.fullmatch(bare(line)))]
    return own is not None and any(match["level"] != own["level"] for match in others)
