"""Workbooks as offices keep them: merged cells, formulas, formats, HTML, hidden rows, marks; each made here."""

from __future__ import annotations

import zipfile
from datetime import date, time
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.worksheet.worksheet import Worksheet

from bot.errors import InvalidInput
from index.knowledge_files import secrecy, sheets, tables
from index.knowledge_files.reading import read
from index.knowledge_files.rows import Bundle
from index.knowledge_files.sheets import Bad, _format
from index.knowledge_files.tables import column_mapping

pytestmark = pytest.mark.usefixtures("settings")


def book(folder: Path, *rows: list[Any], name: str = "表.xlsx", change: Any = None) -> Path:
    made = Workbook()
    sheet = made.active
    assert isinstance(sheet, Worksheet)
    for row in rows:
        sheet.append(row)
    if change:
        change(sheet)
    made.save(folder / name)
    return folder / name


def raw(folder: Path, cells: str, end: str = "") -> Path:
    """A workbook whose sheet is this XML: what Excel writes and openpyxl can't."""
    path = book(folder, ["x"])
    with zipfile.ZipFile(path) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    parts["xl/worksheets/sheet1.xml"] = (
        f'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{cells}</sheetData>{end}</worksheet>'
    ).encode()
    with zipfile.ZipFile(path, "w") as package:
        for name, content in parts.items():
            package.writestr(name, content)
    return path


def text(place: str, words: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{words}</t></is></c>'


def reasons(bundle: Bundle) -> list[str]:
    return [str(problem) for problem in bundle.problems]


def test_a_merged_cell_holds_for_every_row_it_covers(tmp_path: Path) -> None:
    rows = [["事项", "部门", "问题", "答案"], ["居住证", "公安局", "怎么办？", "到派出所。"], [None, None, "多少钱？", "不要钱。"], [None, None, "多久？", "15天。"], ["社保", None, "在哪交？", "网上。"]]  # fmt: skip
    path = book(tmp_path, *rows, change=lambda sheet: [sheet.merge_cells(area) for area in ("A2:A4", "B2:B5")])
    bundle = read(path)
    assert bundle.problems == []
    assert [(qa.matter, qa.department) for qa in bundle.qas] == [("居住证", "公安局")] * 3 + [("社保", "公安局")]


def test_one_question_merged_over_its_ways_of_asking_is_one_item(tmp_path: Path) -> None:
    rows = [
        ["问题", "答案", "相似问"],
        ["怎么办居住证？", "到派出所。", "居住证咋办"],
        [None, None, "办居住证去哪"],
        ["多少钱？", "免费。", "收费吗"],
    ]
    path = book(tmp_path, *rows, change=lambda sheet: [sheet.merge_cells(area) for area in ("A2:A3", "B2:B3")])
    bundle = read(path)
    assert bundle.problems == []
    assert [(qa.question, qa.similar) for qa in bundle.qas] == [
        ("怎么办居住证？", ["居住证咋办", "办居住证去哪"]),
        ("多少钱？", ["收费吗"]),
    ]


def test_one_question_merged_over_several_answers_is_none_but_by_region(tmp_path: Path) -> None:
    rows = [
        ["问题", "答案", "地区"],
        ["低保多少钱？", "800元。", "110000"],
        [None, "700元。", "120000"],
        ["在哪办？", "街道。", None],
    ]
    path = book(tmp_path, *rows, change=lambda sheet: sheet.merge_cells("A2:A3"))
    assert [(qa.answer, qa.region) for qa in read(path).qas][:2] == [("800元。", "110000"), ("700元。", "120000")]
    rows[2][2] = "110000"
    path = book(tmp_path, *rows, change=lambda sheet: sheet.merge_cells("A2:A3"))
    bundle = read(path)
    assert [qa.question for qa in bundle.qas] == ["在哪办？"]
    assert "第 2–3 行合并成了一条，「答案」却写了几种" in reasons(bundle)[0]


def test_a_formula_counts_by_its_value_and_one_without_is_named(tmp_path: Path) -> None:
    cells = (
        f'<row r="1">{text("A1", "问题")}{text("B1", "答案")}</row>'
        f'<row r="2">{text("A2", "押金多少？")}<c r="B2" t="str"><f>C2&amp;"元"</f><v>200元</v></c></row>'
        f'<row r="3">{text("A3", "租金多少？")}<c r="B3"><f>C3*2</f><v>300</v></c></row>'
        f'<row r="4">{text("A4", "水费多少？")}<c r="B4"><f>C4&amp;"元"</f></c></row>'
        f'<row r="5">{text("A5", "电费多少？")}<c r="B5" t="e"><f>C5/0</f><v>#DIV/0!</v></c></row>'
        f'<row r="6">{text("A6", "气费多少？")}<c r="B6" t="str"><f>""</f><v></v></c></row>'
        f'<row r="7">{text("A7", "网费多少？")}<c r="B7"><f t="shared" si="0"/><v>50</v></c></row>'
    )
    bundle = read(raw(tmp_path, cells))
    assert [(qa.question, qa.answer) for qa in bundle.qas] == [
        ("押金多少？", "200元"),
        ("租金多少？", "300"),
        ("网费多少？", "50"),
    ]
    assert [(problem.line, problem.reason[:12]) for problem in bundle.problems] == [
        (4, "「答案」是公式，文件里没"),
        (5, "「答案」是 Excel "),
        (6, "「答案」是空的"),
    ]


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (0.05, "0%", "5%"), (0.055, "0.0%", "5.5%"), (1234.5, "#,##0.00", "1,234.50"), (200, '0"元"', "200元"), (200, 'General"元/月"', "200元/月"),
        (12, "000000", "000012"), (0.1 + 0.2, "General", "0.3"), (3.0, "General", "3"), (12345678901, "General", "12345678901"), (-5, "0.0", "-5.0"),
        (1500, '[$¥-804]#,##0', "¥1,500"), (1500, '"¥"#,##0;[Red]-"¥"#,##0', "¥1,500"), (80, "0_ ", "80"), (1.5, "0.0\\天", "1.5天"), (1e-7, "General", "0.0000001"),
        (3, "@", "3"),
    ],
)  # fmt: skip
def test_a_number_reads_as_it_looks(tmp_path: Path, value: float, code: str, shown: str) -> None:
    def change(sheet: Worksheet) -> None:
        sheet["B2"].number_format = code

    (qa,) = read(book(tmp_path, ["问题", "答案"], ["多少？", value], change=change)).qas
    assert qa.answer == shown


def test_a_format_that_is_not_understood_leaves_the_number() -> None:
    assert _format("0.00E+00") is None and _format("# ?/?") is None and _format("General") is None


def test_numbers_that_excel_has_spoilt_are_named(tmp_path: Path) -> None:
    rows = [
        ["问题", "答案"],
        ["账号多少？", 440101199001011234],
        ["电话多少？", "1.38E+10"],
        ["几点上班？", time(9, 0)],
        ["哪天？", date(2026, 1, 5)],
    ]
    bundle = read(book(tmp_path, *rows))
    assert [(qa.question, qa.answer) for qa in bundle.qas] == [("几点上班？", "09:00"), ("哪天？", "2026-01-05")]
    assert "18 位的数字" in reasons(bundle)[0] and "科学计数法" in reasons(bundle)[1]
    bundle = read(
        book(
            tmp_path, ["指南名称", "办理时限", "电话"], ["办证", date(2026, 3, 5), 12345], ["换证", "3-5个工作日", 1.0]
        )
    )
    assert [(guide.title, guide.phone) for guide in bundle.guides] == [("换证", "1")]
    assert "改成了日期" in reasons(bundle)[0]


def test_html_in_cells_becomes_text(tmp_path: Path) -> None:
    bundle = read(
        book(
            tmp_path,
            ["问题", "答案"],
            ["怎么<b>办</b>？", "<p>带身份证。</p><p>到&nbsp;窗口。</p>"],
            ["收入<5000元怎么办？", "R&D 不算。"],
        )
    )
    assert [(qa.question, qa.answer) for qa in bundle.qas] == [
        ("怎么办？", "带身份证。\n到 窗口。"),
        ("收入<5000元怎么办？", "R&D 不算。"),
    ]


def test_spaces_escapes_quotes_and_unseen_characters(tmp_path: Path) -> None:
    question, answer = text("A2", "　怎么办？\u00a0"), text("B2", "第一行_x000D_\n第二\u200b行 ")
    cells = f'<row r="1">{text("A1", "问 题*")}{text("B1", "答案")}</row><row r="2">{question}{answer}</row>'
    (qa,) = read(raw(tmp_path, cells)).qas
    assert (qa.question, qa.answer) == ("怎么办？", "第一行\n第二行")
    (qa,) = read(book(tmp_path, ["问题", "答案"], ["电话？", "'010-12345"])).qas
    assert qa.answer == "010-12345"


def test_hidden_rows_and_sheets_are_left_out_and_said(tmp_path: Path) -> None:
    def change(sheet: Worksheet) -> None:
        sheet.row_dimensions[3].hidden = True
        assert sheet.parent is not None
        other = sheet.parent.create_sheet("旧的")
        other.append(["问题", "答案"])
        other.append(["旧问题？", "旧答案。"])
        other.sheet_state = "hidden"

    bundle = read(book(tmp_path, ["问题", "答案"], ["甲？", "甲。"], ["乙？", "乙。"], ["丙？", "丙。"], change=change))
    assert [qa.question for qa in bundle.qas] == ["甲？", "丙？"]
    assert any("1 行是隐藏的（第 3 行）" in reason for reason in reasons(bundle)) and any(
        "「旧的」是隐藏的" in reason for reason in reasons(bundle)
    )


def test_a_header_below_many_titles_and_notes_is_found(tmp_path: Path) -> None:
    rows = [[f"说明第{n}条"] for n in range(1, 13)]
    rows.insert(3, [])
    bundle = read(
        book(
            tmp_path,
            ["某市常见问题"],
            *rows,
            ["基本", None, "内容"],
            ["序号", "问题", "答案"],
            [1, "怎么办？", "这样办。"],
        )
    )
    assert [qa.answer for qa in bundle.qas] == ["这样办。"] and bundle.problems == []


def test_a_header_of_two_rows_and_one_that_comes_again_are_no_knowledge(tmp_path: Path) -> None:
    rows = [
        ["问题", "答案", "地区"],
        [None, None, "代码"],
        ["甲？", "甲。", 110000],
        ["问题", "答案", "地区"],
        ["乙？", "乙。", 110000],
    ]
    path = book(tmp_path, *rows, change=lambda sheet: [sheet.merge_cells(area) for area in ("A1:A2", "B1:B2")])
    bundle = read(path)
    assert [qa.question for qa in bundle.qas] == ["甲？", "乙？"] and bundle.problems == []


def test_letters_and_replies_are_known_by_their_usual_names(tmp_path: Path) -> None:
    bundle = read(book(tmp_path, ["留言主题", "答复意见", "答复单位"], ["居住证怎么办", "到派出所。", "公安局"]))
    assert [(qa.question, qa.answer, qa.department) for qa in bundle.qas] == [("居住证怎么办", "到派出所。", "公安局")]


def test_headers_nobody_knows_are_said_and_can_be_mapped(tmp_path: Path) -> None:
    path = book(tmp_path, ["汇总表"], ["群众诉求", "经办口径", "备注"], ["居住证怎么办", "到派出所。", None])
    said = reasons(read(path))[0]
    assert "「群众诉求」、「经办口径」" in said and "--map 群众诉求=问题" in said and "=答案" in said
    (qa,) = read(path, mapping=column_mapping(["群众诉求=问题", "经办口径 = 答案"])).qas
    assert (qa.question, qa.answer) == ("居住证怎么办", "到派出所。")
    csv = tmp_path / "表.csv"
    csv.write_bytes("群众诉求;经办口径\n居住证怎么办;到派出所。\n".encode("gb18030"))
    assert "「群众诉求」" in reasons(read(csv))[0]
    (qa,) = read(csv, mapping=column_mapping(["群众诉求=question", "经办口径=答案"])).qas
    assert qa.answer == "到派出所。"
    lines = tmp_path / "表.jsonl"
    lines.write_text('{"群众诉求": "居住证怎么办", "经办口径": "到派出所。"}\n', encoding="utf-8")
    assert "「群众诉求」" in reasons(read(lines))[0]
    assert len(read(lines, mapping=column_mapping(["群众诉求=问题", "经办口径=答案"])).qas) == 1
    assert (
        "「没有的」表里没有"
        in reasons(read(path, mapping=column_mapping(["群众诉求=问题", "经办口径=答案", "没有的=部门"])))[0]
    )


@pytest.mark.parametrize("pair", ["留言主题", "=问题", "留言主题=", "留言主题=天气"])
def test_a_mapping_that_makes_no_sense_is_refused(pair: str) -> None:
    with pytest.raises(InvalidInput, match="--map"):
        column_mapping([pair])


def marked(place: str) -> Any:
    def change(sheet: Worksheet) -> None:
        if place == "header":
            sheet.oddHeader.left.text = "机密★10年"
        elif place == "footer":
            sheet.oddFooter.center.text = "秘 密"
        elif place == "sheet":
            sheet.title = "机密"
        elif place == "title":
            sheet.insert_rows(1)
            sheet["A1"] = "机密"
        elif place == "cell":
            sheet["C2"] = "秘密★5年"
        elif place == "column":
            sheet["C1"], sheet["C3"] = "密级", "机密"
        elif place == "hidden column":
            sheet["D1"], sheet["D2"] = "密级", "秘密"
            sheet.column_dimensions["D"].hidden = True

    return change


@pytest.mark.parametrize("place", ["header", "footer", "sheet", "title", "cell", "column", "hidden column"])
def test_a_marked_workbook_is_refused_whole(tmp_path: Path, place: str) -> None:
    path = book(tmp_path, ["问题", "答案"], ["甲？", "甲。"], ["乙？", "乙。"], change=marked(place))
    with pytest.raises(secrecy.Classified, match="移除"):
        read(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("表.csv", "密级：秘密\n问题,答案\n甲？,甲。\n"),
        ("表.csv", "问题,答案,密级\n甲？,甲。,公开\n乙？,乙。,机密\n"),
        ("表.csv", "问题,答案\n甲？,机密★10年\n"),
        (
            "表.jsonl",
            '{"question": "甲？", "answer": "甲。"}\n{"question": "乙？", "answer": "乙。", "密级": "秘密"}\n',
        ),
        ("表.jsonl", '{"question": "甲？", "answer": "绝密★长期"}\n'),
        ("表.csv", "文件标题,文号\n关于值守的通知（秘密）,某发〔2026〕1号\n"),
        ("表.yaml", "# 机密\nqas: []\n"),
        ("表.yaml", "qas:\n  - {id: q, matter: 甲, question: 甲？, answer: 答}\n  # 秘密★3年\n"),
        ("【秘密】表.csv", "问题,答案\n甲？,甲。\n"),
    ],
)
def test_a_marked_table_of_any_kind_is_refused_whole(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(secrecy.Classified):
        read(tmp_path / name)


def test_questions_about_secrets_are_imported(tmp_path: Path) -> None:
    rows = [
        ["问题", "答案"],
        ["国家秘密最低是哪一级？", "秘密"],
        ["机密级保密多久？", "不超过20年。"],
        ["商业秘密被侵犯找谁？", "市场监管局。"],
    ]
    bundle = read(book(tmp_path, ["保密知识问答"], *rows))
    assert len(bundle.qas) == 3 and bundle.problems == []
    bundle = read(book(tmp_path, ["定密数量"], ["绝密", "机密", "秘密"], [1, 2, 3]))
    assert "没有找到表头" in reasons(bundle)[0]


def test_an_internal_table_is_refused_and_an_internal_row_left_out(tmp_path: Path) -> None:
    with pytest.raises(secrecy.NeedsConfirmation, match="内部资料"):
        read(book(tmp_path, ["内部资料 注意保管"], ["问题", "答案"], ["甲？", "甲。"]))
    bundle = read(
        book(
            tmp_path,
            ["问题", "答案", "公开属性"],
            ["甲？", "甲。", "主动公开"],
            ["乙？", "乙。", "不予公开"],
            ["丙？", "丙。", "依申请公开"],
        )
    )
    assert [qa.question for qa in bundle.qas] == ["甲？"]
    assert [(problem.line, problem.reason) for problem in bundle.problems] == [
        (3, "标着「不予公开」，没有导入"),
        (4, "标着「依申请公开」，没有导入"),
    ]


def test_comments_links_and_rich_text_leave_the_words(tmp_path: Path) -> None:
    def change(sheet: Worksheet) -> None:
        sheet["B2"].comment = Comment("批注", "甲")
        sheet["B2"].hyperlink = "https://a.example/"

    (qa,) = read(book(tmp_path, ["问题", "答案"], ["在哪？", "见网站。"], change=change)).qas
    assert qa.answer == "见网站。"
    cells = f'<row r="1">{text("A1", "问题")}{text("B1", "答案")}</row><row r="2">{text("A2", "多少？")}<c r="B2" t="inlineStr"><is><r><t>每月</t></r><r><rPr><b/></rPr><t>100</t></r><r><t>元</t></r></is></c></row>'
    assert read(raw(tmp_path, cells)).qas[0].answer == "每月100元"


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("表.xlsx", OLE + "EncryptedPackage".encode("utf-16-le"), "密码"),
        ("表.xlsx", OLE + "Workbook".encode("utf-16-le"), "旧版格式"),
        ("表.xlsx", b"<html><table></table></html>", "重新保存"),
    ],
)
def test_what_is_no_workbook_is_a_problem_that_says_what_to_do(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    (problem,) = read(tmp_path / name).problems
    assert said in problem.reason


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("表.xls", r"另存为.*xlsx"), ("表.et", r"WPS.*xlsx"), ("文.doc", r"另存为.*docx"), ("文.wps", r"WPS.*docx"), ("文.ofd", "PDF"),
        ("文.rtf", "docx"), ("~$表.xlsx", "临时文件"), (".~表.xlsx", "临时文件"), ("._表.xlsx", "苹果"), ("包.zip", "解压"), ("图.jpg", "文字识别"),
        ("文.pptx", "docx"), ("表.xlsb", "xlsx"), ("文.docm", "docx"), ("表.ods", "xlsx"),
    ],
)  # fmt: skip
def test_other_forms_are_refused_with_how_to_convert_them(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InvalidInput, match=said):
        read(tmp_path / name)


def test_a_file_named_in_gbk_can_be_read_and_named(tmp_path: Path) -> None:
    path = book(tmp_path, ["编号", "问题", "答案"], [1, "甲？", "甲。"])
    odd = Path(
        str(tmp_path).encode().decode() + "/" + "问题表\n(1).xlsx".encode("gbk").decode("utf-8", "surrogateescape")
    )
    path.rename(odd)
    bundle = read(odd)
    assert bundle.files == ["问题表\ufffd(1).xlsx"] and [qa.id for qa in bundle.qas] == ["问题表-1--1"]


def sheet_of(folder: Path, count: int) -> Path:
    made = Workbook(write_only=True)
    sheet = made.create_sheet()
    sheet.append(["问题", "答案"])
    for number in range(count):
        sheet.append([f"第{number}个问题？", f"第{number}个答案。"])
    made.save(folder / "大.xlsx")
    return folder / "大.xlsx"


def test_the_last_row_of_a_sheet_is_read(tmp_path: Path) -> None:
    cells = f'<row r="1">{text("A1", "问题")}{text("B1", "答案")}</row><row r="1048576">{text("A1048576", "末行？")}{text("B1048576", "末行。")}</row>'
    bundle = read(raw(tmp_path, cells, '<mergeCells count="1"><mergeCell ref="A1048575:A1048576"/></mergeCells>'))
    assert bundle.places["qa", bundle.qas[0].id][1] == 1_048_576


@pytest.mark.full
def test_a_sheet_of_65203_rows_is_read_within_its_memory(tmp_path: Path) -> None:
    import tracemalloc

    path = sheet_of(tmp_path, 65_203)
    with sheets.opened(path) as opened:
        tracemalloc.start()
        count = sum(1 for _ in opened.sheets[0].rows)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert count == 65_204 and peak < 100_000_000
    assert len(read(path).qas) == 65_203


def test_a_cell_that_cannot_be_told_has_no_text() -> None:
    assert tables.cell_text(Bad("x")) == ""
