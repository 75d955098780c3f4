"""Regions: the table is a tree, and sentences name them as people do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import regions
from bot.errors import NotFound
from bot.regions import NATION, Region


def names(text: str, within: str | None = None) -> list[str]:
    return [regions.full_name(region.code) for region in regions.find(text, within)]


def test_the_table_is_a_tree_down_to_counties() -> None:
    table = regions._regions()
    assert 3200 < len(table) < 3500
    provinces = [region for region in table.values() if region.parent == NATION]
    assert len(provinces) == 34
    for region in table.values():
        path = regions.ancestors(region.code)
        assert path[0] == region.code and path[-1] == NATION and len(path) <= 4


def test_one_region() -> None:
    assert regions.get("430104") == Region("430104", "岳麓区", "430100")
    assert regions.ancestors("430104") == ["430104", "430100", "430000", NATION]
    assert regions.ancestors("110105") == ["110105", "110000", NATION]
    assert regions.full_name("430104") == "湖南省长沙市岳麓区"
    assert regions.full_name("110105") == "北京市朝阳区"
    assert regions.full_name(NATION) == "全国"
    assert regions.is_within("430104", "430000") and not regions.is_within("430104", "440000")
    with pytest.raises(NotFound):
        regions.get("999999")


def test_a_region_and_its_parts() -> None:
    assert [region.code for region in regions.children("430100")][:2] == ["430102", "430103"]
    assert len(regions.children(NATION)) == 34 and regions.children("430104") == []
    assert regions.overlap("430104", "430000") and regions.overlap("430000", "430104")
    assert regions.overlap("430104", "430104") and not regions.overlap("430104", "430105")
    for broken in (lambda: regions.children("999999"), lambda: regions.overlap("430104", "999999")):
        with pytest.raises(NotFound):
            broken()


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("长沙市高龄津贴每月领多少钱", "高龄津贴每月领多少钱"),
        ("湖南长沙 岳麓区 高龄津贴", "高龄津贴"),
        ("在深圳交了八年养老", "在深圳交了八年养老"),
        ("长沙", "长沙"),
        ("", ""),
    ],
)
def test_the_served_regions_own_names_can_be_left_out(text: str, left: str) -> None:
    assert regions.without(text, "430000") == left


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("长沙岳麓区", "湖南省长沙市岳麓区"),
        ("湖南省长沙市岳麓区", "湖南省长沙市岳麓区"),
        ("我在岳麓区上班", "湖南省长沙市岳麓区"),
        ("岳麓", "湖南省长沙市岳麓区"),
        ("长沙岳麓的居住证怎么办", "湖南省长沙市岳麓区"),
        ("北京市朝阳区", "北京市朝阳区"),
        ("北京朝阳", "北京市朝阳区"),
        ("上海浦东", "上海市浦东新区"),
        ("重庆云阳县", "重庆市云阳县"),
        ("南京鼓楼区", "江苏省南京市鼓楼区"),
        ("我在南京，住鼓楼区那边", "江苏省南京市鼓楼区"),
        ("济南市中区", "山东省济南市市中区"),
        ("阳泉郊区", "山西省阳泉市郊区"),
        ("呼和浩特新城区", "内蒙古自治区呼和浩特市新城区"),
        ("荆州公安县", "湖北省荆州市公安县"),
        ("吉林", "吉林省"),
        ("吉林市", "吉林省吉林市"),
        ("长沙县", "湖南省长沙市长沙县"),
        ("海南医保", "海南省"),
        ("恩施州", "湖北省恩施土家族苗族自治州"),
        ("长阳县", "湖北省宜昌市长阳土家族自治县"),
        ("内蒙古包头", "内蒙古自治区包头市"),
        ("广西南宁", "广西壮族自治区南宁市"),
        ("香港人能办居住证吗", "香港特别行政区"),
        ("济源市", "河南省济源市"),
        ("东莞居住证", "广东省东莞市"),
        ("河南开封", "河南省开封市"),
        ("苏州工业园区公积金", "江苏省苏州市苏州工业园区"),
        ("全国", "全国"),
        ("长 沙 市", "湖南省长沙市"),
    ],
)
def test_one_region_is_meant(text: str, name: str) -> None:
    assert names(text) == [name]


NO_REGION = """
身份证丢了怎么办 和平共处 我想去东方看看 夕阳朝阳都好 新城规划什么时候公布 城关镇医保 解放思想 省和县两级 各市和县级政府
郊区房子能落户吗 公安机关怎么报案 公安局在哪 南京大学毕业落户 北京路店铺 上海银行开户 县级市 长沙县级医院 开封了的药能退吗 日照时间 大理石厂
阿里巴巴 比如说社保 来宾接待 和田玉鉴定 人才安居房 富裕家庭 资源税 友好城市 我国各地区 市辖区 安康码 自治区级 区 县
"""


@pytest.mark.parametrize("text", NO_REGION.split())
def test_no_region_is_meant(text: str) -> None:
    assert names(text) == []


def test_a_shared_name_gives_all_of_them_unless_something_decides() -> None:
    everywhere = regions.find("鼓楼区怎么办居住证")
    assert {region.name for region in everywhere} == {"鼓楼区"} and len(everywhere) == 4
    assert names("鼓楼区怎么办居住证", within="320100") == ["江苏省南京市鼓楼区"]
    assert names("鼓楼区怎么办居住证", within="320000") == ["江苏省南京市鼓楼区", "江苏省徐州市鼓楼区"]
    assert names("福州的鼓楼区", within="320100") == ["福建省福州市鼓楼区"]
    assert len(names("和平")) == 3 and "天津市和平区" in names("和平")
    assert "北京市朝阳区" in names("朝阳") and "辽宁省朝阳市朝阳县" in names("朝阳")


def test_the_served_city_lets_its_parts_go_without_suffix() -> None:
    assert names("昆山公积金怎么取") == []
    assert names("昆山公积金怎么取", within="320500") == ["江苏省苏州市昆山市"]
    assert names("安居房", within="510900") == []


def test_several_regions_come_in_their_order() -> None:
    assert names("社保从北京转到上海浦东新区") == ["北京市", "上海市浦东新区"]


@pytest.mark.parametrize("region", list(regions._regions().values())[1::7], ids=lambda region: region.code)
def test_every_region_is_found_by_its_full_name(region: Region) -> None:
    assert region in regions.find(f"我在{regions.full_name(region.code)}，怎么办居住证")


@given(st.text(max_size=100), st.sampled_from([None, NATION, "430100"]))
def test_any_text_is_read_without_an_error(text: str, within: str | None) -> None:
    assert all(regions.get(region.code) == region for region in regions.find(text, within))
