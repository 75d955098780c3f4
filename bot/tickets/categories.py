"""What tickets are about and who answers for it: a tree of categories, a catalogue of departments, who is sent what.

One comes with the project (``bot/data/categories.yaml``); a city's own is imported from a file of the same form and is in force
from then on.  A ticket keeps its category's code together with the scheme and version it is from, so that old codes stay readable.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session, object_session

from bot import audit
from bot.clock import utcnow
from bot.errors import InvalidInput
from bot.models.categories import CategoryScheme
from bot.models.tickets import Ticket

FILE = Path(__file__).parent.parent / "data" / "categories.yaml"
UNSORTED = "待分类"
"""What a ticket without a category is called"""

_MANY = 20
"""So many faults of a file are named at once"""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Department(_Entry):
    """Who can be sent a ticket (承办单位)."""

    code: str = Field(min_length=1, max_length=16)
    name: str = Field(min_length=1, max_length=50)
    level: Literal["市", "区县", "街道乡镇", "垂管", "企业"]
    answers_for: str = Field(alias="for", min_length=1, max_length=200)


class Category(_Entry):
    """A category of the second level, and the row of the dispatch catalogue (派单目录) that belongs to it."""

    code: str = Field(min_length=1, max_length=16)
    name: str = Field(min_length=1, max_length=50)
    covers: str = Field(min_length=1, max_length=300)
    """What belongs here"""
    excludes: str = Field("", alias="not", max_length=300)
    """What does not, and where it goes"""
    department: str
    """Code of who leads (主办)"""
    assisting: list[str] = Field(default_factory=list, alias="with")
    """Codes of those who often help (协办)"""
    basis: str = Field(min_length=1, max_length=200)
    """Why it is sent there"""
    varies: str = Field("", max_length=200)
    """Where cities differ"""
    matters: list[str] = Field(default_factory=list)
    """Matters of the knowledge that belong here"""
    same_as: list[str] = Field(default_factory=list)
    """In a city's own tree: codes of the bundled tree that it stands for, so that the machine can suggest it"""


class TopCategory(_Entry):
    """A category of the first level."""

    code: str = Field(min_length=1, max_length=16)
    name: str = Field(min_length=1, max_length=50)
    covers: str = Field(min_length=1, max_length=300)
    second: list[Category] = Field(min_length=1)


class Confused(_Entry):
    """Two categories that are often taken for one another."""

    codes: list[str] = Field(min_length=2, max_length=2)
    tells: str = Field(min_length=1, max_length=300)
    """How to tell them apart"""


class Catalogue(_Entry):
    """One version of a tree with its departments."""

    scheme: str = Field(pattern=r"^[A-Za-z0-9_\-]{1,32}$")
    version: str = Field(pattern=r"^[A-Za-z0-9_.\-]{1,24}$")
    title: str = Field(min_length=1, max_length=100)
    departments: list[Department] = Field(min_length=1)
    categories: list[TopCategory] = Field(min_length=1)
    confused: list[Confused] = Field(default_factory=list)

    @property
    def id(self) -> str:
        """Scheme and version."""
        return f"{self.scheme}/{self.version}"

    @cached_property
    def second(self) -> dict[str, tuple[TopCategory, Category]]:
        """Code → the category of the second level, its parent before it."""
        return {one.code: (top, one) for top in self.categories for one in top.second}

    @cached_property
    def by_department(self) -> dict[str, Department]:
        """Code → department."""
        return {one.code: one for one in self.departments}

    @cached_property
    def by_matter(self) -> dict[str, str]:
        """Matter of the knowledge → code of its category."""
        return {matter: one.code for _, one in self.second.values() for matter in one.matters}

    def name(self, code: str) -> str | None:
        """社会保险／工伤保险; None: there is no such code."""
        found = self.second.get(code)
        return f"{found[0].name}／{found[1].name}" if found else None

    def lead(self, code: str) -> Department:
        """Who is sent tickets of this category."""
        return self.by_department[self.second[code][1].department]


def read(path: Path) -> Catalogue:
    """A tree from a file.

    Raises:
        InvalidInput: it can't be read; the message names the lines and what is wrong there.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"读不了{path.name}：请确认文件在，并且存成 UTF-8 编码。") from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"第{mark.line + 1}行" if mark else "文件"
        raise InvalidInput(f"{where}不是正确的 YAML：请检查缩进、冒号和引号。") from error
    if node is None or not isinstance(data, dict):
        raise InvalidInput("文件是空的，或者不是分类目录：最外层应有 scheme、version、departments、categories。")
    try:
        found = Catalogue.model_validate(data)
    except ValidationError as error:
        raise InvalidInput(_all(_told(node, error))) from error
    if faults := [f"第{_line(node, loc)}行：{what}" for loc, what in _contradictions(found)]:
        raise InvalidInput(_all(faults))
    return found


def _all(faults: Sequence[str]) -> str:
    more = f"\n……还有{len(faults) - _MANY}处。" if len(faults) > _MANY else ""
    return "\n".join(faults[:_MANY]) + more


_SAYS = {
    "missing": "缺少 {field}。",
    "extra_forbidden": "没有 {field} 这个字段，请检查拼写。",
    "string_too_short": "{field} 不能为空。",
    "string_too_long": "{field} 太长，最多{max_length}个字。",
    "string_type": '{field} 要写成文字；编号请加引号，例如 "0101"。',
    "string_pattern_mismatch": "{field} 只能用字母、数字、短横线和下划线（版本号还可以用点），而且不能太长。",
    "literal_error": "{field} 只能是{expected}。",
    "too_short": "{field} 一项都没有。",
    "too_long": "{field} 的项数多了。",
    "list_type": "{field} 要写成列表。",
}


def _told(node: yaml.Node, error: ValidationError) -> list[str]:
    said = []
    for one in error.errors():
        names = [str(part) for part in one["loc"] if isinstance(part, str)]
        values = {"field": names[-1] if names else "这一项", **one.get("ctx", {})}
        values["expected"] = str(values.get("expected", "")).replace("'", "").replace(" or ", "、").replace(", ", "、")
        words = _SAYS.get(one["type"], "{field} 写得不对。").format(**values)
        said.append(f"第{_line(node, one['loc'])}行：{words}")
    return said


def _line(node: yaml.Node, loc: Sequence[str | int]) -> int:
    """The line of the innermost part that is there."""
    for part in loc:
        inner: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            inner = next((value for key, value in node.value if key.value == part), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            inner = node.value[part]
        if inner is None:
            break
        node = inner
    return int(node.start_mark.line) + 1


def _contradictions(found: Catalogue) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Where each fault is, and what it is."""
    departments: set[str] = set()
    for at, department in enumerate(found.departments):
        if department.code in departments:
            yield ("departments", at, "code"), f"承办单位编号 {department.code} 写了两次。"
        departments.add(department.code)
    codes: set[str] = set()
    tops: set[str] = set()
    matters: set[str] = set()
    for at, top in enumerate(found.categories):
        if top.code in tops:
            yield ("categories", at, "code"), f"分类编号 {top.code} 写了两次。"
        tops.add(top.code)
        for place, one in enumerate(top.second):
            here = ("categories", at, "second", place)
            if one.code in codes:
                yield (*here, "code"), f"分类编号 {one.code} 写了两次。"
            codes.add(one.code)
            for name, who in [("department", one.department), *(("with", code) for code in one.assisting)]:
                if who not in departments:
                    yield (*here, name), f"承办单位目录里没有 {who}。"
            for matter in one.matters:
                if matter in matters:
                    yield (*here, "matters"), f"事项“{matter}”归到了两个分类。"
                matters.add(matter)
            for code in one.same_as:
                if code not in bundled().second:
                    yield (*here, "same_as"), f"一号答自带的分类里没有 {code}。"
    for at, pair in enumerate(found.confused):
        for code in pair.codes:
            if code not in codes:
                yield ("confused", at, "codes"), f"分类里没有 {code}。"


@lru_cache(maxsize=1)
def bundled() -> Catalogue:
    """The project's own."""
    return read(FILE)


def current(session: Session) -> Catalogue:
    """The one in force: the city's newest, or the project's own."""
    newest = select(CategoryScheme.id).order_by(CategoryScheme.imported_at.desc(), CategoryScheme.id.desc()).limit(1)
    id_ = session.scalar(newest)
    return bundled() if id_ is None else by_id(session, id_) or bundled()


def by_id(session: Session, id_: str | None) -> Catalogue | None:
    """One version, also an old one; None: never seen here."""
    if id_ == bundled().id:
        return bundled()
    row = session.get(CategoryScheme, id_) if id_ else None
    return _parsed(json.dumps(row.content, ensure_ascii=False)) if row else None


@lru_cache(maxsize=8)
def _parsed(content: str) -> Catalogue:
    return Catalogue.model_validate_json(content)


def import_(session: Session, found: Catalogue, actor: str) -> bool:
    """Put a tree in force; whether it is new here.

    Raises:
        InvalidInput: this version is known with another content: old tickets would read differently.
    """
    content: dict[str, Any] = found.model_dump(by_alias=True)
    known = by_id(session, found.id)
    if known is not None and known.model_dump(by_alias=True) != content:
        raise InvalidInput(f"{found.id} 已经导入过，内容不一样。改了目录请换一个 version，旧工单还要按旧目录读。")
    row = session.get(CategoryScheme, found.id)
    if row is None:
        session.add(CategoryScheme(id=found.id, content=content, imported_by=actor, imported_at=utcnow()))
    else:
        row.imported_by, row.imported_at = actor, utcnow()
    audit.record(
        session, actor, "categories.导入", found.id, categories=len(found.second), departments=len(found.departments)
    )
    return row is None


def of_ticket(ticket: Ticket) -> str | None:
    """The name of a ticket's category; None: it has none."""
    session = object_session(ticket)
    return shown(session, ticket.category, ticket.category_scheme) if ticket.category and session else None


def shown(session: Session, code: str | None, scheme: str | None) -> str:
    """What people read: the name in the tree that the code is from, the bare code if that tree is not here."""
    if not code:
        return UNSORTED
    catalogue = by_id(session, scheme)
    return (catalogue.name(code) if catalogue else None) or code
