"""What the check of the knowledge finds, and what it leaves in peace."""

from __future__ import annotations

from datetime import UTC, date, datetime
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bot import database
from bot.settings import Settings
from index.knowledge_files.check import ALIKE, Finding, _joined, check, render, standing, to_review
from index.knowledge_files.importing import import_bundle
from index.knowledge_files.reading import answers_from_guides, read_folder
from index.knowledge_files.rows import Bundle, DocumentRow, GuideRow, Problem, QARow, SourceRow
from index.knowledge_files.starter import STARTER
from index.knowledge_files.verify import REVIEWED, read_settled

TODAY = date(2026, 11, 20)
WAYS = ["咋整", "有啥要求", "流程", "要几天", "收费吗", "能代办不", "在网上行吗", "去哪个窗口"]


def a_qa(id_: str = "a", **fields: Any) -> QARow:
    given = {
        "matter": "居住证办理",
        "question": f"事情{id_}怎么弄？",
        "answer": f"按{id_}办。",
        "sources": [SourceRow(document="fa")],
        "similar": [f"{id_ * 3}{way}" for way in WAYS],
    }
    return QARow(id=id_, **(given | fields))


def bundle(*qas: QARow, documents: list[DocumentRow] | None = None, guides: list[GuideRow] | None = None) -> Bundle:
    documents = documents if documents is not None else [DocumentRow(id="fa", title="居住证暂行条例")]
    return Bundle(documents=documents, guides=guides or [], qas=list(qas))


def found(source: Bundle) -> list[tuple[str, str]]:
    return [(finding.level, f"{finding.where} {finding.what}") for finding in check(source, today=TODAY)]


def test_an_answer_that_rests_on_an_internal_document_is_pointed_out() -> None:
    documents = [DocumentRow(id="fa", title="内部口径", internal_confirmed_by="李处长")]
    (finding,) = found(bundle(a_qa("甲"), documents=documents))
    assert finding[0] == "warning" and "市民看不到这处依据" in finding[1]


def test_good_knowledge_is_left_in_peace() -> None:
    qas = [a_qa("甲", related=["乙"]), a_qa("乙", sources=[SourceRow(document="《居住证暂行条例》")])]
    assert found(bundle(*qas)) == []


@pytest.mark.parametrize(
    ("fields", "level", "said"),
    [
        ({"as_of": date(2026, 11, 21)}, "error", "数据截至日期 2026-11-21 还没有到"),
        ({"valid_to": date(2026, 11, 19)}, "warning", "已经失效"),
        ({"sources": [SourceRow(document="lost")]}, "error", "依据的文件「lost」不存在"),
        ({"guides": ["lost"]}, "error", "办事指南「lost」不存在"),
        ({"related": ["lost"]}, "error", "关联问答「lost」不存在"),
        ({"related": ["甲"]}, "error", "有它自己"),
        ({"status": "retired", "replaced_by": "lost"}, "error", "替代它的问答「lost」不存在"),
        ({"sources": []}, "warning", "没有写依据"),
        ({"similar": [f"甲{way}" for way in WAYS[:7]]}, "warning", "相似问只有 7 个"),
        ({"answer": "坏\ufffd字"}, "warning", "乱码"),
        ({"similar": [*WAYS, "收费吗？"]}, "warning", "「收费吗？」在本条里重复"),
        ({"review_by": date(2026, 11, 19)}, "warning", "复核日期 2026-11-19 已过"),
        ({"review_by": date(2026, 12, 20)}, "warning", "复核日期 2026-12-20 快到了"),
        ({"condition": "还没满1年"}, "warning", "没有标后果重"),
        ({"stakes": "high", "condition": "长" * 61}, "warning", "有 1 句超过 60 个字"),
        ({"answer": f"短的。\n{'字' * 61}；{'长' * 70}！"}, "warning", "有 2 句超过 60 个字"),
    ],
)
def test_one_thing_wrong_with_one_item(fields: dict[str, Any], level: str, said: str) -> None:
    (finding,) = check(bundle(a_qa("甲", **fields)), today=TODAY)
    assert finding.level == level
    assert finding.where == "问答 甲"
    assert said in finding.what


def test_the_days_at_the_edge_are_good() -> None:
    assert found(bundle(a_qa("甲", as_of=TODAY, valid_from=TODAY, valid_to=TODAY))) == []
    assert found(bundle(a_qa("甲", review_by=date(2026, 12, 21)))) == []
    assert found(bundle(a_qa("甲", review_by=date(2026, 1, 1), status="retired"))) == []
    assert found(bundle(a_qa("甲", answer=f"{'字' * 60}；{'字' * 60}\n{'字' * 60}？"))) == []


def approved(id_: str, **fields: Any) -> QARow:
    review = {"status": "approved", "reviewed_by": "王", "reviewed_at": datetime(2026, 11, 1, tzinfo=UTC)}
    return a_qa(id_, **(review | fields))


def test_approvers_see_first_what_nobody_has_compared_with_its_text_then_what_is_due_then_the_other_drafts() -> None:
    unseen = [SourceRow(document="fa", clause="第三条", unverified=True), SourceRow(document="fa")]
    source = bundle(
        a_qa("a1"),
        approved("a2"),
        approved("b1", review_by=date(2026, 11, 19)),
        a_qa("b2", review_by=TODAY),
        approved("c1", sources=unseen),
        a_qa("c2", sources=[*unseen, *unseen], review_by=date(2027, 6, 30)),
        a_qa("d1", status="paused", sources=unseen),
        a_qa("d2", status="retired", review_by=TODAY),
    )
    assert [(item.qa.id, item.reasons) for item in to_review(source, today=TODAY)] == [
        ("c1", ("依据待核：《居住证暂行条例》第三条",)),
        ("c2", ("依据待核：《居住证暂行条例》第三条；《居住证暂行条例》第三条", "待审核")),
        ("b1", ("复核日期 2026-11-19 已过，请核对里面的数字",)),
        ("b2", ("复核日期 2026-11-20 快到了，请核对里面的数字", "待审核")),
        ("a1", ("待审核",)),
    ]
    assert standing(source, today=TODAY) == (
        "问答 8 条：草稿 3 条；依据待核 2 条（3 处依据）；复核日期已过 1 条，30 天内到期 1 条。"
    )


def test_documents_are_looked_at_too() -> None:
    documents = [
        DocumentRow(id="fa", title="法", status="已废止"),
        DocumentRow(id="b", title="乙", issued=date(2027, 1, 1), effective=date(2025, 1, 1), replaced_by="lost"),
    ]
    said = found(bundle(a_qa("甲"), documents=documents))
    assert [level for level, _ in said] == ["error", "error", "warning", "warning"]
    for words in ("已废止", "发文日期 2027-01-01 还没有到", "早于发文日期", "替代它的文件「lost」不存在"):
        assert any(words in text for _, text in said)


def test_problems_of_reading_come_first_with_their_place() -> None:
    source = bundle(a_qa("甲", sources=[]))
    source.problems.append(Problem("a.csv", 7, "「答案」是空的"))
    assert check(source)[0] == Finding("error", "a.csv:7", "「答案」是空的")


def test_the_same_question_twice_and_nearly_the_same() -> None:
    same = found(bundle(a_qa("甲", question="居住证怎么办理？"), a_qa("乙", similar=[*WAYS, "居住证 怎么办理"])))
    assert same == [("error", "问答 甲 「居住证怎么办理？」与问答 乙 的「居住证 怎么办理」相同")]
    first, second = "外地人办理居住证需要准备哪些材料", "外地人办理居住证需要准备哪些材料呢"
    near = found(bundle(a_qa("甲", question=first), a_qa("乙", question=second)))
    assert [level for level, _ in near] == ["warning"]
    assert "很像（94%）" in near[0][1]


@pytest.mark.parametrize(
    "fields", [{"region": "440100"}, {"audience": "企业"}, {"status": "retired"}], ids=lambda fields: next(iter(fields))
)
def test_the_same_question_may_stand_where_the_two_never_meet(fields: dict[str, Any]) -> None:
    asked = {"question": "居住证怎么办理？"}
    assert (
        found(bundle(a_qa("甲", audience="个人", **asked), a_qa("乙", **({"audience": "个人"} | asked | fields)))) == []
    )


def test_an_approver_reads_what_of_a_basis_is_to_be_checked_unless_the_answer_changed_since() -> None:
    settled, qas = read_settled(REVIEWED), {qa.id: qa for qa in read_folder(STARTER).qas}
    key, line = next((key, line) for key, line in settled.items() if line.unverified and key[2])
    qa = qas[key[0]]
    (item,) = to_review(bundle(qa), settled, today=TODAY)
    assert f"{line.conclusion}" in item.reasons[0]
    (item,) = to_review(bundle(qa.model_copy(update={"answer": "改过。"})), settled, today=TODAY)
    assert "依据待核" in item.reasons[0] and line.conclusion not in item.reasons[0]


@given(st.lists(st.frozensets(st.sampled_from("abcdefgh"), min_size=1), max_size=12))
def test_the_join_finds_exactly_the_pairs_that_comparing_all_finds(sets: list[frozenset[str]]) -> None:
    every = {
        (i, j) for j in range(len(sets)) for i in range(j) if len(sets[i] & sets[j]) / len(sets[i] | sets[j]) >= ALIKE
    }
    assert {(i, j) for i, j, _ in _joined(sets)} == every


def test_a_sentence_out_of_a_template_is_noticed_from_the_fourth_item_on() -> None:
    matters = ["居住证办理", "护照换发", "婚姻登记", "失业保险金"]
    qas = [a_qa(str(n), matter=name, answer=f"申请{name}请到窗口，{n}天办好。") for n, name in enumerate(matters)]
    assert found(bundle(*qas[:3])) == []
    (finding,) = check(bundle(*qas), today=TODAY)
    assert finding.level == "warning"
    assert "4 条用了同一个句式「申请◇请到窗口#天办好」" in finding.what


def test_answers_made_of_guides_are_templates_by_design() -> None:
    guides = [GuideRow(id=f"g{n}", title=f"{name}许可", time_limit="5个工作日") for n, name in enumerate("甲乙丙丁戊")]
    source = bundle(guides=guides)
    source.qas = answers_from_guides(source)
    assert not [text for _, text in found(source) if "句式" in text]


def test_the_database_is_checked_like_a_file(sqlite_db: Settings) -> None:
    source = bundle(a_qa("甲", related=["lost"]))
    with database.write() as session:
        import_bundle(session, source, actor="甲")
    with database.read() as session:
        assert check(session, today=TODAY) == check(source, today=TODAY) != []


SAYS_TWO = "骗提公积金的，两年内不能再提取。"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"answer": "骗提公积金的，五年内不能再提取。"}, True),
        ({"answer": "骗提公积金的，24个月内不能再提取。"}, False),  # another unit is left to a reader
        ({"answer": "骗提公积金的，2年内不能再提取。"}, False),
        ({"answer": "骗提公积金的，五年内不能再提取；主动退回的，两年内不能再提取。"}, False),  # it knows both
        ({"answer": "骗提公积金的，五年内不能再提取。", "matter": "公积金贷款"}, False),
        ({"answer": "骗提公积金的，五年内不能再提取。", "status": "retired"}, False),
    ],
)
def test_a_figure_that_two_items_give_differently(fields: dict[str, Any], told: bool) -> None:
    said = found(bundle(a_qa("甲", answer=SAYS_TWO), a_qa("乙", **fields)))
    assert [level for level, _ in said] == ["warning"] * told
    assert all("「两年内不能再提取」与问答 乙的「五年内不能再提取」数字不同" in text for _, text in said)


def test_a_fee_of_an_answer_and_of_its_guide() -> None:
    guide = GuideRow(id="g", title="居住证补领", fee="补领每证收工本费20元")
    qas = [a_qa("甲", answer="补领每证收工本费10元。", guides=["g"]), a_qa("乙", answer="补领每证收工本费10元。")]
    (finding,) = check(bundle(*qas, guides=[guide]), today=TODAY)
    assert (finding.level, finding.where) == ("warning", "问答 甲")
    assert "指南 g" in finding.what


def test_one_document_under_two_ids() -> None:
    documents = [
        DocumentRow(id="fa", title="中华人民共和国居民身份证法", effective=date(2004, 1, 1)),
        DocumentRow(id="sfz-fa", title="《中华人民共和国居民身份证法》"),
        DocumentRow(id="fa-new", title="中华人民共和国居民身份证法", effective=date(2026, 1, 1)),  # another version
    ]
    assert found(bundle(a_qa("甲"), documents=documents)) == [
        ("warning", "文件 sfz-fa 和文件 fa 是同一份，请只留一个编号")
    ]


def test_the_starter_knowledge_has_nothing_to_mend() -> None:
    assert check(read_folder(STARTER), today=date(2026, 11, 29)) == []


def test_the_findings_are_shown_as_plain_text_and_never_as_markup() -> None:
    out = StringIO()
    Console(file=out, width=120).print(
        render([Finding("error", "a.csv:1", "[red]甲[/red]"), Finding("warning", "b", "乙")])
    )
    assert "[red]甲[/red]" in out.getvalue()
    assert "错误 1 处，提醒 1 处" in out.getvalue()
    out = StringIO()
    Console(file=out).print(render([]))
    assert "没有发现问题" in out.getvalue()
