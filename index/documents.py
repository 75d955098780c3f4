"""Read policy documents (txt, md, html, docx, pdf): title, document number, issuer, dates, and the text by clause.

What the layout rules of official documents fix is recognised (GB/T 9704-2012: title, 发文字号, 成文日期; clauses 第…条, or
一、（一）1.); what is not there is left out, never guessed.  A bulletin of several articles becomes several documents, cut
where the lines of its table of contents come again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from sqlalchemy.orm import Session

from bot import audit, knowledge
from bot.errors import InvalidInput
from bot.models import Document
from index.knowledge_files import ImportReport, Item
from index.passages import split_passages

SUFFIXES = frozenset({".txt", ".md", ".html", ".htm", ".docx", ".pdf"})
CLAUSE_CHARS = 500
"""Longer clauses are cut at sentence ends: a passage should fit a phone's screen."""
MAX_BYTES = 50_000_000

_NUMERAL = "一二三四五六七八九十百千零〇0-9"
_ARTICLE = re.compile(rf"^(第[{_NUMERAL}]+条)[\s　:：]*")
_CHAPTER = re.compile(rf"^第[{_NUMERAL}]+[编章节][\s　]*\S{{1,30}}$")
_LEVELS = (
    re.compile(rf"^([{_NUMERAL}]+、)\s*"),
    re.compile(r"^(（[一二三四五六七八九十百]+）|\([一二三四五六七八九十百]+\))\s*"),
    re.compile(r"^(\d{1,2}[.．、])\s*(?=\D)"),
)
_DOC_NO = re.compile(r"[\u4e00-\u9fff]{1,12}[〔\[［（(【](?:19|20)\d{2}[〕\]］）)】]\s*(?:第\s*)?\d{1,4}\s*号")
_NO_DOC_NO = re.compile(r"准字|证字|许可|登记")
_DAY = re.compile(r"(?P<y>(?:19|20)\d{2})\s*年\s*(?P<m>\d{1,2})\s*月\s*(?P<d>\d{1,2})\s*日")
_ONLY_DAY = re.compile(rf"^[（(]?\s*{_DAY.pattern}\s*[）)]?$")
_EFFECTIVE = re.compile(rf"自\s*{_DAY.pattern}\s*起(?:施行|实施|执行|生效)")
_EFFECTIVE_WHEN_ISSUED = re.compile(r"自(?:发布|印发|公布)之日起(?:施行|实施|执行|生效)")
_ORGAN = re.compile(
    r"^[\u4e00-\u9fff、（）\s]{2,30}(?:人民政府|政府|办公厅|办公室|委员会|局|厅|部|院|会|署|中心|领导小组|工作组)$"
)
_TITLE_END = re.compile(
    r"(?:通知|意见|办法|条例|规定|细则|要点|方案|报告|公告|通告|通报|决定|批复|函|纲要|规划|计划|指南|指引|规则|措施|规程|法|解释)(?:（.{1,20}）|\(.{1,20}\))?$"
)
_SENTENCE_END = re.compile(r"[。；;！？!?：:，,]$")
_HEAD = 40
"""Lines in which a document's head is looked for."""
_TITLE_CHARS = 90
_CONTENTS = re.compile(r"^目\s*[录次]$")
_CONTENTS_LINES = 60
_PAGE = re.compile(r"^\d{1,3}$|^[—\-–]\s*\d{1,3}\s*[—\-–]$|^第?\s*\d{1,3}\s*页$")
_LEADING_PAGE = re.compile(r"^\d{1,3}\s+|[.…·\s]+\d{1,3}$")
_MARKS = re.compile(r"^\s{0,3}(?:#{1,6}\s+|>\s?|[-*+]\s+)|\*\*|__|`")


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

    @property
    def id(self) -> str:
        """Stable across imports: from its number, else from its title."""
        return "wj-" + hashlib.sha256((self.doc_no or self.title).encode()).hexdigest()[:12]


def read(path: Path) -> list[PolicyText]:
    """The document, or documents, of a file.

    Raises:
        InvalidInput: unreadable, not of its kind, too large, or without text (a scanned PDF); says which, in Chinese.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InvalidInput(f"{path.name}：政策文件支持 txt、md、html、docx、pdf。")
    try:
        size = path.stat().st_size
    except OSError as error:
        raise InvalidInput(f"{path.name}：文件打不开。") from error
    if size > MAX_BYTES:
        raise InvalidInput(f"{path.name}：文件超过 {MAX_BYTES // 1_000_000} MB，请拆分后导入。")
    readers = {".docx": _docx_lines, ".pdf": _pdf_lines, ".html": _html_lines, ".htm": _html_lines}
    lines = [_tidy(line) for line in readers.get(path.suffix.lower(), _text_lines)(path)]
    lines = [line for line in lines if line and not _PAGE.match(line)]
    if not lines:
        hint = "，可能是扫描件，请先做文字识别" if path.suffix.lower() == ".pdf" else ""
        raise InvalidInput(f"{path.name}：里面没有文字{hint}。")
    found = [text for text in _documents(lines, path.stem) if text.clauses]
    if not found:
        raise InvalidInput(f"{path.name}：只有标题，没有正文。")
    return found


# --- files to lines --------------------------------------------------------------------------------------------------


def _tidy(line: str) -> str:
    return re.sub(r"[ \t\u00a0\u3000]+", " ", line).strip()


def _decoded(path: Path) -> str:
    raw = path.read_bytes()
    encodings = ("utf-16",) if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise InvalidInput(f"{path.name}：不是文本文件，或者编码认不出来（请另存为 UTF-8）。")


def _text_lines(path: Path) -> list[str]:
    # Markdown's marks mean nothing in other text, and saved chats and web pages are full of them.
    return [_MARKS.sub("", line) for line in _decoded(path).splitlines() if not re.fullmatch(r"\s*[-*_]{3,}\s*", line)]


def _html_lines(path: Path) -> list[str]:
    from bs4 import BeautifulSoup  # here and below: every other command would wait for these imports

    soup = BeautifulSoup(_decoded(path), "html.parser")
    for tag in soup(["script", "style", "nav", "header", "footer", "noscript", "form"]):
        tag.decompose()
    main = soup.find("article") or soup.find("main") or soup.body or soup
    for block in main.find_all(["p", "div", "li", "tr", "br", "h1", "h2", "h3", "h4", "h5", "h6", "section", "table"]):
        block.insert_before("\n")
        block.append("\n")
    # A page's headline may stand outside its article.
    headline = soup.find("h1")
    lines = main.get_text("").splitlines()
    title = _tidy(headline.get_text(" ")) if headline else ""
    return lines if not title or any(_tidy(line) == title for line in lines) else [title, *lines]


def _docx_lines(path: Path) -> list[str]:
    import docx
    import docx.opc.exceptions
    import docx.table

    try:
        document = docx.Document(str(path))
    except (docx.opc.exceptions.PackageNotFoundError, KeyError, ValueError, OSError) as error:
        raise InvalidInput(f"{path.name}：不是完好的 docx 文件（老的 .doc 请另存为 .docx）。") from error
    lines: list[str] = []
    for block in document.iter_inner_content():
        if isinstance(block, docx.table.Table):
            lines += [" ".join(dict.fromkeys(cell.text.strip() for cell in row.cells)) for row in block.rows]
        else:
            lines += block.text.splitlines()
    return lines


def _pdf_lines(path: Path) -> list[str]:
    import pypdf
    import pypdf.errors

    try:
        pages = [page.extract_text() or "" for page in pypdf.PdfReader(path).pages]
    except (pypdf.errors.PyPdfError, ValueError, OSError, KeyError, RecursionError) as error:
        raise InvalidInput(f"{path.name}：PDF 打不开，可能已损坏或者加了密码。") from error
    return list(_rejoined([_tidy(line) for page in pages for line in page.splitlines()]))


def _rejoined(lines: list[str]) -> Iterator[str]:
    """Printed lines to paragraphs: a full line that ends no sentence goes on in the next."""
    lines = [line for line in lines if line and not _PAGE.match(line)]
    full = max((len(line) for line in lines), default=0) * 0.85
    paragraph = ""
    for line in lines:
        if paragraph and _numbered(line):
            yield paragraph
            paragraph = ""
        paragraph += line
        if len(line) < full or re.search(r"[。；！？]$", line):
            yield paragraph
            paragraph = ""
    if paragraph:
        yield paragraph


# --- lines to documents ----------------------------------------------------------------------------------------------


def _numbered(line: str) -> bool:
    return bool(_ARTICLE.match(line) or _CHAPTER.match(line) or any(level.match(line) for level in _LEVELS))


def _bare(line: str) -> str:
    return re.sub(r"\s+", "", line)


def _documents(lines: list[str], stem: str) -> list[PolicyText]:
    """One document, or one for each article of a bulletin with a table of contents."""
    starts, body = _articles(lines)
    if len(starts) < 2:
        return [_document(lines, stem)]
    head = _document(lines[: starts[0][0]], stem)
    ends = [start for start, _ in starts[1:]] + [body]
    return [
        replace(
            _document([title, *lines[start + 1 : end]], stem),
            title=title,
            issuer=head.issuer,
            issued=head.issued,
            doc_no=None,
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
        if len(line) > _TITLE_CHARS or line.endswith("。"):
            break
        fragments.append(_bare(_LEADING_PAGE.sub("", line)))
    wanted = set(filter(None, fragments))
    wanted |= {a + b for a in wanted for b in wanted if a != b}
    starts: list[tuple[int, str]] = []
    end = next((number for number in tables[1:]), len(lines))
    seen: set[str] = set()
    for number, line in enumerate(lines[:end]):
        bare = _bare(line)
        if number <= first or bare not in wanted or len(bare) < 8 or bare in seen:
            continue
        after = next((other for other in lines[number + 1 : number + 4] if len(other) > _TITLE_CHARS // 2), None)
        if after is not None:
            seen.add(bare)
            starts.append((number, line))
    return starts, end


def _document(lines: list[str], stem: str) -> PolicyText:
    title, body, issuer = _title(lines, stem)
    head, tail = lines[:_HEAD], lines[-_HEAD // 4 :]
    numbers = (_DOC_NO.search(line) for line in head if len(line) <= _TITLE_CHARS // 2)
    number = next((match for match in numbers if match and not _NO_DOC_NO.search(match.group())), None)
    dated = next((m for line in [*head[:12], *reversed(tail)] if (m := _ONLY_DAY.match(line))), None)
    issued = _date(dated)
    text = "".join(lines)
    effective = _date(_EFFECTIVE.search(text))
    if effective is None and issued is not None and _EFFECTIVE_WHEN_ISSUED.search(text):
        effective = issued
    if issuer is None:
        issuer = next((line for line in [*head[:10], *reversed(tail)] if line != title and _ORGAN.match(line)), None)
    return PolicyText(
        title=title,
        doc_no=_bare(number.group()) if number else None,
        issuer=issuer,
        issued=issued,
        effective=effective,
        clauses=tuple(_clauses([line for line in lines[body:] if not _only_formal(line)])),
    )


def _only_formal(line: str) -> bool:
    """Whether a line is nothing but a number, a date or an organ's name: told apart already, no text to show."""
    return bool(_DOC_NO.fullmatch(line) or _ONLY_DAY.match(line) or _ORGAN.match(line))


def _date(match: re.Match[str] | None) -> date | None:
    try:
        return date(int(match["y"]), int(match["m"]), int(match["d"])) if match else None
    except ValueError:
        return None


def _title(lines: list[str], stem: str) -> tuple[str, int, str | None]:
    """Title, the line after it, and the issuer where the title names it on a line before."""
    for number, line in enumerate(lines[:12]):
        if len(line) > _TITLE_CHARS or _SENTENCE_END.search(line) or _numbered(line):
            break
        if _TITLE_END.search(line) or (line.startswith("关于") and number):
            before = lines[number - 1] if number else ""
            if line.startswith("关于") and _ORGAN.match(before):
                return before + line, number + 1, before
            if line.startswith("关于") and before.startswith("关于"):
                continue
            return line, number + 1, None
        if line.startswith("关于") and number + 1 < len(lines) and _TITLE_END.search(lines[number + 1]):
            return line + lines[number + 1], number + 2, None
    first = next((line for line in lines[:12] if 4 <= len(line) <= _TITLE_CHARS and not _SENTENCE_END.search(line)), "")
    return (first, lines.index(first) + 1, None) if first else (stem, 0, None)


def _clauses(lines: list[str]) -> Iterator[Clause]:
    """Clauses in their order, each with the headings above it; long ones in several pieces with one label."""
    by_article = sum(bool(_ARTICLE.match(line)) for line in lines) >= 2
    path: list[str] = []
    headings: list[str] = []
    label, words = "", ""

    def pieces() -> Iterator[Clause]:
        text = words.strip()
        if headings and text == headings[-1]:
            return  # a heading leads the clauses below it; by itself it says nothing
        for piece in split_passages(text, CLAUSE_CHARS, 0):
            yield Clause(label, piece)

    for line in lines:
        article = _ARTICLE.match(line)
        level = None if by_article else next((n for n, rule in enumerate(_LEVELS) if rule.match(line)), None)
        if _CHAPTER.match(line) or (article is None and level is None):
            if _CHAPTER.match(line):
                yield from pieces()
                label, words = "", ""
            else:
                words = f"{words}\n{line}" if words else line
            continue
        yield from pieces()
        if article:
            label, words = article[1], line[article.end() :].strip()
            continue
        assert level is not None
        match = _LEVELS[level].match(line)
        assert match is not None
        path, headings = path[:level], headings[:level]
        path += [""] * (level - len(path))
        headings += [""] * (level - len(headings))
        path.append(match[1])
        rest = line[match.end() :].strip()
        headings.append(rest if len(rest) <= _TITLE_CHARS // 2 and not rest.endswith("。") else "")
        label, words = "".join(path), rest
    yield from pieces()


# --- documents to the database ---------------------------------------------------------------------------------------


def import_texts(
    session: Session, file: str, texts: Sequence[PolicyText], *, region: str, actor: str, dry_run: bool = False
) -> ImportReport:
    """Bring recognised documents and their passages into the database, in the caller's transaction.

    A document that is there already (same number, else same title) keeps its status, region and address; its text is
    replaced.
    """
    report = ImportReport()
    savepoint = session.begin_nested()
    present = knowledge.find(session, Document, [text.id for text in texts])
    for text in texts:
        known = present.get(text.id)
        document = Document(
            id=text.id,
            title=text.title,
            doc_no=text.doc_no,
            issuer=text.issuer,
            region=known.region if known else region,
            issued=text.issued,
            effective=text.effective,
            status=known.status if known else "有效",
            url=known.url if known else None,
            replaced_by=known.replaced_by if known else None,
        )
        changed = knowledge.upsert_document(session, document)
        changed |= knowledge.set_passages(session, text.id, [(clause.label, clause.text) for clause in text.clauses])
        of_kind = report.added if known is None else report.changed if changed else report.unchanged
        of_kind.append(Item("document", text.id))
    report.written = not dry_run
    if dry_run:
        savepoint.rollback()
        return report
    savepoint.commit()
    if report.added or report.changed:
        audit.record(
            session,
            actor,
            "knowledge.import",
            file,
            added=len(report.added),
            changed=len(report.changed),
            passages=sum(len(text.clauses) for text in texts),
        )
    return report
