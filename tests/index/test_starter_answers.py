"""What the starter knowledge says to a citizen: short stretches, the figure first, and what readers from outside set right."""

from __future__ import annotations

import re

import pytest

from index.figures import figures
from index.knowledge_files.reading import read_folder
from index.knowledge_files.starter import STARTER
from index.knowledge_files.verify import REVIEWED, articles, read_settled

QAS = read_folder(STARTER).qas
ANSWERS = {qa.id: qa.answer for qa in QAS}


def test_a_source_is_marked_where_and_only_where_its_conclusion_leaves_it_open() -> None:
    settled = read_settled(REVIEWED)
    marked = {(qa.id, source.document, source.clause) for qa in QAS for source in qa.sources if source.unverified}
    left_open = {
        (qa.id, source.document, source.clause)
        for qa in QAS
        for source in qa.sources
        for article in articles(source.clause)
        if (line := settled.get((qa.id, source.document, article))) and line.unverified
    }
    assert marked == left_open
    assert len({id_ for id_, _, _ in marked}) > 200
    cited = {
        (qa.id, source.document, article) for qa in QAS for source in qa.sources for article in articles(source.clause)
    }
    assert settled.keys() <= cited, "a conclusion about what no answer cites any more"
    stale = [key for key, line in settled.items() if not (line.conclusion.strip() and line.holds_for(ANSWERS[key[0]]))]
    assert stale == [], "the answer has changed since: look again, then kb verify --record"


def test_figures_that_perish_carry_a_day_of_review() -> None:
    dated = {qa.id for qa in QAS if qa.review_by}
    assert dated >= {"gjj-001", "jmyb-002", "xsyb-004", "hz-005", "gat-004", "ydjy-006", "cydb-002", "dib-002"}
    assert all(qa.review_by > qa.as_of for qa in QAS if qa.review_by and qa.as_of)


def test_where_a_wrong_answer_costs_the_condition_says_nothing_that_the_answer_does_not() -> None:
    marked = {qa.id: qa for qa in QAS if qa.stakes}
    assert marked.keys() >= {
        "gsrd-002",
        "ldzc-002",
        "fuyi-001",
        "lhdj-002",
        "jzhz-002",
        "zczb-002",
        "syj-005",
        "qis-001",
        "gshs-005",
    }
    for id_, qa in marked.items():
        assert qa.condition and len(qa.condition) <= 40 and not qa.condition.endswith("。"), id_
        assert figures(qa.condition) <= figures(qa.answer), id_


@pytest.mark.parametrize(
    ("id_", "figure"),
    [
        ("xxgk-002", "自收到申请之日起20个工作日内"), ("ydjy-002", "不少于6个月"), ("ydjy-005", "不超过10个百分点"),
        ("gsrd-003", "60日内出决定"), ("ylzy-003", "12%"), ("lsjz-004", "全国没有统一的天数"), ("zxfj-004", "1500元"),
        ("nxj-006", "1个年度"), ("cydb-006", "10%"), ("wfz-002", "3个工作日"), ("xinf-002", "60日内办结"),
        ("zczb-002", "2032年6月30日"), ("ywjy-005", "10个工作日"), ("gsrd-010", "60日内出结论"), ("yebt-002", "每月300元"),
        ("jmyb-002", "每人每年400元"), ("shs-005", "2个月"), ("zgyl-006", "男满55岁、女满45岁"),
    ],
)  # fmt: skip
def test_the_figure_that_is_asked_for_comes_first(id_: str, figure: str) -> None:
    assert figure in re.split(r"[。\n]", ANSWERS[id_])[0]


@pytest.mark.parametrize(
    ("id_", "says", "never"),
    [
        # The two versions of the housing fund's regulation: what both say.
        ("gjj-001", "以正式文本为准", "九种"), ("gjj-002", "以正式文本", "不再要求房租"), ("gjj-006", "以正式文本为准", "都列入了"),
        ("gjj-009", "以条例2026年修订的正式文本", "5年"), ("gjjd-004", "最迟15日内", "10日内"), ("gjjd-007", "正式文本", "5年"),
        ("gjjz-002", "查实要退回", "3年"), ("gjjz-006", "要退回", "3年"),
        # A draft is no rule, a count that grows no figure.
        ("gsrd-005", "以正式文本为准", "单位应按规定给参加工伤保险"), ("ytx-007", "以正式文本为准", "2026年7月1日"),
        ("yjgj-004", "医保钱包", "337"), ("hz-002", "照相要不要钱先问窗口", "照片和邮寄另外收费"),
        ("sbk-002", "社会保障号（身份证号）不变", "新卡卡号会变"),
        # What was left out misled.
        ("jmyb-002", "现在集中交的是2027年度的", "24元"), ("xsyb-004", "现在集中交的是2027年度的", "2025、2026年度"),
        ("jzjf-001", "小车在高速或城市快速路上超速50%以上", "、小车超速50%以上"), ("bdc-002", "卖方可能要交增值税和个人所得税", ""),
        ("jzz-007", "没有居住证一般也能在外地办", ""), ("lhdj-005", "两个以上孩子的可以提高，一般不超过五成", ""),
        ("ldzc-008", "最多11个月", ""), ("ldzc-008", "一年的仲裁时效", ""), ("syq-003", "最多11个月", ""),
        ("xfts-001", "快递12305，电信12300，银行12378", "（如银行、电信、快递）"), ("fp-002", "可能不用缴增值税", ""),
        ("lssfz-007", "电子临时乘车身份证明", ""), ("sfz-009", "在12306手机应用“温馨服务”里申请电子临时乘车身份证明", ""),
    ],
)  # fmt: skip
def test_what_readers_from_outside_set_right(id_: str, says: str, never: str) -> None:
    assert says in ANSWERS[id_]
    assert not never or never not in ANSWERS[id_]


@pytest.mark.parametrize(
    ("id_", "term"),
    [
        ("jdgh-003", "善意第三人"), ("cydb-004", "反担保"), ("jmyb-004", "变动等待期"), ("ldzc-006", "一裁终局"),
        ("zczb-007", "补充责任"), ("tqgz-003", "共益债务"), ("zxdk-003", "LPR"), ("gsrd-006", "停工留薪期"),
        ("gjjd-006", "商转公"), ("fp-005", "红字发票"), ("zgyl-001", "视同缴费年限"),
    ],
)  # fmt: skip
def test_a_term_of_law_is_explained_where_it_is_first_used(id_: str, term: str) -> None:
    first = ANSWERS[id_].index(term) + len(term)
    assert ANSWERS[id_][first] == "（", "a bracket in plain words follows"
