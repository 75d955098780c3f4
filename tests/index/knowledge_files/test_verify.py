"""Looking citations up in a corpus of law articles."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from bot.errors import InvalidInput
from index.knowledge_files.rows import Bundle, DocumentRow, QARow, SourceRow
from index.knowledge_files.verify import Corpus, Verdict, counts, is_settled, read_settled, verify, write_settled
from index.knowledge_files.verify import Settled as Line

ARTICLES = [
    {"id": "行政法规/某条例(2019-03-24).md#第三条", "text": "某条例第三条 申请人应当年满十六周岁，三十日内办结。"},
    {"id": "行政法规/某条例(2019-03-24).md#第四条", "text": "某条例第四条 补助标准为百分之五十。"},
    {"id": "行政法规/某条例(2009-01-01).md#第三条", "text": "某条例第三条 申请人应当年满十八周岁。"},
    {"id": "中华人民共和国某条例第九条", "text": "中华人民共和国某条例第九条 不收费。"},
]


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ARTICLES)
    (tmp_path / "corpus.jsonl").write_text(lines, encoding="utf-8")
    return Corpus.read(tmp_path)


def verdict(corpus: Corpus, answer: str, clause: str | None, **document: object) -> tuple[Verdict, str]:
    row = DocumentRow.model_validate({"id": "t", "title": "中华人民共和国某条例"} | document)
    qa = QARow(id="a", matter="事", question="问？", answer=answer, sources=[SourceRow(document="t", clause=clause)])
    (found,) = verify(Bundle(documents=[row], qas=[qa]), corpus)
    return found.verdict, "、".join(map(str, found.missing))


def test_figures_of_the_article_confirm_the_answer(corpus: Corpus) -> None:
    assert verdict(corpus, "满16周岁，30天内办好。", "第三条第一款") == (Verdict.CONFIRMED, "")


def test_the_newest_version_counts(corpus: Corpus) -> None:
    assert verdict(corpus, "满18岁。", "第三条") == (Verdict.OTHER_FIGURES, "18岁")


def test_what_only_an_undated_id_has_is_found_too(corpus: Corpus) -> None:
    assert verdict(corpus, "免费。", "第九条") == (Verdict.CONFIRMED, "")


@pytest.mark.parametrize(
    ("clause", "document", "expected"),
    [
        ("第五十条", {}, Verdict.NO_ARTICLE),
        (None, {}, Verdict.NO_CLAUSE),
        ("第三条", {"title": "另一条例"}, Verdict.NO_LAW),
        ("第三条", {"effective": date(2026, 1, 1)}, Verdict.AMENDED),
    ],
)
def test_what_the_corpus_cannot_confirm(
    corpus: Corpus, clause: str | None, document: dict[str, object], expected: Verdict
) -> None:
    assert verdict(corpus, "满16周岁。", clause, **document)[0] is expected


def test_a_settled_line_is_open_again_when_the_answer_changes(corpus: Corpus, tmp_path: Path) -> None:
    def citation(answer: str):  # type: ignore[no-untyped-def]
        document = DocumentRow(id="t", title="某条例")
        sources = [SourceRow(document="t", clause="第四条")]
        qa = QARow(id="a", matter="事", question="问？", answer=answer, sources=sources)
        (found,) = verify(Bundle(documents=[document], qas=[qa]), corpus)
        return found

    one = citation("补60%。")
    file = tmp_path / "settled.csv"
    write_settled(file, [Line(one.key, one.verdict, "", one.fingerprint)])
    assert not is_settled(one, read_settled(file))
    write_settled(file, [Line(one.key, one.verdict, "地方标准", one.fingerprint)])
    assert is_settled(one, read_settled(file))
    assert not is_settled(citation("补70%。"), read_settled(file))
    assert counts([one])[Verdict.OTHER_FIGURES] == 1


@pytest.mark.parametrize(
    ("conclusion", "unverified"),
    [
        ("语料无此文件；办理期限未查到原文，待民政部门审核", True),
        ("语料无此文件，公开原文也未调到，内容待热线机构审核", True),
        ("语料无此文件，办理期限未能查到原文", True),
        ("语料无此文件，原文未见", True),
        ("语料无此文件，公平原则凭所知", True),
        ("语料无此文件；十个工作日和材料凭记忆", True),
        ("语料无此文件；检验年限凭公开报道记忆", True),
        ("语料无此文件；条号相符；文号待核", True),
        ("语料无此文件；配偶父母子女凭材料可查询，据公开全文相符", False),
        ("三十个工作日见本条，已核；五个工作日出自国办发〔2019〕8号", False),
        ("语料无此文件，遗失补发见本条公开文本；公示天数修改过，答案未写", False),
        ("语料无此文件，据公开转载的意见原文核对，三个月等待期相符", False),
        ("", False),
    ],
)
def test_a_conclusion_says_whether_the_basis_is_still_to_be_checked(conclusion: str, unverified: bool) -> None:
    assert Line(("a", "t", ""), Verdict.NO_LAW, conclusion, "0").unverified is unverified


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"id": "a", "text": "没有条号的文字"}', "\xff"])
def test_what_is_no_corpus_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "corpus.jsonl").write_bytes(content.encode("latin-1" if content == "\xff" else "utf-8"))
    with pytest.raises(InvalidInput):
        Corpus.read(tmp_path)


def test_a_missing_corpus_and_a_strange_record_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="corpus"):
        Corpus.read(tmp_path / "nowhere")
    file = tmp_path / "settled.csv"
    file.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match="表头"):
        read_settled(file)
