"""Policy documents: from files to clauses, and into the database."""

from __future__ import annotations

import contextlib
from datetime import date
from pathlib import Path

import docx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from bot import database, knowledge
from bot.errors import InvalidInput
from bot.models.knowledge import Document, Passage
from bot.settings import Settings
from index.knowledge_files import documents, secrecy

NOTICE = """某市人民政府办公室
关于印发《某市图书馆管理办法》的通知

某政办发〔2025〕3号

各区县人民政府，市直各单位：
现将《某市图书馆管理办法》印发给你们，请认真执行。

某市人民政府办公室
2025年3月1日

某市图书馆管理办法
第一章 总则
第一条 为了规范图书馆管理，制定本办法。
第二条 本办法适用于本市公共图书馆。
读者应当遵守秩序。
第二章 借阅
第三条 借书证丢失的，持身份证到总服务台挂失，当日补发。补证工本费10元。
第四条 本办法自2025年4月1日起施行。
"""


def write(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def one(path: Path) -> documents.PolicyText:
    (found,) = documents.read(path)
    return found


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_notice_with_articles(tmp_path: Path, encoding: str) -> None:
    found = one(write(tmp_path, "办法.txt", NOTICE, encoding))
    assert found.title == "某市人民政府办公室关于印发《某市图书馆管理办法》的通知"
    assert (found.doc_no, found.issuer) == ("某政办发〔2025〕3号", "某市人民政府办公室")
    assert (found.issued, found.effective) == (date(2025, 3, 1), date(2025, 4, 1))
    clauses = {clause.label: clause.text for clause in found.clauses}
    assert list(clauses) == ["", "第一条", "第二条", "第三条", "第四条"]
    assert clauses["第二条"] == "本办法适用于本市公共图书馆。\n读者应当遵守秩序。"
    assert clauses["第三条"].endswith("补证工本费10元。")


def test_a_numbered_heading_stands_above_the_first_clause_below_it(tmp_path: Path) -> None:
    text = "2025年惠民工作要点\n一、加强养老服务\n（一）扩大补贴。年满80周岁的都发。\n（二）建好食堂。每个街道一个。\n二、附则\n本要点自印发之日起施行。"
    found = one(write(tmp_path, "要点.md", "# " + text))
    assert found.title == "2025年惠民工作要点"
    assert [(c.label, c.text) for c in found.clauses] == [
        ("一、（一）", "加强养老服务\n扩大补贴。年满80周岁的都发。"),
        ("一、（二）", "建好食堂。每个街道一个。"),
        ("二、", "附则\n本要点自印发之日起施行。"),
    ]
    assert found.effective is None  # no date of issue stands there: none is guessed


def test_a_list_of_short_items_stays_whole_below_its_line(tmp_path: Path) -> None:
    text = "# 读者证办理指南\n一、申请材料\n1.身份证\n2.一寸照片\n3.未成年人提供户口簿\n二、收费\n（一）工本费\n10元。逾期另计。\n（二）押金\n100元。"
    found = one(write(tmp_path, "指南.md", text))
    assert [(c.label, c.text) for c in found.clauses] == [
        ("一、", "申请材料\n1.身份证\n2.一寸照片\n3.未成年人提供户口簿"),
        ("二、（一）", "收费\n工本费\n10元。逾期另计。"),
        ("二、（二）", "押金\n100元。"),
    ]


def test_a_bulletin_is_cut_where_its_contents_come_again(tmp_path: Path) -> None:
    long = "今年以来，全市坚持便民利民，持续优化服务流程，让群众少跑腿、好办事，取得了明显成效，现将做法介绍如下。" * 3
    text = (
        "便民工作交流\n\n某市政务局\n\n2025年6月1日\n\n目录\n\n03 甲区打造\n\n10 乙县推行\n\n便民服务圈 群众少跑腿\n\n一窗通办 材料减一半\n\n"
        f"甲区打造便民服务圈 群众少跑腿\n\n{long}\n\n乙县推行一窗通办 材料减一半\n\n{long}\n"
    )
    found = documents.read(write(tmp_path, "交流.txt", text))
    assert [one.title for one in found] == ["甲区打造便民服务圈 群众少跑腿", "乙县推行一窗通办 材料减一半"]
    assert {one.issuer for one in found} == {"某市政务局"} and {one.issued for one in found} == {date(2025, 6, 1)}
    assert all("今年以来" in one.clauses[0].text for one in found)


def pdf(text: str) -> bytes:
    """A PDF of one page, a line of text below the other, in a font that says which character each code is."""
    letters = sorted(set(text) - {"\n"})
    codes = {letter: f"{number:04X}" for number, letter in enumerate(letters, start=1)}
    mapped = "".join(f"<{codes[letter]}> <{ord(letter):04X}>\n" for letter in letters)
    # A CMap section holds at most 100 entries (Adobe Technical Note #5014).
    rows = mapped.splitlines()
    sections = "".join(
        f"{len(part)} beginbfchar\n" + "\n".join(part) + "\nendbfchar\n"
        for part in (rows[start : start + 100] for start in range(0, len(rows), 100))
    )
    cmap = f"/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <0000> <FFFF> endcodespacerange\n{sections}endcmap end"
    shown = "\n".join(f"<{''.join(codes[letter] for letter in line)}> Tj 0 -14 Td" for line in text.split("\n"))
    streams = [f"BT /F1 12 Tf 40 800 Td\n{shown}\nET", cmap]
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 6 0 R>>>>>>",
        *(f"<</Length {len(stream)}>>stream\n{stream}\nendstream" for stream in streams),
        "<</Type/Font/Subtype/Type0/BaseFont/X/Encoding/Identity-H/ToUnicode 5 0 R/DescendantFonts[7 0 R]>>",
        "<</Type/Font/Subtype/CIDFontType2/BaseFont/X/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>>>",
    ]
    written, places = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(written))
        written += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"xref\n0 {len(places) + 1}\n0000000000 65535 f \n{table}trailer<</Size {len(places) + 1}/Root 1 0 R>>\nstartxref\n{len(written)}\n%%EOF"
    return written + end.encode()


def test_a_pdf_is_read_and_one_of_pictures_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "办法.pdf").write_bytes(pdf(NOTICE))
    found = one(tmp_path / "办法.pdf")
    assert (found.doc_no, found.issued, found.effective) == ("某政办发〔2025〕3号", date(2025, 3, 1), date(2025, 4, 1))
    assert [clause.label for clause in found.clauses][-4:] == ["第一条", "第二条", "第三条", "第四条"]
    (tmp_path / "扫描.pdf").write_bytes(pdf("\n"))
    with pytest.raises(InvalidInput, match="扫描件"):
        documents.read(tmp_path / "扫描.pdf")


def test_a_mark_on_a_pdfs_page_is_found_and_a_long_title_is_whole(tmp_path: Path) -> None:
    (tmp_path / "办法.pdf").write_bytes(pdf("机密★10年\n" + NOTICE))
    with pytest.raises(secrecy.Classified):
        documents.read(tmp_path / "办法.pdf")
    broken = NOTICE.replace("关于印发《某市图书馆管理办法》的通知", "关于印发《某市图书馆\n管理办法》的通知")
    (tmp_path / "办法.pdf").write_bytes(pdf(broken))
    assert one(tmp_path / "办法.pdf").title == "某市人民政府办公室关于印发《某市图书馆管理办法》的通知"


def test_a_broken_pdf_is_refused_and_quoted_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    raw = pdf(NOTICE)
    for cut in range(100, len(raw), 150):
        (tmp_path / "坏.pdf").write_bytes(raw[:cut] + raw[cut + 7 :])
        with contextlib.suppress(InvalidInput):
            documents.read(tmp_path / "坏.pdf")
    assert caplog.text == ""


def test_the_same_text_as_docx_and_html(tmp_path: Path) -> None:
    expected = one(write(tmp_path, "办法.txt", NOTICE))
    made = docx.Document()
    for line in NOTICE.splitlines():
        made.add_paragraph(line)
    made.save(str(tmp_path / "办法.docx"))
    assert one(tmp_path / "办法.docx") == expected
    body = "".join(f"<p>{line}</p>" for line in NOTICE.splitlines())
    page = f"<html><head><title>x</title><style>p{{}}</style></head><body><nav>首页</nav><article>{body}</article></body></html>"
    assert one(write(tmp_path, "办法.html", page)) == expected


def test_a_docx_table_is_read_row_by_row(tmp_path: Path) -> None:
    made = docx.Document()
    made.add_paragraph("补贴标准表的通知")
    table = made.add_table(rows=2, cols=2)
    for row, cells in enumerate((("年龄", "标准"), ("80周岁以上", "每月100元"))):
        for column, cell in enumerate(cells):
            table.cell(row, column).text = cell
    made.save(str(tmp_path / "表.docx"))
    assert "80周岁以上 每月100元" in one(tmp_path / "表.docx").clauses[0].text


def test_printed_lines_become_paragraphs_again() -> None:
    printed = [
        "第一条 为了保障老年人的合法权益，发展老龄事业，弘扬中华民族",
        "敬老、养老、助老的美德，制定本办法。",
        "第二条 本市范围适用。",
        "12",
    ]
    assert list(documents._rejoined(printed)) == [
        "第一条 为了保障老年人的合法权益，发展老龄事业，弘扬中华民族敬老、养老、助老的美德，制定本办法。",
        "第二条 本市范围适用。",
    ]


def test_a_long_clause_is_cut_at_sentence_ends_under_one_label(tmp_path: Path) -> None:
    text = "长文管理办法\n第一条 " + "申请人应当提交材料并说明理由。" * 60 + "\n第二条 完。"
    clauses = one(write(tmp_path, "长.txt", text)).clauses
    assert len(clauses) > 2 and {clause.label for clause in clauses} == {"第一条", "第二条"}
    assert all(len(clause.text) <= documents.CLAUSE_CHARS and clause.text.endswith("。") for clause in clauses)


@pytest.mark.parametrize(
    ("name", "raw", "said"),
    [
        ("空.txt", b"  \n\n", "没有文字"),
        ("题.txt", "关于放假的通知".encode(), "没有正文"),
        ("坏.docx", b"PK\x03\x04broken", "docx"),
        ("坏.pdf", b"%PDF-1.7 broken", "PDF"),
        ("图.txt", b"\x89PNG\x00\x00\xff\xfe\xfa", "编码"),
        ("表.doc", b"x", "另存为"),
    ],
)
def test_bad_files_are_refused_with_a_reason(tmp_path: Path, name: str, raw: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(InvalidInput, match=said) as refused:
        documents.read(tmp_path / name)
    assert name in str(refused.value)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="打不开"):
        documents.read(tmp_path / "没有.txt")


@given(
    st.lists(st.text(alphabet="一二三、（）第条章12.年月日。关于通知目录 政府〔2025〕号ab", max_size=40), max_size=30)
)
def test_any_lines_make_documents_and_lose_no_words(lines: list[str]) -> None:
    tidy = [line for line in map(documents._tidy, lines) if line and not documents._PAGE.match(line)]
    if tidy:
        for text in documents._documents(tidy, "题目"):
            assert text.title and all(clause.text for clause in text.clauses)


def _import(path: Path, **options: object) -> documents.ImportReport:
    texts = documents.read(path)
    with database.write() as session:
        return documents.import_texts(session, path.name, texts, region="430100", actor="小王", **options)  # type: ignore[arg-type]


def _passages() -> list[tuple[str, str]]:
    with database.read() as session:
        return [(row.label, row.text) for row in session.scalars(select(Passage).order_by(Passage.position))]


def test_importing_again_changes_only_what_changed(db: Settings, tmp_path: Path) -> None:
    path = write(tmp_path, "办法.txt", NOTICE)
    assert len(_import(path, dry_run=True).added) == 1 and _passages() == []
    assert len(_import(path).added) == 1
    with database.read() as session:
        revision = knowledge.revision(session)
    assert len(_import(path).unchanged) == 1
    with database.read() as session:
        assert knowledge.revision(session) == revision
    with database.write() as session:
        session.scalars(select(Document)).one().status = "已废止"
    write(tmp_path, "办法.txt", NOTICE.replace("10元", "5元"))
    assert len(_import(path).changed) == 1
    assert any("5元" in text for _, text in _passages()) and not any("10元" in text for _, text in _passages())
    with database.write() as session:
        session.scalars(select(Document)).one().issuer = "别的机关"
    assert len(_import(path).changed) == 1  # the passages are the same, the document is not
    with database.read() as session:
        document = session.scalars(select(Document)).one()
        assert (document.status, document.region) == ("已废止", "430100")  # what people decided stays
        assert knowledge.passages_in_force(session, date(2026, 1, 1)) == []


def test_a_document_not_yet_in_force_is_not_shown(db: Settings, tmp_path: Path) -> None:
    _import(write(tmp_path, "办法.txt", NOTICE))
    with database.read() as session:
        assert knowledge.passages_in_force(session, date(2025, 3, 31)) == []
        assert len(knowledge.passages_in_force(session, date(2025, 4, 1))) == 5
