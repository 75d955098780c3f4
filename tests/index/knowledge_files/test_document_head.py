"""Titles over several lines, orders and their brackets, dates and issuers: heads of documents made here."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.knowledge_files import document_head

BODY = ["各区人民政府，市直各单位：", "现将有关事项通知如下。", "一、总体要求", "按时完成。"]


def head(text: str, *body: str) -> document_head.Head:
    lines = [line for line in (one.strip() for one in text.split("\n")) if line]
    return document_head.read([*lines, *(body or BODY)], "文件名")


@pytest.mark.parametrize(
    ("text", "title", "doc_no", "issuer"),
    [
        # 关于 … 的通知 over two, three, four lines, with the organ above or within
        ("某市人民政府办公室关于进一步加强\n养老服务工作的通知", "某市人民政府办公室关于进一步加强养老服务工作的通知", None, "某市人民政府办公室"),
        ("某市人民政府文件\n某政发〔2026〕3号\n某市人民政府\n关于加快推进\n城乡供水一体化的\n实施意见", "某市人民政府关于加快推进城乡供水一体化的实施意见", "某政发〔2026〕3号", "某市人民政府"),
        ("关于印发《某市养犬\n管理办法》的通知\n某城管〔2026〕5号", "关于印发《某市养犬管理办法》的通知", "某城管〔2026〕5号", None),
        ("某市财政局 某市民政局\n关于调整高龄津贴标准的通知", "某市财政局 某市民政局关于调整高龄津贴标准的通知", None, "某市财政局、某市民政局"),
        ("某市财政局\n某市民政局\n关于调整\n高龄津贴标准的通知", "某市财政局 某市民政局关于调整高龄津贴标准的通知", None, "某市财政局、某市民政局"),
        ("关于印发某市燃气管理办法\n的通知", "关于印发某市燃气管理办法的通知", None, None),
        ("某区人民政府关于印发某区《“一老一小”\n服务三年行动计划（2026—2028年）》的通知", "某区人民政府关于印发某区《“一老一小”服务三年行动计划（2026—2028年）》的通知", None, "某区人民政府"),
        # other documents over lines
        ("某市城市供热\n管理办法", "某市城市供热管理办法", None, None),
        ("某市2026年\n惠民实事\n工作方案", "某市2026年惠民实事工作方案", None, None),
        ("某市出租汽车管理条例\n（2026年修订）", "某市出租汽车管理条例（2026年修订）", None, None),
        ("某市供水管理办法\n实施细则（试行）", "某市供水管理办法实施细则（试行）", None, None),
        ("某市发展和改革\n委员会关于调整水价的通知", "某市发展和改革委员会关于调整水价的通知", None, "某市发展和改革委员会"),
        ("某市人民政府门户网站\n通知公告\n关于调整水价的通知", "关于调整水价的通知", None, None),
        ("某市人民政府\n某政发〔2026〕3号\n关于做好元旦、\n春节期间供应的通知", "关于做好元旦、春节期间供应的通知", "某政发〔2026〕3号", "某市人民政府"),
        ("政府工作报告\n——2026年1月5日在某市第十届人民代表大会上\n市长 某某", "政府工作报告", None, None),
        ("某市停车收费规定\n（试行）", "某市停车收费规定（试行）", None, None),
        # what stands above a title is not part of it
        ("000012\n特急\n某市教育局文件\n某教〔2026〕8号\n签发人：某某\n关于做好2026年\n入学工作的通知", "关于做好2026年入学工作的通知", "某教〔2026〕8号", "某市教育局"),
        ("某市教育局 某市财政局文件\n某教联〔2026〕9号\n关于落实资助政策的意见", "关于落实资助政策的意见", "某教联〔2026〕9号", "某市教育局某市财政局"),
        ("发文字号：某政办函〔2026〕2号\n某市人民政府办公室关于同意设立工作专班的函", "某市人民政府办公室关于同意设立工作专班的函", "某政办函〔2026〕2号", "某市人民政府办公室"),
        ("首页 > 政务公开 > 文件\n关于发放补贴的通知某民发〔2026〕6号", "关于发放补贴的通知", "某民发〔2026〕6号", None),
        ("某市高龄津贴规定（某政发[2026]7号）", "某市高龄津贴规定", "某政发[2026]7号", None),
    ],
)  # fmt: skip
def test_a_title_is_whole(text: str, title: str, doc_no: str | None, issuer: str | None) -> None:
    found = head(text)
    assert (found.title, found.doc_no, found.issuer) == (title, doc_no, issuer)


LAW = ["第一章 总则", "第一条 为了规范管理，制定本办法。", "第二条 本办法自发布之日起施行。"]


@pytest.mark.parametrize(
    ("text", "title", "doc_no", "issuer", "issued", "effective"),
    [
        ("某某服务管理办法\n（2026年1月1日某某部令第1号公布 自2026年3月1日起施行）", "某某服务管理办法", "某某部令第1号", "某某部", date(2026, 1, 1), date(2026, 3, 1)),
        ("某市供水规定\n（2019年5月1日某市人民政府令第3号公布 根据2022年6月1日某市人民政府令第9号第一次修正 根据2025年7月2日某市人民政府令第12号第二次修正）", "某市供水规定", "某市人民政府令第3号", "某市人民政府", date(2019, 5, 1), date(2019, 5, 1)),
        ("中华人民共和国某某法\n（2019年3月5日第十三届全国人民代表大会常务委员会第九次会议通过 2025年6月27日第十四届全国人民代表大会常务委员会第十六次会议修订）", "中华人民共和国某某法", None, None, date(2019, 3, 5), date(2019, 3, 5)),
        ("中华人民共和国国务院令\n第 800 号\n《某某条例》已经2026年1月9日国务院第50次常务会议通过，现予公布，自2026年5月1日起施行。\n总理 某某\n2026年1月20日\n某某条例", "某某条例", "中华人民共和国国务院令第800号", "中华人民共和国国务院", date(2026, 1, 20), date(2026, 5, 1)),
        ("某市人民政府令\n（第 26 号）\n《某市养犬规定》已经2026年2月3日市政府第8次常务会议审议通过，现予发布。\n市长 某某\n2026年2月10日\n某市养犬规定", "某市养犬规定", "某市人民政府令第26号", "某市人民政府", date(2026, 2, 10), date(2026, 2, 10)),
        ("中华人民共和国主席令\n第二十五号\n《中华人民共和国某某法》已由中华人民共和国第十四届全国人民代表大会常务委员会第二十次会议于2026年4月1日通过，现予公布，自2026年10月1日起施行。\n2026年4月1日", "中华人民共和国某某法", "中华人民共和国主席令第二十五号", None, date(2026, 4, 1), date(2026, 10, 1)),
        ("某税务局公告2026年第5号\n关于优化发票服务的公告\n自2026年7月1日起施行。\n某税务局\n2026年6月1日", "关于优化发票服务的公告", "某税务局公告2026年第5号", "某税务局", date(2026, 6, 1), date(2026, 7, 1)),
        ("某市人民政府第68号令\n《某市停车规定》已经2026年1月5日市政府会议审议通过，现予公布。\n2026年1月9日", "某市停车规定", "某市人民政府令第68号", "某市人民政府", date(2026, 1, 9), date(2026, 1, 9)),
        ("某部 某局\n公告\n2026年第7号\n关于减免费用的公告", "关于减免费用的公告", "某部某局公告2026年第7号", None, None, None),
        ("某市物业规定\n（二〇二六年一月五日某市人民政府令第三十号公布　自二〇二六年三月一日起施行）", "某市物业规定", "某市人民政府令第三十号", "某市人民政府", date(2026, 1, 5), date(2026, 3, 1)),
    ],
)  # fmt: skip
def test_orders_and_the_bracket_below_the_title(
    text: str, title: str, doc_no: str | None, issuer: str | None, issued: date | None, effective: date | None
) -> None:
    found = head(text, *LAW)
    assert (found.title, found.doc_no) == (title, doc_no)
    assert (found.issued, found.effective) == (issued, effective)
    if issuer:
        assert found.issuer == issuer


def test_a_notice_is_dated_where_it_is_signed_not_where_it_was_printed() -> None:
    body = [
        *BODY, "《旧办法》自2018年1月1日起施行以来，成效明显。", "本通知自2026年2月1日起施行。", "某市民政局", "2026年1月5日",
        *["附件内容。"] * 60, "某市民政局办公室 2026年1月9日印发",
    ]  # fmt: skip
    found = head("某市民政局关于发放补贴的通知", *body)
    assert (found.issued, found.effective, found.issuer) == (date(2026, 1, 5), date(2026, 2, 1), "某市民政局")
    found = head("关于发放补贴的通知", *BODY, "某市民政局 二〇二六年一月五日", *["附件内容。"] * 60)
    assert (found.issued, found.issuer) == (date(2026, 1, 5), "某市民政局")


def test_a_number_that_begins_anew_does_not_make_two_orders_one_document() -> None:
    from index.knowledge_files.documents import PolicyText

    one = PolicyText(title="甲规定", doc_no="某市人民政府令第3号", is_order=True)
    other = PolicyText(title="乙规定", doc_no="某市人民政府令第3号", is_order=True)
    assert one.id != other.id
    assert (
        PolicyText(title="甲", doc_no="某政发〔2026〕1号").id == PolicyText(title="乙", doc_no="某政发〔2026〕1号").id
    )


@given(st.lists(st.integers(1, 12), min_size=1, max_size=4), st.sampled_from(["通知", "实施意见", "若干规定", "决定"]))
def test_a_title_broken_anywhere_is_the_same_title(cuts: list[int], kind: str) -> None:
    title = f"关于进一步加强某市老旧小区加装电梯工作的{kind}"
    lines, rest = [], title
    for cut in cuts:
        if len(rest) - cut > 4:
            lines.append(rest[:cut])
            rest = rest[cut:]
    lines.append(rest)
    if lines[0].startswith("关于"):
        assert document_head.read(["某政发〔2026〕3号", *lines, *BODY], "文件名").title == title
