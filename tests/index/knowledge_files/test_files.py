"""Knowledge from files and back: tolerant tables, strict YAML, import, starter knowledge, export without loss."""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session

from bot import database, knowledge
from bot.errors import InvalidInput
from bot.models.base import Base
from bot.models.housekeeping import AuditEntry, Counter
from bot.models.knowledge import QA, Document, Passage, ServiceGuide
from bot.settings import Settings
from index.knowledge_files import importing, rows, starter
from index.knowledge_files.exporting import export, from_database
from index.knowledge_files.importing import Item, import_bundle
from index.knowledge_files.reading import read, read_folder
from index.knowledge_files.rows import Bundle, DocumentRow, GuideRow, QARow, SourceRow, parse_date
from index.knowledge_files.starter import load_starter

YAML = """\
matter: 身份证换领补领
department: 公安机关
themes: [证件办理]
as_of: 2026-11-01
documents:
  - id: sfz-fa
    title: 居民身份证法
    issued: 2003-06-28
guides:
  - id: sfz-buling
    title: 居民身份证补领
    materials: [户口簿, 照片]
    phone: 010
qas:
  - id: sfz-001
    question: 身份证丢了怎么补办？
    answer: |
      40元一张。
      带户口簿到派出所申请。
    sources: [{document: sfz-fa, clause: 第十二条}]
    guides: [sfz-buling]
    audience: 个人
    related: [sfz-002]
    similar: [身份证不见了咋办, no]
  - id: sfz-002
    question: 补办身份证要多久？
    answer: 60日内。
"""


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def reasons(bundle: Bundle) -> list[str]:
    return [str(problem) for problem in bundle.problems]


def put(bundle: Bundle, **options: Any) -> importing.ImportReport:
    with database.write() as session:
        return import_bundle(session, bundle, actor="王科长", **options)


def stored(**options: bool) -> Bundle:
    with database.read() as session:
        return from_database(session, **options)


# --- YAML ------------------------------------------------------------------------------------------------------------


def test_yaml_is_read_with_what_its_head_says(tmp_path: Path) -> None:
    bundle = read(write(tmp_path / "a.yaml", YAML))
    assert bundle.problems == []
    assert bundle.documents == [DocumentRow(id="sfz-fa", title="居民身份证法", issued=date(2003, 6, 28))]
    guide = bundle.guides[0]
    assert (guide.department, guide.materials, guide.phone) == ("公安机关", ["户口簿", "照片"], "010")
    first, second = bundle.qas
    assert first.answer == "40元一张。\n带户口簿到派出所申请。"
    assert first.similar == ["身份证不见了咋办", "no"]
    assert first.sources == [SourceRow(document="sfz-fa", clause="第十二条")]
    assert (second.matter, second.department, second.themes) == ("身份证换领补领", "公安机关", ["证件办理"])
    assert second.as_of == date(2026, 11, 1)
    assert bundle.places["qa", "sfz-001"] == ("a.yaml", 15)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    audience: 个人\n", "    audiance: 个人\n", "a.yaml 第 15 行：问答 sfz-001：不认识的字段「audiance」"),
        ("audience: 个人", "audience: 老人", "a.yaml 第 15 行：问答 sfz-001：「audience」应当是"),
        ("    question: 身份证丢了怎么补办？\n", "", "a.yaml 第 15 行：问答 sfz-001：缺少「question」"),
        ("similar: [身份证不见了咋办, no]", "similar: 身份证", "问答 sfz-001：「similar」应当是列表"),
        ("clause: 第十二条}", "article: 12}", "「sources.第1项.article」"),
        ("clause: 第十二条}", "unverified: 大概}", "依据待核应当写“待核”或“—”，不是「大概」"),
        ("related: [sfz-002]", "review_by: 明年", "「review_by」看不懂日期「明年」"),
        ("    related: [sfz-002]\n", "    valid_to: 2026-02-30\n", "「valid_to」没有「2026-02-30」这一天"),
        ("    related: [sfz-002]\n", "    question: 又一个\n", "a.yaml 第 23 行：字段「question」写了两次"),
        ("related: [sfz-002]", "valid_from: 2026-2-1\n    valid_to: 2026-1-1", "早于生效日期"),
        ("sources: [{document: sfz-fa, clause: 第十二条}]", "status: approved", "没有写明审核人"),
        (
            "related: [sfz-002]",
            "stakes: high",
            "a.yaml 第 15 行：问答 sfz-001：后果重（stakes: high），却没有写先看什么情况",
        ),
        (
            "related: [sfz-002]",
            "stakes: 大\n    condition: 丢了",
            "「stakes」后果只能写“重”（YAML 里写 high），或者不写，不是「大」",
        ),
        ("- id: sfz-001", "- id: 身份证 一", "「id」只能用文字"),
        ("related: [sfz-002]", "region: 北京", "「region」应当是 6 位行政区划代码"),
        ("related: [sfz-002]", "region: 999999", "「region」应当是 6 位行政区划代码，没有「999999」"),
    ],
)
def test_a_bad_entry_is_named_and_the_good_ones_are_taken(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in YAML
    bundle = read(write(tmp_path / "a.yaml", YAML.replace(old, new, 1)))
    assert len(bundle.problems) == 1
    assert said in reasons(bundle)[0]
    assert [qa.id for qa in bundle.qas] == ["sfz-002"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "文件是空的"),
        ("matter: 甲\nqas: [甲}\n", "第 2 行：不是正确的 YAML"),
        ("- a\n- b\n", "最外层"),
        ("matter: 甲\nfoo: 1\n", "不认识的字段「foo」"),
        ("qas: 你好\n", "「qas」应当是列表"),
        ("qas:\n  - &a [*a]\n", "锚点"),
        ("qas:\n  - 你好\n", "应当是若干个"),
        ("documents:\n  - {id: a, title: 法, url: 'javascript:alert(1)'}\n", "http"),
    ],
)
def test_a_broken_yaml_file_is_a_problem_and_not_a_crash(tmp_path: Path, text: str, said: str) -> None:
    bundle = read(write(tmp_path / "a.yaml", text))
    assert len(bundle.problems) == 1
    assert said in reasons(bundle)[0]
    assert not bundle.qas + bundle.documents


def test_yaml_in_another_encoding_is_a_problem_with_its_line(tmp_path: Path) -> None:
    bundle = read(write(tmp_path / "a.yaml", "a: 1\nmatter: 身份证", "gbk"))
    assert "第 2 行：编码不对" in reasons(bundle)[0]


def test_a_folder_merges_a_document_that_stands_in_several_files(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", "documents:\n  - {id: fa, title: 法, issuer: 甲}\n")
    write(tmp_path / "b.yaml", "documents:\n  - {id: fa, title: 法, doc_no: 一号}\n")
    write(
        tmp_path / "c.yaml",
        "documents:\n  - {id: fa, title: 另一部法}\nqas:\n  - {id: q, matter: 甲, question: 问, answer: 答}\n",
    )
    write(tmp_path / "d.yaml", "qas:\n  - {id: q, matter: 甲, question: 问, answer: 答}\n")
    bundle = read_folder(tmp_path)
    assert bundle.documents == [DocumentRow(id="fa", title="法", issuer="甲", doc_no="一号")]
    assert len(bundle.qas) == 1
    assert ["c.yaml 第 2 行" in reasons(bundle)[0], "d.yaml 第 2 行" in reasons(bundle)[1]] == [True, True]


# --- tables ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_the_smallest_csv_in_every_encoding_that_excel_writes(
    settings: Settings, tmp_path: Path, encoding: str, delimiter: str
) -> None:
    text = f"问题{delimiter}答案\r\n居住证怎么办？{delimiter}到派出所。\r\n"
    bundle = read(write(tmp_path / "a.csv", text, encoding))
    assert bundle.problems == []
    (qa,) = bundle.qas
    assert (qa.question, qa.answer, qa.matter, qa.region) == ("居住证怎么办？", "到派出所。", "其他", "100000")
    again = read(write(tmp_path / "b.csv", "答案,问题\n改过了。,居住证怎么办\n"))
    assert again.qas[0].id == qa.id, "the id comes from the question, not from its answer, place or punctuation"


def test_rows_without_a_region_are_the_citys_own(settings: Settings, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "问题,答案,地区\n甲？,乙。,\n丙？,丁。,100000\n戊？,己。,全国\n")
    assert [qa.region for qa in read(path, region="440100").qas] == ["440100", "100000", "100000"]


def test_a_bad_row_does_not_hinder_the_good_ones(settings: Settings, tmp_path: Path) -> None:
    rows = [
        ["编号", "问题", "答案", "失效日期", "适用对象", "心情"],
        ["a", "甲？", "答。\n第二行。", "2026年1月31日", "自然人", ""],
        ["b", "", "没有问题", "", "", ""],
        ["c", "丙？", "答" * 20_001, "", "", ""],
        ["a", "重复？", "答。", "", "", ""],
        ["d", "丁？", "答。", "明年春天", "", ""],
        ["e", "戊？", "答。", "", "外星人", ""],
        ["", "", "", "", "", ""],
        ["f", "己？", "答。", "2026/3/1", "个人,企业", "好"],
        ["7", "庚？", "答。", "长期", "", ""],
    ]
    path = tmp_path / "我的 知识.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    bundle = read(path)
    assert [qa.id for qa in bundle.qas] == ["a", "f", "我的-知识-7"]
    assert bundle.qas[0].valid_to == date(2026, 1, 31)
    assert (bundle.qas[0].audience, bundle.qas[1].audience) == ("个人", "个人和企业")
    assert [(problem.line, problem.reason[:9]) for problem in bundle.problems] == [
        (1, "不认识的列「心情」"),
        (4, "「问题」是空的"),
        (5, "「答案」超过 20"),
        (6, "编号「a」与第 2"),
        (7, "「失效日期」看不懂"),
        (8, "「适用对象」应当是"),
    ]


def test_bytes_that_are_no_text_spoil_their_row_only(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("问题,答案\n甲？,好。\n乙？,坏".encode() + b"\xff\xff" + "。\n丙？,好。\n".encode())
    bundle = read(path)
    assert [qa.question for qa in bundle.qas] == ["甲？", "丙？"]
    assert [problem.line for problem in bundle.problems] == [3]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "文件是空的"),
        (b"\xef\xbb\xbf\r\n", "文件是空的"),
        ("姓名,年龄\n甲,3\n".encode(), "没有找到表头，至少需要这些列：问题、答案"),
        ("问题\n甲？\n".encode(), "没有找到表头"),
        (bytes(range(128, 256)) * 4, "认不出文件的编码或表头"),
    ],
)
def test_a_csv_that_makes_no_sense(settings: Settings, tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    bundle = read(path)
    assert len(bundle.problems) == 1
    assert said in reasons(bundle)[0]
    assert bundle.qas == []


def test_an_unpaired_quote_is_found(settings: Settings, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", '问题,答案\n甲？,好。\n乙？,"没有收尾\n' + "丙？,好。\n" * 20_000)
    bundle = read(path)
    assert [qa.question for qa in bundle.qas] == ["甲？"]
    assert "第 3 行" in reasons(bundle)[0]
    assert "引号" in reasons(bundle)[0]


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2024-01-01", date(2024, 1, 1)),
        ("2024/1/1", date(2024, 1, 1)),
        ("2024.1.1", date(2024, 1, 1)),
        ("2024年1月1日", date(2024, 1, 1)),
        ("２０２４年1月1日", date(2024, 1, 1)),
        ("20240101", date(2024, 1, 1)),
        ("2024-01-01 08:30:00", date(2024, 1, 1)),
        ("2024-01-01T08:30:00+08:00", date(2024, 1, 1)),
        (datetime(2024, 1, 1, 8), date(2024, 1, 1)),
        ("45292", date(2024, 1, 1)),
        ("45292.0", date(2024, 1, 1)),
        ("长期", None),
        ("", None),
    ],
)
def test_dates_as_people_and_excel_write_them(written: Any, day: date | None) -> None:
    assert parse_date(written) == day


@pytest.mark.parametrize("written", ["2024-13-01", "2023-02-29", "2024年1月", "01/02/2024", "明天", "2024-01-01起"])
def test_a_date_that_is_none_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"看不懂|没有"):
        parse_date(written)


def test_an_excel_workbook_as_people_make_it(settings: Settings, tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["本市常见问题汇总"])
    sheet.append(["序号", "问题*", "答案（必填）", "生效日期", "地区", "依据", "条款"])
    sheet.append([1, "电话是多少？", 12345, datetime(2024, 1, 1), 100000, "《某某条例》\n另一办法", "\n第三条"])
    sheet.append([2, "算一下？", "'=1+1", 45292, None, "某某条例", "第一条\n第二条"])
    sheet.append([3, "算一下？", "'=1+1", 45292, None, "某某条例", None])
    book.create_sheet("空的")
    book.save(tmp_path / "a.xlsx")
    bundle = read(tmp_path / "a.xlsx")
    assert [(problem.line, problem.reason) for problem in bundle.problems] == [
        (4, "「条款」比「依据」多，应当逐行对应")
    ]
    first, second = bundle.qas
    assert (first.answer, first.valid_from, first.region) == ("12345", date(2024, 1, 1), "100000")
    assert [(source.document, source.clause) for source in first.sources] == [
        ("《某某条例》", None),
        ("另一办法", "第三条"),
    ]
    assert (second.answer, second.valid_from) == ("=1+1", date(2024, 1, 1))
    assert sorted(row.title for row in bundle.documents) == ["另一办法", "某某条例"]


def test_bare_numbers_as_ids_stay_within_their_file(sqlite_db: Settings, tmp_path: Path) -> None:
    for name in ("甲", "乙"):
        book = Workbook()
        sheet = book.active
        assert sheet is not None
        sheet.append(["编号", "问题", "答案", "依据", "关联问答"])
        sheet.append([1, f"{name}？", "答。", 7, "2\n1"])
        documents = book.create_sheet("文件")
        documents.append(["文件编号", "文件标题", "文号"])
        documents.append([7, f"{name}办法", "一号"])
        book.save(tmp_path / f"{name}.xlsx")
        assert put(read(tmp_path / f"{name}.xlsx")).problems == []
    found = {qa.id: (qa.sources[0].document, qa.related) for qa in stored().qas}
    assert found == {"甲-1": ("甲-7", ["甲-2", "甲-1"]), "乙-1": ("乙-7", ["乙-2", "乙-1"])}


@pytest.mark.parametrize("content", [b"", b"not a workbook", b"PK\x03\x04 broken"])
def test_a_broken_workbook_is_a_problem(settings: Settings, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(content)
    assert len(read(path).problems) == 1


def test_unknown_forms_are_refused(tmp_path: Path) -> None:
    for name in ("a.pdf", "a.xls"):
        write(tmp_path / name, "x")
        with pytest.raises(InvalidInput):
            read(tmp_path / name)
    with pytest.raises(InvalidInput):
        read(tmp_path / "missing.csv")
    with pytest.raises(InvalidInput):
        read(write(tmp_path / "a.csv", "问题,答案\n"), kind="faq")


def test_json_lines_with_many_names(settings: Settings, tmp_path: Path) -> None:
    records: list[Any] = [
        {"id": "x-1", "question": "甲？", "answer": "答。", "dept": "民政局", "date": "2015-01-06"},
        {"问题": "乙？", "答案": "答。", "部门": "公安局", "类别": "户籍"},
        {"q": "丙？", "a": "=不是公式", "similar": ["丙丙？", "丙丙丙？"], "cat": "检务"},
        {"question": "丁？", "answer": ""},
        {"question": "没有答案"},
        ["不是对象"],
        {"question": "戊？", "answer": "答。", "mood": 3},
        {"question": "己？", "answer": "答。", "mood": 4},
    ]
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    bundle = read(write(tmp_path / "a.jsonl", "\n".join([*lines[:3], "{坏", "", *lines[3:]])))
    assert [qa.question for qa in bundle.qas] == ["甲？", "乙？", "丙？", "戊？", "己？"]
    assert [qa.matter for qa in bundle.qas] == ["其他", "户籍", "检务", "其他", "其他"]
    assert (bundle.qas[0].department, bundle.qas[0].as_of) == ("民政局", date(2015, 1, 6))
    assert (bundle.qas[2].answer, bundle.qas[2].similar) == ("=不是公式", ["丙丙？", "丙丙丙？"])
    assert [problem.line for problem in bundle.problems] == [4, 6, 7, 8, 9]


GUIDE = {
    "id": "11440000X",
    "title": "律师执业变更审核",
    "dept": "省司法厅",
    "area": "全国",
    "url": "https://www.example.gov.cn/apply",
    "accept": "",
    "text": "律师执业变更审核\n办理部门：省司法厅\n受理条件：有下列情形的：\n1、转所的。\n"
    "申请材料：《申请表》、工作证（正、副本）；照片\n"
    "办理时限：13(工作日)\n法定时限：30(工作日)\n办理地点：办理地点：政民路51号\n咨询电话：020-1\n投诉电话：020-2\n网上预约：是",
}


def test_a_portals_service_guide_is_taken_apart(settings: Settings, tmp_path: Path) -> None:
    path = write(tmp_path / "g.jsonl", json.dumps(GUIDE, ensure_ascii=False))
    bundle = read(path)
    assert bundle.problems == []
    assert bundle.guides == [
        GuideRow(
            id="11440000X",
            title="律师执业变更审核",
            department="省司法厅",
            who="有下列情形的：\n1、转所的。",
            materials=["《申请表》", "工作证（正、副本）", "照片"],
            time_limit="13个工作日",
            address="政民路51号",
            phone="020-1",
            url="https://www.example.gov.cn/apply",
            channels=["线下窗口", "网上预约"],
        )
    ]
    assert bundle.qas == []
    (qa,) = read(path, guides_answer=True).qas
    assert (qa.id, qa.question, qa.guides) == ("guide-11440000X", "律师执业变更审核怎么办理？", ["11440000X"])
    for words in ("省司法厅", "13个工作日", "《申请表》", "政民路51号", "020-1"):
        assert words in qa.answer


def test_regions_are_known_by_their_names(settings: Settings, tmp_path: Path) -> None:
    text = "问题,答案,地区\n甲？,答。,广东省\n乙？,答。,广东省广州市\n丙？,答。,火星市\n"
    bundle = read(write(tmp_path / "a.csv", text))
    assert [qa.region for qa in bundle.qas] == ["440000", "440100"]
    assert "第 4 行：不认识地区「火星市」" in reasons(bundle)[0]


# --- into the database -----------------------------------------------------------------------------------------------


def test_importing_adds_then_changes_then_leaves_alone(db: Settings, tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", YAML)
    report = put(read(path))
    assert report.added == [
        Item("document", "sfz-fa"),
        Item("guide", "sfz-buling"),
        Item("qa", "sfz-001"),
        Item("qa", "sfz-002"),
    ]
    assert [qa.status for qa in stored().qas] == ["draft", "draft"]
    report = put(read(write(path, YAML.replace("60日内。", "法定60日内。"))))
    assert (report.added, report.changed, len(report.unchanged)) == ([], [Item("qa", "sfz-002")], 3)
    assert put(read(path)).changed == []
    with database.read() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
        assert [(entry.actor, entry.subject) for entry in entries] == [("王科长", "a.yaml")] * 2
        assert entries[1].detail["changed_items"] == ["qa sfz-002"]
        assert session.get_one(QA, "sfz-001").sources == [{"document": "sfz-fa", "clause": "第十二条"}]


def test_a_dry_run_says_the_same_and_writes_nothing(db: Settings, tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", YAML)
    dry = put(read(path), dry_run=True)
    assert not dry.written
    assert stored().qas == []
    with database.read() as session:
        assert knowledge.revision(session) == 0
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == 0
    real = put(read(path))
    assert real.written
    assert (dry.added, dry.problems) == (real.added, real.problems)


def test_all_or_nothing_and_references_that_lead_nowhere(sqlite_db: Settings, tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", YAML.replace("document: sfz-fa", "document: lost"))
    report = put(read(path), all_or_nothing=True)
    assert not report.written
    assert stored().qas == []
    assert str(report.problems[0]) == "a.yaml 第 15 行：问答 sfz-001：依据的文件「lost」不存在，请先导入"
    report = put(read(path))
    assert [qa.id for qa in stored().qas] == ["sfz-002"]
    assert put(read(write(path, YAML)), all_or_nothing=True).written


def test_a_table_may_name_documents_and_guides_by_title(sqlite_db: Settings, tmp_path: Path) -> None:
    put(read(write(tmp_path / "a.yaml", YAML)))
    rows = [
        "编号,问题,答案,依据,办事指南",
        "a,甲？,答。,《居民身份证法》,居民身份证补领",
        "b,乙？,答。,本市办法,",
        "c,丙？,答。,,没有的指南",
    ]
    text = "\n".join(rows)
    report = put(read(write(tmp_path / "b.csv", text)))
    assert [problem.line for problem in report.problems] == [4]
    found = {qa.id: qa for qa in stored().qas}
    assert (found["a"].sources[0].document, found["a"].guides) == ("sfz-fa", ["sfz-buling"])
    new = next(row for row in stored().documents if row.title == "本市办法")
    assert found["b"].sources[0].document == new.id
    assert len(stored().documents) == 2


def test_columns_that_a_table_lacks_stay_as_they_were_and_empty_cells_are_emptied(
    sqlite_db: Settings, tmp_path: Path
) -> None:
    put(read(write(tmp_path / "a.yaml", YAML)))
    before = stored().qas[0]
    put(read(write(tmp_path / "b.csv", "编号,问题,答案,关联问答\nsfz-001,身份证丢了怎么补办？,改过。,\n")))
    assert stored().qas[0] == before.model_copy(update={"answer": "改过。", "related": []})
    assert before.related == ["sfz-002"]
    put(read(write(tmp_path / "c.yaml", "qas:\n  - {id: sfz-001, matter: 甲, question: 问？, answer: 答。}\n")))
    assert stored().qas[0].similar == [], "YAML says all there is"


MARKED = """\
编号,问题,答案,依据（每行一个）,条款（与依据逐行对应）,依据待核（与依据逐行对应）,复核日期
m-1,几天能办好？,三天。,"甲法
乙办法
甲法","第一条
—
第二条","
待核
是",2027/6/30
"""


def marks(id_: str) -> list[tuple[str | None, bool]]:
    return [(source.clause, source.unverified) for qa in stored().qas if qa.id == id_ for source in qa.sources]


def test_a_table_marks_sources_line_by_line(sqlite_db: Settings, tmp_path: Path) -> None:
    assert put(read(write(tmp_path / "a.csv", MARKED))).problems == []
    assert marks("m-1") == [("第一条", False), (None, True), ("第二条", True)]
    assert stored().qas[0].review_by == date(2027, 6, 30)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [("待核\n", "也许\n", "依据待核应当写“待核”"), ("是\"", "是\n待核\"", "「依据待核」比「依据」多"), ("2027/6/30", "半年后", "复核日期")],
)  # fmt: skip
def test_a_mark_that_makes_no_sense_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in MARKED
    bundle = read(write(tmp_path / "a.csv", MARKED.replace(old, new, 1)))
    assert bundle.qas == [] and len(bundle.problems) == 1
    assert said in reasons(bundle)[0] and "第 2 行" in reasons(bundle)[0]


def test_a_table_without_the_column_takes_no_mark_away(sqlite_db: Settings, tmp_path: Path) -> None:
    put(read(write(tmp_path / "a.csv", MARKED)))
    put(
        read(
            write(tmp_path / "b.csv", '编号,问题,答案,依据,条款\nm-1,几天能办好？,四天。,"甲法\n乙办法","第二条\n—"\n')
        )
    )
    assert marks("m-1") == [("第二条", True), (None, True)]
    put(read(write(tmp_path / "c.csv", '编号,问题,答案,依据\nm-1,几天能办好？,四天。,"甲法\n乙办法\n丙法"\n')))
    assert marks("m-1") == [(None, True), (None, True), (None, False)], "without a clause the document decides"
    put(read(write(tmp_path / "d.csv", "编号,问题,答案\nm-1,几天能办好？,五天。\n")))
    assert marks("m-1") == [(None, True), (None, True), (None, False)]
    assert stored().qas[0].review_by == date(2027, 6, 30)
    put(read(write(tmp_path / "e.csv", "编号,问题,答案,依据,依据待核\nm-1,几天能办好？,五天。,甲法,—\n")))
    assert marks("m-1") == [(None, False)]


def test_a_table_says_that_a_wrong_answer_costs_and_what_decides(sqlite_db: Settings, tmp_path: Path) -> None:
    head = "编号,问题,答案,后果,先看什么情况\n"
    bundle = read(write(tmp_path / "a.csv", f"{head}m-1,甲？,答。,重,还没满1年\nm-2,乙？,答。,—,\nm-3,丙？,答。,重,\n"))
    assert [(qa.id, qa.stakes, qa.condition) for qa in bundle.qas] == [
        ("m-1", "high", "还没满1年"),
        ("m-2", None, None),
    ]
    (reason,) = reasons(bundle)
    assert "a.csv 第 4 行" in reason and "没有写先看什么情况" in reason
    put(bundle)
    put(read(write(tmp_path / "b.csv", "编号,问题,答案\nm-1,甲？,新答。\n")))
    assert next((qa.answer, qa.stakes, qa.condition) for qa in stored().qas) == ("新答。", "high", "还没满1年")


def test_a_header_below_a_title_row_is_found_with_its_delimiter(settings: Settings, tmp_path: Path) -> None:
    bundle = read(write(tmp_path / "a.csv", "常见问题\n\n问题;答案\n甲？;答，好。\n"))
    assert [(qa.question, qa.answer) for qa in bundle.qas] == [("甲？", "答，好。")]
    assert bundle.places["qa", bundle.qas[0].id] == ("a.csv", 4)


def test_an_old_export_does_not_undo_a_review(sqlite_db: Settings, tmp_path: Path) -> None:
    put(read(write(tmp_path / "a.yaml", YAML)))
    with database.read() as session:
        export(session, tmp_path / "old.xlsx")
    with database.write() as session:
        knowledge.approve(session, "sfz-001", "李科长")
    report = put(read(tmp_path / "old.xlsx"))
    assert report.changed == []
    assert "sfz-001" in report.notes[0]
    with database.read() as session:
        assert session.get_one(QA, "sfz-001").status == "approved"


# --- the starter knowledge -------------------------------------------------------------------------------------------


def test_the_starter_knowledge_never_overwrites_what_operations_did(db: Settings, tmp_path: Path) -> None:
    entries = "".join(
        f"  - {{id: q-{number}, matter: 甲, question: 问{number}？, answer: 旧。}}\n" for number in range(6)
    )
    path = write(tmp_path / "a.yaml", f"qas:\n{entries}")

    def load() -> importing.ImportReport:
        with database.write() as session:
            return load_starter(session, tmp_path)

    assert len(load().added) == 6
    again = load()
    assert (again.added, again.unchanged) == ([], [])
    with database.write() as session:
        assert {(qa.status, qa.reviewed_by) for qa in knowledge.all_qas(session)} == {("draft", None)}
        knowledge.approve(session, "q-1", "王科长")
        session.get_one(QA, "q-2").answer = "本市的答案。"
        session.delete(session.get_one(QA, "q-3"))
        knowledge.pause(session, "q-4", "王科长")
        session.get_one(QA, "q-5").answer = "新。"
    write(
        path,
        path.read_text(encoding="utf-8").replace("旧", "新")
        + "  - {id: q-9, matter: 甲, question: 问9？, answer: 新。}\n",
    )
    report = load()
    assert report.added == [Item("qa", "q-9")]
    assert report.changed == [Item("qa", "q-0")]
    assert report.unchanged == [Item("qa", "q-5")]
    assert report.kept == [Item("qa", id_) for id_ in ("q-1", "q-2", "q-3", "q-4")]
    assert {qa.id: qa.answer for qa in stored().qas} == {
        "q-0": "新。",
        "q-1": "旧。",
        "q-2": "本市的答案。",
        "q-4": "旧。",
        "q-5": "新。",
        "q-9": "新。",
    }


def test_what_an_older_version_loaded_is_still_known_as_untouched(sqlite_db: Settings, tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", YAML)
    with database.write() as session:
        load_starter(session, tmp_path)
        for qa in knowledge.all_qas(session):  # as a version without the column reckoned it
            later = {"review_by", "stakes", "condition", "report"}
            content = {name: value for name, value in knowledge.content(qa).items() if name not in later}
            session.get_one(Counter, f"starter:qa:{qa.id}").value = starter._digest(content)
    write(path, YAML.replace("    related: [sfz-002]\n", "    related: [sfz-002]\n    review_by: 2027-01-31\n"))
    with database.write() as session:
        assert load_starter(session, tmp_path).changed == [Item("qa", "sfz-001")]
        session.get_one(QA, "sfz-001").review_by = date(2028, 1, 1)  # operations had another look
    write(path, YAML.replace("    related: [sfz-002]\n", ""))
    with database.write() as session:
        assert load_starter(session, tmp_path).kept == [Item("qa", "sfz-001")]


def test_what_a_reviewed_answer_rests_on_stays_as_it_was_reviewed(sqlite_db: Settings, tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", YAML)
    with database.write() as session:
        load_starter(session, tmp_path)
        knowledge.approve(session, "sfz-001", "王科长")
    write(path, YAML.replace("title: 居民身份证法", "title: 新法").replace("户口簿, 照片", "护照"))
    with database.write() as session:
        report = load_starter(session, tmp_path)
    assert report.kept == [Item("document", "sfz-fa"), Item("guide", "sfz-buling")]
    with database.read() as session:
        assert session.get_one(Document, "sfz-fa").title == "居民身份证法"
        assert session.get_one(ServiceGuide, "sfz-buling").materials == ["户口簿", "照片"]


def test_the_real_starter_knowledge_has_no_problem(sqlite_db: Settings) -> None:
    with database.write() as session:
        report = load_starter(session)
    assert reasons(Bundle(problems=report.problems)) == []
    assert report.count("qa") >= 12


# --- export ----------------------------------------------------------------------------------------------------------

NASTY = [
    "=1+1",
    "+86",
    "-5 度",
    "@某人",
    "'=引号",
    "''",
    "a,b;c",
    '他说"好"',
    "甲\n\n乙",
    "\t制表",
    "007",
    "null",
    "~",
    "2024-01-01",
]
NASTY += [
    "[sfz]",
    "甲 [乙]",
    "—",
    "#N/A",
    "TRUE",
    "_x0041_",
    "\U0001f600 \U0002000b",
    "a\r\nb",
    "- 项\n# 不是注释",
    "{a: b}",
    "no",
    "<b>粗</b>&nbsp;体",
    "1<2",
]


def nasty_knowledge() -> list[Any]:
    documents = [
        Document(
            id=f"d-{n}",
            title=text,
            doc_no=text,
            region="100000",
            status="有效",
            internal_confirmed_by="李处长" if n == 3 else None,
        )
        for n, text in enumerate(NASTY)
    ]
    guides = [
        ServiceGuide(
            id=f"g-{n}",
            title=text,
            who=text,
            region="100000",
            materials=[text, "乙"],
            steps=[],
            channels=[text],
            fee=text,
        )
        for n, text in enumerate(NASTY)
    ]
    qas = [
        QA(
            id=f"q-{n}",
            matter=text,
            question=text,
            answer=text,
            similar=[text, "又一个问法"],
            sources=[
                {"document": f"d-{n}", "clause": None} | ({"unverified": True} if n % 3 else {}),
                {"document": "d-0", "clause": text if text != "—" else None} | ({"unverified": True} if n % 2 else {}),
            ],
            guides=[f"g-{n}", "g-0"],
            related=["q-0", "q-1"],
            themes=[text],
            audience=["个人", "企业", "个人和企业"][n % 3],
            region="440100",
            department=text,
            valid_from=date(2024, 1, 1) if n % 2 else None,
            valid_to=date(2030, 12, 31) if n % 2 else None,
            as_of=date(2026, 11, 1),
            review_by=date(2027, 6, 30) if n % 3 else None,
            stakes="high" if n % 2 else None,
            condition=text if n % 2 else None,
            report=[text, "从什么时候开始"] if n % 3 else [],
            status=["draft", "approved", "paused", "retired"][n % 4],
            replaced_by="q-0" if n % 4 == 3 else None,
            reviewed_by="王科长" if n % 4 else None,
            reviewed_at=datetime(2026, 11, 2, 3, 4, 5, 678901, tzinfo=UTC) if n % 4 else None,
            revision=1,
        )
        for n, text in enumerate(NASTY)
    ]
    passages = [
        Passage(document_id=f"d-{m}", position=n, label=" ".join(text.split()) if n % 2 else "", text=text)
        for m in (0, 3)
        for n, text in enumerate(map(rows.clean, NASTY))
    ]
    return [*documents, *guides, *qas, *passages]


def same(one: Bundle, other: Bundle) -> None:
    assert other.documents == one.documents
    assert other.guides == one.guides
    assert other.qas == one.qas
    assert other.passages == one.passages


def fresh() -> Session:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    return Session(engine)


@pytest.mark.parametrize("suffix", [".yaml", ".csv", ".xlsx"])
def test_export_and_import_into_an_empty_database_lose_nothing(settings: Settings, tmp_path: Path, suffix: str) -> None:
    with fresh() as first, fresh() as second:
        first.add_all(nasty_knowledge())
        first.flush()
        export(first, tmp_path / f"all{suffix}")
        bundle = read(tmp_path / f"all{suffix}")
        assert bundle.problems == []
        report = import_bundle(second, bundle, actor="甲")
        assert report.problems == []
        assert report.notes == []
        before, after = from_database(first, texts=True), from_database(second, texts=True)
        assert len(after.qas) == len(NASTY)
        assert len(after.passages) == 2 * len(NASTY)
        assert [row.id for row in after.documents if row.internal_confirmed_by] == ["d-3"]
        same(before, after)
        export(second, tmp_path / f"again{suffix}")
        same(before, read(tmp_path / f"again{suffix}"))


def test_a_table_that_makes_a_document_internal_is_audited(sqlite_db: Settings, tmp_path: Path) -> None:
    put(read(write(tmp_path / "a.csv", "文件编号,文件标题,文号,内部文件确认人\nfa,口径,一号,李处长\n")))
    with database.read() as session:
        (entry,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "knowledge.internal")).all()
        assert (entry.subject, entry.detail) == ("fa", {"internal_confirmed_by": "李处长"})
    put(read(write(tmp_path / "a.csv", "文件编号,文件标题,文号,内部文件确认人\nfa,新口径,一号,\n")))
    with database.read() as session:
        assert session.get_one(Document, "fa").internal_confirmed_by == "李处长"  # a table makes nothing public


def test_the_text_of_a_document_that_is_not_there_is_a_problem(sqlite_db: Settings, tmp_path: Path) -> None:
    bundle = read(write(tmp_path / "a.csv", "文件编号,条款,原文\n没有,第一条,某事。\n,第二条,某事。\n"))
    report = put(bundle)
    assert [str(problem) for problem in report.problems] == [
        "a.csv 第 3 行：「文件编号」不能为空",
        "a.csv：政策原文的文件「没有」不存在，请先导入",
    ]
    put(
        read(
            write(
                tmp_path / "b.yaml",
                "documents: [{id: fa, title: 法}]\npassages: [{document: fa, label: 第一条, text: 旧。}]\n",
            )
        )
    )
    report = put(read(write(tmp_path / "c.yaml", "passages: [{document: fa, text: 新。}]\n")))
    assert report.changed == [Item("document", "fa")]
    assert [row.text for row in stored(texts=True).passages] == ["新。"]


texts = st.text(min_size=1, max_size=40).filter(lambda text: rows.clean(text))


@examples(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    question=texts, answer=texts, similar=st.lists(texts, max_size=3), title=texts,
    cited=st.lists(st.tuples(st.none() | texts, st.booleans()), min_size=1, max_size=3), review_by=st.none() | st.dates(),
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".yaml", ".csv", ".xlsx"])
def test_any_text_survives_export_and_import(
    settings: Settings,
    tmp_path: Path,
    suffix: str,
    question: str,
    answer: str,
    similar: list[str],
    title: str,
    cited: list[tuple[str | None, bool]],
    review_by: date | None,
) -> None:
    with fresh() as session:
        session.add(Document(id="d", title=title, region="100000", status="有效"))
        sources = [{"document": "d", "clause": clause, "unverified": unverified} for clause, unverified in cited]
        row = QARow(
            id="q", matter="甲", question=question, answer=answer, similar=similar, sources=sources, review_by=review_by
        )  # type: ignore[arg-type]
        session.add(QA(**row.model_dump() | {"status": "draft", "revision": 1}))
        session.flush()
        export(session, tmp_path / f"any{suffix}")
        bundle = read(tmp_path / f"any{suffix}")
        assert bundle.problems == []
        same(from_database(session), bundle)


@pytest.mark.parametrize("suffix", [".yaml", ".csv", ".xlsx"])
def test_a_row_that_no_file_could_hold_is_exported_all_the_same(
    sqlite_db: Settings, tmp_path: Path, suffix: str
) -> None:
    put(read(write(tmp_path / "a.yaml", YAML)))
    with database.write() as session:
        session.get_one(QA, "sfz-001").region = "999999"
    with database.read() as session:
        assert "sfz-001" in reasons(from_database(session))[0]
        export(session, tmp_path / f"all{suffix}")
    bundle = read(tmp_path / f"all{suffix}")
    assert [qa.id for qa in bundle.qas] == ["sfz-002"]
    assert "999999" in reasons(bundle)[0]


def test_no_exported_cell_is_a_formula(sqlite_db: Settings, tmp_path: Path) -> None:
    with database.write() as session:
        session.add_all(nasty_knowledge())
    with database.read() as session:
        written = export(session, tmp_path / "a.csv")
        export(session, tmp_path / "a.xlsx")
    assert sorted(path.name for path in written) == ["a-办事指南.csv", "a-政策原文.csv", "a-政策文件.csv", "a.csv"]
    for path in written:
        assert path.read_bytes().startswith(b"\xef\xbb\xbf"), "Excel needs the mark to see UTF-8"
        with path.open(encoding="utf-8-sig", newline="") as file:
            assert not [cell for row in csv.reader(file) for cell in row if cell.startswith(("=", "+", "-", "@", "\t"))]
    for sheet in load_workbook(tmp_path / "a.xlsx").worksheets:
        assert not [cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]


def test_export_replaces_a_file_as_a_whole_or_not_at_all(sqlite_db: Settings, tmp_path: Path) -> None:
    put(read(write(tmp_path / "a.yaml", YAML)))
    with database.read() as session:
        with pytest.raises(InvalidInput):
            export(session, tmp_path / "all.pdf")
        (tmp_path / "all.csv").mkdir()  # can't be replaced by a file
        with pytest.raises(OSError, match=r"all\.csv"):
            export(session, tmp_path / "all.csv")
    assert not list(tmp_path.glob(".*"))
