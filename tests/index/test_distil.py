"""问答提炼: what is drafted of policy texts, that every word of it stands there, and that nothing is made of what is no policy."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from language_model import FakeModel, fake_model

from bot import database, knowledge
from bot.errors import InvalidInput, NotFound
from bot.models.housekeeping import AuditEntry
from bot.models.knowledge import QA, Document, Passage
from bot.settings import Settings
from index.distil import drafts, subject
from index.distil.drafts import Distilled, distil
from index.figures import figures
from index.knowledge_files import documents

__all__ = ["fake_model"]

FOLDER = Path(__file__).parent.parent / "data" / "policies"
TEXTS = sorted([*FOLDER.glob("*.txt"), *(FOLDER / "unseen").glob("*.txt")])


def read(path: Path) -> tuple[Document, list[Passage]]:
    (text,) = documents.read(path)
    passages = [
        Passage(document_id=text.id, position=n, label=clause.label, text=clause.text)
        for n, clause in enumerate(text.clauses)
    ]
    return document(text.title, id=text.id), passages


def document(title: str, **given: object) -> Document:
    values = {"id": "wj-x", "region": "100000", "status": "有效", "replaced_by": None, "internal_confirmed_by": None}
    return Document(**(values | {"title": title} | given))


def drafted(path: Path) -> Distilled:
    return distil(*read(path))


def test_every_draft_was_read_and_most_are_taken() -> None:
    with (FOLDER / "verdicts.csv").open(encoding="utf-8", newline="") as file:
        read_ = {(row["文件"], row["问题"], row["答复指纹"]): row["结论"] for row in csv.DictReader(file)}
    made = [
        (path.name, one.question, hashlib.sha256(one.answer.encode()).hexdigest()[:8])
        for path in TEXTS
        for one in drafted(path).drafts
    ]
    assert set(made) == set(read_), "a draft that nobody has read, or a verdict on one that is no more"
    by_file: dict[str, Counter[str]] = {}
    for (file, _, _), verdict in read_.items():
        by_file.setdefault(file, Counter())[verdict] += 1
    assert len(by_file) == len(TEXTS)
    for file, verdicts in by_file.items():
        assert sum(verdicts.values()) >= 5, file
        assert 1 - verdicts["不用"] / sum(verdicts.values()) >= 0.6, file


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_an_answer_is_sentences_of_its_clauses(path: Path) -> None:
    _, passages = read(path)
    by_label: dict[str, str] = {}
    for passage in passages:
        by_label[passage.label] = by_label.get(passage.label, "") + passage.text
    for draft in drafted(path).drafts:
        whole = re.sub(r"\s", "", "".join(by_label[label] for label in draft.clauses))
        for sentence in re.findall(r"[^。\n]+。?", draft.answer):
            assert re.sub(r"\s", "", sentence) in whole, (draft.question, sentence)
        assert figures(draft.answer) <= figures(whole)
        assert not figures(draft.question) - figures(whole)


@pytest.mark.parametrize("path", sorted((FOLDER / "none").glob("*.txt")), ids=lambda path: path.stem)
def test_nothing_is_made_of_what_is_no_policy(path: Path) -> None:
    found = drafted(path)
    assert not found.drafts
    assert "没有提炼" in found.why_none


def test_a_reports_text_under_a_policys_title_yields_nothing() -> None:
    _, passages = read(FOLDER / "none" / "工作简报.txt")
    assert not distil(document("示例市高龄津贴发放办法"), passages).drafts


def test_nothing_is_made_of_internal_repealed_and_empty_documents() -> None:
    policy, passages = read(TEXTS[0])
    assert distil(policy, passages).drafts
    for changed, why in (
        ({"internal_confirmed_by": "张三"}, "内部文件"),
        ({"status": "已废止"}, "废止"),
        ({"replaced_by": "wj-y"}, "替代"),
    ):
        found = distil(document(policy.title, **changed), passages)
        assert (found.drafts, why in found.why_none) == ((), True)
    assert "原文" in distil(policy, []).why_none


@pytest.mark.parametrize(
    ("title", "about"),
    [
        ("示例市民政局关于印发《示例市高龄津贴发放办法》的通知", "高龄津贴"),
        ("示例市人民政府办公室关于印发示例市既有住宅加装电梯财政补助办法的通知", "既有住宅加装电梯财政补助"),
        ("示例市2026年农村危房改造补助实施方案（试行）", "农村危房改造补助"),
        ("关于做好一次性创业补贴发放工作的通知（示人社函〔2026〕31号）", "一次性创业补贴"),
        ("示例市城市家庭住房困难补助办法", "城市家庭住房困难补助"),
        ("通知", ""),
    ],
)
def test_what_a_policy_is_about(title: str, about: str) -> None:
    assert subject.subject(title) == about


def test_a_section_is_cited_as_its_clauses_are() -> None:
    (draft,) = [one for one in drafted(FOLDER / "03-一次性创业补贴通知.txt").drafts if one.aspect == "流程"]
    assert draft.clauses == ("四、（一）", "四、（二）", "四、（三）")


def imported(settings: Settings) -> str:
    (text,) = documents.read(TEXTS[0])
    with database.write() as session:
        documents.import_texts(session, "a.txt", [text], region="100000", actor="bj01")
    return text.id


def test_kept_drafts_wait_and_what_people_did_to_them_stays(db: Settings) -> None:
    id_ = imported(db)
    with database.write() as session:
        policy, passages = drafts.read(session, id_)
        found = distil(policy, passages)
        taken = list(found.drafts)[:4]
        kept = drafts.keep(session, policy, found.matter, taken, "bj01")
        assert kept.added == [one.id for one in taken]
    with database.read() as session:
        rows = [session.get_one(QA, one.id) for one in taken]
        assert all(row.status == "draft" and row.reviewed_by is None for row in rows)
        for row in rows:
            assert not knowledge.answerable(row, today=date(2026, 11, 30), production=True).answers
        assert rows[1].sources == [{"document": id_, "clause": "第四条"}]
        assert (rows[1].valid_from, rows[1].department) == (date(2026, 3, 1), "示例市民政局")
        (entry,) = session.query(AuditEntry).filter_by(action="qa.distil")
        assert entry.actor == "bj01"
    with database.write() as session:
        session.get_one(QA, taken[1].id).question = "几岁能领高龄津贴？"
    with database.write() as session:
        again = drafts.keep(session, policy, found.matter, taken, "bj01")
        assert (again.added, sorted(again.there)) == ([], sorted(one.id for one in taken))
    with database.read() as session:
        assert session.get_one(QA, taken[1].id).question == "几岁能领高龄津贴？"


def test_nothing_chosen_and_no_such_document(sqlite_db: Settings) -> None:
    id_ = imported(sqlite_db)
    with database.write() as session:
        policy, passages = drafts.read(session, id_)
        with pytest.raises(InvalidInput):
            drafts.keep(session, policy, distil(policy, passages).matter, [], "bj01")
        with pytest.raises(NotFound):
            drafts.read(session, "wj-none")


def test_a_person_may_word_the_question_and_leave_lines_out_but_change_no_line() -> None:
    policy, passages = read(TEXTS[0])
    draft = next(one for one in distil(policy, passages).drafts if one.aspect == "标准")
    shorter = "\n".join(draft.answer.split("\n")[:2])
    assert drafts.chosen(policy, passages, draft.question, draft.answer, draft.clauses).id == draft.id
    assert drafts.chosen(policy, passages, "八十岁发多少？", shorter, ["第五条"]).answer == shorter
    for question, answer, clauses in (
        ("发多少？", draft.answer.replace("60元", "600元"), ["第五条"]),
        ("发多少？", draft.answer, ["第四条"]),
        ("发多少？", draft.answer, ["第九十条"]),
        ("", draft.answer, ["第五条"]),
        ("发多少？", "", ["第五条"]),
    ):
        with pytest.raises(InvalidInput):
            drafts.chosen(policy, passages, question, answer, clauses)


# --- with a language model -------------------------------------------------------------------------------------------


def says(fake: FakeModel, *pairs: tuple[str, list[int]]) -> None:
    fake.says(json.dumps({"drafts": [{"question": q, "sentences": n} for q, n in pairs]}, ensure_ascii=False))


def test_a_model_words_questions_and_can_only_point_to_sentences(fake_model: FakeModel) -> None:
    policy, passages = read(TEXTS[0])
    by_rule = distil(policy, passages)
    says(
        fake_model,
        ("多大岁数才有高龄津贴？", [2]),
        ("满90岁给200元吗？", [3]),
        ("没有这句吗？", [99]),
        ("不是问句", [2]),
    )
    found = distil(policy, passages, fake_model.client())
    asked = fake_model.heard[0]["messages"][1]["content"]
    first = re.search(r"^2\. (.+)$", asked, re.M)
    assert first and found.drafts[0].question == "多大岁数才有高龄津贴？" and found.drafts[0].answer == first[1]
    assert not {"满90岁给200元吗？", "没有这句吗？", "不是问句"} & {one.question for one in found.drafts}
    assert {one.answer for one in by_rule.drafts} == {one.answer for one in found.drafts}, "nothing is lost by it"
    assert not found.note


@pytest.mark.parametrize(
    "fails", ["500", "429", "401", "404", "html", "empty", "cut", "prose", "hang", "drop", "trickle", "huge"]
)
def test_a_model_that_fails_costs_nothing_but_its_help(fake_model: FakeModel, fails: str) -> None:
    policy, passages = read(TEXTS[0])
    fake_model.fails(fails)
    found = distil(policy, passages, fake_model.client())
    assert found.drafts == distil(policy, passages).drafts
    assert "语言模型" in found.note and "秘密" not in found.note
