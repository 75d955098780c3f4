"""Which questions ask for a calculation, and which only sound like it."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.calculators import CALCULATORS, recognise

TODAY = date(2026, 11, 21)

POSITIVE: list[tuple[str, str, dict[str, str]]] = [
    # retirement
    ("我76年3月的女工人啥时候退休", "retirement", {"birth": "1976-03", "category": "female_50"}),
    ("1972年3月出生女干部几号能退休", "retirement", {"birth": "1972-03", "category": "female_55"}),
    ("男,1968年10月生,哪年退休", "retirement", {"birth": "1968-10", "category": "male"}),
    ("我爸六七年八月的,什么时候能退休", "retirement", {"birth": "1967-08", "category": "male"}),
    ("七六年三月生的女工,啥时候能退下来", "retirement", {"birth": "1976-03", "category": "female_50"}),
    ("俺是79年腊月生的男的,几岁退休", "retirement", {"category": "male"}),
    ("我七五年的男的多大岁数退休", "retirement", {"category": "male"}),
    ("71年女工人哪年退休", "retirement", {"category": "female_50"}),
    ("属龙的76年女的几时退休", "retirement", {}),
    ("我是1980.5出生的,哪一年可以退休呀", "retirement", {"birth": "1980-05"}),
    ("我妈68年5月的,灵活就业,几岁退休", "retirement", {"birth": "1968-05", "category": "female_55"}),
    ("我66年6月生的男同志,要晚退几个月退休", "retirement", {"birth": "1966-06", "category": "male"}),
    ("男1966年12月的延迟退休后我哪年退", "retirement", {"birth": "1966-12", "category": "male"}),
    ("女,管理岗,1974年1月出生,退休时间是什么时候", "retirement", {"birth": "1974-01", "category": "female_55"}),
    ("老公70年9月的,还有几年退休", "retirement", {"birth": "1970-09", "category": "male"}),
    ("我今年48岁女工人啥时候退休", "retirement", {"category": "female_50"}),
    ("我今年五十六了男的还要几年退休", "retirement", {"category": "male"}),
    ("1990年2月出生,女,什么时候退休", "retirement", {"birth": "1990-02"}),
    ("我77年11月的女的在车间上班几岁退休", "retirement", {"birth": "1977-11", "category": "female_50"}),
    ("我老婆82年的教师 什么时候退休", "retirement", {}),
    ("我屋头老汉69年4月生的,好久能退休嘛 多久退休", "retirement", {"birth": "1969-04"}),
    ("帮我算算退休时间,男,1973年7月", "retirement", {"birth": "1973-07", "category": "male"}),
    ("1976年3月生,1995年7月参加工作,女工人,啥时候退休", "retirement", {"birth": "1976-03", "category": "female_50"}),
    ("退体年龄改了以后71年女工人哪年退", "retirement", {"category": "female_50"}),
    ("七二年男，新政策下多少岁零几个月能领退休金", "retirement", {"category": "male"}),
    # unemployment
    ("交了7年失业保险能领几个月", "unemployment", {"paid": "84个月"}),
    ("失业保险交了三年半,失业金能领多久", "unemployment", {"paid": "42个月"}),
    ("我失业险缴了12年了能领几个月失业金", "unemployment", {"paid": "144个月"}),
    ("失业金我交了十八个月能领多久呀", "unemployment", {"paid": "18个月"}),
    ("社保交了6年零2个月,失业金能领多少个月", "unemployment", {"paid": "74个月"}),
    ("厂里给买了五年失业保险,失业金最多能领几个月", "unemployment", {"paid": "60个月"}),
    ("缴费9年11个月失业保险 能领多长时间", "unemployment", {"paid": "119个月"}),
    ("交了一年失业保险能领多久", "unemployment", {"paid": "12个月"}),
    ("失业保险交了七年多能领几个月", "unemployment", {"paid": "84个月"}),
    ("失业保险交了4年,上次还剩5个月,这次失业金能领几个月", "unemployment", {"paid": "48个月", "unused": "5"}),
    ("俺交了两年失业保险 失业金能领几期", "unemployment", {"paid": "24个月"}),
    # leave
    ("我工龄12年年假有几天", "annual_leave", {"worked": "144个月"}),
    ("工作了三年半,一年有多少天年假", "annual_leave", {"worked": "42个月"}),
    ("干了二十一年,带薪年休假几天", "annual_leave", {"worked": "252个月"}),
    ("2015年7月参加工作的,现在年休假多少天", "annual_leave", {"worked": "136个月"}),
    ("上班满10年了年假几天呀", "annual_leave", {"worked": "120个月"}),
    ("我累计工作19年零6个月,年假应该有几天", "annual_leave", {"worked": "234个月"}),
    ("工龄15年今年5月入职新公司年假几天", "annual_leave", {"worked": "180个月"}),
    ("月薪6000,有5天年假没休,公司该补多少钱", "leave_pay", {"days": "5", "wage": "6000"}),
    ("工资8700,年假还剩3天没休,折算多少工资", "leave_pay", {"days": "3", "wage": "8700"}),
    ("没休的年假有十天,月工资一万,算下来补多少钱", "leave_pay", {"days": "10", "wage": "10000"}),
    ("干了十八年,年假休几天", "annual_leave", {"worked": "216个月"}),
    # severance
    ("工资八千裁员赔多少 干了六年半", "severance", {"service": "78个月", "wage": "8000"}),
    ("我在公司干了5年,月薪1.2万,被辞退能赔多少钱", "severance", {"service": "60个月", "wage": "12000"}),
    ("公司裁员,干了3年2个月,赔几个月工资", "severance", {"service": "38个月"}),
    ("被优化了,月薪两万三,N+1能拿多少", "severance", {"wage": "23000"}),
    ("2019年3月入职的,现在公司要裁我,该赔多少", "severance", {"service": "92个月"}),
    ("合同到期公司不续签,我工作了四年零七个月,补偿怎么算", "severance", {"service": "55个月", "reason": "expired"}),
    ("老板炒了我,在这厂干了八年,一个月六千五,能拿多少赔偿金", "severance", {"service": "96个月", "wage": "6500"}),
    ("厂子倒闭了,我干了十一年,工资5500,经济补偿多少", "severance", {"service": "132个月", "wage": "5500", "reason": "closed"}),
    ("怀孕被开除,工资9000,来公司两年半,赔多少", "severance", {"service": "30个月", "wage": "9000", "reason": "illegal"}),
    ("协商解除,上班1年4个月,月薪15k,经济补偿金多少", "severance", {"service": "16个月", "wage": "15000", "reason": "negotiated"}),
    ("无故辞退,工资一万二,干了7个月,2N是多少", "severance", {"service": "7个月", "wage": "12000", "reason": "illegal"}),
    ("我试用期被辞退,月薪7000,干了2个月,有多少赔偿", "severance", {"service": "2个月", "wage": "7000", "reason": "probation"}),
    ("单位解除合同,工龄15年6个月,平均工资1万,算一下补偿金", "severance", {"service": "186个月", "wage": "10000"}),
    ("干了三年多被裁,工资8000,赔多少", "severance", {"wage": "8000"}),
    ("我和公司签了三年劳动合同,已经工作一年两个月了,现在裁员,应该给我多少赔偿", "severance", {"service": "14个月"}),
    ("底薪12600,任职两年半,公司裁员我应该得多少赔偿", "severance", {"service": "30个月"}),
    ("我在厂里做了9年,现在要搬迁不要我了,该赔几个月", "severance", {"service": "108个月"}),
    ("公司裁员，我12k一个月，干了6年，该赔多少", "severance", {"service": "72个月", "wage": "12000"}),
    ("干了3年，五千一个月，被辞退赔多少", "severance", {"service": "36个月", "wage": "5000"}),
    ("干了3年，工资8000元一个月，被辞退赔多少", "severance", {"service": "36个月", "wage": "8000"}),
    # income tax
    ("月薪一万五扣多少税", "monthly_tax", {"wage": "15000"}),
    ("工资8000要交多少个税", "monthly_tax", {"wage": "8000"}),
    ("我一个月挣1.2万,个税扣多少", "monthly_tax", {"wage": "12000"}),
    ("工资两万,五险一金扣3500,每月扣多少税", "monthly_tax", {"wage": "20000", "social": "3500"}),
    ("月入3万个税怎么算", "monthly_tax", {"wage": "30000"}),
    ("税前工资25000 个税多少", "monthly_tax", {"wage": "25000"}),
    ("月薪5000要交税吗", "monthly_tax", {"wage": "5000"}),
    ("工资9500,12月扣多少个税", "monthly_tax", {"wage": "9500", "month": "12"}),
    ("底薪18k每月要扣几多税", "monthly_tax", {"wage": "18000"}),
    ("一万块工资扣多少个税", "monthly_tax", {"wage": "10000"}),
    ("年终奖三万六扣多少税", "bonus_tax", {"bonus": "36000"}),
    ("年终奖5万,月薪1万,个税怎么算划算,扣多少税", "bonus_tax", {"bonus": "50000", "wage": "10000"}),
    ("年终奖发了144000要交多少税", "bonus_tax", {"bonus": "144000"}),
    ("十三薪12000扣多少税", "bonus_tax", {"bonus": "12000"}),
    ("年薪20万扣多少个税", "annual_tax", {"wages": "200000"}),
    ("年收入15万要交多少税", "annual_tax", {"wages": "150000"}),
    ("去年工资一共10万,已经扣了税3000,汇算能退税多少", "annual_tax", {"wages": "100000", "withheld": "3000"}),
    ("全年收入三十万,个人所得税多少", "annual_tax", {"wages": "300000"}),
    # overtime
    ("月薪6000周末加班两天加班费多少", "overtime", {"wage": "6000", "weekday": "0", "restday": "16", "holiday": "0"}),
    ("工资4350,法定节假日上班一天,加班费怎么算", "overtime", {"wage": "4350", "weekday": "0", "restday": "0", "holiday": "8"}),
    ("平时加班10小时,工资5000,加班费多少", "overtime", {"wage": "5000", "weekday": "10", "restday": "0", "holiday": "0"}),
    ("底薪2500每天加班2小时一个月加班费多少", "overtime", {"wage": "2500"}),
    ("周六加班一天给多少加班费", "overtime", {"weekday": "0", "restday": "8", "holiday": "0"}),
    ("工资7000国庆加班3天给多少", "overtime", {"wage": "7000"}),
    ("元旦当天加班8小时,月薪八千七,加班工资多少", "overtime", {"wage": "8700", "weekday": "0", "restday": "0", "holiday": "8"}),
    ("月工资6500,周日上了一天班,平时晚上加班6小时,加班费算一下", "overtime", {"wage": "6500", "weekday": "6", "restday": "8", "holiday": "0"}),
    ("1973年8月男 提前三年退休可以吗", "retirement", {"birth": "1973-08", "category": "male"}),
    ("我是1971年6月的女的 以前是工人 后来干办公室 什么时候退", "retirement", {"birth": "1971-06"}),
    ("我和老公都是77年5月的啥时候退休", "retirement", {"birth": "1977-05"}),
    ("社保交了三年,失业能领几个月的失业金", "unemployment", {"paid": "36个月"}),
    ("工作十年,公司要跟我解除合同,N+1能拿多少", "severance", {"service": "120个月"}),
    ("公司欠我工资3个月,干了2年,被迫离职能赔多少,月薪6000", "severance", {"service": "24个月", "wage": "6000", "reason": "employer_fault"}),
    ("老公在工地干了3年被辞退 工资每天300 赔多少", "severance", {"service": "36个月"}),
    ("月薪12000公积金12%个税多少", "monthly_tax", {"wage": "12000"}),
    ("我去年收入8万,交了税900,能退税多少", "annual_tax", {"wages": "80000", "withheld": "900"}),
    ("我工资5000,上个月周末加班4天,平时加班20小时,应该给多少加班费", "overtime", {"wage": "5000", "weekday": "20", "restday": "32", "holiday": "0"}),
]  # fmt: skip

NEGATIVE = """\
年收入不到六万还用交个税吗
年收入超过六万要交个税吗
退休年龄是多少
延迟退休是怎么回事
男的几岁退休
女工人现在还是五十岁退休吗
女的退休到底五十还是五十五
延迟退休到底延到几岁
退休年龄对照表怎么查
灵活就业女性多少岁退休
八零后要干到六十三吗
女干部延迟退休后几岁可以退
2030年以后退休要交满几年养老保险
2035年退休要交够多少年
我2032年到点,养老要缴满几年才行
2028年退休还按15年算不
社保要交十五年还是二十年
弹性延迟退休最多能延几年
能提前几年退休
特殊工种1970年3月的能提前退休吗
我妈68年的,养老保险交了十九年,退休金能领多少
退休了还能交医保吗
我1965年3月退休的,养老金怎么涨
退休手续怎么办
我2000年1月参加工作的,男,什么时候退休
本公司有94年7月1日前到职的劳工,要提退休准备金吗
我2010年3月交的社保,女,几岁退休
男的六十岁退休要交多少年社保
我今年四十九了,失业保险能领到退休吗
退休证丢了去哪补
身份证上是76年3月,实际是75年,退休按哪个
2025年1月开始延迟退休吗
教师退休年龄是多少岁
公积金退休后怎么提取
退休人员再就业要交社保吗
什么时候实行延迟退休
五十岁退休有哪些条件
侬讲讲看,社保缴了十四年零两个月,到辰光好拿养老金伐
失业保险交了五年差一个月,失业金能领几个月
领失业金要什么条件
失业金能领几个月
失业金最多领多久
失业保险交多久能领
失业金每月多少钱
交了7年失业保险每月能领多少钱
失业金怎么领
主动离职想领失业保险金行不行
失业三个月了还能领失业金吗
我是去年十一月被公司优化的,已经五个多月了,现在申请失业金晚不晚
失业金领了三个月找到工作还发不发
失业金几号打到卡上
失业保险交不满一年能领失业金多久
失业金领取期限是怎么定的
失业保险断交两年以前交的算不算
失业金申请后多久到账
失业金领完了还能领多久
农民工失业保险交了3年能领多少
失业保险缴费比例是多少
失业保险要转移吗交了5年
失业登记要几天
年假有几天
年假怎么算
年假天数是按累计工龄算吗
换工作当年年假怎么折算
工作不到一年有年假吗
公司有权不批年休假吗
年假没休完怎么补偿
年休假工资按几倍算
产假和年假冲突吗
年假能跨年休吗
试用期有年假吗 入职3个月
病假两个月还有年假吗
带薪年休假十年以上是十天吗
年假不休能换多少钱
公司不给年假怎么投诉 干了3年
年假5天能不能连着休几天
年中工龄满10年,当年年假按几天算
公务员年假几天 工作12年
年假天数标准是什么
裁员赔多少
n+1是什么意思
经济补偿金怎么算
被辞退赔几个月工资
合同到期不续签有补偿吗
试用期被辞退有赔偿吗
辞退员工要提前几天通知
经济补偿金要交税吗
在公司工作了9年今年退休能得到多少补偿金
每工作满一年赔几个月工资
烫伤评定八级,月薪5800,要算多少赔偿金
父亲当村干部18年去世了能补偿多少
公司拖欠我三个月工资八千块,能赔多少
工伤赔偿多少 工资6000 干了三年
工伤十级工资5000赔多少钱
车祸误工费怎么赔 月薪8000
没签合同干了8个月双倍工资赔多少
裁员名单什么时候公布
我主动辞职违约金要赔公司多少 干了两年
N+1和2N有什么区别
经济补偿金封顶是多少倍
劳动仲裁赔偿多久到账
老板跑路了欠我们班组八个人三个月工资十来万
租房合同没到期房东赶我走赔多少 住了2年
竞业限制补偿每月多少 工资2万
买的手机坏了赔多少 用了3个月
拆迁补偿怎么算 住了20年
离婚补偿多少 结婚8年
裁员补偿基数是税前还是税后
代通知金怎么算
个税起征点是多少
工资多少要交税
工资超过5000才交税吗
个税税率表
月薪多少以上开始交税
专项附加扣除怎么填
赡养老人一个月扣多少
子女教育能扣多少 两个孩子
个税怎么退税
年终奖怎么交税
年终奖单独计税划算吗
汇算清缴什么时候开始
汇算清缴要补税2000元怎么办
退税3000多久到账
收入不超过12万要不要汇算
房贷利息每月1000能抵多少税
卖房子100万交多少税
买房契税90平交多少
房租收入3000要交多少税
开公司一年收入50万交多少税
个体户月收入2万要交多少税
中彩票1万扣多少税
劳务报酬5000扣多少税
退休金8000要交税吗
到手8000税前是多少 交多少税
加班工资怎么算
我一个月底薪四千加班费两千,五天假没歇,一天是按四千算还是按六千算
加班费几倍
周末加班给双倍吗
法定节假日加班三倍工资吗
国庆加班几天是三倍
公司加班不给加班费怎么投诉
每天加班3小时合法吗
加班费按基本工资还是全额算
加班一个月不能超过多少小时
周末加班一天可以调休吗
加班费不发 月薪6000 去哪告
晚上十点还在加班施工噪音找谁
我家孩子76年3月的出生证明怎么补
护照2019年3月办的什么时候到期
驾驶证干了6年换证要多少钱
公积金月缴1500能贷多少
工资8000公积金交多少
医保交了7年能报多少
养老保险交了15年能领多少钱
最低工资是多少
低保标准一个月多少钱
工资8000能申请公租房吗
生育津贴工资6000能领多少
我工资被拖欠三个月了怎么办
孩子2019年9月出生什么时候上学
电动车上牌要多少钱
俺61年男农民啥时候领养老金
1990年参加工作,工龄36年,能退休吗
我68年8月,男,高温作业,什么时候退休
我七月份能退休吗
我妈是1974年的村民 几岁可以拿养老保险
1963年2月男的退休了吗
失业保险我交了5年公司交了3年能领几个月
领了6个月失业金又上班2年又失业能领几个月
失业金领24个月要交几年
我交了8年的失业险 失业金一般多久能下来
我交了2年社保,自己离职的,失业金能领几个月
工作20年休10天年假合理吗
年假15天要工作多少年
公司赔我2N是不是要交税 干了5年工资1万
裁员补偿8万要交多少税
保姆干了三年被辞退赔多少
试用期一个月被辞退能给多少工资
我6000工资公司扣我500税对不对
我月薪8千 男朋友年薪20万 结婚能少交税吗
去年收入11万,补税1200要交吗
外卖员月入9000要交个税吗
卖车5万交多少税
我一个月休4天工资5000有加班费吗
一天工资200周末加班算多少
加班到晚上10点打车费多少能报
我被裁了,干了十年,以后医保怎么交
12345
你好
那能领多久
工资
""".splitlines()


@pytest.mark.parametrize(("text", "calculator", "inputs"), POSITIVE, ids=[one[0] for one in POSITIVE])
def test_a_question_with_figures_is_recognised(text: str, calculator: str, inputs: dict[str, str]) -> None:
    request = recognise(text, TODAY)
    assert request is not None
    assert request.calculator == calculator
    assert dict(request.inputs) == inputs


@pytest.mark.parametrize("text", NEGATIVE)
def test_a_general_question_is_not(text: str) -> None:
    assert recognise(text, TODAY) is None


def test_there_are_enough_phrases() -> None:
    assert len(POSITIVE) >= 80 and len({one[0] for one in POSITIVE}) == len(POSITIVE)
    assert len(NEGATIVE) >= 120 and len(set(NEGATIVE)) == len(NEGATIVE)
    assert {one[1] for one in POSITIVE} == set(CALCULATORS)


@pytest.mark.parametrize(("text", "calculator", "inputs"), POSITIVE, ids=[one[0] for one in POSITIVE])
def test_what_is_recognised_can_be_worked_out_or_asked_for(text: str, calculator: str, inputs: dict[str, str]) -> None:
    request = recognise(text, TODAY)
    assert request is not None
    needed = CALCULATORS[calculator]
    for name, told in request.inputs.items():
        assert needed.field_named(name).parse(told, today=TODAY) is not None
    if all(one.name in inputs for one in needed.fields if not one.optional) and needed.next_field(inputs) is None:
        assert needed.compute(request.inputs, today=TODAY).headline


def test_the_year_alone_is_kept_as_a_hint() -> None:
    request = recognise("我七五年的男的多大岁数退休", TODAY)
    assert request is not None and request.hints == {"birth": "1975"}


def test_a_long_story_is_no_sum() -> None:
    assert recognise("我76年3月的女工人啥时候退休" + "啊" * 200, TODAY) is None


@given(st.text(max_size=210) | st.lists(st.sampled_from([*"一二三五八十百千万两半年月日天岁的了干交76,。", "退休", "失业金", "年假", "裁员", "赔多少", "工资", "个税", "加班", "几个月", "女工人"]), max_size=30).map("".join))  # fmt: skip
def test_no_text_breaks_it(text: str) -> None:
    request = recognise(text, TODAY)
    if request is not None:
        assert set(request.inputs) <= {field.name for field in CALCULATORS[request.calculator].fields}


ASKED_FOR: list[tuple[str, str, dict[str, str], dict[str, str]]] = [
    # An amount that can be read in two ways
    ("月薪八九千扣多少税", "monthly_tax", {}, {}),
    ("月薪8000-10000扣多少税", "monthly_tax", {}, {}),
    ("月薪8000到一万扣多少税", "monthly_tax", {}, {}),
    ("8000-10000块工资扣多少个税", "monthly_tax", {}, {}),
    ("月薪1,0000扣多少税", "monthly_tax", {}, {}),
    ("月薪1000O扣多少税", "monthly_tax", {}, {}),
    ("月薪10000¹扣多少税", "monthly_tax", {}, {}),
    ("月薪10 000扣多少税", "monthly_tax", {}, {}),
    ("以前月薪8000，现在月薪10000，扣多少税", "monthly_tax", {}, {}),
    ("月薪20000，社保1500公积金2400，个税多少", "monthly_tax", {"wage": "20000"}, {}),
    ("年终奖3万-5万扣多少税", "bonus_tax", {}, {}),
    ("年薪二三十万扣多少税", "annual_tax", {}, {}),
    ("月薪八九千,5天年假没休,补多少钱", "leave_pay", {"days": "5"}, {}),
    ("月薪6000,剩5天半年假没休,补多少钱", "leave_pay", {"wage": "6000"}, {}),
    # Hours of two kinds of day, or of several days
    ("月薪6000，周六周日各加班8小时，加班费多少", "overtime", {"wage": "6000"}, {}),
    ("月薪8000，连续3个周六加班8小时，加班费多少", "overtime", {"wage": "8000"}, {}),
    ("周六和国庆当天加班8小时，月薪8000，加班费多少", "overtime", {"wage": "8000"}, {}),
    ("周六加班8小时30分钟，月薪8000，加班费多少", "overtime", {"wage": "8000"}, {}),
    ("周六加班三四个小时，平时加班5小时，月薪8000,加班费多少", "overtime", {"wage": "8000", "weekday": "5", "holiday": "0"}, {}),
    ("周六晚上加班8小时，月薪8000，加班费多少", "overtime", {"wage": "8000", "weekday": "0", "restday": "8", "holiday": "0"}, {}),
    # A day that is told in part, or that no calendar has
    ("2026年7月入职，累计工作12年，今年年假多少天", "annual_leave", {"worked": "144个月"}, {"joined": "2026-07"}),
    ("今年刚换的工作，累计工作12年，今年年假多少天", "annual_leave", {"worked": "144个月"}, {"joined": ""}),
    ("2026年2月29日入职，累计工作12年，今年年假多少天", "annual_leave", {"worked": "144个月"}, {"joined": ""}),
    ("工作20年，准备离职，年假还剩几天", "annual_leave", {"worked": "240个月"}, {"left": ""}),
    ("工作12年，2019年7月1日入职，今年年假多少天", "annual_leave", {"worked": "144个月"}, {}),
    ("2019年7月1日入职，今年年假多少天", "annual_leave", {}, {}),
    ("2016年11月参加工作，年假几天", "annual_leave", {}, {}),
    ("工作20年，6月30日离职，休了两天半，年假还剩几天", "annual_leave", {"worked": "240个月", "left": "2026-06-30", "taken": "两天半"}, {}),
    # A time that ends nobody knows when, or on the border of a half year
    ("2019年3月入职，去年被裁，月薪10000，赔多少", "severance", {"wage": "10000"}, {}),
    ("2019年3月入职，6月30日被裁，月薪10000，赔多少", "severance", {"wage": "10000"}, {}),
    ("2019年5月入职，现在被裁，月薪10000，赔多少", "severance", {"wage": "10000"}, {}),
    ("2020年11月21日入职，现在被裁，月薪10000，赔多少", "severance", {"wage": "10000"}, {}),
    ("2020年10月25日入职，现在被裁，月薪10000，赔多少", "severance", {"service": "72.9个月", "wage": "10000"}, {}),
    ("干了3到5年被辞退，月薪10000，赔多少", "severance", {"wage": "10000"}, {}),
    ("干了5年或6年被辞退，月薪10000，赔多少", "severance", {"wage": "10000"}, {}),
    ("2024年收入15万要交多少税", "annual_tax", {"wages": "150000", "year": "2024"}, {}),
]  # fmt: skip
"""What the question tells for certain, and what it tells in part: the rest is asked for"""


@pytest.mark.parametrize(("text", "calculator", "inputs", "hints"), ASKED_FOR, ids=[one[0] for one in ASKED_FOR])
def test_what_is_uncertain_is_asked_for(
    text: str, calculator: str, inputs: dict[str, str], hints: dict[str, str]
) -> None:
    request = recognise(text, TODAY)
    assert request is not None
    assert (request.calculator, dict(request.inputs), dict(request.hints)) == (calculator, inputs, hints)


@pytest.mark.parametrize("text", ["5月入职，月薪20000，8月扣多少个税", "月薪6000,5、6天年假没休,补多少钱"])
def test_what_a_calculator_cannot_know_is_left_to_the_answers(text: str) -> None:
    assert recognise(text, TODAY) is None
