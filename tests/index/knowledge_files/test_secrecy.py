"""Marks of secrecy: refused whole wherever they stand; internal ones kept from citizens; look-alikes are no marks."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import docx
import pytest
from docx.oxml import parse_xml
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from bot import database, knowledge
from bot.errors import InvalidInput
from bot.models.housekeeping import AuditEntry
from bot.models.knowledge import QA, Document, Passage
from bot.settings import Settings
from index.knowledge_files import documents, secrecy

SECRET = [
    "机密★10年", "秘密", "绝 密", "机　密 ★ 长期", "【机密】", "（秘密）", "机密★一年　　特急", "000012    机密★10年    特急", "特急 机密",
    "密级：秘密", "密 级： 机密★5年", "秘密★2030年12月31日", "绝密★启用前", "绝密★启用前 试卷类型：A", "機密", "No.0003 机密", "机密级",
    "机密文件", "秘密*6个月", "秘密 长期", "机密★论证结束后公开", "本文件属国家秘密（机密级），请妥善保管。", "此件为机密文件，不得复制",
    "国家秘密标志：机密★20年", "机密\t特急", "密级:绝密",
    "★机密", "机密（5年）", "机密·5年", "【机密】关于召开会议的通知", "关于召开会议的通知（秘密）", "［绝密★启用前］试题", "密级\t机密", "密级 秘密", "份号 12\t密级\t机密",
]  # fmt: skip
NOT_SECRET = [
    "保守国家秘密法", "中华人民共和国保守国家秘密法实施条例", "商业秘密", "国家秘密的密级分为绝密、机密、秘密三级", "密级：公开", "密级：无",
    "密级：绝密、机密或者秘密", "密级分为：绝密、机密、秘密", "秘密投票", "机密技术有限公司", "保密期限：10年", "如“机密★10年”所示。",
    "秘密行动计划", "机密文件管理办法", "关于做好机密级计算机管理工作的通知", "工作秘密", "通信秘密受法律保护", "★★★秘密花园",
    "秘密级国家秘密的保密期限不超过10年", "当事人的隐私和商业秘密", "机密级事项一览", "解密", "涉密人员管理",
    "绝密\t机密\t秘密", "密级（绝密、机密、秘密）", "密级\t绝密、机密、秘密",
]  # fmt: skip
INTERNAL = {
    "内部资料 注意保管": "内部资料", "内部文件": "内部文件", "内 部": "内部", "（此件依申请公开）": "依申请公开",
    "公开属性：不予公开": "不予公开", "信息公开选项：依申请公开": "依申请公开", "公开方式：不公开": "不公开", "（内部使用）": "内部使用",
    "内部资料　严禁外传": "内部资料", "工作秘密": "工作秘密", "工作秘密★5年": "工作秘密", "核心商密★20年": "核心商密", "密级：内部": "内部",
    "内部资料，请妥善保管！": "内部资料", "【内部】": "内部", "（此件不予公开）": "不予公开", "不予公开": "不予公开",
    "内部文件，不得外传": "内部文件", "仅供内部参考": "仅供内部参考", "（此件删减后公开）": "删减后公开",
    "热线答复手册（内部使用）": "内部使用", "【内部】答复口径": "内部",
}  # fmt: skip
NOT_INTERNAL = [
    "内部控制规范", "内部审计工作规定", "（此件公开发布）", "公开属性：主动公开", "政府信息依申请公开办理规范", "内部资料管理办法",
    "依申请公开指南", "工作秘密管理办法", "（此件主动公开）", "内部资料性出版物管理办法", "不予公开的政府信息",
]  # fmt: skip
BODY = "某市供水管理办法\n第一条 为了规范供水，制定本办法。\n第二条 水费每月收取，每吨3元。\n"


@pytest.mark.parametrize("line", SECRET)
def test_a_mark_is_told_by_its_form(line: str) -> None:
    assert secrecy.secret_mark(line, alone=True)


@pytest.mark.parametrize("line", NOT_SECRET)
def test_words_about_secrets_are_no_mark(line: str) -> None:
    assert not secrecy.secret_mark(line, alone=True)


@pytest.mark.parametrize(("line", "mark"), INTERNAL.items())
def test_an_internal_mark_is_told_by_its_form(line: str, mark: str) -> None:
    assert secrecy.internal_mark(line, alone=True) == mark


@pytest.mark.parametrize("line", NOT_INTERNAL)
def test_words_about_what_is_internal_are_no_mark(line: str) -> None:
    assert secrecy.internal_mark(line, alone=True) is None


@given(
    level=st.sampled_from(["绝密", "机密", "秘密"]),
    star=st.sampled_from("★☆＊*"),
    term=st.sampled_from(["", "长期", "10年", "６个月", "2030年1月1日", "公布前"]),
    gap=st.sampled_from(["", " ", "　", "\u00a0"]),
    fence=st.sampled_from(["{}", "【{}】", "（{}）"]),
)
def test_level_star_and_term_in_every_writing(level: str, star: str, term: str, gap: str, fence: str) -> None:
    line = fence.format(gap.join(level) + gap + star + gap + term)
    assert secrecy.secret_mark(line, alone=False)


def text_of(folder: Path, text: str, name: str = "文件.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "机密★10年\n" + BODY,
        "000012\n机密★10年\n特急\n" + BODY,
        "某市人民政府文件    机密★10年\n" + BODY,
        "秘密\n" + BODY,
        BODY + "附件\n秘密★5年\n某某名单\n张某",
        "\ufeff绝\u200b密\n" + BODY,
    ],
)
def test_a_marked_text_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(secrecy.Classified, match=r"移除.*报告"):
        documents.read(text_of(tmp_path, text))


@pytest.mark.parametrize(
    "text",
    [
        "某市保密工作规定\n第一条 国家秘密的密级分为：\n绝密\n机密\n秘密\n第二条 标志由密级和期限组成。",
        "国家秘密标志说明\n一、标志的写法\n标注示例如下：\n机密★10年\n二、期限另行规定。",
        "某市国家秘密定密办法\n第一条 标为“机密★10年”的文件，专人保管。\n第二条 完。",
        "保密知识问答\n问：泄露秘密怎么办？\n答：马上报告。\n秘密\n一词见于多部法律。",
        "密级：公开\n" + BODY,
    ],
)
def test_a_text_about_secrets_is_read(tmp_path: Path, text: str) -> None:
    assert documents.read(text_of(tmp_path, text))[0].internal is None


@pytest.mark.parametrize("name", ["【机密】通知.txt", "通知（秘密★5年）.txt", "绝密★名单.txt", "机密.txt"])
def test_a_mark_in_a_files_name_counts(tmp_path: Path, name: str) -> None:
    with pytest.raises(secrecy.Classified):
        documents.read(text_of(tmp_path, BODY, name))


@pytest.mark.parametrize("name", ["机密文件管理办法.txt", "保守国家秘密法.txt", "（保密）通知.txt"])
def test_a_files_name_about_secrets_is_none(tmp_path: Path, name: str) -> None:
    assert documents.read(text_of(tmp_path, BODY, name))


W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
BOX = f"""<w:r {W} xmlns:v="urn:schemas-microsoft-com:vml"><w:pict><v:shape><v:textbox><w:txbxContent><w:p><w:r><w:t>机密</w:t></w:r></w:p>
</w:txbxContent></v:textbox></v:shape></w:pict></w:r>"""
WATERMARK = f"""<w:r {W} xmlns:v="urn:schemas-microsoft-com:vml"><w:pict><v:shape><v:textpath string="秘密"/></v:shape></w:pict></w:r>"""


@pytest.mark.parametrize(
    "place", ["body", "header", "footer", "first page", "text box", "watermark", "table", "property"]
)
def test_a_mark_anywhere_in_a_docx_is_found(tmp_path: Path, place: str) -> None:
    made = docx.Document()
    section = made.sections[0]
    if place == "body":
        made.add_paragraph("机 密 ★ 10 年")
    elif place == "table":
        made.add_table(rows=1, cols=2).cell(0, 1).text = "机密★10年"
    elif place == "property":
        made.core_properties.keywords = "机密"
    for line in BODY.splitlines():
        made.add_paragraph(line)
    if place == "header":
        section.header.paragraphs[0].text = "秘密"
    elif place == "footer":
        section.footer.paragraphs[0].text = "机密★长期"
    elif place == "first page":
        section.different_first_page_header_footer = True
        section.first_page_header.paragraphs[0].text = "机密"
    elif place == "text box":
        made.paragraphs[0]._p.append(parse_xml(BOX))
    elif place == "watermark":
        section.header.paragraphs[0]._p.append(parse_xml(WATERMARK))
    made.save(str(tmp_path / "文件.docx"))
    with pytest.raises(secrecy.Classified):
        documents.read(tmp_path / "文件.docx")


@pytest.mark.parametrize(
    "page",
    [
        "<body><p>机密★10年</p>{}</body>",
        "<body><table><tr><td>索引号</td><td>1</td><td>密级</td><td>秘密</td></tr><tr><td>标题</td><td>某办法</td></tr></table>{}</body>",
        "<body><div>秘密</div>{}</body>",
    ],
)
def test_a_marked_web_page_is_refused(tmp_path: Path, page: str) -> None:
    body = "".join(f"<p>{line}</p>" for line in BODY.splitlines())
    with pytest.raises(secrecy.Classified):
        documents.read(text_of(tmp_path, page.format(body), "页.html"))


def _import(path: Path, **options: object) -> documents.ImportReport:
    texts = documents.read(path)
    with database.write() as session:
        return documents.import_texts(session, path.name, texts, region="100000", actor="小王", **options)  # type: ignore[arg-type]


def _count(model: type) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def test_an_internal_document_needs_a_named_person_and_is_for_staff_alone(db: Settings, tmp_path: Path) -> None:
    path = text_of(tmp_path, "内部资料 注意保管\n" + BODY)
    with pytest.raises(secrecy.NeedsConfirmation, match="--internal-confirmed-by"):
        _import(path)
    with pytest.raises(secrecy.NeedsConfirmation):
        _import(path, internal_confirmed_by="  ")
    with pytest.raises(InvalidInput, match="姓名"):
        _import(path, internal_confirmed_by="运营人员")
    assert _count(Document) == 0 and _count(Passage) == 0
    assert len(_import(path, internal_confirmed_by="李处长").added) == 1
    with database.read() as session:
        (document,) = session.scalars(select(Document)).all()
        assert (document.internal_confirmed_by, document.title) == ("李处长", "某市供水管理办法")
        assert knowledge.passages_in_force(session, date(2026, 11, 1)) == []  # in no index, so in no reply
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "knowledge.internal")).one()
        assert entry.detail["internal_confirmed_by"] == "李处长" and entry.actor == "小王"
        qa = QA(
            id="q", matter="供水", question="水费多少？", answer="每吨3元。", similar=[], guides=[], related=[], themes=[],
            sources=[{"document": document.id, "clause": "第二条"}], audience="个人", region="100000", status="draft", revision=1,
        )  # fmt: skip
        assert knowledge.expand(session, qa)[0] == []  # no citizen's link leads to it
    # Neither the same text without the mark nor a table makes it public again.
    text_of(tmp_path, BODY)
    assert "仍然只供工作人员" in _import(path).notes[0]
    with database.write() as session:
        knowledge.upsert_document(
            session, Document(id=document.id, title="某市供水管理办法", region="100000", status="有效")
        )
    with database.read() as session:
        assert knowledge.passages_in_force(session, date(2026, 11, 1)) == []


def test_the_refusal_is_an_input_error_and_names_only_the_file() -> None:
    error = secrecy.Classified("文件.txt")
    assert isinstance(error, InvalidInput) and str(error).startswith("文件.txt：")
