"""Drafts of questions and answers from a policy's own text.  An answer is sentences of a clause as they stand there: no figure can change.

Nothing is made of a document that is no policy (`index.distil.subject`), of what offices tell one another, nor of a clause that says nothing
a citizen asks for.  A draft answers nobody before a person has approved it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from sqlalchemy.orm import Session

from bot import audit, knowledge
from bot.errors import InvalidInput, NotFound
from bot.language_model import LanguageModel, LanguageModelFailed
from bot.models.knowledge import QA, Document, Passage
from index.distil import aspects as told_by
from index.distil import by_model
from index.distil.aspects import Aspect
from index.distil.structure import Section, Statement, sections, statements
from index.distil.subject import is_policy, spoken, subject

LONGEST = 340
"""Characters of an answer; a longer clause makes several drafts, or none where its parts don't stand alone"""
SHORTEST = 14
NARRATIVE = 0.3
"""From this share of sentences on that tell what was done, a document is a report"""
FEWEST = 3
"""A document with fewer drafts is no policy for citizens"""

_NOUN = r"(?:补贴|补助|津贴|资助|助学金|奖励|救助|免学费|学杂费)"
_OWN = re.compile(rf"^(.{{2,30}}?{_NOUN}?)(?:平均)?(?:资助|补助|补贴|发放)?(?:标准|对象)(?:为|是|按照?|：)")
_ANSWER = re.compile(r"^答：")
_QUESTION = re.compile(r"^问：(.{4,60})$")
_PHONE = re.compile(r"电话")
_FOR_ONE = re.compile(r"户籍|老年人|学生|居民|职工|家庭|残疾|本人|毕业生|农户|业主")
_FOR_FIRMS = re.compile(r"用人单位|企业应当|企业可以|经营主体|申请企业")


@dataclass(frozen=True)
class Draft:
    """A question and an answer that nobody has looked at."""

    id: str
    aspect: str
    question: str
    answer: str
    clauses: tuple[str, ...]
    """Where its sentences stand"""
    source: str
    """The text of those clauses, for whoever compares"""


@dataclass(frozen=True)
class Distilled:
    """What came of a document."""

    matter: str
    drafts: tuple[Draft, ...]
    why_none: str = ""
    """Where there are none: the reason, for a person"""
    note: str = ""
    """What a person should know: the language model did not help"""


def distil(document: Document, passages: Sequence[Passage], model: LanguageModel | None = None) -> Distilled:
    """The drafts of a document, in its order; the same text gives the same drafts with the same ids.

    Args:
        model: words the questions that the rules find none or a stiff one for; without it, or where it fails, the rules do alone.
    """
    if document.internal_confirmed_by is not None:
        return Distilled("", (), "这是只供工作人员查阅的内部文件，不提炼给市民看的问答。")
    if document.status == "已废止" or document.replaced_by:
        return Distilled("", (), "这份文件已经废止或者被替代，不再提炼。")
    if not passages:
        return Distilled("", (), "这份文件没有导入原文，只有题目。请先导入原文。")
    about = subject(document.title)
    if not is_policy(document.title) or not about:
        return Distilled("", (), "看题目不是办法、细则、通知、指南一类的政策文件，没有提炼。")
    if told_by.narrative([passage.text for passage in passages]) >= NARRATIVE:
        return Distilled("", (), "正文多是工作情况和要求，不是市民可以照着办的规定，没有提炼。")
    found = _distinct([draft for section in sections(passages) for draft in _of_section(section, about)])
    if len(found) < FEWEST:
        return Distilled("", (), "正文里没有多少市民会问的内容（对象、标准、材料、流程、期限等），没有提炼。")
    note = ""
    if model is not None:
        try:
            found = _with_model(model, about, passages, found)
        except (LanguageModelFailed, InvalidInput) as error:
            note = f"{error}下面的草稿是只按规则提炼的。"
    drafts = tuple(replace(draft, id=_id(document.id, draft)) for draft in found)
    return Distilled(spoken(about), drafts, note=note)


def _with_model(model: LanguageModel, about: str, passages: Sequence[Passage], by_rule: Sequence[Draft]) -> list[Draft]:
    """The model's drafts, and those of the rules that say something which none of its does."""
    said = [
        statement
        for section in sections(passages)
        if not told_by.NOT_FOR_CITIZENS.search(section.heading)
        for clause in section.clauses
        for statement in statements(clause)
        if not told_by.INSIDE.search(statement.text)
    ]
    found: list[Draft] = []
    for question, picked in by_model.worded(model, about, said):
        answer = _joined(picked)
        twice = any(one.answer == answer for one in found)
        if SHORTEST <= len(answer) <= LONGEST and not told_by.HANGING.search(answer) and not twice:
            tells = [aspect.name for one in picked for aspect in told_by.told(one.text)]
            labels = tuple(dict.fromkeys(one.label for one in picked))
            found.append(Draft("", tells[0] if tells else "其他", question, answer, labels, answer))
    covered = "\n".join(draft.answer for draft in found)
    return found + [draft for draft in by_rule if not all(line in covered for line in draft.answer.split("\n"))]


def _id(document_id: str, draft: Draft) -> str:
    name = f"{document_id} {draft.clauses[0]} {draft.answer}"
    return "distilled-" + hashlib.sha256(name.encode()).hexdigest()[:12]


# --- a section to drafts ---------------------------------------------------------------------------------------------


def _of_section(section: Section, about: str) -> list[Draft]:
    said = [statement for clause in section.clauses for statement in statements(clause)]
    if any(_QUESTION.match(statement.text) for statement in said):
        return list(_asked(said))
    kept = [one for one in said if not told_by.INSIDE.search(one.text)]
    if told_by.NOT_FOR_CITIZENS.search(section.heading):
        kept = [one for one in kept if _PHONE.search(one.text)]
    if not kept:
        return []
    by_heading = told_by.headed(section.heading)
    if by_heading and len(_joined(kept)) <= LONGEST:
        return _made(kept, by_heading, about, section.heading)
    return [draft for part in _parts(kept) for draft in _made(part, [], about, section.heading)]


def _parts(said: Sequence[Statement]) -> list[list[Statement]]:
    """By clause; and a clause that is too long by what its statements tell."""
    parts: list[list[Statement]] = []
    for label in dict.fromkeys(one.label for one in said):
        clause = [one for one in said if one.label == label]
        if len(_joined(clause)) <= LONGEST:
            parts.append(clause)
            continue
        for one in clause:
            tells = told_by.told(one.text)
            if parts and parts[-1][0].label == label and (not tells or tells[0] in told_by.told(parts[-1][0].text)):
                parts[-1].append(one)
            else:
                parts.append([one])
    return parts


def _made(said: Sequence[Statement], by_heading: Sequence[Aspect], about: str, heading: str) -> list[Draft]:
    """The draft of statements that belong together, if they tell anything and stand alone."""
    tells = list(by_heading)
    for statement in said:
        if len(tells) < 2 and (new := [one for one in told_by.told(statement.text) if one not in tells][:1]):
            tells += new if not tells or not by_heading else []
    answer = _joined(said)
    if not tells or not SHORTEST <= len(answer) <= LONGEST or told_by.HANGING.search(answer):
        return []
    labels = tuple(dict.fromkeys(one.label for one in said))
    question = _question(tells[:2], about, heading, said)
    return [Draft("", tells[0].name, question, answer, labels, answer)]


def _joined(said: Sequence[Statement]) -> str:
    """Lines as they were; another clause begins one."""
    text = said[0].text
    for before, one in pairwise(said):
        text += ("\n" if one.begins or one.label != before.label else "") + one.text
    return text


def _question(tells: Sequence[Aspect], about: str, heading: str, said: Sequence[Statement]) -> str:
    it = spoken(_own_name(about, heading, said))
    joins = re.search(r"(?:参保缴费|参保)$", it)
    it = it.removesuffix(joins[0]) if joins else it
    do = f"参加{it}" if joins else f"{it}" if it.startswith("申请") else f"申请{it}"
    base = re.sub(rf"{_NOUN}$", "", it) or it
    text = "".join(one.text for one in said)
    first, *rest = tells
    asks = _how_much(text + heading, joins is not None) if first.name == "标准" else first.asks
    question = asks.format(it=it, do=do, base=base)
    return question + "".join(one.also for one in rest)


def _own_name(about: str, heading: str, said: Sequence[Statement]) -> str:
    """What a clause gives, where that is only a part of the whole policy: 普通高中国家助学金."""
    own = _OWN.match(said[0].text)
    name = own[1] if own else ""
    if name in about or not re.search(rf"{_NOUN}$", name) or len(name) > 22 or re.search(r"[，、；]", name):
        return about
    return name


def _how_much(text: str, pays: bool) -> str:
    if free := re.search(r"免(?:除|交|收)([\u4e00-\u9fff]{1,5}?费)", text):
        return f"哪些人可以免{free[1]}？"
    if "租金" in text:
        return "{it}租金怎么收？"
    if "起付标准" in text:
        return "{it}的起付线是多少？"
    if re.search(r"每年最高|年度.{0,6}限额", text):
        return "{it}每年最多有多少？"
    if pays or re.search(r"缴费标准为|收费标准为", text):
        return "{it}要交多少钱？"
    if re.search(r"提取额度|额度", text):
        return "{it}最多能提多少？" if "提取" in text else "{it}额度有多少？"
    if re.search(r"每人每月|每月\d", text):
        return "{it}每月发多少钱？"
    return "{it}能拿多少钱？"


def _asked(said: Sequence[Statement]) -> Iterable[Draft]:
    """问：… 答：…, as an annex has them."""
    question, label, answer = "", "", ""
    for one in [*said, Statement("问：到此为止", "", True)]:
        match = _QUESTION.match(one.text)
        if match and question and SHORTEST <= len(answer) <= LONGEST:
            yield Draft("", "问答", question, answer, (label,), answer)
        if match:
            question, label, answer = match[1], one.label, ""
        elif question:
            answer += _ANSWER.sub("", one.text)


def _distinct(drafts: Sequence[Draft]) -> list[Draft]:
    """Each question once: what two neighbouring clauses say of one thing is one answer, else the first one stands."""
    found: list[Draft] = []
    for draft in drafts:
        asked = draft.question.split("？")[0]
        same = next((n for n, one in enumerate(found) if one.question.split("？")[0] == asked), None)
        if same is None:
            found.append(draft)
        elif same == len(found) - 1 and len(found[same].answer) + len(draft.answer) < LONGEST:
            answer = f"{found[same].answer}\n{draft.answer}"
            found[same] = replace(
                found[same], answer=answer, clauses=found[same].clauses + draft.clauses, source=answer
            )
    return found


# --- into the knowledge ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kept:
    """What became of drafts that were taken into the knowledge, by id."""

    added: list[str]
    there: list[str]
    """Taken before: left as they are, whatever an editor has made of them since"""


def read(session: Session, document_id: str) -> tuple[Document, list[Passage]]:
    """A document with its text.  Raises: NotFound."""
    document = session.get(Document, document_id)
    if document is None:
        raise NotFound(f"没有编号为 {document_id} 的政策文件。")
    return document, knowledge.passages_of(session, document_id)


def chosen(
    document: Document, passages: Sequence[Passage], question: str, answer: str, clauses: Sequence[str]
) -> Draft:
    """A draft as a person takes it: they may have worded the question anew, and left lines out, but not changed a line.

    Raises:
        InvalidInput: an answer with a sentence that does not stand in those clauses, or no question.
    """
    question, answer = question.strip(), answer.strip()
    if not question or "\n" in question:
        raise InvalidInput("请写明问题，一行以内。")
    texts = {label: "".join(one.text for one in passages if one.label == label) for label in clauses}
    if missing := [label for label, text in texts.items() if not text]:
        raise InvalidInput(f"这份文件里没有「{missing[0]}」。")
    whole = _bare("".join(texts.values()))
    for line in answer.split("\n"):
        for sentence in filter(None, map(_bare, re.split(r"(?<=[。！？])", line))):
            if sentence not in whole:
                raise InvalidInput(f"「{line[:20]}」不是这几条的原文。先按原文留下，再在知识里改。")
    if not answer:
        raise InvalidInput("答复是空的。")
    tells = [aspect.name for aspect in told_by.told(answer)]
    draft = Draft("", tells[0] if tells else "其他", question, answer, tuple(texts), answer)
    return replace(draft, id=_id(document.id, draft))


def _bare(text: str) -> str:
    return re.sub(r"\s", "", text)


def keep(session: Session, document: Document, matter: str, drafts: Sequence[Draft], by: str) -> Kept:
    """Take drafts into the knowledge, as drafts: they wait for an editor, and in production answer nobody before they are approved.

    Raises:
        InvalidInput: there is none.
    """
    if not drafts:
        raise InvalidInput("没有选要留下的草稿。")
    knowledge.lock(session)
    present = knowledge.get_many(session, [draft.id for draft in drafts])
    rows = {draft.id: _row(document, matter, draft) for draft in drafts if draft.id not in present}
    added = knowledge.upsert(session, list(rows.values())).added
    if added:
        audit.record(session, by, "qa.distil", document.id, added=len(added), items=added[:200])
    return Kept(added, list(present))


def _row(document: Document, matter: str, draft: Draft) -> QA:
    for_firms, for_one = _FOR_FIRMS.search(draft.source), _FOR_ONE.search(draft.source)
    return QA(
        id=draft.id,
        matter=matter or knowledge.OTHER,
        question=draft.question,
        answer=draft.answer,
        similar=[],
        sources=[{"document": document.id, "clause": label} for label in draft.clauses],
        guides=[],
        related=[],
        themes=[],
        report=[],
        audience="企业" if for_firms and not for_one else "个人" if for_one and not for_firms else "个人和企业",
        region=document.region,
        department=document.issuer,
        valid_from=document.effective,
        as_of=document.issued,
        status="draft",
        revision=0,
    )
