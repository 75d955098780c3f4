"""Read policy documents (txt, md, html, docx, pdf): title, document number, issuer, dates, and the text by clause.

What the layout rules of official documents fix is recognised (``index.knowledge_files.document_head``; clauses 第…条, or 一、（一）1.); what
is not there is left out, never guessed.  A bulletin of several articles becomes several documents, cut where the lines of
its table of contents come again.  A document that bears a state-secret mark is refused (``index.knowledge_files.secrecy``).
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Literal

from sqlalchemy.orm import Session

from bot import audit, knowledge
from bot.errors import InvalidInput
from bot.models.knowledge import Document
from index.knowledge_files import document_head, docx_text, html_text, secrecy
from index.knowledge_files.document_head import ARTICLE, CHAPTER, LEVELS, bare, numbered
from index.knowledge_files.importing import ImportReport, Item
from index.knowledge_files.office_files import refuse_unreadable, shown_name
from index.knowledge_files.rows import Bundle, DocumentRow, PassageRow, Problem, check_row
from index.search.passages import split_passages

SUFFIXES = frozenset({".txt", ".md", ".html", ".htm", ".shtml", ".xhtml", ".docx", ".pdf"})
CLAUSE_CHARS = 500
"""Longer clauses are cut at sentence ends: a passage should fit a phone's screen."""
CLAUSE_HEADING = 45
"""A numbered line is the heading of what follows if it has at most so many characters."""
LIST_ITEM = 60
"""An item of a list has at most so many."""
MAX_BYTES = 50_000_000

_CONTENTS = re.compile(r"^目\s*[录次]$")
_CONTENTS_LINES = 60
_PAGE = re.compile(r"^\d{1,3}$|^[—\-–]\s*\d{1,3}\s*[—\-–]$|^第?\s*\d{1,3}\s*页(?:\s*共\s*\d+\s*页)?$")
_LEADING_PAGE = re.compile(r"^\d{1,3}\s+|[.…·\s]+\d{1,3}$")
_MARKS = re.compile(r"^\s{0,3}(?:#{1,6}\s+|>\s?|[-*+]\s+)|\*\*|__|`")

_NOBODY = frozenset({"运营人员", "系统", "管理员", "工作人员", "领导", "admin", "root"})
"""Words that name no person"""

Status = Literal["有效", "已修改", "已废止"]


@dataclass(frozen=True)
class Clause:
    """A piece of a document's text: its number (第三条; 一、（二）; empty where nothing is numbered) and its words."""

    label: str
    text: str


@dataclass(frozen=True)
class PolicyText:
    """One recognised document."""

    title: str
    doc_no: str | None = None
    issuer: str | None = None
    issued: date | None = None
    effective: date | None = None
    clauses: tuple[Clause, ...] = field(default=())
    status: Status = "有效"
    internal: str | None = None
    """The mark (内部资料, 依申请公开) that keeps it from citizens"""
    is_order: bool = False
    """Whether ``doc_no`` is a running number of orders, which the next government may begin anew"""

    @property
    def id(self) -> str:
        """Stable across imports: from its number, else from its title; an order's number says too little alone."""
        name = f"{self.doc_no} {bare(self.title)}" if self.is_order else self.doc_no or self.title
        return "wj-" + hashlib.sha256(name.encode()).hexdigest()[:12]


@dataclass
class _Source:
    """A file's content: lines in order, what stands beside them, and what the file says about itself."""

    lines: list[str]
    furniture: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    links: set[str] = field(default_factory=set)
    """Lines that are nothing but a link, which is no mark"""


def read(path: Path) -> list[PolicyText]:
    """The document, or documents, of a file.

    Raises:
        Classified: it bears a state-secret mark.
        InvalidInput: unreadable, not of its kind, too large, or without text (a scanned PDF); says which, in Chinese.
    """
    name = shown_name(path)
    secrecy.check_name(path, name)
    refuse_unreadable(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InvalidInput(f"{name}：政策文件支持 txt、md、html、docx、pdf。")
    try:
        size = path.stat().st_size
    except OSError as error:
        raise InvalidInput(f"{name}：文件打不开。") from error
    if size > MAX_BYTES:
        raise InvalidInput(f"{name}：文件超过 {MAX_BYTES // 1_000_000} MB，请拆分后导入。")
    readers = {".docx": _docx, ".pdf": _pdf} | dict.fromkeys((".html", ".htm", ".shtml", ".xhtml"), _html)
    source = readers.get(path.suffix.lower(), _text)(path)
    words = [line for line in source.lines if bare(line) not in source.links]
    internal = secrecy.check(name, words, source.furniture)
    lines = [_tidy(line) for line in source.lines]
    lines = [line for line in lines if line and not _PAGE.match(line)]
    if not lines:
        hint = "，可能是扫描件，请先做文字识别" if path.suffix.lower() == ".pdf" else ""
        raise InvalidInput(f"{name}：里面没有文字{hint}。")
    found = [text for text in _documents(lines, Path(name).stem, source.facts) if text.clauses]
    if not found:
        raise InvalidInput(f"{name}：只有标题，没有正文。")
    return [replace(text, internal=internal) for text in found]


# --- files to lines --------------------------------------------------------------------------------------------------


def _tidy(line: str) -> str:
    return re.sub(r"[ \t\u00a0\u2002\u2003\u3000]+", " ", _UNSEEN.sub("", line)).strip()


_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060\ufeff\x00-\x08\x0b\x0c\x0e-\x1f]")


def _text(path: Path) -> _Source:
    try:
        text = html_text.decode(path.read_bytes())
    except ValueError as error:
        raise InvalidInput(f"{shown_name(path)}：不是文本文件，或者编码认不出来（请另存为 UTF-8）。") from error
    lines = re.split(r"\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]", text)
    # Markdown's marks mean nothing in other text, and saved chats and web pages are full of them.
    return _Source([_MARKS.sub("", line) for line in lines if not re.fullmatch(r"\s*[-*_]{3,}\s*", line)])


def _html(path: Path) -> _Source:
    page = html_text.read(path)
    if any(secrecy.secret_mark(line, alone=True) for line in page.around):
        raise secrecy.Classified(shown_name(path))
    said = (("secrecy", "密级"), ("access", "公开属性"))
    beside = [f"{label}：{value}" for name, label in said if (value := page.facts.get(name))]
    return _Source(page.lines, beside, page.facts, page.links)


def _docx(path: Path) -> _Source:
    found = docx_text.read(path)
    return _Source(found.lines, found.furniture)


def _pdf(path: Path) -> _Source:
    import pypdf

    logging.getLogger("pypdf").setLevel(logging.CRITICAL + 1)  # it quotes the file in its warnings
    try:
        pages = [page.extract_text() or "" for page in pypdf.PdfReader(path).pages]
    except Exception as error:  # a broken file makes pypdf raise anything
        raise InvalidInput(f"{shown_name(path)}：PDF 打不开，可能已损坏或者加了密码。") from error
    printed = [page.splitlines() for page in pages]
    edges = [line for page in printed for line in (*page[:3], *page[-3:])]
    return _Source(list(_rejoined([_tidy(line) for page in printed for line in page])), edges)


def _rejoined(lines: list[str]) -> Iterator[str]:
    """Printed lines to paragraphs: a full line that ends no sentence goes on in the next."""
    lines = [line for line in lines if line and not _PAGE.match(line)]
    full = max((len(line) for line in lines), default=0) * 0.85
    paragraph = ""
    for line in lines:
        if paragraph and numbered(line):
            yield paragraph
            paragraph = ""
        paragraph += line
        if len(line) < full or re.search(r"[。；！？]$", line):
            yield paragraph
            paragraph = ""
    if paragraph:
        yield paragraph


# --- lines to documents ----------------------------------------------------------------------------------------------


def _documents(lines: list[str], stem: str, facts: dict[str, str] | None = None) -> list[PolicyText]:
    """One document, or one for each article of a bulletin with a table of contents."""
    starts, body = _articles(lines)
    if len(starts) < 2:
        return [_document(lines, stem, facts or {})]
    head = _document(lines[: starts[0][0]], stem, {})
    ends = [start for start, _ in starts[1:]] + [body]
    return [
        replace(
            _document([title, *lines[start + 1 : end]], stem, {}),
            title=title,
            issuer=head.issuer,
            issued=head.issued,
            doc_no=None,
            is_order=False,
        )
        for (start, title), end in zip(starts, ends, strict=True)
    ]


def _articles(lines: list[str]) -> tuple[list[tuple[int, str]], int]:
    """Where the lines of a table of contents come again as headings, and where the text ends.

    A contents line may be broken in two (03 湖南省长沙 … 市打造“政策百度”…), so a heading is one fragment or two.
    """
    tables = [number for number, line in enumerate(lines) if _CONTENTS.match(line)]
    if not tables:
        return [], len(lines)
    first = tables[0]
    fragments: list[str] = []
    for line in lines[first + 1 : first + _CONTENTS_LINES]:
        if len(line) > 2 * CLAUSE_HEADING or line.endswith("。"):
            break
        heading = _LEADING_PAGE.sub("", line)
        if not numbered(heading):  # chapters of one document are no articles
            fragments.append(bare(heading))
    wanted = set(filter(None, fragments))
    wanted |= {a + b for a in wanted for b in wanted if a != b}
    starts: list[tuple[int, str]] = []
    end = next((number for number in tables[1:]), len(lines))
    seen: set[str] = set()
    for number, line in enumerate(lines[:end]):
        words = bare(line)
        if number <= first or words not in wanted or len(words) < 8 or words in seen:
            continue
        after = next((other for other in lines[number + 1 : number + 4] if len(other) > CLAUSE_HEADING), None)
        if after is not None:
            seen.add(words)
            starts.append((number, line))
    return starts, end


def _document(lines: list[str], stem: str, facts: dict[str, str]) -> PolicyText:
    title = facts.get("title") or None
    head = document_head.read(lines, facts.get("page") or stem, title)
    said = {name: _day(facts.get(name)) for name in ("issued", "published", "effective", "ended")}
    doc_no = facts.get("doc_no")
    source = facts.get("source", "")
    return PolicyText(
        title=head.title,
        doc_no=re.sub(r"\s+", "", doc_no) if doc_no and re.search(r"\d|号", doc_no) else head.doc_no,
        is_order=head.is_order and not doc_no,
        issuer=facts.get("issuer") or head.issuer or (source if document_head.ORGAN.match(source) else None),
        issued=said["issued"] or head.issued or said["published"],
        effective=said["effective"] or head.effective,
        status=_status(facts.get("status", ""), said["ended"]),
        clauses=tuple(_clauses([line for line in lines[head.body :] if not document_head.is_formal(line)])),
    )


def _day(words: str | None) -> date | None:
    """The day that a page's table writes: 2026-01-05, 2026年1月5日, 二〇二六年一月五日."""
    text = document_head.plain(words or "")
    match = re.match(r"(?P<y>(?:19|20)\d\d)[-/.年](?P<m>\d{1,2})[-/.月](?P<d>\d{1,2})", text)
    return document_head.as_date(match)


def _status(words: str, ended: date | None) -> Status:
    """What a page says of its document's force; silence means that it holds."""
    text = document_head.plain(words)
    if re.search(r"废止|失效|无效|已过期|停止执行|^否$", text) or (ended is not None and ended < date.today()):
        return "已废止"
    return "已修改" if re.search(r"已?(?:被)?修[改订正]", text) else "有效"


def _clauses(lines: list[str]) -> Iterator[Clause]:
    """Clauses in their order; long ones in several pieces with one label.

    A heading stands above the first clause below it; a list of short items stays with the line that leads it.  No line is lost.
    """
    headings: list[str] = []
    nodes = list(_nodes(lines))
    number = 0
    while number < len(nodes):
        node = nodes[number]
        below = _below(nodes, number)
        number += 1
        if below and (text := _with_list(node, below)):
            number += len(below)
        elif below and _is_heading(node.text):
            headings.append(node.text)
            continue
        else:
            text = node.text
        for piece in split_passages("\n".join([*headings, text]), CLAUSE_CHARS, 0):
            yield Clause(node.label, piece)
        headings = []


@dataclass(frozen=True)
class _Node:
    """A numbered line with the unnumbered ones after it."""

    label: str
    level: int
    """How deep; -1: before the first number, or an article"""
    own: str
    """The last part of the label"""
    text: str


def _nodes(lines: list[str]) -> Iterator[_Node]:
    by_article = sum(bool(ARTICLE.match(line)) for line in lines) >= 2
    path: list[str] = []
    level, words = -1, ""
    label = ""

    def node() -> Iterator[_Node]:
        if words.strip():
            yield _Node(label, level, path[level] if level >= 0 else "", words.strip())

    for line in lines:
        article = ARTICLE.match(line)
        deep = None if by_article else next((n for n, rule in enumerate(LEVELS) if rule.match(line)), None)
        if CHAPTER.match(line):
            yield from node()
            label, level, words = "", -1, ""
        elif article:
            yield from node()
            label, level, words = article[1], -1, line[article.end() :].strip()
        elif deep is None:
            words = f"{words}\n{line}" if words else line
        else:
            yield from node()
            match = LEVELS[deep].match(line)
            assert match is not None
            path = path[:deep]
            path += [""] * (deep - len(path))
            path.append(match[1])
            label, level, words = "".join(path), deep, line[match.end() :].strip()
    yield from node()


def _below(nodes: Sequence[_Node], number: int) -> Sequence[_Node]:
    """What stands under a numbered line."""
    if nodes[number].level < 0:
        return []
    end = number + 1
    while end < len(nodes) and nodes[end].level > nodes[number].level:
        end += 1
    return nodes[number + 1 : end]


def _is_heading(text: str) -> bool:
    return len(text) <= CLAUSE_HEADING and not text.endswith("。") and "\n" not in text


def _with_list(node: _Node, below: Sequence[_Node]) -> str:
    """A line with the list below it, if that is one: short items of one level, each in one sentence; else empty."""
    first_lines = [item.text.split("\n", 1)[0] for item in below]
    listed = all(
        item.level == below[0].level
        and len(line) <= LIST_ITEM
        and "。" not in line[:-1]
        and (item is below[-1] or line == item.text)
        for item, line in zip(below, first_lines, strict=True)
    )
    whole = "\n".join([node.text, *(f"{item.own}{item.text}" for item in below)])
    return whole if listed and len(whole) <= CLAUSE_CHARS else ""


# --- documents as rows -----------------------------------------------------------------------------------------------


def as_bundle(file: str, texts: Sequence[PolicyText], region: str) -> tuple[Bundle, dict[str, str]]:
    """Recognised documents as rows with their passages; and by id the mark that keeps one within the office.

    What a text does not say of itself (status, region, address) stays as the database has it.
    """
    bundle = Bundle(files=[file])
    for text in texts:
        said = {"title": text.title, "doc_no": text.doc_no, "issuer": text.issuer}
        said |= {"issued": text.issued, "effective": text.effective}  # type: ignore[dict-item]
        row = check_row(DocumentRow, said | {"id": text.id, "region": region, "status": text.status}, {})
        if isinstance(row, list):
            bundle.problems += [Problem(file, None, f"《{text.title}》：{reason}") for reason in row]
            continue
        bundle.add("document", row, file, 0, set(said))
        bundle.passages += [PassageRow(document=row.id, label=one.label, text=one.text) for one in text.clauses]
    return bundle, {text.id: text.internal for text in texts if text.internal}


def confirmer(name: str) -> str:
    """The name of the person who confirms that what is marked as internal may be kept.  Raises: InvalidInput: it names nobody."""
    name = name.strip()
    if not name or name in _NOBODY:
        raise InvalidInput(f"要写确认人的姓名，「{name}」不是一个人的名字。")
    return name


# --- documents to the database ---------------------------------------------------------------------------------------


def import_texts(
    session: Session,
    file: str,
    texts: Sequence[PolicyText],
    *,
    region: str,
    actor: str,
    internal_confirmed_by: str | None = None,
    dry_run: bool = False,
) -> ImportReport:
    """Bring recognised documents and their passages into the database, in the caller's transaction.

    A document that is there already (same number, else same title) keeps its status, region and address; its text is
    replaced.  One that was internal stays so.

    Args:
        internal_confirmed_by: the person who confirms that what is marked as internal may be kept, for staff alone.

    Raises:
        NeedsConfirmation: a document is marked as internal, and nobody is named.
    """
    confirmed_by = (internal_confirmed_by or "").strip() or None
    _may_be_kept(file, texts, confirmed_by)
    report = ImportReport()
    savepoint = session.begin_nested()
    present = knowledge.find(session, Document, [text.id for text in texts])
    for text in texts:
        known = present.get(text.id)
        if known is not None and known.internal_confirmed_by and not text.internal:
            report.notes.append(f"《{text.title}》在系统里是内部文件，仍然只供工作人员查阅。")
        changed = knowledge.upsert_document(session, _row(text, known, region, confirmed_by))
        changed |= knowledge.set_passages(session, text.id, [(clause.label, clause.text) for clause in text.clauses])
        of_kind = report.added if known is None else report.changed if changed else report.unchanged
        of_kind.append(Item("document", text.id))
    report.written = not dry_run
    if dry_run:
        savepoint.rollback()
        return report
    savepoint.commit()
    _record(session, actor, file, texts, report, confirmed_by)
    return report


def _may_be_kept(file: str, texts: Sequence[PolicyText], confirmed_by: str | None) -> None:
    """Raises: InvalidInput, NeedsConfirmation."""
    if confirmed_by in _NOBODY:
        raise InvalidInput(f"--internal-confirmed-by 要写确认人的姓名，「{confirmed_by}」不是一个人的名字。")
    mark = next((text.internal for text in texts if text.internal), None)
    if mark and confirmed_by is None:
        raise secrecy.NeedsConfirmation(
            f"{file}：标着「{mark}」，没有导入。经本单位有权的人确认可以留给工作人员内部查阅的，"
            "请加 --internal-confirmed-by 写明确认人的姓名再导入；这样的文件市民看不到。"
        )


def _row(text: PolicyText, known: Document | None, region: str, confirmed_by: str | None) -> Document:
    """The row of a recognised document; ``known`` is what the database has of it."""
    return Document(
        id=text.id,
        title=text.title,
        doc_no=text.doc_no,
        issuer=text.issuer,
        region=known.region if known else region,
        issued=text.issued,
        effective=text.effective,
        status=known.status if known else text.status,
        url=known.url if known else None,
        replaced_by=known.replaced_by if known else None,
        internal_confirmed_by=confirmed_by if text.internal else None,
    )


def _record(
    session: Session,
    actor: str,
    file: str,
    texts: Sequence[PolicyText],
    report: ImportReport,
    confirmed_by: str | None,
) -> None:
    """Put into the audit log what an import has changed, and who confirmed each internal document."""
    written = {item.id for item in (*report.added, *report.changed)}
    if written:
        audit.record(
            session,
            actor,
            "knowledge.import",
            file,
            added=len(report.added),
            changed=len(report.changed),
            passages=sum(len(text.clauses) for text in texts),
        )
    for text in texts:
        if text.internal and text.id in written:
            audit.record(
                session, actor, "knowledge.internal", text.id, mark=text.internal, internal_confirmed_by=confirmed_by
            )
