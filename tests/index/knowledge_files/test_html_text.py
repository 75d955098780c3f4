"""Pages as government sites publish documents, made here: the table of facts, the page around, the encodings."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from index.knowledge_files import documents, html_text, secrecy

FACTS = [
    ("索引号", "000014349/2026-00012"),
    ("主题分类", "民政、扶贫、救灾\\救助"),
    ("发文机关", "某市民政局"),
    ("成文日期", "2026年01月05日"),
    ("标题", "某市民政局关于调整高龄津贴标准的通知"),
    ("发文字号", "某民发〔2026〕6号"),
    ("发布日期", "2026年01月09日"),
]
TEXT = [
    "某市民政局关于调整",
    "高龄津贴标准的通知",
    "某民发〔2026〕6号",
    "各区民政局：",
    "为做好高龄津贴发放工作，现将有关事项通知如下。",
    "一、发放标准",
    "年满80周岁的，每人每月100元；年满90周岁的，每人每月300元。",
    "二、施行时间",
    "本通知自2026年2月1日起施行。",
    "某市民政局",
    "2026年1月5日",
]


def spaced(label: str) -> str:
    return {"索引号": "索 引 号：", "标题": "标　　题：", "发文机关": "发文机关："}.get(label, f"{label}：")


def table(pairs: list[tuple[str, str]], per_row: int = 1, head: str = "td") -> str:
    cells = [f"<{head}><b>{spaced(label)}</b></{head}><td>{value}</td>" for label, value in pairs]
    rows = ("".join(cells[n : n + per_row]) for n in range(0, len(cells), per_row))
    return f"<table class='bd1'>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def in_cell(pairs: list[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><td><b>{spaced(label)}</b>{value}</td></tr>" for label, value in pairs)
    return f"<table><tr><td><table>{cells}</table></td></tr></table>"


LAYOUTS = {
    "a row a fact": table(FACTS),
    "th": table(FACTS, head="th"),
    "two facts a row": table(FACTS, 2),
    "nested, label and value in one cell": in_cell(FACTS),
    "dl": f"<dl>{''.join(f'<dt>{spaced(label)}</dt><dd>{value}</dd>' for label, value in FACTS)}</dl>",
    "li": f"<ul>{''.join(f'<li><span>{spaced(label)}</span><span>{value}</span></li>' for label, value in FACTS)}</ul>",
    "div": "".join(f"<div class='row'><div class='l'>{label}</div><div class='r'>{value}</div></div>" for label, value in FACTS),
    "p": "".join(f"<p>{label}：{value}</p>" for label, value in FACTS),
    "strong and words": "".join(f"<p><strong>【{label}】</strong> {value}</p>" for label, value in FACTS),
    "links": table([(label, f"<a href='#'>{value}</a>") for label, value in FACTS], 2),
}  # fmt: skip
AROUND = """<html><head><meta charset="utf-8"><title>某市民政局关于调整高龄津贴标准的通知_某市人民政府门户网站</title>
<meta name="ArticleTitle" content="某市民政局关于调整高龄津贴标准的通知"><meta name="PubDate" content="2026-01-12 10:00">
<script>var 标题 = "x";</script></head><body><form id="aspnetForm"><div class="header"><a href="/">首页</a><a href="/x">政务公开</a></div>
<div class="position">当前位置：<a href="/">首页</a> &gt; 政策文件</div><div class="wrap">{facts}
<div class="share">分享到：微信</div><div class="content">{text}</div><div class="xgjd">相关解读：<a href="/y">图解高龄津贴</a></div></div>
<div class="footer">主办单位：某市人民政府办公室 网站标识码：1234567890 版权所有</div></form></body></html>"""


def page(facts: str, text: list[str] = TEXT, tag: str = "p") -> str:
    return AROUND.format(facts=facts, text="".join(f"<{tag}>{line}</{tag}>\n" for line in text))


def one(folder: Path, html: str, encoding: str = "utf-8") -> documents.PolicyText:
    (folder / "页.html").write_bytes(html.encode(encoding))
    (found,) = documents.read(folder / "页.html")
    return found


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_table_of_facts_is_read_and_is_no_text(tmp_path: Path, layout: str) -> None:
    found = one(tmp_path, page(LAYOUTS[layout]))
    assert found.title == "某市民政局关于调整高龄津贴标准的通知"
    assert (found.doc_no, found.issuer) == ("某民发〔2026〕6号", "某市民政局")
    assert (found.issued, found.effective) == (date(2026, 1, 5), date(2026, 2, 1))
    text = "\n".join(clause.text for clause in found.clauses)
    assert "每人每月300元" in text
    for furniture in ("索引号", "000014349", "首页", "版权所有", "分享到", "图解高龄津贴", "高龄津贴标准的通知"):
        assert furniture not in text, furniture


def test_a_title_broken_in_its_cell_is_whole(tmp_path: Path) -> None:
    facts = [(label, value.replace("高龄", "<br>高龄") if label == "标题" else value) for label, value in FACTS]
    assert one(tmp_path, page(table(facts, 2))).title == "某市民政局关于调整高龄津贴标准的通知"


def test_without_a_table_the_text_and_the_head_of_the_page_say_it(tmp_path: Path) -> None:
    found = one(tmp_path, page(""))
    assert (found.title, found.doc_no, found.issuer, found.issued) == (
        FACTS[4][1],
        "某民发〔2026〕6号",
        "某市民政局",
        date(2026, 1, 5),
    )
    # Only the article's own paragraphs, without title, in a page of another make.
    html = AROUND.replace("<meta name", "<meta content='' name").format(
        facts="<h1>某市民政局关于调整高龄津贴标准的通知</h1>", text="".join(f"<p>{line}</p>" for line in TEXT[3:])
    )
    assert one(tmp_path, html).title == FACTS[4][1]


def test_a_title_known_from_the_page_wins_over_its_sites_name(tmp_path: Path) -> None:
    html = "<html><head><title>高龄津贴怎么领 - 某市民政局</title></head><body><div><p>满80周岁的，每月100元，由社区发放到社保卡上。</p><p>请带身份证。</p></div></body></html>"
    assert one(tmp_path, html).title == "高龄津贴怎么领"


@pytest.mark.parametrize(
    ("status", "expected"),
    [("有效", "有效"), ("失效", "已废止"), ("已废止", "已废止"), ("已修改", "已修改"), ("是", "有效")],
)
def test_a_page_that_says_its_document_is_void_is_believed(tmp_path: Path, status: str, expected: str) -> None:
    assert one(tmp_path, page(table([*FACTS, ("有效性", status)], 2))).status == expected


def test_a_page_marked_as_not_public_is_internal(tmp_path: Path) -> None:
    assert one(tmp_path, page(table([*FACTS, ("公开属性", "依申请公开")], 2))).internal == "依申请公开"
    assert one(tmp_path, page(table([*FACTS, ("公开方式", "主动公开")], 2))).internal is None


def test_a_menu_of_the_site_is_no_mark(tmp_path: Path) -> None:
    menu = "<div><ul><li><a href='/'>依申请公开</a></li><li><a href='/'>内部资料</a></li></ul></div>"
    assert one(tmp_path, page(menu + LAYOUTS["th"])).internal is None


def test_a_page_about_secrets_is_read(tmp_path: Path) -> None:
    text = ["某市保密规定", "第一条 密级分为<b>绝密</b>、<b>机密</b>、<b>秘密</b>。", "第二条 见下表。"]
    rows = "".join(
        f"<tr><td>{level}</td><td>{years}年</td></tr>" for level, years in (("绝密", 30), ("机密", 20), ("秘密", 10))
    )
    found = one(tmp_path, page("", [*text, f"<table>{rows}</table>"]))
    assert "机密 20年" in found.clauses[-1].text


def test_a_mark_in_what_is_cut_off_is_still_one(tmp_path: Path) -> None:
    with pytest.raises(secrecy.Classified):
        one(tmp_path, page(LAYOUTS["th"]).replace('<div class="header">', '<div class="header"><p>机密</p>'))


@pytest.mark.parametrize(
    ("encoding", "charset"),
    [
        ("gb18030", "gb2312"),
        ("gbk", ""),
        ("utf-8", ""),
        ("utf-8", "gb2312"),
        ("big5", "big5"),
        ("utf-16", ""),
        ("utf-8-sig", "utf-8"),
    ],
)
def test_encodings_named_rightly_wrongly_and_not_at_all(tmp_path: Path, encoding: str, charset: str) -> None:
    text = ["某市规定", "第一章 老人", "第一条 年老者可申。", "第二条 每月一百元。"]
    html = page("", text).replace(
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Type" content="text/html; charset={charset}">' if charset else "",
    )
    if encoding == "big5":
        html = "<meta charset=big5>" + "".join(
            f"<p>{line}</p>" for line in ("某市規定", "第一條 年老者可申請。", "第二條 每月一百元。")
        )
    found = one(tmp_path, html, encoding)
    assert found.clauses[-1].text.startswith("每月一百元") and "\ufffd" not in found.clauses[-1].text


def test_a_page_cut_off_within_a_character_is_still_read(tmp_path: Path) -> None:
    raw = page(LAYOUTS["two facts a row"]).encode()
    (tmp_path / "页.html").write_bytes(raw + "末".encode()[:2])
    assert documents.read(tmp_path / "页.html")[0].doc_no == "某民发〔2026〕6号"


def test_lines_are_the_pages_not_the_sources(tmp_path: Path) -> None:
    html = "<body><div><h1>某市规定</h1><p>第一条 年满\n  80周岁的，<span>每月</span><b>100</b>元。</p><p>第二条 见<a href='/'>附件</a>。<br/>　　另起一行。</p><table><tr><td><p>年龄</p></td><td><p>标准</p></td></tr><tr><td>80岁</td><td>100元</td></tr></table></div></body>"
    page_ = html_text.parse(html)
    assert page_.lines == [
        "某市规定",
        "第一条 年满80周岁的，每月100元。",
        "第二条 见附件。",
        "另起一行。",
        "年龄\t标准",
        "80岁\t100元",
    ]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>第一，带身份证。</p><p>第二，到窗口。</p>", "第一，带身份证。\n第二，到窗口。"),
        ("带身份证<br>到窗口&nbsp;办理", "带身份证\n到窗口 办理"),
        ("<ol><li>申请</li><li>审核</li></ol>", "1. 申请\n2. 审核"),
        ("<ul><li>甲</li><li>乙</li></ul>", "甲\n乙"),
        ('见<a href="https://a.example/x">办事指南</a>', "见办事指南（https://a.example/x）"),
        ("<table><tr><td>A</td><td>B</td></tr></table>", "A B"),
        ("<b>必须</b>本人到场<script>alert(1)</script>", "必须本人到场"),
        ("&lt;居住证&gt;&amp;身份证", "<居住证>&身份证"),
    ],
)
def test_a_fragment_becomes_text(html: str, text: str) -> None:
    assert html_text.looks_like_html(html)
    assert html_text.plain_text(html) == text


@pytest.mark.parametrize(
    "text", ["月收入<5000元", "a < b 且 c > d", "R&D费用", "《某法》<试行>", "<80岁的不发", "1<x<3", "AT&T", "<身份证>"]
)
def test_signs_of_their_own_are_no_html(text: str) -> None:
    assert not html_text.looks_like_html(text)
