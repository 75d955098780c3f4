"""Look up what knowledge cites in a corpus of law articles: is the article there, and are the answer's figures in it?

The corpus is a JSON Lines file of ``{"id", "text"}``, one article a line, its text beginning with the law's title and the
article's number; an id may carry the version's date (``…/工伤保险条例(2010-12-20)…``).
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path

from bot.errors import InvalidInput
from index.figures import Figure, figures
from index.knowledge_files.rows import Bundle, DocumentRow, QARow
from index.knowledge_files.tables import bare_title

REVIEWED = Path(__file__).parents[1] / "knowledge" / "citations.csv"
"""What somebody settled about citations of the starter knowledge that the corpus cannot confirm."""

_ARTICLE = re.compile(r"第[零〇一二三四五六七八九十百千]+条(?:之[一二三四五六七八九十]+)?")
_HEAD = re.compile(rf"^(?P<title>.{{2,60}}?)(?P<article>{_ARTICLE.pattern})[\s　]")
_VERSION = re.compile(r"\((\d{4}-\d{2}-\d{2})\)")
_ADOPTION = timedelta(days=183)
"""A corpus may date a version by its adoption, a document by its promulgation or effect: that far apart is no amendment."""
_STATE = "中华人民共和国"


class Verdict(StrEnum):
    """What the corpus says of a citation."""

    CONFIRMED = "条文在，数字相符"
    OTHER_FIGURES = "条文在，但有数字不在所引条文里"
    NO_ARTICLE = "语料里没有这一条"
    AMENDED = "语料是旧版本"
    NO_LAW = "语料里没有这部文件"
    NO_CLAUSE = "只引文件，没有引条"


@dataclass(frozen=True)
class Citation:
    """One source of one Q&A, and what the corpus says of it."""

    qa: QARow
    document: DocumentRow
    article: str
    """第…条; empty where only the document is cited"""
    verdict: Verdict
    missing: tuple[Figure, ...] = ()
    """Figures of the answer that stand in none of the articles it cites"""

    @property
    def key(self) -> tuple[str, str, str]:
        """What a settled line is known by."""
        return self.qa.id, self.document.id, self.article

    @property
    def fingerprint(self) -> str:
        """Changes with the answer: what was settled about an older wording is open again."""
        return _fingerprint(self.qa.answer, self.verdict)


def _fingerprint(answer: str, verdict: str) -> str:
    return hashlib.sha256(f"{answer}|{verdict}".encode()).hexdigest()[:8]


@dataclass(frozen=True)
class _Law:
    version: date | None
    articles: dict[str, str]


class Corpus:
    """Law articles by title and number; of a law's versions the newest."""

    def __init__(self, laws: dict[str, _Law]) -> None:
        self._laws = laws

    @classmethod
    def read(cls, path: Path) -> Corpus:
        """Read ``corpus.jsonl`` (or the folder that holds it).

        Raises:
            InvalidInput: no such file, a line that is not such an article, or no article at all.
        """
        file = path / "corpus.jsonl" if path.is_dir() else path
        versions: dict[str, dict[date | None, dict[str, str]]] = {}
        try:
            with file.open(encoding="utf-8") as lines:
                for number, line in enumerate(lines, start=1):
                    if not line.strip():
                        continue
                    try:
                        row = json.loads(line)
                        id_, text = str(row["id"]), str(row["text"])
                    except (ValueError, KeyError, TypeError) as error:
                        raise InvalidInput(f"{file.name} 第 {number} 行不是 {{id, text}} 格式的条文。") from error
                    if head := _HEAD.match(text):
                        dated = _VERSION.search(id_)
                        version = date.fromisoformat(dated[1]) if dated else None
                        title = _title(head["title"])
                        versions.setdefault(title, {}).setdefault(version, {})[head["article"]] = text[head.end() :]
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"读不了法条语料 {file}：需要一个放着 corpus.jsonl 的文件夹。") from error
        if not versions:
            raise InvalidInput(f"{file.name} 里没有一条“法规名称＋第几条＋正文”的条文。")
        laws = {}
        for title, dated_articles in versions.items():
            newest = max(dated_articles, key=lambda version: version or date.min)
            # Some corpora keep an article once: what the dated version lacks may stand under an id without a date.
            laws[title] = _Law(newest, dated_articles.get(None, {}) | dated_articles[newest])
        return cls(laws)

    def find(self, title: str) -> _Law | None:
        """The newest version of a law, by title with or without 中华人民共和国 and 《》."""
        return self._laws.get(_title(title))


def _title(title: str) -> str:
    return bare_title(title).removeprefix(_STATE).replace("《", "").replace("》", "")


def verify(bundle: Bundle, corpus: Corpus) -> list[Citation]:
    """Every citation with its verdict, in the order of the Q&A."""
    documents = {row.id: row for row in bundle.documents} | {bare_title(row.title): row for row in bundle.documents}
    return [
        citation
        for qa in bundle.qas
        if qa.status != "retired"
        for citation in _of_answer(qa, documents, corpus)
    ]  # fmt: skip


def _of_answer(qa: QARow, documents: dict[str, DocumentRow], corpus: Corpus) -> Iterator[Citation]:
    cited: list[tuple[DocumentRow, str, Verdict | None]] = []
    known: set[Figure] = set()
    for source in qa.sources:
        document = documents.get(source.document) or documents.get(bare_title(source.document))
        if document is None:
            continue  # the check names it
        for article in articles(source.clause):
            verdict, text = _look_up(document, article, corpus)
            known |= figures(text)
            cited.append((document, article, verdict))
    missing = tuple(sorted(figures(qa.answer) - known, key=lambda figure: (figure.unit, figure.value)))
    for document, article, found in cited:
        if found is not None:
            yield Citation(qa, document, article, found)
        elif missing:
            yield Citation(qa, document, article, Verdict.OTHER_FIGURES, missing)
        else:
            yield Citation(qa, document, article, Verdict.CONFIRMED)


def articles(clause: str | None) -> list[str]:
    """The articles, 第…条, that a clause names; one empty text where it names none."""
    return _ARTICLE.findall(clause or "") or [""]


def _look_up(document: DocumentRow, article: str, corpus: Corpus) -> tuple[Verdict | None, str]:
    """The verdict if it does not depend on the figures, and the article's text."""
    law = corpus.find(document.title)
    if law is None:
        return Verdict.NO_LAW, ""
    changed = document.issued or document.effective
    if law.version and changed and changed > law.version + _ADOPTION:
        return Verdict.AMENDED, ""
    if not article:
        return Verdict.NO_CLAUSE, ""
    if article not in law.articles:
        return Verdict.NO_ARTICLE, ""
    return None, law.articles[article]


# --- what was settled ------------------------------------------------------------------------------------------------

_OPEN = re.compile(r"待[^，。；]*核|未能?[查调]到|未见|凭[^，。；]*(?:记忆|所知)")
_COLUMNS = ("问答", "文件", "条", "核对结果", "结论", "指纹")


@dataclass(frozen=True)
class Settled:
    """A line that somebody went through."""

    key: tuple[str, str, str]
    verdict: str
    conclusion: str
    fingerprint: str

    @property
    def unverified(self) -> bool:
        """Whether the conclusion leaves the basis to be checked (依据待核): from memory, or no official text was seen."""
        return bool(_OPEN.search(self.conclusion))

    def holds_for(self, answer: str) -> bool:
        """Whether just this wording of the answer was looked at."""
        return self.fingerprint == _fingerprint(answer, self.verdict)


def read_settled(path: Path) -> dict[tuple[str, str, str], Settled]:
    """The settled lines by key; empty if there is no such file.  Raises: InvalidInput."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if rows.fieldnames is None or set(_COLUMNS) - set(rows.fieldnames):
            raise InvalidInput(f"{path.name} 的表头应当是：{'、'.join(_COLUMNS)}。")
        settled = [
            Settled((row["问答"], row["文件"], row["条"]), row["核对结果"], row["结论"], row["指纹"]) for row in rows
        ]
    return {one.key: one for one in settled}


def write_settled(path: Path, lines: Iterable[Settled]) -> None:
    """Write the settled lines, sorted, for the next reader to fill in and for `read_settled`."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for one in sorted(lines, key=lambda line: line.key):
            writer.writerow((*one.key, one.verdict, one.conclusion, one.fingerprint))


def is_settled(citation: Citation, settled: dict[tuple[str, str, str], Settled]) -> bool:
    """Whether somebody has reached a conclusion about just this answer and this verdict."""
    line = settled.get(citation.key)
    return line is not None and bool(line.conclusion.strip()) and line.fingerprint == citation.fingerprint


def counts(citations: Iterable[Citation]) -> dict[Verdict, int]:
    """How many citations of each verdict."""
    counted = Counter(citation.verdict for citation in citations)
    return {verdict: counted[verdict] for verdict in Verdict}
