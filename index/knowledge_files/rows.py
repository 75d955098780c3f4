"""The rows of knowledge: what a question and answer, a guide, a document, a passage may hold, and what a file came to.

Reading never fails as a whole because of a bad row: it gives a ``Bundle`` of what is good and a list of ``Problem``s
that name file, line and reason.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, cast
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from bot import regions
from bot.errors import NotFound
from bot.models.knowledge import QA, Document, ServiceGuide
from index.knowledge_files.office_files import shown_name

MAX_CHARS = 20_000
"""The longest text of one field; Excel itself ends at 32,767."""
Kind = Literal["document", "guide", "qa"]
KIND_NAMES: dict[Kind, str] = {"document": "政策文件", "guide": "办事指南", "qa": "问答"}
_CHINA = ZoneInfo("Asia/Shanghai")
_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u200b\u200e\u200f\u202a-\u202e\u2060\ud800-\udfff\ufeff\ufffe\uffff]"
)
NEWLINE = re.compile("\r\n|[\r\x85\u2028\u2029]")
MISSING = ("", "~", "null")
NO_CLAUSE = "—"
STAKES = "重"
"""How tables write that a wrong answer costs much"""


def clean(value: str) -> str:
    """Text without control characters, with ``\\n`` between lines and nothing at the edges."""
    value = _CONTROL.sub("", NEWLINE.sub("\n", value))
    return "\n".join(line.rstrip() for line in value.split("\n")).strip()


def parse_date(value: Any) -> date | None:
    """A day in any of the spellings that people and Excel use; None for nothing or 长期.  Raises: ValueError."""
    if isinstance(value, datetime):
        return value.date()
    if value is None or isinstance(value, date):
        return value
    text = unicodedata.normalize("NFKC", str(value)).strip()
    if text.lower() in (*MISSING, "长期", "长期有效", "-", "无"):
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


def read_mark(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return bool(value)
    text = clean(str(value)).lower()
    if text in ("待核", "依据待核", "true", "是"):
        return True
    if text in ("", NO_CLAUSE, "-", "已核", "false", "否"):
        return False
    raise ValueError(f"依据待核应当写“待核”或“{NO_CLAUSE}”，不是「{text[:20]}」")


def _stakes(value: Any) -> Any:
    text = clean(str(value or "")).lower()
    if text in ("", NO_CLAUSE, "-"):
        return None
    if text in ("high", STAKES):
        return "high"
    raise ValueError(f"后果只能写“{STAKES}”（YAML 里写 high），或者不写，不是「{text[:20]}」")


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


class KnowledgeRow(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DocumentRow(KnowledgeRow):
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


class GuideRow(KnowledgeRow):
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


class SourceRow(KnowledgeRow):
    """What an answer rests on: a document's id (in tables also its title), and where in it."""

    document: OneLine
    clause: MaybeLine = None
    unverified: Annotated[bool, BeforeValidator(read_mark)] = False
    """依据待核: nobody has compared the answer with the official text yet."""


class QARow(KnowledgeRow):
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
    stakes: Annotated[Literal["high"] | None, BeforeValidator(_stakes)] = None
    """high: a wrong answer costs a deadline, a fine, health or a right"""
    condition: MaybeLine = None
    """With high stakes: what decides whether the answer is for this citizen"""
    report: Lines = []
    """What a ticket on it must say; empty: it is nothing to register"""
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
        if self.stakes and not self.condition:
            raise ValueError("后果重（stakes: high），却没有写先看什么情况（condition）")
        return self


class PassageRow(KnowledgeRow):
    """A piece of a document's own text as files have it; a document's pieces stand in their order."""

    document: Slug
    label: Annotated[str, BeforeValidator(lambda value: _optional(_line)(value) or "")] = ""
    text: Prose


AnyRow = DocumentRow | GuideRow | QARow
ROWS: dict[Kind, type[AnyRow]] = {"document": DocumentRow, "guide": GuideRow, "qa": QARow}
MODELS: dict[Kind, Any] = {"document": Document, "guide": ServiceGuide, "qa": QA}
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
class Column:
    """A column of somebody's table."""

    header: str
    """As it is shown: of a header of two lines both, of two columns with one name the second with a number"""
    plain: str
    """As it is compared"""
    means: str | None
    """The field that it is for; None: it isn't known, or not imported"""
    samples: list[str] = field(default_factory=list)
    """The first few values"""


@dataclass
class Head:
    """The header of a table, and what was made of it."""

    file: str
    line: int
    kind: Kind | None
    """What its rows are; None: it isn't known"""
    headers: str
    """Digest of the set of headers: the next table with the same columns has the same"""
    columns: list[Column]
    remembered: bool = False
    """Whether a person has said what its columns mean"""


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
    heads: list[Head] = field(default_factory=list)
    """The headers of the tables"""

    @classmethod
    def joined(cls, bundles: Iterable[Bundle]) -> Bundle:
        """Several files' bundles as one."""
        together = cls()
        for bundle in bundles:
            merge_into(together, bundle)
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


def check_row(model: type[_Checked], data: Mapping[str, Any], names: Mapping[str, str]) -> _Checked | list[str]:
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


def merge_into(bundle: Bundle, other: Bundle) -> None:
    bundle.problems += other.problems
    bundle.passages += other.passages
    bundle.heads += other.heads
    for kind in KIND_NAMES:
        for row in other.rows(kind):
            bundle.add(kind, row, *other.places[kind, row.id], other.given.get((kind, row.id)))


def decode_file(path: Path, bundle: Bundle, encodings: Sequence[str]) -> str | None:
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
