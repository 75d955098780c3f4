"""Knowledge in files: read YAML, CSV, XLSX and JSONL, bring it into the database, write it out again without loss.

Reading never fails as a whole because of a bad row: it gives a ``Bundle`` of what is good and a list of ``Problem``s
that name file, line and reason.  Tables come from people's spreadsheets, so they are read tolerantly (encodings, header
names, spellings of dates); YAML is ours, so it is read strictly.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, cast, get_args
from zoneinfo import ZoneInfo

import yaml
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ERROR_CODES
from openpyxl.styles import Alignment, Font
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import audit, knowledge, regions
from bot.errors import InvalidInput, NotFound
from bot.models import QA, Counter, Document, Passage, ServiceGuide
from bot.settings import get_settings
from index import html_text, secrecy, sheets
from index.office_files import refuse_unreadable, shown_name
from index.sheets import Bad, Row

STARTER = Path(__file__).parent / "knowledge"
"""The starter knowledge: national rules, 示范知识，待本市部门审核."""

MAX_CHARS = 20_000
"""The longest text of one field; Excel itself ends at 32,767."""

Kind = Literal["document", "guide", "qa"]
KIND_NAMES: dict[Kind, str] = {"document": "政策文件", "guide": "办事指南", "qa": "问答"}

_CHINA = ZoneInfo("Asia/Shanghai")
_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u200b\u200e\u200f\u202a-\u202e\u2060\ud800-\udfff\ufeff\ufffe\uffff]"
)
_NEWLINE = re.compile("\r\n|[\r\x85\u2028\u2029]")
_MISSING = ("", "~", "null")
_NO_CLAUSE = "—"


# --- the schema ------------------------------------------------------------------------------------------------------


def clean(value: str) -> str:
    """Text without control characters, with ``\\n`` between lines and nothing at the edges."""
    value = _CONTROL.sub("", _NEWLINE.sub("\n", value))
    return "\n".join(line.rstrip() for line in value.split("\n")).strip()


def parse_date(value: Any) -> date | None:
    """A day in any of the spellings that people and Excel use; None for nothing or 长期.  Raises: ValueError."""
    if isinstance(value, datetime):
        return value.date()
    if value is None or isinstance(value, date):
        return value
    text = unicodedata.normalize("NFKC", str(value)).strip()
    if text.lower() in (*_MISSING, "长期", "长期有效", "-", "无"):
        return None
    if re.fullmatch(r"\d{5}(\.0+)?", text):  # Excel's count of days
        return date(1899, 12, 30) + timedelta(days=int(float(text)))
    match = re.fullmatch(r"(\d{4})(?:[-/.年]\s*(\d{1,2})[-/.月]\s*(\d{1,2})日?|(\d\d)(\d\d))(?:[T ][\d:.+Z]*)?", text)
    if not match:
        raise ValueError(f"看不懂日期「{text[:20]}」，请写成 2024-01-31")
    year, month, day = match[1], match[2] or match[4], match[3] or match[5]
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        raise ValueError(f"没有「{text[:20]}」这一天") from None


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    value = clean(value)
    if not value:
        raise ValueError("不能为空")
    if len(value) > MAX_CHARS:
        raise ValueError(f"超过 {MAX_CHARS} 个字（共 {len(value)} 个），请检查引号是否成对，或拆成几条")
    return value


def _line(value: Any) -> Any:
    value = _text(value)
    return re.sub(r"\s+", " ", value) if isinstance(value, str) else value


def _optional(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None or (isinstance(value, str) and not clean(value)) else check(value)


def _lines(value: Any) -> Any:
    if value is None:
        return []
    if not isinstance(value, list):
        return value
    lines = [_line(item) for item in value if not (item is None or (isinstance(item, str) and not clean(item)))]
    return list(dict.fromkeys(lines)) if all(isinstance(line, str) for line in lines) else lines


def _address(value: Any) -> Any:
    value = _line(value)
    if isinstance(value, str) and not re.match(r"https?://[^\s]+$", value):
        raise ValueError("网址要以 http:// 或 https:// 开头")
    return value


def _moment(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        raise ValueError(f"看不懂时间「{value[:30]}」，请写成 2024-01-31 09:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=_CHINA)


def _mark(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return bool(value)
    text = clean(str(value)).lower()
    if text in ("待核", "依据待核", "true", "是"):
        return True
    if text in ("", _NO_CLAUSE, "-", "已核", "false", "否"):
        return False
    raise ValueError(f"依据待核应当写“待核”或“{_NO_CLAUSE}”，不是「{text[:20]}」")


def _region(value: Any) -> Any:
    value = _line(value)
    if isinstance(value, str):
        try:
            regions.get(value)
        except NotFound as error:
            raise ValueError(f"应当是 6 位行政区划代码，没有「{value[:20]}」") from error
    return value


Slug = Annotated[str, BeforeValidator(_line), Field(pattern=r"^[\w.\-]{1,64}$")]
RegionCode = Annotated[str, BeforeValidator(_region)]
Prose = Annotated[str, BeforeValidator(_text)]
OneLine = Annotated[str, BeforeValidator(_line)]
MaybeProse = Annotated[str | None, BeforeValidator(_optional(_text))]
MaybeLine = Annotated[str | None, BeforeValidator(_optional(_line))]
MaybeUrl = Annotated[str | None, BeforeValidator(_optional(_address))]
MaybeSlug = Annotated[Annotated[str, Field(pattern=r"^[\w.\-]{1,64}$")] | None, BeforeValidator(_optional(_line))]
Lines = Annotated[list[str], BeforeValidator(_lines)]
Day = Annotated[date | None, BeforeValidator(parse_date)]
Moment = Annotated[datetime | None, BeforeValidator(_optional(_moment))]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DocumentRow(_Row):
    """A policy document as files have it."""

    id: Slug
    title: OneLine
    doc_no: MaybeLine = None
    issuer: MaybeLine = None
    region: RegionCode = regions.NATION
    issued: Day = None
    effective: Day = None
    status: Literal["有效", "已修改", "已废止"] = "有效"
    url: MaybeUrl = None
    replaced_by: MaybeSlug = None
    internal_confirmed_by: MaybeLine = None


class GuideRow(_Row):
    """A service guide as files have it."""

    id: Slug
    title: OneLine
    department: MaybeLine = None
    region: RegionCode = regions.NATION
    who: MaybeProse = None
    materials: Lines = []
    steps: Lines = []
    time_limit: MaybeProse = None
    fee: MaybeProse = None
    channels: Lines = []
    fallback: MaybeProse = None
    url: MaybeUrl = None
    phone: MaybeLine = None
    address: MaybeProse = None


class SourceRow(_Row):
    """What an answer rests on: a document's id (in tables also its title), and where in it."""

    document: OneLine
    clause: MaybeLine = None
    unverified: Annotated[bool, BeforeValidator(_mark)] = False
    """依据待核: nobody has compared the answer with the official text yet."""


class QARow(_Row):
    """A question and its answer as files have it.  Without a status it is a draft."""

    id: Slug
    matter: OneLine
    question: OneLine
    answer: Prose
    similar: Lines = []
    sources: list[SourceRow] = []
    guides: Lines = []
    related: Lines = []
    themes: Lines = []
    audience: Literal["个人", "企业", "个人和企业"] = "个人和企业"
    region: RegionCode = regions.NATION
    department: MaybeLine = None
    valid_from: Day = None
    valid_to: Day = None
    as_of: Day = None
    review_by: Day = None
    """The last day on which its figures may stand without another look."""
    status: Literal["draft", "approved", "paused", "retired"] | None = None
    replaced_by: MaybeSlug = None
    reviewed_by: MaybeLine = None
    reviewed_at: Moment = None

    @model_validator(mode="after")
    def _consistent(self) -> QARow:
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise ValueError(f"失效日期 {self.valid_to} 早于生效日期 {self.valid_from}")
        if self.status == "approved" and not (self.reviewed_by and self.reviewed_at):
            raise ValueError("状态是已审核，却没有写明审核人和审核时间")
        return self


class PassageRow(_Row):
    """A piece of a document's own text as files have it; a document's pieces stand in their order."""

    document: Slug
    label: Annotated[str, BeforeValidator(lambda value: _optional(_line)(value) or "")] = ""
    text: Prose


AnyRow = DocumentRow | GuideRow | QARow
_ROWS: dict[Kind, type[AnyRow]] = {"document": DocumentRow, "guide": GuideRow, "qa": QARow}
_MODELS: dict[Kind, Any] = {"document": Document, "guide": ServiceGuide, "qa": QA}


EXAMPLE = "填写示例"
"""Ids that begin so are the rows that a template shows how to fill in."""


class Problem(NamedTuple):
    """Something in a file that can't be taken as it is."""

    file: str
    line: int | None
    """Line of a text file or row of a sheet, from 1; None where the whole file is meant."""
    reason: str

    def __str__(self) -> str:
        return f"{self.file}{f' 第 {self.line} 行' if self.line else ''}：{self.reason}"


@dataclass
class Bundle:
    """The good rows of one or several files, and the problems of the others."""

    documents: list[DocumentRow] = field(default_factory=list)
    guides: list[GuideRow] = field(default_factory=list)
    qas: list[QARow] = field(default_factory=list)
    passages: list[PassageRow] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    places: dict[tuple[Kind, str], tuple[str, int]] = field(default_factory=dict)
    """Where an item was read: file and line, by kind and id."""
    implied: set[str] = field(default_factory=set)
    """Ids of documents that a table names by title only."""
    given: dict[tuple[Kind, str], set[str]] = field(default_factory=dict)
    """For an item of a table: the fields that it has a column for.  The others stay as the database has them."""

    @classmethod
    def joined(cls, bundles: Iterable[Bundle]) -> Bundle:
        """Several files' bundles as one."""
        together = cls()
        for bundle in bundles:
            _merge(together, bundle)
        return together

    def rows(self, kind: Kind) -> list[Any]:
        """The list of one kind's rows."""
        return cast("list[Any]", {"document": self.documents, "guide": self.guides, "qa": self.qas}[kind])

    def add(self, kind: Kind, row: AnyRow, file: str, line: int, given: set[str] | None = None) -> None:
        """Take a row, unless its id was there already.  The example of a template is no knowledge."""
        if row.id.startswith(EXAMPLE):
            return
        if earlier := self.places.get((kind, row.id)):
            self.problems.append(
                Problem(
                    file, line, f"编号「{row.id}」与{_place(earlier, file)}的{KIND_NAMES[kind]}重复，这一条没有采用"
                )
            )
            return
        self.places[kind, row.id] = file, line
        if given is not None:
            self.given[kind, row.id] = given
        self.rows(kind).append(row)


def _place(place: tuple[str, int], file: str) -> str:
    return f"第 {place[1]} 行" if place[0] == file else f" {place[0]} 第 {place[1]} 行"


_Checked = TypeVar("_Checked", bound=BaseModel)


def _check(model: type[_Checked], data: Mapping[str, Any], names: Mapping[str, str]) -> _Checked | list[str]:
    """The validated row, or what is wrong with it, field by field, in Chinese."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        return [_explain(detail, names) for detail in error.errors()]


def _explain(detail: Any, names: Mapping[str, str]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    where = ".".join(names.get(part, part) if isinstance(part, str) else f"第{part + 1}项" for part in detail["loc"])
    if kind == "extra_forbidden":
        return f"不认识的字段「{where}」"
    if kind == "missing":
        return f"缺少「{where}」"
    said = {
        "string_type": "应当是文字",
        "list_type": "应当是列表",
        "model_type": "应当是若干个“字段: 值”",
        "literal_error": f"应当是 {context.get('expected', '').replace(' or ', '、').replace(', ', '、')} 之一",
        "string_pattern_mismatch": "只能用文字、数字、点、横线和下划线，最多 64 个字符",
        "value_error": str(context.get("error")),
    }.get(kind, detail["msg"])
    return f"「{where}」{said}" if where else said


# --- YAML ------------------------------------------------------------------------------------------------------------


class _Heading(_Row):
    """The head of a YAML file: what its items have in common."""

    matter: MaybeLine = None
    department: MaybeLine = None
    themes: Lines = []
    as_of: Day = None


class _YamlError(Exception):
    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line, self.reason = line, reason


def read_yaml(path: Path) -> Bundle:
    """Read one YAML file; see ``docs/knowledge.zh.md`` for its form.  Unknown fields are refused, entry by entry."""
    bundle = Bundle(files=[shown_name(path)])
    text = _load(path, bundle, ("utf-8",))
    lines = [line.strip(" -") for line in (text or "").split("\n")]
    secrecy.refuse_table(shown_name(path), [line for line in lines[: secrecy.HEAD_LINES] if line.startswith("#")])
    if any("密" in line and secrecy.secret_mark(line.rpartition(": ")[2], alone=False) for line in lines):
        raise secrecy.Classified(shown_name(path))
    try:
        tree = _compose(text)
    except _YamlError as error:
        bundle.problems.append(Problem(shown_name(path), error.line, error.reason))
        return bundle
    if tree is None:
        return bundle
    heading: dict[str, Any] = {}
    lists: dict[Kind, yaml.Node] = {}
    for key, node in tree.value:
        if key.value in ("documents", "guides", "qas"):
            lists[cast("Kind", key.value[:-1])] = node
        elif key.value == "passages":
            _read_passages(bundle, shown_name(path), node)
        else:
            try:
                heading[key.value] = _plain(node)
            except _YamlError as error:
                bundle.problems.append(Problem(shown_name(path), error.line, error.reason))
    head = _check(_Heading, heading, {})
    if isinstance(head, list):
        bundle.problems += [Problem(shown_name(path), 1, f"文件开头：{reason}") for reason in head]
        head = _Heading()
    for kind in KIND_NAMES:
        node = lists.get(kind)
        if isinstance(node, yaml.SequenceNode):
            for entry in node.value:
                _read_entry(bundle, shown_name(path), kind, entry, head)
        elif node is not None and _plain(node) is not None:
            bundle.problems.append(Problem(shown_name(path), node.start_mark.line + 1, f"「{kind}s」应当是列表"))
    return bundle


def _compose(text: str | None) -> yaml.MappingNode | None:
    """The file's tree, with line numbers; None when there is no text (a problem that was reported before)."""
    if text is None:
        return None
    try:
        tree = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error)
        raise _YamlError(mark.line + 1 if mark else 1, f"不是正确的 YAML：{reason}") from error
    if not isinstance(tree, yaml.MappingNode):
        raise _YamlError(1, "文件的最外层应当是“字段: 值”")
    _unique_keys(tree)
    return tree


def _plain(node: yaml.Node, seen: set[int] | None = None) -> Any:
    """A node's value with every scalar as the text that is written there: no octal numbers, no ``no`` that is false."""
    seen = set() if seen is None else seen
    if id(node) in seen:  # an alias; they can be endless or explode
        raise _YamlError(node.start_mark.line + 1, "不支持 YAML 的锚点和引用（& 和 *），请把内容写全")
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        return None if not node.style and node.value.lower() in _MISSING else node.value
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, seen) for item in node.value]
    _unique_keys(node)
    return {key.value: _plain(value, seen) for key, value in node.value}


def _unique_keys(node: yaml.Node) -> None:
    names: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _YamlError(key.start_mark.line + 1, "字段名应当是文字")
        if key.value in names:
            raise _YamlError(key.start_mark.line + 1, f"字段「{key.value}」写了两次")
        names.add(key.value)


def _read_entry(bundle: Bundle, file: str, kind: Kind, node: yaml.Node, head: _Heading) -> None:
    line = node.start_mark.line + 1
    try:
        data = _plain(node)
    except _YamlError as error:
        bundle.problems.append(Problem(file, error.line, error.reason))
        return
    if not isinstance(data, dict):
        bundle.problems.append(Problem(file, line, f"{KIND_NAMES[kind]}的一条应当是若干个“字段: 值”"))
        return
    if kind == "qa":
        data = {name: value for name, value in head.model_dump().items() if value} | data
    elif kind == "guide" and head.department:
        data = {"department": head.department} | data
    row = _check(_ROWS[kind], data, {})
    if isinstance(row, list):
        name = f"{KIND_NAMES[kind]} {data.get('id') or data.get('title') or data.get('question') or '（没有编号）'}"
        bundle.problems += [Problem(file, line, f"{name}：{reason}") for reason in row]
    else:
        bundle.add(kind, row, file, line)


def _read_passages(bundle: Bundle, file: str, node: yaml.Node) -> None:
    for entry in node.value if isinstance(node, yaml.SequenceNode) else [node]:
        line = entry.start_mark.line + 1
        try:
            data = _plain(entry)
        except _YamlError as error:
            bundle.problems.append(Problem(file, error.line, error.reason))
            continue
        row = _check(PassageRow, data if isinstance(data, dict) else {}, {})
        if isinstance(row, list):
            bundle.problems += [Problem(file, line, f"{PASSAGES}：{reason}") for reason in row]
        else:
            bundle.passages.append(row)


def read_folder(folder: Path) -> Bundle:
    """All YAML files of a folder as one bundle.

    The same document may stand in several files; what one of them leaves out, another may say.  Where two say different
    things the first file holds and the other is a problem.
    """
    bundle = Bundle()
    documents: dict[str, DocumentRow] = {}
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        one = read_yaml(path)
        bundle.files += one.files
        bundle.problems += one.problems
        for row in one.documents:
            file, line = one.places["document", row.id]
            first = documents.get(row.id)
            if first is None:
                documents[row.id] = row.model_copy()
                bundle.add("document", documents[row.id], file, line)
                continue
            for name in row.model_fields_set:
                old, new = getattr(first, name), getattr(row, name)
                if name not in first.model_fields_set or old is None:
                    setattr(first, name, new)
                elif new is not None and new != old:
                    said = f"政策文件 {row.id}：「{name}」是「{new}」，而别的文件里是「{old}」"
                    bundle.problems.append(Problem(file, line, said))
        bundle.passages += one.passages
        for kind in ("guide", "qa"):
            for item in one.rows(kind):
                bundle.add(kind, item, *one.places[kind, item.id])
    return bundle


# --- tables: CSV, XLSX and JSONL -------------------------------------------------------------------------------------

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
_LISTS = {
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
}
_STATUSES = {name: status for status, name in knowledge.STATUS_NAMES.items()}
_AUDIENCES = {
    "个人": {"个人", "自然人", "群众", "市民"},
    "企业": {"企业", "法人", "单位", "企业法人"},
    "个人和企业": {"", "全部", "不限", "个人企业", "个人和企业", "个人与企业", "企业和个人", "企业个人"},
}
_QUOTED = "=+-@'"  # a cell that starts so is a formula to Excel, or our own mark


def _plain_header(header: str) -> str:
    header = unicodedata.normalize("NFKC", header).strip(" *\n\t").lower()
    return re.sub(r"\s+", "", re.sub(r"\(.*?\)", "", header))


def _headers(kind: Kind) -> dict[str, str]:
    names = {_plain_header(header): name for header, name in COLUMNS[kind].items()}
    names |= {alias: name for name, aliases in _ALIASES[kind].items() for alias in aliases.split()}
    return names | {name: name for name in [*_ROWS[kind].model_fields, *_MORE[kind]]}


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


def _is_passages(headers: Iterable[str]) -> bool:
    """Whether a table holds pieces of documents."""
    return {"文件编号", "原文"} <= set(headers)


def _no_header(rows: Sequence[Row], kind: str) -> tuple[int, str]:
    """Where, and how, to say that no header was found: with what stands there and how to go on."""
    # Of the rows looked at, the header is the one with the most short words.
    likely = max(rows, key=lambda row: sum(0 < len(clean(_cell(cell))) <= 20 for cell in row.cells))
    headers = [clean(_cell(cell)) for cell in likely.cells]
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


def _field(kind: Kind, header: str, mapping: Mapping[str, str]) -> str | None:
    """The field that a column is for, by what a person says of it, else by its header; None if it isn't known."""
    plain = _plain_header(header)
    return _HEADERS[kind].get(mapping.get(plain, plain))


def _kind_of(headers: Iterable[str], kind: str, mapping: Mapping[str, str]) -> Kind | None:
    """Which kind of rows a set of headers is for; None when required columns are missing."""
    headers = [header for header in headers if header]
    kinds: tuple[Kind, ...] = ("qa", "guide", "document") if kind == "auto" else (cast("Kind", kind),)
    best: tuple[int, Kind] | None = None
    for one in kinds:
        fields = {name for header in headers if (name := _field(one, header, mapping))}
        if fields >= _REQUIRED[one] and (len(kinds) == 1 or fields & _OWN[one]):
            score = len(fields) + (100 if one == "qa" else 0)
            best = max(best, (score, one)) if best else (score, one)
    return best[1] if best else None


HEADER_ROWS = 20
"""Rows that are not empty, among which the header is looked for: titles and notes may stand above it."""
_DAYS: dict[Kind, set[str]] = {
    kind: {name for name, about in row.model_fields.items() if {date, datetime} & set(get_args(about.annotation))}
    for kind, row in _ROWS.items()
}
"""Fields that are days or moments"""
_NO_DAYS = {"id", "doc_no", "time_limit", "fee", "phone", "clauses", "sources", "guides", "related", "replaced_by"}
"""Fields in which a date is what Excel makes of 3-5 (个工作日)."""
_SCIENTIFIC = re.compile(r"\d(?:\.\d+)?[Ee]\+\d{1,2}")


@dataclass
class _Table:
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
    mapping: Mapping[str, str] = field(default_factory=dict)
    """What a person says that columns mean: header, as compared → header or field that is known"""
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
            headers = [clean(_cell(cell)) for cell in row.cells]
            if not any(headers):
                continue
            kind = _kind_of(headers, self.kind, self.mapping)
            if kind is not None:
                self._read_rows(kind, headers, row.line, rows)
                return
            if _is_passages(headers):
                self._read_passages(headers, rows)
                return
            secrecy.refuse_table(self.file, ["\t".join(headers)])
            before.append(row)
            if len(before) == HEADER_ROWS:
                break
        if not before:
            self.problem(None, "文件是空的" if self.cells else "没有内容")
            return
        self.problem(*_no_header(before, self.kind))

    def _read_rows(self, kind: Kind, headers: list[str], line: int, rows: Iterator[Row]) -> None:
        names: dict[int, str] = {}
        marks: dict[int, str] = {}
        for index, header in enumerate(headers):
            plain = _plain_header(header)
            name = _field(kind, header, self.mapping)
            if name in names.values():
                self.problem(line, f"「{header}」与另一列意思相同，已忽略")
            elif name:
                names[index] = name
            elif secrecy.column(header):
                marks[index] = header
            elif plain and plain not in _IGNORED:
                self.problem(line, f"不认识的列「{header}」，已忽略")
        for source in self.mapping:
            if source not in map(_plain_header, headers):
                self.problem(line, f"--map 里的列「{source}」表里没有")
        shown = {name: headers[index] for index, name in names.items()}
        columns = {name: index for index, name in names.items()}
        key = columns["question" if kind == "qa" else "title"]
        together: list[tuple[int, dict[str, Any]]] = []
        for number, cells, filled in rows:
            if any(self.marked(cell) for cell in cells):
                raise secrecy.Classified(self.file)
            kept = [
                mark
                for index, header in marks.items()
                if index < len(cells) and (mark := secrecy.check_cell(self.file, header, _cell(cells[index])))
            ]
            if kept:
                self.problem(number, f"标着「{kept[0]}」，没有导入")
                continue
            values = {name: cells[index] for index, name in names.items() if index < len(cells)}
            said = {name: clean(_cell(cell)) for name, cell in values.items()}
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
        for line, cells, _ in rows:
            data = {
                name: clean(self._unquote(_cell(cells[index]))) for index, name in names.items() if index < len(cells)
            }
            if secrecy.secret_mark(data.get("text", ""), alone=False):
                raise secrecy.Classified(self.file)
            if not any(data.values()):
                continue
            data["document"] = self._name(data.get("document", ""))
            row = _check(PassageRow, data, {name: header for header, name in PASSAGE_COLUMNS.items()})
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
            if name not in _LISTS and len({said for _, values in rows if (said := clean(_cell(values.get(name))))}) > 1
        ]
        if not differ:
            for name in shown:
                cells = [value for _, values in rows if (value := values.get(name)) not in (None, "")]
                bad = next((value for value in cells if isinstance(value, Bad)), None)
                if bad is not None:
                    first[name] = bad
                elif name in _LISTS:
                    first[name] = "\n".join(dict.fromkeys(map(_cell, cells)))
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
                    f"「{label}」是日期 {_cell(value)}，可能是 Excel 把“3-5”这样的内容改成了日期。请把单元格设为文本，重新填写",
                )
                return
            if isinstance(value, str) and name not in _DAYS[kind] and _SCIENTIFIC.fullmatch(value.strip()):
                self.problem(
                    line, f"「{label}」是科学计数法“{value.strip()}”，末尾几位已经丢失。请把单元格设为文本，重新填写"
                )
                return
            if name in _LISTS:
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
        row = _check(_ROWS[kind], data, shown)
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
        words = _NEWLINE.sub("\n", _cell(value))
        text = self._unquote(words)
        return text if text is not words or not html_text.looks_like_html(text) else html_text.plain_text(text)

    def _unquote(self, text: str) -> str:
        """A cell's text without the ' that keeps it from being a formula, a number or HTML."""
        quoted = self.cells and len(text) > 1 and text[0] == "'"
        if quoted and (text[1] in _QUOTED or text[1].isdigit() or html_text.looks_like_html(text)):
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
        data["id"] = self._name(str(data.get("id") or _made_id("qa", question, data["region"])))
        data.setdefault("matter", "其他")
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
        clauses = [clean(str(item or "")).removeprefix(_NO_CLAUSE) for item in data.pop("clauses", [])]
        marks = [_mark(item) for item in data.pop("unverified", [])]
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
        data["id"] = self._name(str(data.get("id") or _made_id("guide", data["title"], data["region"])))

    def _document(self, data: dict[str, Any]) -> None:
        if not data.get("title"):
            raise ValueError("「文件标题」是空的")
        if secrecy.secret_mark(str(data["title"]), alone=True):
            raise secrecy.Classified(self.file)
        data["id"] = self._name(str(data.get("id") or _made_id("doc", bare_title(str(data["title"])))))
        if replaced_by := data.get("replaced_by"):
            data["replaced_by"] = self._name(str(replaced_by))


@lru_cache(maxsize=4096)
def region_code(name: str) -> str | None:
    """The GB/T 2260 code of a region's full name (全国, 广东省, 广东省广州市); None when there is no such region."""
    if name in ("全国", "中国", "国家"):
        return regions.NATION
    found = regions.find(name, within=None)
    exact = [region.code for region in found if regions.full_name(region.code) == name]
    return exact[0] if exact else found[0].code if len(found) == 1 else None


def _cell(value: Any) -> str:
    """A spreadsheet's or JSON's value as the text that a person sees there; none for a cell whose value can't be told."""
    return "" if isinstance(value, Bad) else sheets.as_text(value)


def _made_id(prefix: str, *parts: str) -> str:
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


# --- reading files ---------------------------------------------------------------------------------------------------


def read(
    path: Path,
    *,
    kind: str = "auto",
    guides_answer: bool = False,
    region: str | None = None,
    mapping: Mapping[str, str] | None = None,
) -> Bundle:
    """Read a file of any known form, or a folder of YAML files.

    Args:
        kind: what the file's rows are: ``qa``, ``guide``, ``document``, or ``auto`` (told from its columns).
        guides_answer: also make a question and answer of each service guide; see ``answers_from_guides``.
        region: code of the region of rows that name none; default: the settings' region.  YAML says it itself.
        mapping: what columns of a table mean, where their headers don't say it; see ``column_mapping``.

    Raises:
        Classified: the file bears a state-secret mark: nothing of it may be kept.
        InvalidInput: there is no such file, its form is unknown, or it is marked as internal.
    """
    name = shown_name(path)
    secrecy.check_name(path, name)
    refuse_unreadable(path)
    if kind not in ("auto", *KIND_NAMES):
        raise InvalidInput(f"没有「{kind}」这个种类，可用的有：auto、qa、guide、document。")
    if path.is_dir():
        bundle = read_folder(path)
    elif not path.is_file():
        raise InvalidInput(f"找不到文件 {name}。")
    elif path.suffix.lower() in (".yaml", ".yml"):
        bundle = read_yaml(path)
    elif path.suffix.lower() in (".csv", ".tsv", ".txt"):
        bundle = read_csv(path, kind=kind, region=region, mapping=mapping)
    elif path.suffix.lower() in (".xlsx", ".xlsm"):
        bundle = read_xlsx(path, kind=kind, region=region, mapping=mapping)
    elif path.suffix.lower() in (".jsonl", ".ndjson"):
        bundle = read_jsonl(path, kind=kind, region=region, mapping=mapping)
    else:
        raise InvalidInput(f"{name}：不支持的文件类型「{path.suffix}」，可用的有：.yaml、.csv、.xlsx、.jsonl。")
    if guides_answer:
        for row in answers_from_guides(bundle):
            bundle.add("qa", row, *bundle.places["guide", row.guides[0]])
    return bundle


def _load(path: Path, bundle: Bundle, encodings: Sequence[str]) -> str | None:
    """The file's text in the first encoding that fits; None, and a problem, when there is none."""
    data = path.read_bytes()
    if not data.strip():
        bundle.problems.append(Problem(shown_name(path), None, "文件是空的"))
        return None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ("utf-16",)
    for encoding in encodings:
        try:
            return data.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
    bundle.problems.append(Problem(shown_name(path), line, f"编码不对，应当是 {'、'.join(encodings).upper()}"))
    return None


def _stem(path: Path) -> str:
    return re.sub(r"[^\w.\-]+", "-", Path(shown_name(path)).stem)[:40]


def default_region(region: str | None) -> str:
    """The region of a row that names none: as told, else the served one."""
    return region or get_settings().region


def read_csv(
    path: Path, *, kind: str = "auto", region: str | None = None, mapping: Mapping[str, str] | None = None
) -> Bundle:
    """Read a CSV file (UTF-8 with or without BOM, GBK, UTF-16; comma, semicolon, tab) and what export wrote beside it.

    Documents and guides lie in files of their own, named like the first with -政策文件 and -办事指南.
    """
    bundle = Bundle(files=[shown_name(path)])
    _read_csv(path, bundle, kind, default_region(region), mapping or {})
    for other, name in (("document", KIND_NAMES["document"]), ("guide", KIND_NAMES["guide"]), ("auto", PASSAGES)):
        beside = _beside(path, name)
        if beside.is_file():
            bundle.files.append(shown_name(beside))
            _read_csv(beside, bundle, other, default_region(region), {})
    _imply_documents(bundle)
    return bundle


def _beside(path: Path, name: str) -> Path:
    return path.with_name(f"{path.stem}-{name}{path.suffix}")


def _read_csv(path: Path, bundle: Bundle, kind: str, region: str, mapping: Mapping[str, str]) -> None:
    decoded = _decode_csv(path, bundle, kind, mapping)
    if decoded is None:
        return
    text, lossy = decoded
    csv.field_size_limit(1 << 30)  # an unpaired quote makes a giant cell: a problem of its row, not of the file
    start = text[:4096]
    first = {mark: list(islice(csv.reader(io.StringIO(start), delimiter=mark), HEADER_ROWS)) for mark in ",\t;|"}
    fits = (
        mark for mark, rows in first.items() if any(_kind_of(row, kind, mapping) or _is_passages(row) for row in rows)
    )
    # Without a header that is known: the mark that parts the first rows into the most cells.
    delimiter = next(fits, max(first, key=lambda mark: max(map(len, first[mark]), default=0)))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)

    def rows() -> Iterator[Row]:
        line = 1
        for cells in reader:
            yield Row(line, list(cells))
            line = reader.line_num + 1

    _Table(bundle, shown_name(path), kind, region, _stem(path), lossy=lossy, mapping=mapping).read(rows())


def _decode_csv(path: Path, bundle: Bundle, kind: str, mapping: Mapping[str, str]) -> tuple[str, bool] | None:
    """The text in the encoding in which the header makes sense, and whether bad bytes were replaced in it."""
    data = path.read_bytes().replace(b"\0", b"") if not _is_utf16(path) else path.read_bytes()
    if not data.strip(b"\xef\xbb\xbf \r\n\t"):
        bundle.problems.append(Problem(shown_name(path), None, "文件是空的"))
        return None
    encodings = ("utf-16",) if _is_utf16(path) else ("utf-8-sig", "gb18030", "big5")
    for errors in ("strict", "replace"):
        for encoding in encodings:
            try:
                text = data.decode(encoding, errors)
            except UnicodeDecodeError:
                continue
            first = "\n".join(text[:4096].splitlines()[:HEADER_ROWS])
            if _kind_of(re.split(r"[,;|\t\n\"]", first), kind, mapping):
                return text, errors == "replace"
    for encoding in encodings[:2]:  # no header that is known: that is said of what can be read
        try:
            return data.decode(encoding), False
        except UnicodeDecodeError:
            continue
    text = data.decode(encodings[0], "replace")
    if "\ufffd" in text:
        bundle.problems.append(Problem(shown_name(path), None, "认不出文件的编码或表头，请另存为 UTF-8 编码的 CSV"))
        return None
    return text, False


def _is_utf16(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) in (b"\xff\xfe", b"\xfe\xff")


def read_xlsx(
    path: Path, *, kind: str = "auto", region: str | None = None, mapping: Mapping[str, str] | None = None
) -> Bundle:
    """Read every visible sheet of an XLSX workbook; what a sheet holds is told from its columns."""
    name = shown_name(path)
    bundle = Bundle(files=[name])
    if not path.stat().st_size:
        bundle.problems.append(Problem(name, None, "文件是空的"))
        return bundle
    try:
        with sheets.opened(path) as book:
            secrecy.refuse_table(name, book.furniture)
            for title in book.hidden:
                bundle.problems.append(Problem(name, None, f"工作表「{title}」是隐藏的，没有读"))
            for sheet in book.sheets:
                secrecy.refuse_table(name, [sheet.title, *sheet.furniture])
                content = Bundle()
                _read_sheet(
                    sheet, content, name, len(book.sheets) > 1, kind, default_region(region), _stem(path), mapping or {}
                )
                if len(book.sheets) > 1:  # Excel makes empty sheets by itself
                    content.problems = [problem for problem in content.problems if problem.reason != "文件是空的"]
                _merge(bundle, content)
    except (secrecy.Classified, secrecy.NeedsConfirmation):
        raise
    except InvalidInput as error:
        bundle.problems.append(Problem(name, None, str(error).removeprefix(f"{name}：")))
    _imply_documents(bundle)
    return bundle


def _read_sheet(
    sheet: sheets.Sheet,
    bundle: Bundle,
    name: str,
    several: bool,
    kind: str,
    region: str,
    stem: str,
    mapping: Mapping[str, str],
) -> None:
    file = f"{name} 的「{sheet.title}」" if several else name
    try:
        _Table(bundle, file, kind, region, stem, mapping=mapping).read(sheet.rows)
    except (zipfile.BadZipFile, zlib.error, SyntaxError, KeyError, ValueError, TypeError, IndexError, OSError):
        bundle.problems.append(Problem(file, None, "有一部分读不出来，文件可能已损坏。请在 Excel 里打开后重新保存"))
    if sheet.hidden:
        lines = "、".join(map(str, sheet.hidden[:5])) + ("等" if len(sheet.hidden) > 5 else "")
        said = f"{len(sheet.hidden)} 行是隐藏的（第 {lines} 行），没有导入；要导入，请先取消隐藏或筛选"
        bundle.problems.append(Problem(file, None, said))


def _merge(bundle: Bundle, other: Bundle) -> None:
    bundle.problems += other.problems
    bundle.passages += other.passages
    for kind in KIND_NAMES:
        for row in other.rows(kind):
            bundle.add(kind, row, *other.places[kind, row.id], other.given.get((kind, row.id)))


def read_jsonl(
    path: Path, *, kind: str = "auto", region: str | None = None, mapping: Mapping[str, str] | None = None
) -> Bundle:
    """Read JSON lines, a record a line, with English or Chinese names: {question, answer, dept, date}, or a guide's."""
    bundle = Bundle(files=[shown_name(path)])
    text = _load(path, bundle, ("utf-8", "gb18030"))
    if text is None:
        return bundle
    mapping = mapping or {}
    table = _Table(bundle, shown_name(path), kind, default_region(region), _stem(path), cells=False, mapping=mapping)
    for line, source in enumerate(text.split("\n"), 1):
        if not source.strip():
            continue
        try:
            record = json.loads(source)
        except ValueError as error:
            table.problem(line, f"不是正确的 JSON：{error}")
            continue
        if not isinstance(record, dict):
            table.problem(line, "一行应当是一个 JSON 对象")
            continue
        found = _kind_of(record, kind, mapping)
        if found is None:
            names = "、".join(f"「{key[:20]}」" for key in list(record)[:12])
            table.problem(
                line,
                f"缺少必需的字段（问答要有 question、answer，指南要有 title）。看到的是：{names}。"
                "名字不同的，请用 --map 说明，例如 --map 留言主题=问题 --map 答复意见=答案",
            )
            continue
        if any(table.marked(value) for value in record.values()):
            raise secrecy.Classified(table.file)
        kept = [
            mark
            for key, value in record.items()
            if secrecy.column(key) and (mark := secrecy.check_cell(table.file, key, _cell(value)))
        ]
        if kept:
            table.problem(line, f"标着「{kept[0]}」，没有导入")
            continue
        values: dict[str, Any] = {}
        shown: dict[str, str] = {}
        for key, value in record.items():
            name = _field(found, key, mapping)
            if name and name not in values:
                values[name], shown[name] = value, key
            elif name is None and not secrecy.column(key) and key not in table.complained:
                table.complained.add(key)
                table.problem(line, f"不认识的字段「{key}」，已忽略（以后各行不再提示）")
        table.take(found, line, values, shown)
    _imply_documents(bundle)
    return bundle


def _imply_documents(bundle: Bundle) -> None:
    """A table may name a document by title only; then it gets one, of which no more is known."""
    ids = {row.id for row in bundle.documents}
    titles = {bare_title(row.title): row.id for row in bundle.documents}
    for qa in bundle.qas:
        for source in qa.sources:
            title = source.document
            if title in ids or bare_title(title) in titles or re.fullmatch(r"[A-Za-z0-9_.\-]+", title):
                continue
            id_ = _made_id("doc", bare_title(title))
            titles[bare_title(title)] = id_
            bundle.implied.add(id_)
            row = DocumentRow(id=id_, title=title.removeprefix("《").removesuffix("》"), region=qa.region)
            bundle.add("document", row, *bundle.places["qa", qa.id])


def guide_answer_id(guide: str) -> str:
    """Id of the Q&A that ``answers_from_guides`` makes of a guide."""
    return f"guide-{guide}" if len(guide) <= 58 else _made_id("guide", guide)


def answers_from_guides(bundle: Bundle) -> list[QARow]:
    """A question and answer for each guide of the bundle, composed of the guide's own fields."""
    titles: dict[str, int] = {}
    for guide in bundle.guides:
        titles[guide.title] = titles.get(guide.title, 0) + 1
    rows = []
    for guide in bundle.guides:
        name = guide.title if titles[guide.title] == 1 else f"{guide.title}（{guide.department or guide.region}）"
        parts = [
            f"办理时限：{guide.time_limit}" if guide.time_limit else "",
            f"收费：{guide.fee}" if guide.fee else "",
            f"申请条件：{guide.who}" if guide.who else "",
            f"需要材料：{'、'.join(guide.materials)}" if guide.materials else "",
            f"办理步骤：{'；'.join(guide.steps)}" if guide.steps else "",
            f"办理渠道：{'、'.join(guide.channels)}" if guide.channels else "",
            f"办理地点：{guide.address}" if guide.address else "",
            f"咨询电话：{guide.phone}" if guide.phone else "",
        ]
        answer = "\n".join(part for part in parts if part)
        if not answer:
            continue
        if guide.department:
            answer = f"由{guide.department}办理。\n{answer}"
        rows.append(
            QARow(
                id=guide_answer_id(guide.id),
                matter=guide.title,
                question=f"{name}怎么办理？",
                answer=answer[:MAX_CHARS],
                guides=[guide.id],
                region=guide.region,
                department=guide.department,
            )
        )
    return rows


# --- into the database -----------------------------------------------------------------------------------------------


class Item(NamedTuple):
    """One document, guide or Q&A of a report."""

    kind: Kind
    id: str


@dataclass
class ImportReport:
    """What an import did, or, as a dry run, would do."""

    added: list[Item] = field(default_factory=list)
    changed: list[Item] = field(default_factory=list)
    unchanged: list[Item] = field(default_factory=list)
    kept: list[Item] = field(default_factory=list)
    """Items of the starter knowledge that operations have changed, approved or removed: left as they are."""
    fields: dict[Item, tuple[str, ...]] = field(default_factory=dict)
    """Of a changed item: the names of the columns that differ, as tables head them."""
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What a person should know and need not correct."""
    written: bool = False
    """Whether anything was written: not in a dry run, nor if all_or_nothing met a problem."""

    def count(self, kind: Kind) -> int:
        """How many good items of a kind the files had."""
        return sum(item.kind == kind for item in (*self.added, *self.changed, *self.unchanged, *self.kept))


def import_bundle(
    session: Session, bundle: Bundle, *, actor: str, dry_run: bool = False, all_or_nothing: bool = False
) -> ImportReport:
    """Bring a bundle into the database, in the caller's transaction; see ``bot.knowledge.upsert`` for reviews.

    Args:
        actor: who imports, for the audit log.
        dry_run: only say what would happen.
        all_or_nothing: write nothing if there is any problem.
    """
    knowledge.lock(session)
    objects, problems = _resolve(session, bundle)
    report = ImportReport(problems=bundle.problems + problems)
    report.notes = _status_notes(session, bundle.qas)
    savepoint = session.begin_nested()
    for kind, items in objects.items():
        _tally(report, kind, knowledge.upsert(session, items))
    _import_passages(session, bundle, report)
    report.written = not (dry_run or (all_or_nothing and report.problems))
    if not report.written:
        savepoint.rollback()
        return report
    savepoint.commit()
    if report.added or report.changed:
        _record(session, actor, bundle.files, report)
    touched = {item.id for item in (*report.added, *report.changed) if item.kind == "document"}
    for row in bundle.documents:
        if row.internal_confirmed_by and row.id in touched:
            named = row.internal_confirmed_by
            audit.record(session, actor, "knowledge.internal", row.id, internal_confirmed_by=named)
    return report


def _import_passages(session: Session, bundle: Bundle, report: ImportReport) -> None:
    """Replace the text of every document that the bundle has pieces of."""
    texts: dict[str, list[tuple[str, str]]] = {}
    for row in bundle.passages:
        texts.setdefault(row.document, []).append((row.label, row.text))
    known = knowledge.find(session, Document, texts)
    for id_, pieces in texts.items():
        item = Item("document", id_)
        if id_ not in known:
            report.problems.append(Problem("、".join(bundle.files), None, f"{PASSAGES}的文件「{id_}」不存在，请先导入"))
        elif knowledge.set_passages(session, id_, pieces) and item not in report.added:
            report.changed += [item] if item not in report.changed else []
            report.unchanged = [one for one in report.unchanged if one != item]
            report.fields[item] = (*report.fields.get(item, ()), PASSAGES)


def _record(session: Session, actor: str, files: list[str], report: ImportReport) -> None:
    figures = {"added": len(report.added), "changed": len(report.changed), "problems": len(report.problems)}
    changed = [f"{item.kind} {item.id}" for item in report.changed[:200]]
    audit.record(session, actor, "knowledge.import", "、".join(files) or "-", **figures, changed_items=changed)


def _tally(report: ImportReport, kind: Kind, changes: knowledge.Changes) -> None:
    report.added += [Item(kind, id_) for id_ in changes.added]
    report.changed += [Item(kind, id_) for id_ in changes.changed]
    report.unchanged += [Item(kind, id_) for id_ in changes.unchanged]
    headers = {name: header.partition("（")[0] for header, name in COLUMNS[kind].items()}
    for id_, names in changes.fields.items():
        report.fields[Item(kind, id_)] = tuple(headers.get(name, name) for name in names)


def _status_notes(session: Session, rows: list[QARow]) -> list[str]:
    """A file's status does not undo what was decided in the database since; say so, rather than do it silently."""
    said = [row for row in rows if row.status]
    present = knowledge.get_many(session, [row.id for row in said])
    older = [
        row.id
        for row in said
        if (qa := present.get(row.id))
        and qa.status != row.status
        and not (row.reviewed_at and (qa.reviewed_at is None or row.reviewed_at > qa.reviewed_at))
    ]
    if not older:
        return []
    shown = "、".join(older[:5]) + ("等" if len(older) > 5 else "")
    return [
        f"{len(older)} 条问答在文件里的状态与系统中不同，以系统中的为准（{shown}）。要改状态，请在系统里审核或停用。"
    ]


class _Names:
    """What ids and titles stand for: in the database, and in the bundle, whose word goes first."""

    def __init__(self, present: Mapping[str, str], rows: Iterable[DocumentRow | GuideRow]) -> None:
        rows = list(rows)
        self.ids = set(present) | {row.id for row in rows}
        self.titles = {bare_title(title): id_ for id_, title in present.items()}
        self.titles |= {bare_title(row.title): row.id for row in rows}

    def find(self, name: str) -> str | None:
        """The id meant by an id or a title."""
        return name if name in self.ids else self.titles.get(bare_title(name))


def _resolve(session: Session, bundle: Bundle) -> tuple[dict[Kind, list[Any]], list[Problem]]:
    """The bundle's rows as database objects, references resolved; a Q&A whose reference leads nowhere is a problem."""
    documents = {row.id: row.title for row in session.execute(select(Document.id, Document.title))}
    guides = {row.id: row.title for row in session.execute(select(ServiceGuide.id, ServiceGuide.title))}
    known = {bare_title(title) for title in documents.values()}
    taken = [
        row
        for row in bundle.documents
        if not (row.id in bundle.implied and (bare_title(row.title) in known or row.title in documents))
    ]
    document_names, guide_names = _Names(documents, taken), _Names(guides, bundle.guides)
    problems: list[Problem] = []
    qas: list[QA] = []
    for row in bundle.qas:
        sources = [(document_names.find(source.document), source) for source in row.sources]
        found = [(guide_names.find(name), name) for name in row.guides]
        lost = [f"依据的文件「{source.document}」" for id_, source in sources if id_ is None]
        lost += [f"办事指南「{name}」" for id_, name in found if id_ is None]
        if lost:
            file, line = bundle.places.get(("qa", row.id), ("", 0))
            problems.append(Problem(file, line or None, f"问答 {row.id}：{'、'.join(lost)}不存在，请先导入"))
            continue
        fields = row.model_dump() | {
            "sources": [
                {"document": id_, "clause": source.clause} | ({"unverified": True} if source.unverified else {})
                for id_, source in sources
            ],
            "guides": [id_ for id_, _ in found],
            "status": row.status or "draft",
            "revision": 0,
        }
        qas.append(QA(**fields))
    objects: dict[Kind, list[Any]] = {
        "document": [Document(**row.model_dump()) for row in taken],
        "guide": [ServiceGuide(**row.model_dump()) for row in bundle.guides],
        "qa": qas,
    }
    for kind, items in objects.items():
        _complete(session, bundle, kind, items)
    return objects, problems


def _complete(session: Session, bundle: Bundle, kind: Kind, items: list[Any]) -> None:
    """Fields that a table has no column for are not empty, but as the database has them."""
    partial = {item.id: item for item in items if (kind, item.id) in bundle.given}
    for row in knowledge.find(session, _MODELS[kind], partial).values():
        given = bundle.given[kind, row.id]
        item = partial[row.id]
        for name, value in knowledge.content(row).items():
            if name not in given:
                setattr(item, name, value)
        if kind == "qa" and "unverified" not in given:
            marked = {(source["document"], source.get("clause")) for source in row.sources if source.get("unverified")}
            marked |= {(document, None) for document, _ in marked}
            item.sources = [
                source | ({"unverified": True} if (source["document"], source.get("clause")) in marked else {})
                for source in item.sources
            ]


# --- the starter knowledge -------------------------------------------------------------------------------------------

_LOADED = "starter:"  # counters that hold digests of what was loaded: of all files, and of each item


def load_starter(session: Session, folder: Path = STARTER) -> ImportReport:
    """Load the starter knowledge as drafts, on the first run and again whenever its files have changed.

    What operations have changed, reviewed, paused or removed since is never overwritten (``kept`` in the report), nor
    are the documents and guides that an item beyond draft refers to.
    """
    files = sorted(folder.glob("*.y*ml"))
    whole = _digest([(shown_name(path), path.read_bytes().hex()) for path in files])
    if session.scalar(select(Counter.value).where(Counter.name == f"{_LOADED}files")) == whole:
        return ImportReport()
    knowledge.lock(session)
    bundle = read_folder(folder)
    objects, problems = _resolve(session, bundle)
    report = ImportReport(problems=bundle.problems + problems, written=True)
    loaded = {row.name: row for row in session.scalars(select(Counter).where(Counter.name.startswith(_LOADED)))}
    relied = _relied_on(session)
    for kind, items in objects.items():
        model = _MODELS[kind]
        present: dict[str, Any] = {row.id: row for row in session.scalars(select(model)).all()}
        ours = []
        for item in items:
            name, row = f"{_LOADED}{kind}:{item.id}", present.get(item.id)
            mark = loaded.get(name)
            if row is not None and knowledge.content(row) != knowledge.content(item):
                touched = mark is None or mark.value != _loaded_digest(row)
                if touched or item.id in relied[kind] or (isinstance(row, QA) and row.status != "draft"):
                    report.kept.append(Item(kind, item.id))
                    continue
            elif row is None and mark is not None:
                report.kept.append(Item(kind, item.id))
                continue
            ours.append(item)
            if mark is None:
                session.add(Counter(name=name, value=_loaded_digest(item)))
            else:
                mark.value = _loaded_digest(item)
        _tally(report, kind, knowledge.upsert(session, ours))
    session.merge(Counter(name=f"{_LOADED}files", value=whole))
    if report.added or report.changed:
        _record(session, "系统", ["示范知识"], report)
    session.flush()
    return report


def _relied_on(session: Session) -> dict[Kind, set[str]]:
    """Documents and guides of items that are beyond draft: a change of them would change what was reviewed."""
    rows = session.execute(select(QA.sources, QA.guides).where(QA.status != "draft")).all()
    return {
        "document": {source["document"] for row in rows for source in row.sources},
        "guide": {id_ for row in rows for id_ in row.guides},
        "qa": set(),
    }


def _loaded_digest(item: Document | ServiceGuide | QA) -> int:
    """Of an item's content.  A column that came later counts only where it is filled: older digests still hold."""
    content = knowledge.content(item)
    return _digest({name: value for name, value in content.items() if name != "review_by" or value is not None})


def _digest(value: Any) -> int:
    """63 bits of a JSON value, as a counter holds them."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) >> 1


# --- writing files ---------------------------------------------------------------------------------------------------


def export(session: Session, path: Path) -> list[Path]:
    """Write all knowledge as YAML, CSV or XLSX, by the suffix.  Importing it into an empty database gives the same.

    CSV makes up to four files: Q&A, documents, guides and the documents' own texts.  Returns the files written.

    Raises:
        InvalidInput: another suffix.
    """
    return _save(from_database(session, texts=True), path)


def write_template(path: Path) -> list[Path]:
    """A file to fill in, by the suffix: every column of every kind, and one example each, which no import takes.

    Raises:
        InvalidInput: another suffix, or there is such a file already.
    """
    if path.exists():
        raise InvalidInput(f"{path} 已经存在，不会覆盖，请换个文件名。")
    document = DocumentRow(
        id=f"{EXAMPLE}-文件",
        title="某市××办法",
        doc_no="×政发〔2026〕1号",
        issuer="某市人民政府",
        region="100000",
        issued=date(2026, 1, 5),
        effective=date(2026, 2, 1),
        status="有效",
    )
    guide = GuideRow(
        id=f"{EXAMPLE}-指南",
        title="××办理",
        department="某市××局",
        who="哪些人可以申请",
        materials=["第一样材料", "第二样材料"],
        steps=["第一步", "第二步"],
        time_limit="10个工作日",
        fee="免费",
        channels=["政务服务大厅", "政务服务网"],
        fallback="网上办不了时去哪里办",
        phone="12345",
    )
    qa = QARow(
        id=f"{EXAMPLE}-问答",
        matter="××办理",
        question="××要什么条件？（用市民的话，一条只问一件事）",
        answer="先写结果和数字，再写条件，最后写怎么办。220字以内。",
        similar=["每行一个市民的问法", "最好有8个以上", "长短都要有，别套同一个句式"],
        sources=[SourceRow(document=document.id, clause="第三条")],
        guides=[guide.id],
        audience="个人",
        region="100000",
        valid_from=date(2026, 2, 1),
        as_of=date(2026, 11, 1),
        review_by=date(2027, 12, 31),
        department="某市××局",
        themes=["主题"],
    )
    return _save(Bundle(documents=[document], guides=[guide], qas=[qa]), path)


def _save(bundle: Bundle, path: Path) -> list[Path]:
    suffix = path.suffix.lower()
    if suffix not in (".yaml", ".yml", ".csv", ".xlsx"):
        raise InvalidInput(f"不支持导出为「{path.suffix}」，可用的有：.yaml、.csv、.xlsx。")
    path.parent.mkdir(parents=True, exist_ok=True)
    if suffix in (".yaml", ".yml"):
        _write(path, lambda part: part.write_text(_yaml(bundle), encoding="utf-8"))
        return [path]
    if suffix == ".xlsx":
        _write(path, lambda part: _save_xlsx(bundle, part))
        return [path]
    written = []
    texts = _beside(path, PASSAGES)
    if bundle.passages:
        _write(texts, lambda part: _save_passages_csv(bundle, part))
        written.append(texts)
    else:
        texts.unlink(missing_ok=True)
    for kind in ("qa", "document", "guide"):
        file = path if kind == "qa" else _beside(path, KIND_NAMES[kind])
        if kind == "qa" or bundle.rows(kind):
            _write(file, lambda part, kind=kind: _save_csv(bundle, kind, part))  # type: ignore[misc]
            written.append(file)
        else:
            file.unlink(missing_ok=True)  # of an earlier export: it would be read again with this one
    return written


def from_database(session: Session, *, texts: bool = False) -> Bundle:
    """All knowledge of the database as rows, by id; a row that no file could hold is a problem, and there as it is.

    Args:
        texts: with the documents' own texts.
    """
    bundle = Bundle()
    if texts:
        pieces = session.scalars(select(Passage).order_by(Passage.document_id, Passage.position))
        bundle.passages = [
            PassageRow.model_construct(document=one.document_id, label=one.label, text=one.text) for one in pieces
        ]
    for kind, model in _MODELS.items():
        for item in session.scalars(select(model).order_by(model.id)):
            values = {name: getattr(item, name) for name in _ROWS[kind].model_fields}
            row = _check(_ROWS[kind], values, {})
            if isinstance(row, list):
                said = [f"{KIND_NAMES[kind]} {item.id}：{reason}" for reason in row]
                bundle.problems += [Problem("数据库", None, one) for one in said]
                row = _as_it_is(kind, values)
            bundle.add(kind, row, "数据库", 0)
    return bundle


def _as_it_is(kind: Kind, values: dict[str, Any]) -> AnyRow:
    if kind == "qa":
        values = values | {"sources": [SourceRow.model_construct(**source) for source in values["sources"]]}
    return _ROWS[kind].model_construct(**values)


def _write(path: Path, save: Callable[[Path], object]) -> None:
    """Replace a file as a whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        save(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


class _Dumper(yaml.CSafeDumper):
    """Long texts as blocks."""


def _represent_text(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)


def _yaml(bundle: Bundle) -> str:
    tree: dict[str, Any] = {
        f"{kind}s": [_lean(row) for row in bundle.rows(kind)] for kind in KIND_NAMES if bundle.rows(kind)
    }
    if bundle.passages:
        tree["passages"] = [row.model_dump() for row in bundle.passages]
    return yaml.dump(tree, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=1 << 20)


def _lean(row: AnyRow) -> dict[str, Any]:
    values = row.model_dump(exclude_none=True)
    if isinstance(row, QARow):
        values["sources"] = [source.model_dump(exclude_defaults=True) for source in row.sources]
        if row.reviewed_at:
            values["reviewed_at"] = row.reviewed_at.isoformat()
    return {name: value for name, value in values.items() if value != []}


def _cells(bundle: Bundle, kind: Kind) -> Iterator[list[str]]:
    """The table of one kind: its header, then a list of texts for each row."""
    yield list(COLUMNS[kind])
    titles = {("document", row.id): row.title for row in bundle.documents}
    titles |= {("guide", row.id): row.title for row in bundle.guides}

    def named(of: str, id_: str) -> str:
        title = titles.get((of, id_))
        return f"{title} [{id_}]" if title else f"[{id_}]"

    for row in bundle.rows(kind):
        values = row.model_dump()
        if isinstance(row, QARow):
            values["sources"] = [named("document", source.document) for source in row.sources]
            values["clauses"] = [source.clause or _NO_CLAUSE for source in row.sources]
            values["unverified"] = ["待核" if source.unverified else _NO_CLAUSE for source in row.sources]
            values["guides"] = [named("guide", id_) for id_ in row.guides]
            values["status"] = knowledge.STATUS_NAMES[row.status or "draft"]
        texts = [_cell(values[name]) for name in COLUMNS[kind].values()]
        yield [f"'{text}" if _needs_quote(text) else text for text in texts]


def _needs_quote(text: str) -> bool:
    """Whether Excel, or our own reading, would take a cell's text for something else: a formula, HTML, a quoted number."""
    return text.startswith(tuple(_QUOTED)) or html_text.looks_like_html(text)


def _save_csv(bundle: Bundle, kind: Kind, path: Path) -> None:
    # With a BOM, or Excel takes it for GBK.
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(_cells(bundle, kind))


def _passage_cells(bundle: Bundle) -> Iterator[list[str]]:
    yield list(PASSAGE_COLUMNS)
    for row in bundle.passages:
        texts = [row.document, row.label, row.text]
        yield [f"'{text}" if _needs_quote(text) else text for text in texts]


def _save_passages_csv(bundle: Bundle, path: Path) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(_passage_cells(bundle))


def _save_xlsx(bundle: Bundle, path: Path) -> None:
    book = Workbook(write_only=True)
    for kind in ("qa", "document", "guide"):
        sheet = book.create_sheet(KIND_NAMES[kind])
        sheet.freeze_panes = "A2"
        for index, name in enumerate(COLUMNS[kind].values()):
            column = sheet.column_dimensions[chr(ord("A") + index)]
            column.width = {"question": 36, "answer": 60, "title": 36}.get(name, 26 if name in _LISTS else 14)
        for number, texts in enumerate(_cells(bundle, kind)):
            if number == 0:
                row = []
                for text in texts:
                    cell = WriteOnlyCell(sheet, value=text)
                    cell.font, cell.alignment = Font(bold=True), Alignment(vertical="top")
                    row.append(cell)
                sheet.append(row)
            else:
                sheet.append([_plain_cell(sheet, text) for text in texts])
    if bundle.passages:
        sheet = book.create_sheet(PASSAGES)
        sheet.freeze_panes = "A2"
        for letter, width in (("A", 24), ("B", 14), ("C", 100)):
            sheet.column_dimensions[letter].width = width
        for texts in _passage_cells(bundle):
            sheet.append([_plain_cell(sheet, text) for text in texts])
    book.save(path)


def _plain_cell(sheet: Any, text: str) -> Any:
    """Text that openpyxl would take for one of Excel's error values (#N/A) as the text that it is."""
    if text not in ERROR_CODES:
        return text
    cell = WriteOnlyCell(sheet, value=text)
    cell.data_type = "s"
    return cell
