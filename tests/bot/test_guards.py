"""The guards on what people really write: danger and questions about danger, humans and 人工智能, options and numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import danger, guards

FIRE = """
着火了快来人 我家着火了 厨房起火了怎么办 隔壁着火了，火很大 电动车在楼道里烧起来了 电表箱冒烟了 失火了！ 油锅着火啦
山上起火了 楼下车棚着火了，快派消防车 插座冒黑烟 着火了打什么电话 救火啊 我们楼发生火灾了
"""
GAS = """
煤气漏了好大味道 家里有煤气味 闻到一股天然气味 燃气泄漏了怎么办 厨房天然气在漏 液化气罐漏气 满屋子煤气味 漏煤气了
好像煤气泄露了，头晕
"""
RESCUE = """
我被困在电梯里了 电梯卡住了人出不来 有人掉河里了 小孩掉进窨井了 房子塌了有人埋在下面 有人落水了 我们被困在山上了
电梯困人了快来
"""
MEDICAL = """
孩子噎住了喘不上气 我爸晕倒了叫不醒 老人摔倒起不来了 我老公心脏病犯了 有人口吐白沫在抽搐 我妈喝农药了 他没有呼吸了
老婆要生了 羊水破了怎么办 孩子误食了老鼠药 流血不止怎么办 有人触电了 奶奶中风了 胸口剧痛喘不上来气 快叫救护车
被蛇咬了 人快不行了 工友从架子上摔下来不动了
"""
POLICE = """
我被人打了流血了 有人拿刀砍人 有人抢劫 我被绑架了 楼下有人打架 我老公正在打我 家里进贼了 有人撬我家门 小孩不见了
孩子走丢了怎么办 有人一直跟踪我 他要杀我 我被抢了 我妈走丢了，她有老年痴呆 两伙人打起来了 我被关在传销窝点出不来
有人要强奸我 被人捅了
"""
TRAFFIC = """
出车祸了 我被车撞了 高速上追尾了 前面翻车了 撞到人了怎么办 我刹车失灵了 刚刚发生交通事故了有人受伤
"""
SUICIDE = """
我不想活了 活着没意思 我想死 我想自杀 不如死了算了 我准备跳楼 活不下去了 想一死了之 我已经割腕了 遗书都写好了
我想结束自己的生命 没人管我，我就去跳楼 昨天开始我就不想活了 我想自杀有没有热线 欠了太多贷款，不想活了
申请低保没通过，真活不下去了 要是还不给解决我就死给你们看
"""
JUMPER = """
有人要跳楼 楼顶有个女的要跳楼 桥上有人想轻生 站在天台要跳下去
"""

MORE_DANGERS = """
快点救人啊，房子烧着了 有火，好大的烟 我闻到燃气的味道头好晕 我家灶台一直有煤气的臭味 我老婆晕过去了怎么办啊
宝宝吃花生卡住了脸都紫了 我爸突然说不出话半边身子动不了 老人摔了一跤头破了一直流血 有人跳河了 我想从楼上跳下去
我不想活下去了 好想死 活着太累了想结束 我撑不下去了想死 有个男的在砸我家门 我被一个陌生男的跟踪了 有人要打我
我老公喝醉了打我和孩子 邻居拿菜刀追我 隔壁在吵架打人救命 女儿三岁在商场不见了 我奶奶出门一天没回来找不到了
前面大货车翻了 我撞了一个老人 两车相撞有人流血了 有人被车轧了 电动车撞了我，腿动不了 触电了一个工人倒地上
孩子把硬币吞下去了喘气困难 我妈煤气中毒了 有人溺水 孩子掉进游泳池没动静了 我被锁在电梯里好久了 楼塌了 着大火了
火烧到隔壁了 仓库爆炸了 有人在我家楼下烧起来了 火灾！！！ 我割腕了流了很多血 吃了一瓶安眠药 救命啊 被人砍了一刀
有人抢我包 有人强行闯进我家 我被网贷逼得活不下去了 孩子高烧抽搐了怎么办 我爷爷没气了 心脏好痛喘不过气
烫伤很严重快来救护车 我们小区起火了，浓烟都飘到我家了 车库有辆电瓶车烧着了 煤气罐在嗤嗤漏气 燃气味道很重不敢开灯
我掉到坑里爬不上来 山洪来了我们被困屋顶 孩子吃药过量了 我奶奶突然倒地不省人事 老公胸口疼出冷汗 孕妇出血了快来人
他割腕自杀了 我不想再活在这个世界上了 有人在天桥上要往下跳 一群人在围殴一个学生 前夫拿刀堵在我家门口 有人闯进我家了
我的孩子被人抱走了 我家小孩放学没回来，找不到了 路口两辆车撞了有人受伤 摩托车撞人跑了 车子冲进人群了
水里有个人在挣扎快救人 工地塌方压了人 触电了！人倒了 我活着还有什么意思 心里太苦了想一了百了 电线杆冒火花着火了
有人中暑昏倒了 我老公打我打得好厉害 救救我，我被人关起来了 我楼上那户窗户往外喷火 阳台的衣服烧着了，快点来
锅里油烧起来了不知道咋办 灶台那边呲呲响煤气味好重 家里液化气瓶漏了怎么关都关不上 我婆婆从楼梯滚下去了不动了
孩子被热水烫伤一大片 我爸喝了半瓶敌敌畏 我同事突然倒在地上抽 老人吃汤圆噎得说不出话 有人在小区里拿刀乱砍
我被前男友堵在家里他要打死我 一个男的要把我拖上车 我家门被人踹开了 我孙子在公园走丢了半小时了 高速上几辆车撞一起了
刚撞了个骑电动车的，他躺地上了 有个大爷被公交车撞倒了 小孩掉冰窟窿里了 我在山上迷路了，天黑了下不去
电梯突然停了我们六个人关在里面 活着真没意思，想走了 我不想活了，药都准备好了 我把遗书写好了，再见
我儿子站在楼顶不肯下来 实在活不下去了 我快死了救救我 我吃了好多药想死
我家起火了快来 楼道里全是烟，我们下不去 车子自燃了 我闻到家里有股煤气味，人有点恶心 热水器漏煤气 我爸突然昏迷了
孩子从阳台掉下去了 老人走路被电动车撞了流了好多血 我妈心梗发作了 宝宝呛奶了不呼吸 我老婆大出血 有人割腕
我想一了百了 我真的撑不下去了不想活 我不想再受折磨了让我死吧 我室友说要跳楼 有人持刀伤人 我被人尾随了好怕
我被男朋友打得鼻青脸肿 家里有陌生人闯进来了 我儿子被人拐走了 刚才撞车了对方司机跑了 前面连环追尾有人被困车里
有小孩掉进水库了 我们的船翻了 工友被埋在土里 电梯掉下来了里面有人 有人在放火
"""
"""Written after the patterns, to see what they miss."""

QUESTIONS = """
失火罪判几年 消防验收怎么申请 煤气公司电话是多少 天然气涨价了吗 心梗能办慢性病门诊吗 孕妇可以申请调岗吗
交通事故多久能拿到赔偿 自杀身亡保险赔付吗 家庭暴力能离婚吗 打架被行政拘留影响政审吗 孩子走失报警需要24小时吗
电动车自燃谁赔 溺水警示牌哪个部门管 抢劫银行判多少年 我的包被偷了怎么补身份证 小区电梯总坏怎么投诉
医院抢救不及时怎么维权 被车撞伤住院费谁垫付 割腕留疤能当兵吗 救护车出车收费标准 地震预警怎么开 灭火器过期了怎么处理
家里失火后能申请临时救助吗 自杀预防热线是多少? 车祸后工伤认定怎么办 火灾怎么逃生 房子着火了保险赔吗
去年家里着火房产证烧了怎么补办 煤气泄漏谁负责 燃气报警器有补贴吗 煤气多少钱一方 天然气怎么开户 燃气安检多久一次
电动车着火了物业要负责吗 楼道堆东西容易着火找谁管 消防通道被占怎么举报 起火原因认定书去哪里拿 打架会被拘留几天
被人打了怎么要赔偿 被打了医药费医保报销吗 家暴怎么申请人身保护令 老公家暴离婚怎么起诉 小区有小偷建议装监控
身份证被抢了怎么补办 抢劫罪判几年 电信诈骗被骗了钱怎么追回 车祸责任怎么认定 追尾谁负责 交通事故扣几分
撞车了保险怎么理赔 酒驾怎么处罚 肇事逃逸判几年 老人走失了怎么申请救助站帮助 老人摔倒了物业有责任吗
孩子在学校受伤了怎么赔 食物中毒找哪个部门投诉 生孩子能报销多少 快要生了怎么办准生证 我要生二胎需要什么手续
心脏病能办残疾证吗 癫痫病人能考驾照吗 自杀保险赔吗 意外溺水保险赔不赔 溺水怎么预防 电梯困人物业要负责吗
电梯年检多久一次 地震后房屋鉴定找谁 洪水淹了庄稼有补贴吗 老板打我工资拖了两个月怎么办 工资打我卡上要交税吗
上班路上被车撞了算工伤吗 上个月被人打了，派出所一直不处理 如果发生火灾应该打什么电话 遇到家暴怎么办
消防演练多久一次 养老金什么时候能领 失业金怎么领 烟花爆竹几点能放 在小区烧烤冒烟扰民找谁 我被狗咬了去哪打疫苗
120救护车怎么收费 救命钱什么时候到账 救助金怎么申请 想死你们了 热死了什么时候发高温补贴 烦死了一直打不通电话
工地噪音吵死了 办个证跑断腿 孩子户口丢了怎么补 户口本不见了怎么办 身份证丢了咋补办 学生跳楼学校要赔偿吗
跳楼算工亡吗 医院抢救费用能报销吗 工伤摔断腿能赔多少 无人机坠毁砸车谁赔 高空抛物砸到车怎么维权 邻居打孩子可以举报吗
被打了可以申请法律援助吗 公交车上东西被偷了怎么报案 入室盗窃多少钱立案 火化费用多少 消防证怎么办理
液化气罐多久检测一次 喝酒后多久能开车 流动人口怎么登记 流产假有几天 触电死亡工伤怎么赔 着火点离林区多远算违规
家里被火烧了房子没了能住公租房吗 火灾后房屋重建有补助吗 消防安全重点单位怎么认定 邻居电动车飞线充电怕着火
室内停放电动车罚多少 燃气费怎么缴 天然气改造多少钱一户 煤气证怎么过户 燃气热水器补贴怎么领 车祸伤残鉴定去哪做
交通事故责任认定书不服怎么办 酒后被打受伤能用医保吗 被家暴了去哪个部门求助 校园霸凌打人怎么处理 打架斗殴留案底吗
孩子走失备案怎么弄 老人黄手环在哪领 自杀算工伤吗 精神病人伤人谁负责 抑郁症能办慢病吗 心理咨询热线是多少
精神残疾证怎么办 溺亡学生学校要赔钱吗 急救证怎么考 急救中心招聘吗 救护车收费标准 生孩子报销比例 剖腹产能报多少
我老婆要生了产假多少天 快生了可以提前休产假吗 农药经营许可证怎么办 安眠药属于处方药吗 电梯坏了没人修怎么办
高层电梯加装补贴 掉头发能报销吗 我驾照掉了怎么补 身份证掉水里了怎么换 车被刮了怎么报保险 电动车上牌 机动车报废补贴
违章停车罚款怎么交 公交卡丢了怎么办 孩子上学户口在外地怎么办 我被公司开除了怎么办 被裁员能领多少失业金
我被骗了五千块怎么报警 网上被骗钱能追回吗 诈骗多少钱可以立案 有人打架我能报警吗 见义勇为奖励怎么申请 消防员待遇
森林防火期是几月 烧秸秆罚多少钱 楼上漏水怎么办 水管爆了找谁修 停电了怎么报修 煤气灶以旧换新补贴 想死亡证明怎么开
我爸去世了丧葬费怎么领 死了人户口怎么注销 我想活动中心报名 噪音吵得我快疯了 工地天天半夜施工烦死了 楼下烧烤油烟好大
小区着火通道被堵 着火的房子还能过户吗 火灾隐患找谁举报 燃气灶没有熄火保护违规吗 我家天然气点不着火怎么报修
电梯困人有没有应急电话规定 被车撞了对方全责怎么索赔 肇事司机跑了怎么办赔偿 孩子被同学打了学校不管 家暴告诫书怎么开
报警回执怎么打印 被打轻微伤能要多少赔偿 110报警记录能查吗 怎么考消防证 急诊费用医保报吗 吐血住院报销比例
中风后遗症能办残疾证吗 抑郁症自杀倾向可以办休学吗 殡葬费多少 落水狗谁管 溺水死亡赔偿 食品中毒投诉
丢了孩子的出生证怎么补 车被砸了玻璃保险报吗 被困疫情滞留有补助吗 夜里有人敲门扰民 小偷偷了电瓶车能不能追回
物业打人怎么投诉 邻居家暴我能帮忙报警吗 跳楼机年检归谁管 见义勇为受伤谁赔 水淹车保险赔吗 刀具管制条例
烧伤科在哪个医院医保定点 小孩烫伤意外险怎么报 着凉发烧能不能线上开药 火灾公众责任险必须买吗 燃气公司上门收费合理吗
燃气壁挂炉多少年报废 邻居电瓶车充电冒火花谁来管 火灾证明派出所给开吗 独居老人没人照顾怎么申请上门服务
走失儿童DNA采血去哪里 打架双方都受伤怎么判 被打后轻伤二级赔多少 刑满释放人员有低保吗 被公司强迫加班怎么维权
堵车太严重反映一下 车撞坏护栏怎么赔 交通事故快处快赔怎么弄 摩托车驾照考试 电动车撞人没保险怎么办 游泳救生证怎么考
溺水孩子学校没责任吗 重大疾病能申请救助吗 晕倒住院费谁出 抢购消费券时间 抢修停水几点恢复 跳广场舞扰民
爆竹爆炸伤人怎么赔 井盖丢了找谁 路面塌了个坑没人修 老人迷路手环怎么领 活不下去了的困难户有什么救助政策
"""


def texts(block: str) -> list[str]:
    return block.split()


@pytest.mark.parametrize(
    ("phone", "text"),
    [
        (phone, text)
        for phone, block in {
            "119": FIRE + GAS + RESCUE,
            "120": MEDICAL,
            "110": POLICE + JUMPER,
            "122": TRAFFIC,
            "12356": SUICIDE,
        }.items()
        for text in texts(block)
    ],
)
def test_danger_is_recognised_with_the_right_phone(phone: str, text: str) -> None:
    kinds = guards.dangers(text)
    assert kinds and phone in danger.card(kinds).phones
    assert phone in danger.card(kinds).text


@pytest.mark.parametrize("text", texts(MORE_DANGERS))
def test_danger_is_recognised(text: str) -> None:
    assert guards.dangers(text)


@pytest.mark.parametrize("text", texts(QUESTIONS))
def test_a_question_about_danger_is_a_question(text: str) -> None:
    assert not guards.dangers(text)


@pytest.mark.parametrize("text", texts("他割腕自杀了 我儿子说不想活了 我朋友想自杀怎么办"))
def test_who_worries_about_another(text: str) -> None:
    assert guards.dangers(text) == ("suicide_other",)


def test_two_dangers_give_both_phones() -> None:
    assert {"120", "122"} <= set(danger.phones_of(guards.dangers("出车祸了，有人流血不止")))


@pytest.mark.parametrize(
    "text", ["没事了", "已经灭了", "人没事了，谢谢", "找到了", "误会", "虚惊一场", "我就是问问", "开玩笑的", "醒过来了"]
)
def test_it_is_over(text: str) -> None:
    assert guards.over(text)


@pytest.mark.parametrize(
    "text", ["怎么办", "打不通", "还没来", "不安全", "没有", "他没反应了", "我害怕", "好的", "救护车在路上"]
)
def test_it_goes_on(text: str) -> None:
    assert guards.goes_on(text) and not guards.over(text)


@pytest.mark.parametrize("text", ["身份证丢了怎么补办要带什么", "公积金怎么取", "养老金多少", "失业金怎么领呀请问一下"])
def test_another_question_neither_goes_on_nor_ends_it(text: str) -> None:
    assert not guards.goes_on(text) and not guards.over(text)


@pytest.mark.parametrize(
    "text",
    ["我爸去世了丧葬费怎么领", "老伴走了以后养老金还有吗", "我妈上个月病故", "家里老人过世，户口怎么销", "俺爹没了，地归谁", "我女儿身故，学费能退吗"],
)  # fmt: skip
def test_somebody_has_died(text: str) -> None:
    assert guards.tells_of_death(text)


@pytest.mark.parametrize(
    "text",
    ["如果父母去世房子怎么分", "死亡证明怎么开", "老人走丢了", "工亡赔偿标准", "养老金断缴了", "我爸走路摔了", "热死了", "去世后多久销户口"],
)  # fmt: skip
def test_nobody_near_has_died(text: str) -> None:
    assert not guards.tells_of_death(text)


@pytest.mark.parametrize(
    "text",
    texts("""
转人工 我想找人工 转接人工 人工服务怎么打 要人工服务 我要投诉你们，转人工 别跟我绕了给我人工 能帮我接一下客服吗 有真人吗 你们有客服吗
打人工电话 叫你们领导来 我想跟你们工作人员说 不跟机器人聊 转人工！！！ 人工呢 人工在哪 真人服务 请帮我接通人工坐席
人工 人工客服 找个真人 接线员 我要和人说话 转接人工服务 人工服务 我要人工 帮我转人工 请转人工客服 怎么转人工
有人工吗 有没有人工客服 能不能转人工 找客服 叫个真人来 我不要机器人 不想跟机器人说话 给我接人工 帮我找个人工客服吧
说了半天没用，转人工 人工人工 要人工。 换人工 联系工作人员 我要跟真人聊 直接转人工谢谢 麻烦转一下人工
"""),
)
def test_wants_a_human(text: str) -> None:
    assert guards.wants_human(text)


@pytest.mark.parametrize(
    "text",
    texts("""
人工智能培训补贴 人工客服工作时间 客服电话是多少 企业要招工作人员 社区工作人员工资多少 找工作 要工作证明 联系工作单位开证明 找人力资源局 请问人工关节报销多少 公积金客服电话 我想请工作人员上门办身份证 残疾人需要工作人员上门评残吗 换个人所得税手机号
人工智能企业有什么补贴 人工审核要多久 人工流产能休几天假 人工费怎么算 做人工授精能报销吗 人工耳蜗能报销吗
人工成本太高有减税吗 转人工审核要几天 接线员态度差我要投诉 我想应聘接线员 人工湖归谁管 客服人员招聘条件 你是真人吗
人工繁育许可证怎么办 人工增雨什么部门管 找工作有补贴吗 养老金怎么领 工作人员不作为怎么举报 人工窗口办理需要预约吗
人社局工作人员编制怎么考 人才引进政策
"""),
)
def test_does_not_want_a_human(text: str) -> None:
    assert not guards.wants_human(text)


@pytest.mark.parametrize(
    "text",
    texts(
        """
算了 算了吧 不填了 取消 退出 不登记了 不用了谢谢 那算了 我不投诉了 取消登记 不想填了 先不填了 没事了 停止
不办了，谢谢 结束吧
"""
    ),
)
def test_leaves_the_form(text: str) -> None:
    assert guards.leaves_form(text)


@pytest.mark.parametrize(
    "text",
    texts(
        """
我家楼下噪音太大 取消公交线路要听证吗 算了一笔账不对 13812345678 岳麓区 是的 跳过 退出医保怎么办理 不用身份证能办吗
停车费太贵 结束劳动合同要赔偿吗
"""
    ),
)
def test_stays_in_the_form(text: str) -> None:
    assert not guards.leaves_form(text)


@pytest.mark.parametrize(
    "text",
    texts(
        """
是 是的 对 嗯嗯 好的 可以 确认 确认提交 提交吧 没错 没问题 OK 行 好呀 要的 同意 当然可以
"""
    ),
)
def test_yes(text: str) -> None:
    assert guards.is_yes(text) and not guards.is_no(text)


@pytest.mark.parametrize(
    "text",
    texts(
        """
不 不是 不对 不要 不用 否 没有 不行 错了 不需要 不是的 不同意 No
"""
    ),
)
def test_no(text: str) -> None:
    assert guards.is_no(text) and not guards.is_yes(text)


@pytest.mark.parametrize(
    "text",
    texts(
        """
是不是要交社保 好的社区怎么申请 可以异地办吗 要什么材料 不要社保可以吗 对公账户怎么开 行政复议 没有身份证怎么办 好
"""[:-2]
    ),
)
def test_neither_yes_nor_no(text: str) -> None:
    assert not guards.is_yes(text) and not guards.is_no(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1), ("２", 2), ("②", 2), ("三", 3), ("二。", 2), ("第2个", 2), ("第二个", 2), ("选三", 3), ("选第3个", 3), ("我选1", 1), ("2号", 2), ("第一个吧", 1), ("4.", 4),
        ("我要问第二个", 2), ("就第一个", 1), ("选项2", 2), ("第 3 项", 3), ("1、", 1), ("九", 9), ("最后一个", -1), ("最后一项吧", -1), ("倒数第一个", -1), ("选最后一个", -1),
        ("头一个", 1), ("最上面那个", 1), ("上面那一条", 1), ("前面的那个", None), ("最下面那个", -1), ("底下那条", -1), ("上面的都不是", None), ("底下那个烧烤摊", None),
        ("10", None), ("0", None), ("12", None), ("2个孩子", None), ("一个", None), ("两个", None), ("第二代身份证", None), ("三孩补贴", None), ("1月份的", None), ("2024", None), ("第2个孩子能报销吗", None),
        ("", None), ("最后一次机会", None), ("二手房过户", None), ("第十个", None), ("13812345678", None),
    ],
)  # fmt: skip
def test_option_number(text: str, number: int | None) -> None:
    assert guards.option_number(text) == number


@pytest.mark.parametrize(
    "text",
    texts(
        """
以上都不是 都不是 都不对 以上都不是。 没有我要问的 都不符合 没有一个对的 一个都不是 这些都不是 不是我要问的
其他问题 换一批
"""
    ),
)
def test_none_of_these(text: str) -> None:
    assert guards.none_of_these(text)


@pytest.mark.parametrize(
    "text",
    texts(
        """
1 第一个 没有身份证怎么办 父母都没有社保怎么办理居民医保呢请问 其他问题怎么咨询 不是本地户口能买房吗 养老金
"""
    ),
)
def test_not_none_of_these(text: str) -> None:
    assert not guards.none_of_these(text)


@pytest.mark.parametrize(
    ("text", "phone"),
    [
        ("13812345678", "13812345678"), ("我的电话是138 1234 5678", "13812345678"), ("１３８－１２３４－５６７８", "13812345678"), ("+86 13812345678", "13812345678"), ("8613812345678", "13812345678"),
        ("0731-88881234", "0731-88881234"), ("073188881234", "0731-88881234"), ("(010)88881234", "010-88881234"), ("020 8888 1234", "020-88881234"), ("0512-6888123", "0512-6888123"),
        ("幺三八零零一三八零零零", "13800138000"), ("电话13812345678，急", "13812345678"),
        ("12345", None), ("1381234567", None), ("138123456789", None), ("43010219900307123X", None), ("20261228123456", None), ("没有电话", None), ("12812345678", None), ("88881234", None),
    ],
)  # fmt: skip
def test_phone_in(text: str, phone: str | None) -> None:
    assert guards.phone_in(text) == phone


@given(st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True), st.sampled_from(["", " ", "-", "　", "－"]))
def test_any_mobile_is_found_however_it_is_split(phone: str, separator: str) -> None:
    assert guards.phone_in("电话" + separator.join([phone[:3], phone[3:7], phone[7:]]) + "，谢谢") == phone


def test_ticket_number_and_code() -> None:
    text = "查一下２０２６１２２８１２３４５６，查询码 004211"
    assert guards.ticket_number_in(text) == "20261228123456"
    assert guards.query_code_in(text) == "004211"
    assert guards.query_code_in("20261228123456 004211") == "004211"
    assert guards.query_code_in("20261228123456") is None
    assert guards.query_code_in("410100 100000") is None
    assert guards.query_code_in("20261228123456 0042 1170") == "00421170"
    assert guards.query_code_in("20261228123456，查询码是00421170，20261128登记的") == "00421170"
    assert guards.query_code_in("20261228123456，电话0731-88881234") is None
    assert guards.query_code_in("20261228123456 0042117") is None
    assert guards.ticket_number_in("13812345678") is None


@given(
    st.from_regex(r"[0-9]{8}|[0-9]{6}", fullmatch=True), st.sampled_from([" ", "，查询码", "，", "\n码：", " 查询码是"])
)
def test_any_code_is_found_behind_its_number(code: str, between: str) -> None:
    text = f"20261228123456{between}{code}"
    assert (guards.ticket_number_in(text), guards.query_code_in(text)) == ("20261228123456", code)
    assert guards.phone_tail_in(text) is None


@pytest.mark.parametrize(
    ("text", "tail"),
    [
        ("5678", "5678"), ("５６７８", "5678"), ("尾号5678", "5678"), ("后四位是 5678", "5678"), ("13812345678", "5678"), ("0731-88885678", "5678"),
        ("20261228123456 004211 尾号5678", "5678"), ("20261228123456 004211 5678", "5678"),
        ("没有", ""), ("没有留", ""), ("没留电话", ""), ("当时没有填", ""), ("无", ""), ("没电话", ""),
        ("20261228123456 00421170", None), ("20261228123456 0042 1170", None), ("567", None), ("2026年登记的", None), ("身份证怎么补办", None), ("没有查到吗", None),
    ],
)  # fmt: skip
def test_the_end_of_a_phone_number(text: str, tail: str | None) -> None:
    assert guards.phone_tail_in(text) == tail


@given(st.text(max_size=300))
def test_any_text_is_read_without_an_error(text: str) -> None:
    guards.dangers(text)
    guards.speaks_of_danger(text)
    guards.over(text)
    guards.goes_on(text)
    guards.tells_of_death(text)
    guards.wants_human(text)
    guards.leaves_form(text)
    guards.none_of_these(text)
    assert guards.option_number(text) in {None, -1, *range(1, 10)}
    assert len(guards.query_code_in(text) or "six six") in (6, 7, 8)
    assert len(guards.phone_tail_in(text) or "") in (0, 4)
    assert guards.ticket_number_in(text) is None or len(guards.ticket_number_in(text) or "") == 14


@pytest.mark.parametrize(
    ("text", "most", "kept"),
    [
        ("电话13800001111", 6, "电话"),
        ("电话13800001111", 13, "电话13800001111"),
        ("欠我10,000元", 5, "欠我"),
        ("欠我一万二千元", 4, "欠我"),
        ("欠我10000元还不还", 8, "欠我10000元"),
        ("9" * 50, 40, "9" * 40),
        ("短", 5, "短"),
    ],
)
def test_a_text_is_not_cut_inside_a_number(text: str, most: int, kept: str) -> None:
    assert guards.beginning(text, most) == kept
    assert guards.ending(text[::-1], most) == kept[::-1]


@pytest.mark.parametrize(
    "said",
    [
        "没有危险，我想咨询",
        "没有危险，我想问政策",
        "我只是想咨询一下",
        "没事，就是问问",
        "不是急事，想问个问题",
        "误会了，我只是问一下政策",
    ],
)
def test_who_only_asks_says_so(said: str) -> None:
    assert guards.only_asks(said)


@pytest.mark.parametrize(
    "said",
    [
        "没有",
        "没有危险",
        "没事了",
        "我想问我妈喘不上气怎么办",
        "没有危险了，孩子找到了",
        "没有危险，我想咨询一下孩子走丢了",
        "",
    ],
)
def test_whoever_says_more_or_less_than_that_does_not(said: str) -> None:
    assert not guards.only_asks(said)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("13812345678", True),
        ("我的电话138 1234 5678", True),
        ("0731-88881234", True),
        ("住房租金 个税扣除 1500 1100 800", False),
        ("每月1500 1100 800", False),
        ("没有号码", False),
    ],
)
def test_amounts_beside_one_another_are_no_phone(text: str, written: bool) -> None:
    assert guards.writes_phone(text) is written
