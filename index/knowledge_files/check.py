"""Look over knowledge before people rely on it: dates, references, questions too alike, figures at odds, templated wording.

An *error* would make an answer wrong or unusable; a *warning* is for an editor to judge.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from math import ceil
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from sqlalchemy.orm import Session

from index.figures import Figure, figures, without_figures
from index.knowledge_files.exporting import from_database
from index.knowledge_files.reading import guide_answer_id
from index.knowledge_files.rows import Bundle, DocumentRow, GuideRow, QARow, SourceRow
from index.knowledge_files.tables import bare_title
from index.knowledge_files.verify import Settled, articles

SIMILAR_QUESTIONS = 8
"""How many ways of asking an item should know."""
ALIKE = 0.8
"""From which share of common character pairs two questions of different items count as nearly the same."""
SAID = 6
"""How many characters a clause has besides its figures before it is compared with others' clauses."""
RETROACTIVE = timedelta(days=366)
"""How long before its date of issue a document may take effect, as tax rules do."""
SKELETONS = 3
"""How many items may share a sentence that differs only in the matter's words."""
LONGEST = 60
"""Characters between 。；！？ or line ends: what an old person reads in one breath on a phone."""
SOON = timedelta(days=30)
"""How long before its day of review an answer is named."""

Level = Literal["error", "warning"]


class Finding(NamedTuple):
    """Something an editor should see."""

    level: Level
    where: str
    what: str


def check(source: Bundle | Session, *, today: date | None = None) -> list[Finding]:
    """Everything found in files that were read, or in the database; errors first.

    Args:
        today: the day that nothing may be dated after; default: today in China.
    """
    bundle = source if isinstance(source, Bundle) else from_database(source)
    today = today or _today()
    findings = [Finding("error", _file(file, line), reason) for file, line, reason in bundle.problems]
    findings += _dates(bundle, today)
    findings += _references(bundle)
    findings += _contents(bundle)
    findings += _alike(bundle.qas)
    findings += _skeletons(bundle)
    findings += _at_odds(bundle)
    findings += _twice(bundle.documents)
    return sorted(findings, key=lambda finding: finding.level)


class ToReview(NamedTuple):
    """A Q&A that an approver should look at, and what for."""

    qa: QARow
    reasons: tuple[str, ...]


def to_review(
    bundle: Bundle, settled: Mapping[tuple[str, str, str], Settled] | None = None, *, today: date | None = None
) -> list[ToReview]:
    """What approvers have to look at: first what rests on texts that nobody has seen, then what is past its day of review
    or nearly so, then the other drafts; by id.

    Args:
        settled: conclusions (see `verify.read_settled`) that say what of a basis is to be checked.
    """
    settled = settled or {}
    today = today or _today()
    titles = {row.id: row.title for row in bundle.documents}
    ranked: list[tuple[int, ToReview]] = []
    for qa in bundle.qas:
        if qa.status in ("paused", "retired"):
            continue
        unverified = [
            f"《{titles.get(source.document, source.document)}》{source.clause or ''}{_concluded(qa, source, settled)}"
            for source in qa.sources
            if source.unverified
        ]
        reasons = (
            f"依据待核：{'；'.join(unverified)}" if unverified else "",
            _review_due(qa, today),
            "" if qa.status == "approved" else "待审核",
        )
        if any(reasons):
            rank = next(rank for rank, reason in enumerate(reasons) if reason)
            ranked.append((rank, ToReview(qa, tuple(filter(None, reasons)))))
    return [item for _, item in sorted(ranked, key=lambda pair: (pair[0], pair[1].qa.id))]


def _concluded(qa: QARow, source: SourceRow, settled: Mapping[tuple[str, str, str], Settled]) -> str:
    lines = (settled.get((qa.id, source.document, article)) for article in articles(source.clause))
    said = [line.conclusion for line in lines if line and line.unverified and line.holds_for(qa.answer)]
    return f"（{'；'.join(said)}）" if said else ""


def standing(bundle: Bundle, *, today: date | None = None) -> str:
    """How many items there are, and how many of them are drafts, rest on unseen texts or are due for another look."""
    today = today or _today()
    live = [qa for qa in bundle.qas if qa.status not in ("paused", "retired")]
    drafts = sum(qa.status != "approved" for qa in live)
    marks = [sum(source.unverified for source in qa.sources) for qa in live]
    overdue = sum(qa.review_by is not None and qa.review_by < today for qa in live)
    soon = sum(qa.review_by is not None and today <= qa.review_by <= today + SOON for qa in live)
    return (
        f"问答 {len(bundle.qas)} 条：草稿 {drafts} 条；依据待核 {sum(map(bool, marks))} 条（{sum(marks)} 处依据）；"
        f"复核日期已过 {overdue} 条，{SOON.days} 天内到期 {soon} 条。"
    )


def _today() -> date:
    return datetime.now(ZoneInfo("Asia/Shanghai")).date()


def _review_due(qa: QARow, today: date) -> str:
    if qa.review_by is None or qa.review_by > today + SOON:
        return ""
    return f"复核日期 {qa.review_by} {'已过' if qa.review_by < today else '快到了'}，请核对里面的数字"


def render(findings: Iterable[Finding]) -> RenderableType:
    """The findings as a table for the terminal, with a line of totals."""
    findings = list(findings)
    if not findings:
        return Text("没有发现问题。", style="green")
    table = Table("级别", "位置", "问题", show_lines=False, expand=False)
    for level, where, what in findings:
        name = Text("错误", style="bold red") if level == "error" else Text("提醒", style="yellow")
        table.add_row(name, Text(where), Text(what))
    errors = sum(finding.level == "error" for finding in findings)
    total = Text(f"错误 {errors} 处，提醒 {len(findings) - errors} 处。", style="red" if errors else "yellow")
    return Group(table, total)


def _file(file: str, line: int | None) -> str:
    return f"{file}:{line}" if line else file


def _where(row: DocumentRow | GuideRow | QARow) -> str:
    kind = "问答" if isinstance(row, QARow) else "指南" if isinstance(row, GuideRow) else "文件"
    return f"{kind} {row.id}"


def _dates(bundle: Bundle, today: date) -> Iterator[Finding]:
    for qa in bundle.qas:
        if qa.valid_from and qa.valid_to and qa.valid_to < qa.valid_from:
            yield Finding("error", _where(qa), f"失效日期 {qa.valid_to} 早于生效日期 {qa.valid_from}")
        if qa.as_of and qa.as_of > today:
            yield Finding("error", _where(qa), f"数据截至日期 {qa.as_of} 还没有到")
        if qa.valid_to and qa.valid_to < today and qa.status in (None, "draft", "approved"):
            yield Finding("warning", _where(qa), f"{qa.valid_to} 已经失效，应当更新或退役")
        if (due := _review_due(qa, today)) and qa.status not in ("paused", "retired"):
            yield Finding("warning", _where(qa), due)
    for document in bundle.documents:
        if document.issued and document.issued > today:
            yield Finding("error", _where(document), f"发文日期 {document.issued} 还没有到")
        if document.issued and document.effective and document.effective < document.issued - RETROACTIVE:
            yield Finding("warning", _where(document), f"施行日期 {document.effective} 早于发文日期 {document.issued}")


def _references(bundle: Bundle) -> Iterator[Finding]:
    documents, guides = _known(bundle.documents), _known(bundle.guides)
    status = {row.id: row.status for row in bundle.documents}
    status |= {bare_title(row.title): row.status for row in bundle.documents}
    internal = {row.id for row in bundle.documents if row.internal_confirmed_by}
    qas = {row.id for row in bundle.qas}
    for qa in bundle.qas:
        for source in qa.sources:
            name = source.document if source.document in documents else bare_title(source.document)
            if name not in documents:
                yield Finding("error", _where(qa), f"依据的文件「{source.document}」不存在")
            elif source.document in internal and qa.status in (None, "draft", "approved"):
                yield Finding("warning", _where(qa), f"依据的文件「{source.document}」是内部文件，市民看不到这处依据")
            elif status[name] == "已废止" and qa.status in (None, "draft", "approved"):
                yield Finding("warning", _where(qa), f"依据的文件「{source.document}」已废止")
        for guide in qa.guides:
            if guide not in guides and bare_title(guide) not in guides:
                yield Finding("error", _where(qa), f"办事指南「{guide}」不存在")
        for other in qa.related:
            if other not in qas:
                yield Finding("error", _where(qa), f"关联问答「{other}」不存在")
            elif other == qa.id:
                yield Finding("error", _where(qa), "关联问答里有它自己")
        if qa.replaced_by and qa.replaced_by not in qas:
            yield Finding("error", _where(qa), f"替代它的问答「{qa.replaced_by}」不存在")
    for document in bundle.documents:
        if document.replaced_by and document.replaced_by not in documents:
            yield Finding("error", _where(document), f"替代它的文件「{document.replaced_by}」不存在")


def _known(rows: Iterable[DocumentRow | GuideRow]) -> set[str]:
    return {name for row in rows for name in (row.id, bare_title(row.title))}


def _contents(bundle: Bundle) -> Iterator[Finding]:
    for qa in bundle.qas:
        if not qa.sources:
            yield Finding("warning", _where(qa), "没有写依据")
        if len(qa.similar) < SIMILAR_QUESTIONS:
            yield Finding("warning", _where(qa), f"相似问只有 {len(qa.similar)} 个，建议至少 {SIMILAR_QUESTIONS} 个")
        if "\ufffd" in f"{qa.question}{qa.answer}{''.join(qa.similar)}":
            yield Finding("warning", _where(qa), "有乱码字符（�）")
        if qa.condition and not qa.stakes:
            yield Finding("warning", _where(qa), "写了先看什么情况，却没有标后果重，市民看不到")
        said = f"{qa.condition or ''}\n{qa.answer}"
        long = [part for part in map(str.strip, re.split(r"[。；！？;!?\n]", said)) if len(part) > LONGEST]
        if long and not _made_of_guide(qa):
            yield Finding(
                "warning",
                _where(qa),
                f"有 {len(long)} 句超过 {LONGEST} 个字，请断开，一行一个要点：「{long[0][:20]}……」",
            )


def _made_of_guide(qa: QARow) -> bool:
    """Composed of a guide's fields, by design."""
    return len(qa.guides) == 1 and qa.id == guide_answer_id(qa.guides[0])


# --- questions that are too alike ------------------------------------------------------------------------------------


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text)).lower()


def _pairs(letters: str) -> frozenset[str]:
    return frozenset(letters[i : i + 2] for i in range(len(letters) - 1)) or frozenset([letters])


class Near(NamedTuple):
    """Two Q&As that ask nearly the same: an item of the knowledge, or a row of a file."""

    one: Any
    other: Any
    share: float
    """Of the character pairs that they have in common, at least ``ALIKE``"""
    text: str
    twin: str


def near(qas: Sequence[Any], start: int = 0) -> Iterator[Near]:
    """Q&As (rows, or items of the database) in regions and for audiences that meet, with nearly the same character pairs.

    Args:
        start: where it is not 0, the questions from here on (not their other wordings) are compared with those before it, and
            neither with one another.
    """
    texts: list[str] = []
    owners: list[Any] = []
    first = 0
    for place, qa in enumerate(qas):
        if place == start:
            first = len(texts)
        asked = [qa.question] if start and place >= start else [qa.question, *qa.similar]
        for text in {_letters(text): text for text in reversed(asked)}.values():
            if _letters(text):
                texts.append(text)
                owners.append(qa)
    best: dict[tuple[str, str], Near] = {}
    for one, other, share in _joined([_pairs(_letters(text)) for text in texts], first):
        mine, theirs = owners[one], owners[other]
        if mine is theirs or mine.region != theirs.region or not _same_people(mine, theirs):
            continue
        pair = Near(mine, theirs, share, texts[one], texts[other])
        known = best.get((mine.id, theirs.id))
        if known is None or (share, pair.text, pair.twin) > (known.share, known.text, known.twin):
            best[mine.id, theirs.id] = pair
    yield from best.values()


def _alike(qas: list[QARow]) -> Iterator[Finding]:
    """Questions that are asked twice."""
    live = [qa for qa in qas if qa.status != "retired"]
    for qa in live:
        seen: set[str] = set()
        for text in [qa.question, *qa.similar]:
            letters = _letters(text)
            if letters in seen:
                yield Finding("warning", _where(qa), f"「{text}」在本条里重复")
            elif letters:
                seen.add(letters)
    for one, other, share, text, twin in near(live):
        if share == 1.0:
            yield Finding("error", _where(one), f"「{text}」与问答 {other.id} 的「{twin}」相同")
        else:
            yield Finding("warning", _where(one), f"「{text}」与问答 {other.id} 的「{twin}」很像（{share:.0%}）")


def _same_people(one: Any, other: Any) -> bool:
    return bool(one.audience == other.audience or "个人和企业" in (one.audience, other.audience))


def _joined(sets: list[frozenset[str]], start: int = 0) -> Iterator[tuple[int, int, float]]:
    """All pairs of sets with a Jaccard index of at least ``ALIKE``; with ``start``, of one before it and one from it on.

    Prefix filtering (Chaudhuri et al. 2006): with elements ordered by rarity, two such sets share one of their first
    ``n - ceil(ALIKE · n) + 1`` elements, so only those are indexed.
    """
    counts = Counter(element for one in sets for element in one)
    index: defaultdict[str, list[int]] = defaultdict(list)
    for number, one in enumerate(sets):
        rarest = sorted(one, key=lambda element: (counts[element], element))
        prefix = rarest[: len(one) - ceil(ALIKE * len(one) - 1e-9) + 1]
        for other in sorted({found for element in prefix for found in index[element]} if number >= start else ()):
            share = len(one & sets[other]) / len(one | sets[other])
            if share >= ALIKE:
                yield other, number, share
        for element in prefix if number < start or not start else ():
            index[element].append(number)


# --- sentences out of a template -------------------------------------------------------------------------------------


def _skeletons(bundle: Bundle) -> Iterator[Finding]:
    """Sentences that many items share once the words of their matter, numbers and titles are taken out."""
    guides = {row.id: row.title for row in bundle.guides}
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for qa in bundle.qas:
        if _made_of_guide(qa):
            continue
        nouns = _nouns([qa.matter, *(guides.get(guide, "") for guide in qa.guides)])
        for sentence in [*re.split(r"[。！？!?；;\n]", qa.answer), qa.question, *qa.similar]:
            skeleton = re.sub(r"《[^》]*》", "《》", sentence)
            skeleton = nouns.sub("◇", skeleton) if nouns else skeleton
            skeleton = re.sub(r"(?:◇\W*)+", "◇", re.sub(r"[0-9０-９]+(?:\.\d+)?", "#", skeleton))
            skeleton = re.sub(r"[^\w◇#《》]+", "", skeleton)
            if "◇" in skeleton and len(skeleton.replace("◇", "")) >= 4:
                found[skeleton].setdefault(qa.id, sentence.strip())
    for skeleton, items in found.items():
        if len(items) > SKELETONS:
            shown = "、".join(list(items)[:4])
            example = next(iter(items.values()))
            yield Finding(
                "warning",
                f"问答 {shown}{'等' if len(items) > 4 else ''}",
                f"{len(items)} 条用了同一个句式「{skeleton}」，如「{example}」",
            )


def _nouns(names: Iterable[str]) -> re.Pattern[str] | None:
    """Any piece, of two characters or more, of the names: what stands for the matter in a sentence."""
    pieces = {
        name[start:end]
        for name in map(_letters, names)
        for start in range(len(name))
        for end in range(start + 2, min(len(name), start + 12) + 1)
    }
    return re.compile("|".join(map(re.escape, sorted(pieces, key=len, reverse=True)))) if pieces else None


# --- figures at odds -------------------------------------------------------------------------------------------------


class _Statement(NamedTuple):
    """A clause with figures, of an answer or of a guide's fee or time limit."""

    where: str
    about: frozenset[str]
    """What it is about: two statements that share none of it may differ"""
    clause: str
    own: set[Figure]
    known: set[Figure]
    """All figures of the text it stands in"""


def _at_odds(bundle: Bundle) -> Iterator[Finding]:
    """Clauses about the same that read the same but for a figure which the other text nowhere has."""
    statements = list(_statements(bundle))
    letters = [_letters(without_figures(statement.clause)) for statement in statements]
    seen: set[frozenset[str]] = set()
    for first, second, _ in _joined([_pairs(text) for text in letters]):
        one, other = statements[first], statements[second]
        pair = frozenset((one.where, other.where))
        if one.where == other.where or pair in seen or not one.about & other.about:
            continue
        units = {figure.unit for figure in one.own} & {figure.unit for figure in other.own}
        mine = {figure for figure in one.own - other.known if figure.unit in units}
        theirs = {figure for figure in other.own - one.known if figure.unit in units}
        if mine and theirs:
            seen.add(pair)
            yield Finding(
                "warning", one.where, f"「{one.clause}」与{other.where}的「{other.clause}」数字不同，请核对哪一个对"
            )


def _statements(bundle: Bundle) -> Iterator[_Statement]:
    """The clauses with figures.  Near enough to be compared are those of one matter, of one guide or of one clause of a law."""
    for qa in bundle.qas:
        if qa.status != "retired" and not _made_of_guide(qa):
            cited = {f"{source.document} {source.clause}" for source in qa.sources if source.clause}
            about = frozenset({f"事项 {qa.matter} {qa.region}", *(f"指南 {guide}" for guide in qa.guides), *cited})
            yield from _clauses(_where(qa), about, qa.answer)
    for guide in bundle.guides:
        about = frozenset({f"指南 {guide.id}", f"指南 {guide.title}"})
        yield from _clauses(_where(guide), about, "。".join(filter(None, (guide.fee, guide.time_limit))))


def _clauses(where: str, about: frozenset[str], text: str) -> Iterator[_Statement]:
    known = figures(text)
    for clause in re.split(r"[，。！？!?；;：\n]", text):
        if (own := figures(clause)) and len(_letters(without_figures(clause))) >= SAID:
            yield _Statement(where, about, clause.strip(), own, known)


def _twice(documents: list[DocumentRow]) -> Iterator[Finding]:
    """Documents that are in the knowledge under two ids."""
    first: dict[str, DocumentRow] = {}
    for document in documents:
        name = f"{bare_title(document.title)} {document.doc_no or ''} {document.region}"
        other = first.setdefault(name, document)
        if other is not document and not (
            other.effective and document.effective and other.effective != document.effective
        ):
            yield Finding("warning", _where(document), f"和文件 {other.id} 是同一份，请只留一个编号")
