"""Word documents as offices keep them: each case is a small file made here, part by part."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import docx
import pytest
from docx.opc.constants import RELATIONSHIP_TYPE as RT
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import parse_xml
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import InvalidInput
from index.knowledge_files import docx_text
from index.knowledge_files.docx_text import _counting, _written

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
NAMESPACES = (
    f'xmlns:w="{W}" xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" xmlns:v="urn:schemas-microsoft-com:vml" '
    'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture" '
    'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"'
)


def made(
    folder: Path,
    body: str,
    *,
    numbering: str = "",
    styles: str = "",
    parts: dict[str, tuple[str, str, bytes]] | None = None,
) -> Path:
    """A document of this body; more parts by relation id: kind of relation, content type, content."""
    document = docx.Document()
    element = document.element.body
    for child in list(element):
        if not child.tag.endswith("}sectPr"):
            element.remove(child)
    for child in reversed(list(parse_xml(f"<w:body {NAMESPACES}>{body}</w:body>"))):
        element.insert(0, child)
    if numbering:
        tree = document.part.numbering_part.element
        for child in list(tree):
            tree.remove(child)
        for child in parse_xml(f"<w:numbering {NAMESPACES}>{numbering}</w:numbering>"):
            tree.append(child)
    for style in parse_xml(f"<w:styles {NAMESPACES}>{styles}</w:styles>"):
        document.styles.element.append(style)
    for id_, (kind, content_type, content) in (parts or {}).items():
        part = Part(PackURI(f"/word/{id_}.bin"), content_type, content, document.part.package)
        document.part.rels.add_relationship(kind, part, id_)
    path = folder / "文件.docx"
    document.save(str(path))
    return path


def lines(folder: Path, body: str, **more: object) -> list[str]:
    return docx_text.read(made(folder, body, **more)).lines  # type: ignore[arg-type]


def p(*runs: str, about: str = "") -> str:
    return f"<w:p>{f'<w:pPr>{about}</w:pPr>' if about else ''}{''.join(runs)}</w:p>"


def t(text: str, about: str = "") -> str:
    return f'<w:r>{f"<w:rPr>{about}</w:rPr>" if about else ""}<w:t xml:space="preserve">{text}</w:t></w:r>'


def inserted(inner: str) -> str:
    return f'<w:ins w:id="1" w:author="甲">{inner}</w:ins>'


def deleted(text: str) -> str:
    return f'<w:del w:id="2" w:author="甲"><w:r><w:delText>{text}</w:delText></w:r></w:del>'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (p(t("押金为"), deleted("100"), inserted(t("200")), t("元")), ["押金为200元"]),
        (p(t("甲"), f'<w:moveFrom w:id="1">{t("乙")}</w:moveFrom>', f'<w:moveTo w:id="2">{t("丙")}</w:moveTo>'), ["甲丙"]),
        (p(inserted(f'<w:hyperlink r:id="rId99">{t("见附件")}</w:hyperlink>')), ["见附件"]),
        (p(t("前"), about="<w:rPr><w:del w:id='3'/></w:rPr>") + p(t("后")), ["前后"]),
        (p(deleted("整段"), about="<w:rPr><w:del w:id='3'/></w:rPr>") + p(t("留下")), ["留下"]),
        (f'<w:ins w:id="9">{p(t("新段"))}</w:ins>' + p(t("旧段")), ["新段", "旧段"]),
        (p(t("看得见"), t("看不见", "<w:vanish/>"), t("也看得见", '<w:vanish w:val="0"/>')), ["看得见也看得见"]),
        (p(t("标准"), t("50", "<w:strike/>"), t("60"), t("元")), ["标准60元"]),
        (p(t("批注"), '<w:commentRangeStart w:id="0"/>', t("文字"), '<w:r><w:commentReference w:id="0"/></w:r>'), ["批注文字"]),
        (p('<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>REF x</w:instrText></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r>', t("第三条"), '<w:r><w:fldChar w:fldCharType="end"/></w:r>'), ["第三条"]),
        (p(f'<w:fldSimple w:instr="DATE">{t("2026年1月5日")}</w:fldSimple>'), ["2026年1月5日"]),
        (p(f'<w:smartTag w:uri="u" w:element="e">{t("某市")}</w:smartTag>', t("政府")), ["某市政府"]),
        (p("<w:r><w:t>一行</w:t><w:br/><w:t>两</w:t><w:tab/><w:t>行</w:t></w:r>"), ["一行", "两\t行"]),
        (p("<w:r><w:t>软</w:t><w:softHyphen/><w:t>连1</w:t><w:noBreakHyphen/><w:t>2</w:t></w:r>"), ["软连1-2"]),
        (p('<w:r><w:ruby><w:rubyPr/><w:rt><w:r><w:t>pǐn</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>品</w:t></w:r></w:rubyBase></w:ruby></w:r>', t("种")), ["品种"]),
        (p('<w:r><w:sym w:font="Symbol" w:char="F0B3"/></w:r>', t("60分"), '<w:r><w:sym w:font="Wingdings" w:char="F0FE"/></w:r>'), ["≥60分☑"]),
        (p('<w:r><w:sym w:font="别的" w:char="F012"/></w:r>', t("60分")), ["〔符号见原文件〕60分"]),
        (p(t("\uf0a360")), ["≤60"]),
        (f"<w:sdt><w:sdtPr/><w:sdtContent>{p(t('控件里的段落'))}</w:sdtContent></w:sdt>", ["控件里的段落"]),
        (p(t("姓名："), f"<w:sdt><w:sdtPr/><w:sdtContent>{t('某人')}</w:sdtContent></w:sdt>"), ["姓名：某人"]),
        (p(t("姓名："), f"<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent>{t('单击此处输入')}</w:sdtContent></w:sdt>"), ["姓名："]),
        (p(t("费用为"), "<m:oMath><m:f><m:num><m:r><m:t>基数×天数</m:t></m:r></m:num><m:den><m:r><m:t>12</m:t></m:r></m:den></m:f></m:oMath>", t("元")), ["费用为（基数×天数）/12元"]),
        (p("<m:oMathPara><m:oMath><m:sSup><m:e><m:r><m:t>x</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup></m:oMath></m:oMathPara>"), ["x^2"]),
        (p(t("公式："), "<w:r><w:object/></w:r>"), ["公式：〔此处为嵌入对象，见原文件〕"]),
        (p(t("补贴"), '<w:r><w:drawing><wp:inline><a:graphic><a:graphicData><pic:pic/></a:graphicData></a:graphic></wp:inline></w:drawing></w:r>', t("元")), ["补贴〔图〕元"]),
        (p(t("正文"), "<w:r><mc:AlternateContent><mc:Choice Requires='wps'><w:drawing><wp:inline><a:graphic><a:graphicData><wps:wsp><wps:txbx><w:txbxContent>" + p(t("框里")) + "</w:txbxContent></wps:txbx></wps:wsp></a:graphicData></a:graphic></wp:inline></w:drawing></mc:Choice><mc:Fallback><w:pict><v:textbox><w:txbxContent>" + p(t("框里")) + "</w:txbxContent></v:textbox></w:pict></mc:Fallback></mc:AlternateContent></w:r>"), ["框里", "正文"]),
    ],
)  # fmt: skip
def test_a_paragraph_says_what_its_reader_sees(tmp_path: Path, body: str, expected: list[str]) -> None:
    assert lines(tmp_path, body) == expected


def cell(*paragraphs: str, about: str = "") -> str:
    return f"<w:tc><w:tcPr>{about}</w:tcPr>{''.join(paragraphs) or p()}</w:tc>"


def row(*cells: str, about: str = "") -> str:
    return f"<w:tr>{f'<w:trPr>{about}</w:trPr>' if about else ''}{''.join(cells)}</w:tr>"


def table(*rows: str) -> str:
    return f"<w:tbl><w:tblPr/><w:tblGrid/>{''.join(rows)}</w:tbl>"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            table(
                row(cell(p(t("甲区")), about='<w:vMerge w:val="restart"/>'), cell(p(t("一级"))), cell(p(t("100元")))),
                row(cell(about="<w:vMerge/>"), cell(p(t("二级"))), cell(p(t("100元")))),
                row(cell(p(t("乙区"))), cell(p(t("二级"))), cell(p(t("100元")), p(t("（税前）")))),
            ),
            ["甲区 一级 100元", "甲区 二级 100元", "乙区 二级 100元 （税前）"],
        ),
        (table(row(cell(p(t("标准"))), cell(p(t("100元"))), cell(p(t("100元"))))), ["标准 100元 100元"]),
        (
            table(row(cell(p(t("某市人民政府文件")), p(t("某政发〔2026〕1号"))))),
            ["某市人民政府文件", "某政发〔2026〕1号"],
        ),
        (table(row(cell(p(t("外"))), cell(table(row(cell(p(t("内一"))), cell(p(t("内二"))))), p()))), ["外 内一 内二"]),
        (
            table(
                row(cell(p(t("旧"))), cell(p(t("行"))), about='<w:del w:id="1"/>'),
                row(cell(p(t("新"))), cell(p(t("行")))),
            ),
            ["新 行"],
        ),
        (
            table(
                row(
                    cell(p(t("合并")), about='<w:gridSpan w:val="2"/>'),
                    cell(p(t("下")), about='<w:vMerge w:val="restart"/>'),
                ),
                row(cell(p(t("左"))), cell(p(t("中"))), cell(about="<w:vMerge/>")),
            ),
            ["合并 下", "左 中 下"],
        ),
    ],
)
def test_tables_give_each_row_all_its_values(tmp_path: Path, body: str, expected: list[str]) -> None:
    assert [line.replace("\t", " ") for line in lines(tmp_path, body)] == expected


def level(depth: int, form: str, text: str, more: str = "", start: int = 1) -> str:
    return f'<w:lvl w:ilvl="{depth}"><w:start w:val="{start}"/><w:numFmt w:val="{form}"/>{more}<w:lvlText w:val="{text}"/></w:lvl>'


def abstract(id_: int, *levels: str, more: str = "") -> str:
    return f'<w:abstractNum w:abstractNumId="{id_}">{more}{"".join(levels)}</w:abstractNum>'


def num(id_: int, of: int, more: str = "") -> str:
    return f'<w:num w:numId="{id_}"><w:abstractNumId w:val="{of}"/>{more}</w:num>'


def at(id_: int, depth: int = 0) -> str:
    return f'<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="{id_}"/></w:numPr>'


def item(text: str, id_: int = 1, depth: int = 0) -> str:
    return p(t(text), about=at(id_, depth))


ARTICLES = abstract(
    0, level(0, "chineseCountingThousand", "第%1条"), level(1, "chineseCounting", "（%2）"), level(2, "decimal", "%3.")
)
CHAPTERS = abstract(
    0,
    level(0, "chineseCountingThousand", "第%1章"),
    level(1, "chineseCountingThousand", "第%2条", '<w:lvlRestart w:val="0"/>'),
    level(2, "decimal", "%1.%2.%3", "<w:isLgl/>"),
)


@pytest.mark.parametrize(
    ("numbering", "body", "expected"),
    [
        (
            ARTICLES + num(1, 0),
            item("总则。") + item("甲；", depth=1) + item("乙。", depth=1) + item("子项", depth=2) + item("附则。") + item("丙。", depth=1),
            ["第一条 总则。", "（一）甲；", "（二）乙。", "1.子项", "第二条 附则。", "（一）丙。"],
        ),
        (  # articles go on through the chapters, and legal numbers are digits
            CHAPTERS + num(1, 0),
            item("总则") + item("甲。", depth=1) + item("分则") + item("乙。", depth=1) + item("丙。", depth=2),
            ["第一章 总则", "第一条 甲。", "第二章 分则", "第二条 乙。", "2.2.1 丙。"],
        ),
        (  # a list that starts anew, and another that goes on with the counters of the first
            ARTICLES + num(1, 0) + num(2, 0) + num(3, 0, '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride>'),
            item("甲") + item("乙", 2) + item("丙", 3) + item("丁", 3),
            ["第一条 甲", "第二条 乙", "第五条 丙", "第六条 丁"],
        ),
        (  # numbering taken away, bullets, an unknown list
            ARTICLES + abstract(1, level(0, "bullet", "\uf06c")) + num(1, 0) + num(2, 1),
            item("甲") + item("无号", 0) + item("圆点", 2) + item("没有", 77) + item("乙"),
            ["第一条 甲", "无号", "圆点", "没有", "第二条 乙"],
        ),
        (  # a tracked deletion of a whole article is none that counts
            ARTICLES + num(1, 0),
            item("甲") + p(deleted("删了"), about=at(1) + '<w:rPr><w:del w:id="1"/></w:rPr>') + item("乙"),
            ["第一条 甲", "第二条 乙"],
        ),
        (abstract(0, level(0, "decimal", "%1、", start=3)) + num(1, 0), item("甲") + item("乙"), ["3、甲", "4、乙"]),
        (  # the levels of a list style
            abstract(0, level(0, "decimal", "第%1条"), more='<w:styleLink w:val="法条"/>') + abstract(1, more='<w:numStyleLink w:val="法条"/>') + num(1, 1),
            item("甲"),
            ["第1条 甲"],
        ),
    ],
)  # fmt: skip
def test_automatic_numbers_are_written_out(tmp_path: Path, numbering: str, body: str, expected: list[str]) -> None:
    assert lines(tmp_path, body, numbering=numbering) == expected


def test_numbers_come_with_styles_too(tmp_path: Path) -> None:
    numbering = abstract(
        0,
        level(0, "chineseCountingThousand", "第%1章", '<w:pStyle w:val="Zhang"/>'),
        level(1, "chineseCountingThousand", "第%2条", '<w:pStyle w:val="Tiao"/>'),
    ) + num(1, 0)
    styles = (
        '<w:style w:type="paragraph" w:styleId="Zhang"><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>'
        '<w:style w:type="paragraph" w:styleId="Tiao"><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>'
        '<w:style w:type="paragraph" w:styleId="Zi"><w:basedOn w:val="Tiao"/></w:style>'
        '<w:style w:type="character" w:styleId="Yin"><w:rPr><w:vanish/></w:rPr></w:style>'
    )
    body = p(t("总则"), about='<w:pStyle w:val="Zhang"/>') + p(t("甲。"), about='<w:pStyle w:val="Tiao"/>')
    body += p(t("乙。"), t("藏", '<w:rStyle w:val="Yin"/>'), about='<w:pStyle w:val="Zi"/>')
    assert lines(tmp_path, body, numbering=numbering, styles=styles) == ["第一章 总则", "第一条 甲。", "第二条 乙。"]


@given(st.integers(1, 9_999))
def test_chinese_numerals_read_back(number: int) -> None:
    words, value, part = _counting(number), 0, 0
    for char in words:
        if char in "千百十":
            value += (part or 1) * {"千": 1000, "百": 100, "十": 10}[char]
            part = 0
        else:
            part = "零一二三四五六七八九".index(char)
    assert value + part == number


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("decimal", ["1", "10", "21"]), ("chineseCounting", ["一", "十", "二十一"]), ("japaneseCounting", ["一", "十", "二十一"]),
        ("chineseLegalSimplified", ["壹", "壹拾", "贰拾壹"]), ("ideographTraditional", ["甲", "癸", "21"]), ("ideographDigital", ["一", "一〇", "二一"]),
        ("decimalEnclosedCircle", ["①", "⑩", "21"]), ("decimalEnclosedParen", ["⑴", "⑽", "(21)"]), ("decimalZero", ["01", "10", "21"]),
        ("upperRoman", ["I", "X", "XXI"]), ("lowerLetter", ["a", "j", "u"]), ("decimalFullWidth", ["１", "１０", "２１"]), ("none", ["", "", ""]),
    ],
)  # fmt: skip
def test_forms_of_numbers(form: str, expected: list[str]) -> None:
    assert [_written(number, form) for number in (1, 10, 21)] == expected


def test_footnotes_follow_their_paragraph_and_embedded_documents_are_read(tmp_path: Path) -> None:
    notes = f'<w:footnotes {NAMESPACES}><w:footnote w:type="separator" w:id="0">{p()}</w:footnote><w:footnote w:id="2">{p(t("不含加急费。"))}</w:footnote></w:footnotes>'
    inner = docx_bytes("嵌入的条款。")
    body = (
        p(t("收费10元"), '<w:r><w:footnoteReference w:id="2"/></w:r>', t("。"))
        + '<w:altChunk r:id="rChunk"/><w:altChunk r:id="rPage"/>'
        + p(t("完。"))
    )
    parts = {
        "rNotes": (
            RT.FOOTNOTES,
            "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml",
            notes.encode(),
        ),
        "rChunk": (
            RT.A_F_CHUNK,
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",
            inner,
        ),
        "rPage": (RT.A_F_CHUNK, "text/html", "<p>网页<b>片段</b></p>".encode("gb18030")),
    }
    assert lines(tmp_path, body, parts=parts) == ["收费10元。", "注：不含加急费。", "嵌入的条款。", "网页片段", "完。"]
    parts["rPage"] = (RT.A_F_CHUNK, "application/rtf", b"{}")
    with pytest.raises(InvalidInput, match="另存为"):
        lines(tmp_path, body, parts=parts)


def test_smart_art_is_read_and_a_broken_relation_harms_nothing(tmp_path: Path) -> None:
    dgm = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
    data = f'<dgm:dataModel xmlns:dgm="{dgm}" {NAMESPACES}><a:p><a:r><a:t>先申请</a:t></a:r></a:p><a:p><a:r><a:t>再审核</a:t></a:r></a:p></dgm:dataModel>'
    drawing = f'<w:r><w:drawing><wp:inline><a:graphic><a:graphicData><dgm:relIds xmlns:dgm="{dgm}" r:dm="rData"/></a:graphicData></a:graphic></wp:inline></w:drawing></w:r>'
    parts = {"rData": (f"{RT.CHART.rpartition('/')[0]}/diagramData", "application/xml", data.encode())}
    path = made(tmp_path, p(t("流程"), drawing), parts=parts)
    with zipfile.ZipFile(path) as package, zipfile.ZipFile(tmp_path / "断.docx", "w") as broken:
        for name in package.namelist():
            content = package.read(name)
            if name == "word/_rels/document.xml.rels":
                content = content.replace(
                    b"</Relationships>", b'<Relationship Id="rNull" Type="x/header" Target="NULL"/></Relationships>'
                )
            broken.writestr(name, content)
    assert docx_text.read(tmp_path / "断.docx").lines == ["先申请", "再审核", "流程"]


def docx_bytes(text: str) -> bytes:
    document = docx.Document()
    document.add_paragraph(text)
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def test_headers_and_footers_are_beside_the_text(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("正文。")
    document.sections[0].header.paragraphs[0].text = "某市文件"
    document.save(str(tmp_path / "文件.docx"))
    found = docx_text.read(tmp_path / "文件.docx")
    assert found.lines == ["正文。"] and "某市文件" in found.furniture


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (OLE + "EncryptedPackage".encode("utf-16-le"), "密码"),
        (OLE + "WordDocument".encode("utf-16-le"), "旧版格式.*另存为"),
        (b"PK\x03\x04 broken", "重新保存"),
        (b"", "重新保存"),
        (None, "不是完好的"),
    ],
)
def test_what_is_no_docx_is_said_with_what_to_do(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "文件.docx"
    if content is None:
        with zipfile.ZipFile(path, "w") as package:
            package.writestr("a.txt", "x")
    else:
        path.write_bytes(content)
    with pytest.raises(InvalidInput, match=said):
        docx_text.read(path)
