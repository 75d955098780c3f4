"""Tables of knowledge from people's spreadsheets, read tolerantly: encodings, header names, spellings of dates."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from functools import lru_cache
from hashlib import blake2b
from itertools import chain
from typing import Any, NamedTuple, cast, get_args

from bot import knowledge, regions
from bot.errors import InvalidInput
from index.knowledge_files import html_text, secrecy, sheets
from index.knowledge_files.rows import (
    KIND_NAMES,
    NEWLINE,
    NO_CLAUSE,
    ROWS,
    Bundle,
    Column,
    Head,
    Kind,
    PassageRow,
    Problem,
    check_row,
    clean,
    read_mark,
)
from index.knowledge_files.sheets import Bad, Row

COLUMNS: dict[Kind, dict[str, str]] = {
    "qa": {
        "编号": "id",
        "事项": "matter",
        "问题": "question",
        "答案": "answer",
        "相似问（每行一个）": "similar",
        "依据（每行一个）": "sources",
        "条款（与依据逐行对应）": "clauses",
        "依据待核（与依据逐行对应）": "unverified",
        "办事指南（每行一个）": "guides",
        "关联问答（每行一个编号）": "related",
        "适用对象": "audience",
        "地区": "region",
        "生效日期": "valid_from",
        "失效日期": "valid_to",
        "数据截至": "as_of",
        "复核日期": "review_by",
        "后果（重的写“重”）": "stakes",
        "先看什么情况": "condition",
        "登记要写明（每行一个）": "report",
        "部门": "department",
        "主题（每行一个）": "themes",
        "状态": "status",
        "审核人": "reviewed_by",
        "审核时间": "reviewed_at",
        "替代问答": "replaced_by",
    },
    "document": {
        "文件编号": "id",
        "文件标题": "title",
        "文号": "doc_no",
        "发文机关": "issuer",
        "地区": "region",
        "发文日期": "issued",
        "施行日期": "effective",
        "文件状态": "status",
        "网址": "url",
        "替代文件": "replaced_by",
        "内部文件确认人": "internal_confirmed_by",
    },
    "guide": {
        "指南编号": "id",
        "指南名称": "title",
        "部门": "department",
        "地区": "region",
        "申请条件": "who",
        "申请材料（每行一个）": "materials",
        "办理步骤（每行一个）": "steps",
        "办理时限": "time_limit",
        "收费": "fee",
        "办理渠道（每行一个）": "channels",
        "网上办不了怎么办": "fallback",
        "网址": "url",
        "电话": "phone",
        "地址": "address",
    },
}
"""The columns that export writes, in order: header → field."""
PASSAGES = "政策原文"
PASSAGE_COLUMNS = {"文件编号": "document", "条款": "label", "原文": "text"}
"""The same for the pieces of documents, which have no number of their own"""
_ALIASES: dict[Kind, dict[str, str]] = {
    "qa": {
        "id": "qa_id 问答编号",
        "matter": "类别 分类 类目 栏目 业务 cat category 所属事项",
        "question": "标准问 标准问题 问 q title 咨询问题 问句 提问 问题描述 问题内容 问题标题 常见问题 咨询内容 咨询标题 咨询主题 留言主题 留言标题 来信主题 来信标题 诉求标题 诉求主题 信件标题",
        "answer": "回答 回复 标准答案 答 a 答复 答复内容 回复内容 解答 答复意见 回复意见 答复结果 回复正文 官方回复 官方答复 答案内容 答复口径 参考答案 回答内容 解答内容",
        "similar": "相似问题 相似问法 扩展问 同义问 问法 扩展问法 相似说法",
        "sources": "政策依据 法律依据 依据文件 文件依据 法规依据",
        "clauses": "clause 条 条文",
        "audience": "服务对象 对象",
        "region": "area 区域 行政区划 适用地区",
        "valid_from": "有效期起 开始日期 施行日期",
        "valid_to": "有效期止 截止日期 结束日期",
        "as_of": "date 日期 更新日期 更新时间 发布日期",
        "department": "dept 责任部门 承办单位 主管部门 发布部门 单位 答复单位 答复部门 回复单位 办理单位 牵头部门 所属部门",
        "themes": "主题分类",
    },
    "document": {"title": "标题 政策文件", "url": "链接", "effective": "生效日期", "issued": "发布日期 印发日期"},
    "guide": {
        "title": "事项名称 办事指南 标题 name",
        "department": "dept 办理部门 实施主体",
        "region": "area 区域 行政区划",
        "who": "accept 受理条件 办理条件",
        "materials": "材料 所需材料",
        "steps": "步骤 办理流程",
        "time_limit": "承诺时限",
        "fee": "收费标准",
        "channels": "渠道",
        "url": "链接 办理链接",
        "phone": "咨询电话 联系电话",
        "address": "办理地点 办理地址",
        "text": "全文",
    },
}
_REQUIRED: dict[Kind, set[str]] = {"qa": {"question", "answer"}, "guide": {"title"}, "document": {"title"}}
_OWN: dict[Kind, set[str]] = {
    "qa": {"question", "answer"},
    "guide": {"who", "materials", "steps", "time_limit", "text", "channels", "address"},
    "document": {"doc_no", "issuer", "effective"},
}
_MORE: dict[Kind, tuple[str, ...]] = {"qa": ("clauses", "unverified"), "guide": ("text",), "document": ()}
_IGNORED = {"序号", "no", "备注"}
LISTS = {
    "similar",
    "sources",
    "clauses",
    "unverified",
    "guides",
    "related",
    "themes",
    "materials",
    "steps",
    "channels",
    "report",
}
_STATUSES = {name: status for status, name in knowledge.STATUS_NAMES.items()}
_AUDIENCES = {
    "个人": {"个人", "自然人", "群众", "市民"},
    "企业": {"企业", "法人", "单位", "企业法人"},
    "个人和企业": {"", "全部", "不限", "个人企业", "个人和企业", "个人与企业", "企业和个人", "企业个人"},
}
QUOTED = "=+-@'"  # a cell that starts so is a formula to Excel, or our own mark


def _plain_header(header: str) -> str:
    header = unicodedata.normalize("NFKC", header).strip(" *\n\t").lower()
    return re.sub(r"\s+", "", re.sub(r"\(.*?\)", "", header))


def _headers(kind: Kind) -> dict[str, str]:
    names = {_plain_header(header): name for header, name in COLUMNS[kind].items()}
    names |= {alias: name for name, aliases in _ALIASES[kind].items() for alias in aliases.split()}
    return names | {name: name for name in [*ROWS[kind].model_fields, *_MORE[kind]]}


_HEADERS: dict[Kind, dict[str, str]] = {kind: _headers(kind) for kind in KIND_NAMES}


def column_mapping(pairs: Iterable[str]) -> dict[str, str]:
    """What ``--map`` says: 留言主题=问题, the table's header and ours (or a field's name).

    Raises:
        InvalidInput: not of this form, or there is no such column of ours.
    """
    mapping: dict[str, str] = {}
    for pair in pairs:
        theirs, equals, ours = pair.partition("=")
        if not (equals and _plain_header(theirs) and _plain_header(ours)):
            raise InvalidInput(f"--map 应当写成“表里的列名=本系统的列名”，例如 --map 留言主题=问题，而不是「{pair}」。")
        if not any(_plain_header(ours) in known for known in _HEADERS.values()):
            names = "、".join(
                dict.fromkeys(re.sub("（.*", "", header) for kind in KIND_NAMES for header in COLUMNS[kind])
            )
            raise InvalidInput(f"--map：本系统没有「{ours}」这一列，可用的有：{names}。")
        mapping[_plain_header(theirs)] = _plain_header(ours)
    return mapping


def is_passages(headers: Iterable[str]) -> bool:
    """Whether a table holds pieces of documents."""
    return {"文件编号", "原文"} <= set(headers)


def _likely(rows: Sequence[Row]) -> int:
    """Which of the first rows is the header, where none is known: the one with the most short words."""
    short = [sum(0 < len(clean(cell_text(cell))) <= 20 for cell in row.cells) for row in rows]
    return short.index(max(short))


def _no_header(rows: Sequence[Row], kind: str) -> tuple[int, str]:
    """Where, and how, to say that no header was found: with what stands there and how to go on."""
    likely = rows[_likely(rows)]
    headers = [clean(cell_text(cell)) for cell in likely.cells]
    found = "、".join(f"「{header[:20]}」" for header in headers[:12] if header)
    need = {"qa": ("问题", "答案"), "guide": ("指南名称",), "document": ("文件标题",)}.get(kind, ("问题", "答案"))
    guesses = {
        "问题": r"问|主题|标题|诉求|咨询",
        "答案": r"答|复|解|结果|内容",
        "指南名称": r"名称|事项|标题",
        "文件标题": r"标题|名称|文件",
    }
    pairs: list[str] = []
    for ours in need:
        taken = {pair.partition("=")[0] for pair in pairs}
        fitting = (one for one in headers if one and one not in taken and re.search(guesses[ours], one))
        pairs.append(f"--map {next(fitting, '表里的列名')[:20]}={ours}")
    return likely.line, (
        f"前 {HEADER_ROWS} 行里没有找到表头，至少需要这些列：{'、'.join(need)}。看到的是：{found}。"
        f"列名不同的，请说明哪一列是什么，例如：{' '.join(pairs)}"
    )


SKIPPED = "skip"
"""The kind of a table that is not imported"""


class Layout(NamedTuple):
    """What a person says that the columns of a table mean."""

    kind: str
    """Of its rows: a kind, or ``SKIPPED``"""
    columns: Mapping[str, str]
    """Header, as compared → field; empty: not imported"""


@dataclass(frozen=True)
class Columns:
    """What people say that columns mean, where their headers don't."""

    everywhere: Mapping[str, str] = field(default_factory=dict)
    """Header, as compared → header or field that is known; see ``column_mapping``"""
    layouts: Mapping[str, Layout] = field(default_factory=dict)
    """By ``header_set``: what is known of tables with just these headers"""

    def layout(self, headers: Sequence[str]) -> Layout | None:
        """What is known of this table; None, too, where the program has such fields no more."""
        found = self.layouts.get(header_set(headers)) if self.layouts else None
        if found is None or found.kind == SKIPPED:
            return found
        known = (
            kind_of(map(_plain_header, numbered(headers)), found.kind, found.columns) if found.kind in ROWS else None
        )
        return found if known else None


def header_set(headers: Iterable[str]) -> str:
    """A digest that tables with the same columns share, in whatever order."""
    words = "\x1f".join(sorted(_plain_header(header) for header in numbered(headers) if header))
    return blake2b(words.encode(), digest_size=16).hexdigest()


def numbered(headers: Iterable[str]) -> list[str]:
    """Headers of which no two read the same: the second gets a number."""
    seen: dict[str, int] = {}
    found = []
    for header in headers:
        plain = _plain_header(header)
        seen[plain] = seen.get(plain, 0) + 1
        found.append(f"{header} {seen[plain]}" if plain and seen[plain] > 1 else header)
    return found


def offered(kind: Kind) -> list[dict[str, Any]]:
    """What a column of such a table may be for: field, its name for people, whether there must be one."""
    names = {name: header.partition("（")[0] for header, name in COLUMNS[kind].items()}
    names |= {"text": "全文"} if kind == "guide" else {}
    return [{"field": name, "name": shown, "required": name in _REQUIRED[kind]} for name, shown in names.items()]


def names_of(kind: Kind) -> Mapping[str, str]:
    """Every header that is known, as compared → its field."""
    return _HEADERS[kind]


def _two_lines(top: Row, bottom: Row, *, merged: bool) -> list[str]:
    """The headers of a table whose header has two lines: 答复 over 内容 and 日期.

    Args:
        merged: whether it is known which cells are merged; else an empty cell belongs to the one on its left.
    """
    uppers = [clean(cell_text(cell)) for cell in top.cells]
    lowers = [clean(cell_text(cell)) for cell in bottom.cells]
    width = max(len(uppers), len(lowers))
    uppers += [""] * (width - len(uppers))
    lowers += [""] * (width - len(lowers))
    for column in range(1, width):
        if not uppers[column] and (column in top.across or (not merged and lowers[column])):
            uppers[column] = uppers[column - 1]
    known = {plain for kind in KIND_NAMES for plain in _HEADERS[kind]}
    found = []
    for upper, lower in zip(uppers, lowers, strict=True):
        if not upper or not lower or upper == lower:
            found.append(lower or upper)
        elif _plain_header(upper + lower) not in known and _plain_header(lower) in known and lowers.count(lower) == 1:
            found.append(lower)
        else:
            found.append(upper + lower)
    return found


def field_of(kind: Kind, header: str, mapping: Mapping[str, str]) -> str | None:
    """The field that a column is for, by what a person says of it, else by its header; None if it isn't known."""
    plain = _plain_header(header)
    return _HEADERS[kind].get(mapping.get(plain, plain))


def kind_of(headers: Iterable[str], kind: str, mapping: Mapping[str, str]) -> Kind | None:
    """Which kind of rows a set of headers is for; None when required columns are missing."""
    headers = [header for header in headers if header]
    kinds: tuple[Kind, ...] = ("qa", "guide", "document") if kind == "auto" else (cast("Kind", kind),)
    best: tuple[int, Kind] | None = None
    for one in kinds:
        fields = {name for header in headers if (name := field_of(one, header, mapping))}
        if fields >= _REQUIRED[one] and (len(kinds) == 1 or fields & _OWN[one]):
            score = len(fields) + (100 if one == "qa" else 0)
            best = max(best, (score, one)) if best else (score, one)
    return best[1] if best else None


HEADER_ROWS = 20
"""Rows that are not empty, among which the header is looked for: titles and notes may stand above it."""
_DAYS: dict[Kind, set[str]] = {
    kind: {name for name, about in row.model_fields.items() if {date, datetime} & set(get_args(about.annotation))}
    for kind, row in ROWS.items()
}
"""Fields that are days or moments"""
_NO_DAYS = {"id", "doc_no", "time_limit", "fee", "phone", "clauses", "sources", "guides", "related", "replaced_by"}
"""Fields in which a date is what Excel makes of 3-5 (个工作日)."""
_SCIENTIFIC = re.compile(r"\d(?:\.\d+)?[Ee]\+\d{1,2}")


@dataclass
class Table:
    """One table on its way into a bundle."""

    bundle: Bundle
    file: str
    kind: str
    region: str
    stem: str
    cells: bool = True
    """Whether values are spreadsheet cells: lists by newline, formulas quoted."""
    lossy: bool = False
    """Whether some bytes could not be decoded; they stand as U+FFFD."""
    columns: Columns = field(default_factory=Columns)
    merges: bool = False
    """Whether it is known which cells are merged"""
    complained: set[str] = field(default_factory=set)

    def problem(self, line: int | None, reason: str) -> None:
        self.bundle.problems.append(Problem(self.file, line, reason))

    def read(self, rows: Iterator[Row]) -> None:
        """Take a sheet: the header is the first row, of the first few, that has the columns needed.

        Raises:
            Classified: a state-secret mark stands above the table, in a cell, or in its column 密级.
            NeedsConfirmation: the table is marked as internal, and what is in a table is for citizens.
        """
        before: list[Row] = []
        for row in rows:
            headers = [clean(cell_text(cell)) for cell in row.cells]
            if not any(headers):
                continue
            above = before[-1] if before and before[-1].line == row.line - 1 else None
            layout = self._layout(headers)
            if layout is None and above is not None:
                joined = _two_lines(above, row, merged=self.merges)
                layout = self._layout(joined)
                headers = joined if layout else headers
            elif layout is not None and row.across:
                headers, layout, rows = self._second_line(row, headers, layout, rows)
            if layout is not None:
                self._read_rows(layout, headers, row.line, rows)
                return
            if is_passages(headers):
                self._read_passages(headers, rows)
                return
            secrecy.refuse_table(self.file, ["\t".join(headers)])
            before.append(row)
            if len(before) == HEADER_ROWS:
                break
        if not before:
            self.problem(None, "文件是空的" if self.cells else "没有内容")
            return
        self._guess(before)
        self.problem(*_no_header(before, self.kind))

    def _layout(self, headers: list[str]) -> Layout | None:
        """What a row means as a header: as a person has said of these headers, else by their names; None: it is none."""
        if known := self.columns.layout(headers):
            return known
        kind = kind_of(headers, self.kind, self.columns.everywhere)
        return Layout(kind, self.columns.everywhere) if kind else None

    def _second_line(
        self, row: Row, headers: list[str], layout: Layout, rows: Iterator[Row]
    ) -> tuple[list[str], Layout, Iterator[Row]]:
        """A header whose cells are merged across may go on in the next row, over which the others are merged."""
        below = next(rows, None)
        if below is None:
            return headers, layout, iter(())
        if below.line == row.line + 1 and below.filled:
            joined = _two_lines(row, below, merged=True)
            if whole := self._layout(joined):
                return joined, whole, rows
        return headers, layout, chain([below], rows)

    def _guess(self, rows: Sequence[Row]) -> None:
        """Note what may be the header, for a person to say what its columns mean."""
        at = _likely(rows)
        headers = [clean(cell_text(cell)) for cell in rows[at].cells]
        for top, bottom in ((at - 1, at), (at, at + 1)):
            pair = top >= 0 and bottom < len(rows) and rows[top].line + 1 == rows[bottom].line
            if pair and rows[top].across and (bottom == at or rows[bottom].filled):
                headers, at = _two_lines(rows[top], rows[bottom], merged=self.merges), bottom
                break
        if sum(map(bool, headers)) < 2:
            return  # a cover, a note: no table
        head = self._head(None, headers, rows[at].line)
        for row in rows[at + 1 : at + 1 + SAMPLES]:
            _sample(head, row)

    def of_records(self, records: Sequence[Mapping[str, Any]]) -> Layout | None:
        """Note the names that records have, as a table's header; what a person has said of them, if so."""
        keys = list(dict.fromkeys(str(key) for record in records for key in record))
        if not keys:
            return None
        known = self.columns.layout(keys)
        kind = kind_of(keys, self.kind, self.columns.everywhere)
        head = self._head(known or (Layout(kind, self.columns.everywhere) if kind else None), keys, 1)
        for number, record in enumerate(records, 1):
            _sample(head, Row(number, [record.get(key) for key in keys]))
        return known

    def _head(self, layout: Layout | None, headers: list[str], line: int) -> Head:
        kind = layout.kind if layout and layout.kind in ROWS else None
        remembered = layout is not None and layout is self.columns.layout(headers)
        shown = numbered(headers)
        head = Head(
            self.file,
            line,
            kind,
            header_set(headers),
            [
                Column(
                    header,
                    _plain_header(header),
                    field_of(kind, header, layout.columns) if kind and layout and header else None,
                )
                for header in shown
            ],
            remembered,
        )
        self.bundle.heads.append(head)
        return head

    def _read_rows(self, layout: Layout, headers: list[str], line: int, rows: Iterator[Row]) -> None:
        head = self._head(layout, headers, line)
        if layout.kind == SKIPPED:
            return
        kind, mapping = cast("Kind", layout.kind), layout.columns
        headers = numbered(headers) if head.remembered else headers
        names: dict[int, str] = {}
        marks: dict[int, str] = {}
        for index, header in enumerate(headers):
            plain = _plain_header(header)
            name = field_of(kind, header, mapping)
            if secrecy.column(header) and not name:
                marks[index] = header
            elif name in names.values():
                self.problem(line, f"「{header}」与另一列意思相同，已忽略")
            elif name:
                names[index] = name
            elif plain and plain not in _IGNORED and mapping.get(plain) != "":
                self.problem(line, f"不认识的列「{header}」，已忽略")
        for source in self.columns.everywhere:
            if source not in map(_plain_header, headers):
                self.problem(line, f"--map 里的列「{source}」表里没有")
        shown = {name: headers[index] for index, name in names.items()}
        columns = {name: index for index, name in names.items()}
        key = columns["question" if kind == "qa" else "title"]
        together: list[tuple[int, dict[str, Any]]] = []
        for row in rows:
            number, cells, filled, _ = row
            _sample(head, row)
            if any(self.marked(cell) for cell in cells):
                raise secrecy.Classified(self.file)
            kept = [
                mark
                for index, header in marks.items()
                if index < len(cells) and (mark := secrecy.check_cell(self.file, header, cell_text(cells[index])))
            ]
            if kept:
                self.problem(number, f"标着「{kept[0]}」，没有导入")
                continue
            values = {name: cells[index] for index, name in names.items() if index < len(cells)}
            said = {name: clean(cell_text(cell)) for name, cell in values.items()}
            if not any(said.values()) and not any(isinstance(cell, Bad) for cell in values.values()):
                continue
            if said == shown or (not together and key in filled):
                continue  # the header once more: on every printed page, or merged over two rows
            if together and key not in filled:
                self._take_together(kind, together, shown)
                together = []
            together.append((number, values))
        self._take_together(kind, together, shown)

    def _read_passages(self, headers: list[str], rows: Iterator[Row]) -> None:
        names = {index: name for index, header in enumerate(headers) if (name := PASSAGE_COLUMNS.get(header))}
        for line, cells, *_ in rows:
            data = {
                name: clean(self._unquote(cell_text(cells[index])))
                for index, name in names.items()
                if index < len(cells)
            }
            if secrecy.secret_mark(data.get("text", ""), alone=False):
                raise secrecy.Classified(self.file)
            if not any(data.values()):
                continue
            data["document"] = self._name(data.get("document", ""))
            row = check_row(PassageRow, data, {name: header for header, name in PASSAGE_COLUMNS.items()})
            if isinstance(row, list):
                for reason in row:
                    self.problem(line, reason)
            else:
                self.bundle.passages.append(row)

    def marked(self, cell: Any) -> bool:
        """Whether a cell holds a state-secret mark with its star: a level alone may be an answer."""
        return (
            isinstance(cell, str)
            and "密" in cell
            and any(secrecy.secret_mark(line, alone=False) for line in cell.split("\n") if len(line) < 60)
        )

    def _take_together(self, kind: Kind, rows: list[tuple[int, dict[str, Any]]], shown: Mapping[str, str]) -> None:
        """Rows over which the question is merged: one item with lists over several rows, or items that differ by region."""
        if len(rows) < 2:
            for line, values in rows:
                self.take(kind, line, values, shown)
            return
        first = dict(rows[0][1])
        differ = [
            name
            for name in shown
            if name not in LISTS
            and len({said for _, values in rows if (said := clean(cell_text(values.get(name))))}) > 1
        ]
        if not differ:
            for name in shown:
                cells = [value for _, values in rows if (value := values.get(name)) not in (None, "")]
                bad = next((value for value in cells if isinstance(value, Bad)), None)
                if bad is not None:
                    first[name] = bad
                elif name in LISTS:
                    first[name] = "\n".join(dict.fromkeys(map(cell_text, cells)))
                elif cells:
                    first[name] = cells[0]
            self.take(kind, rows[0][0], first, shown)
        elif {"id", "region"} & set(differ):
            for line, values in rows:
                self.take(kind, line, values, shown)
        else:
            names = "、".join(f"「{shown[name]}」" for name in differ)
            self.problem(
                rows[0][0],
                f"第 {rows[0][0]}–{rows[-1][0]} 行合并成了一条，{names}却写了几种，不知道哪一种算数，没有导入",
            )

    def take(self, kind: Kind, line: int, values: dict[str, Any], shown: Mapping[str, str]) -> None:
        """Take one row; a bad one becomes a problem."""
        data: dict[str, Any] = {}
        for name, value in values.items():
            label = shown.get(name, name)
            if isinstance(value, Bad):
                self.problem(line, f"「{label}」{value.reason}")
                return
            if isinstance(value, (date, time)) and name in _NO_DAYS:
                self.problem(
                    line,
                    f"「{label}」是日期 {cell_text(value)}，可能是 Excel 把“3-5”这样的内容改成了日期。请把单元格设为文本，重新填写",
                )
                return
            if isinstance(value, str) and name not in _DAYS[kind] and _SCIENTIFIC.fullmatch(value.strip()):
                self.problem(
                    line, f"「{label}」是科学计数法“{value.strip()}”，末尾几位已经丢失。请把单元格设为文本，重新填写"
                )
                return
            if name in LISTS:
                # An empty first line counts: 条款 goes line by line with 依据.
                data[name] = (
                    list(map(self._words, value)) if isinstance(value, list) else self._words(value).split("\n")
                )
            else:
                data[name] = value if isinstance(value, date) and name in _DAYS[kind] else clean(self._words(value))
        if self.lossy and any("\ufffd" in str(value) for value in data.values()):
            self.problem(line, "有无法识别的字符，请把文件另存为 UTF-8 或 GBK 编码")
            return
        data = {
            name: value for name, value in data.items() if value != "" and (not isinstance(value, list) or any(value))
        }
        try:
            data["region"] = self._region(str(data.get("region", "")))
            complete = {"qa": self._qa, "guide": self._guide, "document": self._document}[kind]
            complete(data)
        except ValueError as error:
            self.problem(line, str(error))
            return
        row = check_row(ROWS[kind], data, shown)
        if isinstance(row, list):
            for reason in row:
                self.problem(line, reason)
        else:
            given = {*values, *data} if "text" in values else set(values)
            self.bundle.add(kind, row, self.file, line, given)

    def _words(self, value: Any) -> Any:
        """A cell's words: without the quote that keeps them from being a formula, and HTML as text."""
        if isinstance(value, dict):  # JSON: a source with its clause
            return value
        words = NEWLINE.sub("\n", cell_text(value))
        text = self._unquote(words)
        return text if text is not words or not html_text.looks_like_html(text) else html_text.plain_text(text)

    def _unquote(self, text: str) -> str:
        """A cell's text without the ' that keeps it from being a formula, a number or HTML."""
        quoted = self.cells and len(text) > 1 and text[0] == "'"
        if quoted and (text[1] in QUOTED or text[1].isdigit() or html_text.looks_like_html(text)):
            return text[1:]
        return text

    def _region(self, text: str) -> str:
        text = clean(text)
        if not text:
            return self.region
        if re.fullmatch(r"\d{6}", text):
            return text
        code = region_code(text)
        if code is None:
            raise ValueError(f"不认识地区「{text[:20]}」，请写 6 位行政区划代码或完整名称")
        return code

    def _name(self, text: str) -> str:
        """A bare number says little: with the file's name it does not meet the numbers of another file."""
        text = clean(text)
        return f"{self.stem}-{text}" if re.fullmatch(r"\d{1,6}", text) else text

    def _qa(self, data: dict[str, Any]) -> None:
        for name, label in (("question", "问题"), ("answer", "答案")):
            if not data.get(name):
                raise ValueError(f"「{label}」是空的")
        question = str(data["question"])
        data["id"] = self._name(str(data.get("id") or made_id("qa", question, data["region"])))
        data.setdefault("matter", knowledge.OTHER)
        for name in ("related", "replaced_by"):
            if isinstance(value := data.get(name), list):
                data[name] = [self._name(str(item)) for item in value]
            elif value:
                data[name] = self._name(str(value))
        audience = re.sub(r"[、,，和与及/\s]", "", str(data.get("audience", "")))
        data["audience"] = next((name for name, said in _AUDIENCES.items() if audience in said), data.get("audience"))
        if status := data.get("status"):
            data["status"] = _STATUSES.get(str(status), status)
            if data["status"] not in knowledge.STATUS_NAMES:
                raise ValueError(f"「状态」应当是 {'、'.join(_STATUSES)} 之一")
        clauses = [clean(str(item or "")).removeprefix(NO_CLAUSE) for item in data.pop("clauses", [])]
        marks = [read_mark(item) for item in data.pop("unverified", [])]
        sources = data.get("sources", [])
        for name, beside in (("条款", clauses), ("依据待核", marks)):
            if any(beside[len(sources) :]):
                raise ValueError(f"「{name}」比「依据」多，应当逐行对应")
        data["sources"] = [
            item
            if isinstance(item, dict)
            else {
                "document": self._name(_reference(str(item))),
                "clause": clauses[index] if index < len(clauses) else None,
                "unverified": index < len(marks) and marks[index],
            }
            for index, item in enumerate(sources)
            if isinstance(item, dict) or clean(str(item))
        ]
        data["guides"] = [self._name(_reference(str(item))) for item in data.get("guides", []) if clean(str(item))]

    def _guide(self, data: dict[str, Any]) -> None:
        if not data.get("title"):
            raise ValueError("「指南名称」是空的")
        for name, value in _fields_of_text(str(data.pop("text", ""))).items():
            data.setdefault(name, value)
        data["id"] = self._name(str(data.get("id") or made_id("guide", data["title"], data["region"])))

    def _document(self, data: dict[str, Any]) -> None:
        if not data.get("title"):
            raise ValueError("「文件标题」是空的")
        if secrecy.secret_mark(str(data["title"]), alone=True):
            raise secrecy.Classified(self.file)
        data["id"] = self._name(str(data.get("id") or made_id("doc", bare_title(str(data["title"])))))
        if replaced_by := data.get("replaced_by"):
            data["replaced_by"] = self._name(str(replaced_by))


SAMPLES = 3
"""Rows of a table that are shown to whoever says what its columns mean"""
_SAMPLE_CHARS = 60


def _sample(head: Head, row: Row) -> None:
    """Keep the beginnings of a row's cells, of the first few rows."""
    if head.columns and len(head.columns[0].samples) < SAMPLES:
        for index, column in enumerate(head.columns):
            words = clean(cell_text(row.cells[index])) if index < len(row.cells) else ""
            column.samples.append(re.sub(r"\s+", " ", words)[:_SAMPLE_CHARS])


@lru_cache(maxsize=4096)
def region_code(name: str) -> str | None:
    """The GB/T 2260 code of a region's full name (全国, 广东省, 广东省广州市); None when there is no such region."""
    if name in ("全国", "中国", "国家"):
        return regions.NATION
    found = regions.find(name, within=None)
    exact = [region.code for region in found if regions.full_name(region.code) == name]
    return exact[0] if exact else found[0].code if len(found) == 1 else None


def cell_text(value: Any) -> str:
    """A spreadsheet's or JSON's value as the text that a person sees there; none for a cell whose value can't be told."""
    return "" if isinstance(value, Bad) else sheets.as_text(value)


def made_id(prefix: str, *parts: str) -> str:
    """An id that the same words get every time."""
    words = "\x1f".join(re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", part)).lower() for part in parts)
    return f"{prefix}-{blake2b(words.encode(), digest_size=8).hexdigest()}"


def bare_title(title: str) -> str:
    """A title as it is compared: without 《》 around it and without spaces."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", title)).removeprefix("《").removesuffix("》")


def _reference(text: str) -> str:
    """What a cell refers to: the id in 标题 [id], else the words as they are."""
    text = clean(text)
    match = re.search(r"\[([\w.\-]{1,64})\]$", text)
    return match[1] if match else text


_GUIDE_LINES = {
    "办理部门": "department",
    "受理条件": "who",
    "申请材料": "materials",
    "办理时限": "time_limit",
    "办理地点": "address",
    "咨询电话": "phone",
    "收费": "fee",
}
_GUIDE_OTHER = ("事项类型", "法定时限", "投诉电话", "到现场次数", "快递服务", "网上预约", "服务对象", "主题")


def _fields_of_text(text: str) -> dict[str, Any]:
    """Fields out of a guide's running text of lines 名称：内容, as government portals publish them."""
    found: dict[str, str] = {}
    current = ""
    for line in clean(text).split("\n"):
        label, colon, rest = line.partition("：")
        if colon and (label in _GUIDE_LINES or label in _GUIDE_OTHER):
            current, line = label, rest.removeprefix(f"{label}：")
        if current:
            found[current] = f"{found[current]}\n{line}" if current in found else line
    fields: dict[str, Any] = {name: found[label] for label, name in _GUIDE_LINES.items() if found.get(label)}
    if "materials" in fields:
        fields["materials"] = _split(fields["materials"])
    if "time_limit" in fields:
        fields["time_limit"] = re.sub(r"\((工作日|自然日|日)\)", r"个\1", fields["time_limit"])
    if found.get("网上预约") == "是":
        fields["channels"] = ["线下窗口", "网上预约"]
    return fields


def _split(text: str) -> list[str]:
    """Split at 、 and ；, but not within brackets or book-title marks."""
    parts, depth = [""], 0
    for char in text:
        depth += (char in "（(《“「") - (char in "）)》”」")
        if char in "、；;\n" and depth <= 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts
