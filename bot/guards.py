"""Deterministic readings of a message that must not depend on a model: danger, the wish for a human, leaving a form,
yes and no, option numbers, phone and ticket numbers.

They are patterns over the message's plain form (half-width, no spaces).  A question *about* danger is still a question:
家里失火后能申请临时救助吗 is for retrieval, 着火了快来人 is not.
"""

from __future__ import annotations

import re
import unicodedata

from bot.danger import Kind
from bot.masking import LANDLINE, MOBILE, plain_digits

# --- danger ----------------------------------------------------------------------------------------------------------


def _any(*blocks: str) -> re.Pattern[str]:
    """Any of the patterns in these blocks, in which white space parts one from the next."""
    return re.compile("|".join(" ".join(blocks).split()))


_GAS = "(?:煤气|天然气|燃气|液化气|瓦斯|沼气)"
_PERSON = "(?:孙子|孙女|弟弟|妹妹|妹子|孩子|小孩|宝宝|娃|儿子|女儿|老人|老太太|老爷爷|我爸|我妈|爸爸|妈妈|爷爷|奶奶)"

_SUICIDE = _any(
    """
    让我死 不想再受 不想活 活着(?:还)?(?:有什么|有啥|干嘛|干什么|没劲|好难|太难) 活着真没 一了百了 撑不下去
    想(?:彻底)?解脱 不想撑 不想再活 活[着得](?:太|好|真|很)?(?:累|苦)了? (?:想|要|就)从[^,。!?]{0,8}跳 活不下去
    活够了 活腻 不如死了 死了算了 一死了之 活着没(?:有)?(?:什么)?意(?:思|义) 想死(?!你|她|他|我了|机|亡) 去死了?算
    想自杀 要自杀 准备自杀 自杀了 正在自杀 想轻生 要轻生 想不开要
    (?:结束|了结|了断)(?:自己|我)?的?(?:生命|性命|一生|这一切|自己)
    (?:想|要|准备|打算|就)去?(?:跳楼|跳河|跳桥|上吊|割腕|服毒|喝农药) 割腕了 死给你们?看 遗书(?:都|已经)?写好
    写好了?遗书 不想(?:在|留在)这个世(?:界|上) 没(?:有)?勇气活
    """
)

_DANGERS: dict[Kind, re.Pattern[str]] = {
    "suicide_other": _any(
        """
        有人(?:割腕|上吊|服毒) (?:有|个)(?:人|女的|男的|学生|小伙|姑娘|老人|小孩)[^,。!?]{0,6}(?:要|想|准备|闹着?)?(?:跳楼|跳河|跳桥|轻生|自杀)
        (?:要|想|准备)往下跳 (?:站|坐|爬)在?(?:楼顶|天台|桥|窗台)[^,。!?]{0,4}不(?:肯)?下来
        (?:站|坐|爬)在?(?:楼顶|天台|窗台|桥)[^,。!?]{0,6}(?:要跳|想跳|跳下) (?:跳楼|跳河|跳桥|上吊)了
        """,
    ),
    "fire": _any(
        """
        (?:着|起|失)(?:大)?火(?:了|啦|咯|啊|快|,|!|$) 着着火 烧着了 好大的?(?:火|烟) (?:全|都|满屋子?)是?烟 自燃(?:了|,|$|!) (?:在|有人)(?:放火|纵火)
        火[^,。!?]{0,3}烧到 烧到(?:隔壁|楼上|我家|邻居) (?:烧|燃)起来(?:了|啦) 着起来了 (?:火|火势)(?:很|好|太|越来越|特别)大 发生火灾了 火灾(?:!|快|救)
        (?:喷|冒|窜)(?:出)?(?:来)?(?:大)?火
        (?:电表|插座|电线|电箱|电器|空调|屋里|房子|楼道|隔壁|楼上|楼下|电动车|电瓶|充电器)[^,。!?]{0,5}冒(?:黑|浓|白)?烟(?:了|啦)? 冒浓烟 浓烟滚滚 快来救火 救火啊 爆炸了
        (?:燃气|煤气|液化气)罐炸
        """,
    ),
    "gas": _any(
        f"{_GAS}[^,。!?]{{0,8}}(?:漏了|漏气|泄[漏露]|在漏|跑气|味)",
        f"(?:漏|有股?|一股|闻到|满屋)[^,。!?]{{0,8}}{_GAS}[^,。!?]{{0,3}}(?:味|了|$)",
        f"(?:漏|跑){_GAS}",
        f"{_GAS}中毒",
    ),
    "trapped": _any(
        """
        困在(?:了)?(?:电梯|火|水|洪水|山|河|楼|车|屋|房|里面|里头) 被困(?:了|住|在?(?:电梯|山|水|洪|火|车|屋|楼|里))
        电梯[^,。!?]{0,6}(?:困住?(?:人|了|着)|被困|关(?:里面|住)|卡住了?(?:人|我)|出不(?:来|去)) (?:关|卡)在?电梯里
        被(?:反)?[关锁]在了?(?:电梯|车|屋|房间?|家|厕所)里? (?:孩子|小孩|宝宝|老人)[^,。!?]{0,4}反?锁在 电梯[^,。!?]{0,3}(?:坠|掉下)
        [压埋](?:了|住|到|着)(?:好几|几|一|两)?个?(?:人|工人|我) (?:在)?山上?[^,。!?]{0,4}(?:迷路|下不[来去])
        电梯[^,。!?]{0,5}停了[^。!?]{0,8}(?:关|困|出不) (?:房子|楼|房屋|墙|桥|山体|脚手架)[^,。!?]{0,3}(?:塌|倒塌|垮|滑坡)了
        被?(?:埋|压)在(?:下面|底下|里面|土里|废墟)
        """,
    ),
    "drowning": _any(
        """
        (?:掉|落|摔|滑)(?:进|到|下|入)?了?(?:水|河|江|湖|塘|水库|井|窨井|坑|沟|化粪池)里
        (?:掉|落|摔|滑)(?:进|到|下|入)了?[^,。!?]{0,3}(?:水|河|江|湖|塘|井|坑|沟|池) 落水(?:了|啦) 船[^,。!?]{0,2}翻 翻船了 溺水(?:了|啦)
        有人(?:落水|溺水) (?:水|河|江|湖|池|海)里[^,。!?]{0,6}(?:挣扎|扑腾|救命) 掉[^,。!?]{0,2}冰窟窿 洪水(?:来了|进)
        """,
    ),
    "medical": _any(
        """
        呛(?:奶|到|着|住) 不呼吸 从[^,。!?]{0,6}(?:楼|阳台|窗|高处|树|架子|梯子)[^,。!?]{0,4}(?:掉|摔|坠|跌)下 坠楼(?:了|!|,|$)
        (?:胸口|心口|心脏)[^,。!?]{0,3}(?:疼|痛|闷得) (?:孕妇|产妇|下身|下面|鼻子|耳朵|脑袋|头|嘴)[^,。!?]{0,3}(?:出|流)血 中暑 没(?:有)?意识 意识不清
        失去意识 (?:腿|胳膊|手|手指|脚|骨头)[^,。!?]{0,3}断了 (?:倒|躺)(?:在)?地上?[^,。!?]{0,3}(?:抽|不动|了|起不来) [烧烫]伤(?:了)?(?:一)?大[片块]
        噎(?:住|着|到|得) 卡住了?[^,。!?]{0,3}(?:脸|喘|咳) (?:脸|嘴唇)[^,。!?]{0,2}(?:紫|青)了? 喘气困难
        半(?:边|个)?身[子体]?[^,。!?]{0,3}(?:动不了|不能动|没知觉|麻了) 突然[^,。!?]{0,3}(?:说不出话|说不了话|不会说话) 卡(?:住)?(?:喉咙|嗓子|气管)
        (?:喉咙|嗓子|气管)[^,。!?]{0,4}卡住 喘不(?:上|过)来?气 上不来气 呼吸(?:困难|不了|不上来|停) 没(?:有)?呼吸 没(?:有)?(?:气|心跳)了 不省人事
        昏迷(?:了|不醒) (?:晕|昏)(?:倒|过去)(?:了|啦|在) 叫不醒 休克了 (?:心脏病|心梗|脑梗|中风|癫痫|羊癫疯|哮喘|脑溢血)[^,。!?]{0,4}(?:犯|发作|突发|了) 抽搐
        口吐白沫 抽过去 大出血 (?:血流|流血)不止 止不住血 流(?:了)?(?:好|很)多血 (?:都|在|头|一直|直|地上|满)[^,。!?]{0,3}流血 流血了 吐血了?
        (?:老婆|媳妇|爱人|孕妇|我|她)[^,。!?]{0,3}(?:快|马上)?要生了 羊水破 (?:快|人)不行了
        (?:摔|砸|撞|跌|滚)[^,。!?]{0,8}(?:起不来|动不了|不动了|没反应|没动静) (?:胸口|心口|胸)[^,。!?]{0,4}(?:剧痛|痛得|疼得|压得) 叫(?:个)?救护车
        快来[^,。!?]{0,2}救护车 (?:烧|烫)伤[^,。!?]{0,2}严重 派(?:个|辆)?救护车 (?:严重|大面积)(?:烧|烫)伤
        """,
    ),
    "poisoning": _any(
        """
        过量了 把[^,。!?]{0,6}(?:硬币|电池|磁铁|钉子|针|磁珠)[^,。!?]{0,2}吞 吞(?:下|了|进)[^,。!?]{0,6}(?:硬币|电池|磁铁|钉子|针|磁珠)
        (?:中毒|触电|电到|被电)了 (?:喝|吃|误食|误服)了?[^,。!?]{0,4}(?:农药|老鼠药|百草枯|敌敌畏|安眠药|洁厕灵|漂白水) 被(?:毒)?蛇咬
        """,
    ),
    "violence": _any(
        """
        被(?:人)?(?:抢|抢劫|劫持)了
        (?:拿|持|提|带)(?:着)?(?:把|了)?(?:菜|砍|水果)?刀(?:要|在|砍|追|威胁|乱|,|$) 砍人 持刀(?!具) 围殴 (?:正在|在)殴打
        [拿持提举挥][着了]?[^,。!?]{0,2}刀[^,。!?]{0,2}[堵砍追在要指威乱] 堵在?[^,。!?]{0,3}(?:我家|家)(?:里|门) 往死里打
        打得[^,。!?]{0,3}(?:厉害|流血|起不来|惨) 打死(?:我|人) 门被[^,。!?]{0,3}(?:踹|撬|砸) [拖拽拉](?:我)?(?:上|进)了?(?:我)?(?:一辆)?车
        被(?:人|他|她|老公|邻居|同事)[^,。!?]{0,3}[砍捅刺] (?<!树)(?<!木)被砍(?:伤|死|了[一几两好]) 我被砍 打人(?:了|啦|,|!|救)
        抢(?:我|人家?)的?(?:包|钱|手机|东西|孩子|车) 捅(?:了|人|伤|我) 杀人(?:了|啦) 要杀(?:我|人|了|他|她) 开枪 (?:抢劫|抢东西|抢钱|抢包)(?:了|啊|啦|$|!|,)
        (?:有人|在)(?:抢劫|绑架|行凶) 劫持 被[^,。!?]{0,6}(?:打|揍|殴打|群殴)(?:了|伤|得|成|,|$)
        (?:正?在|又在|要|一直|拼命)(?:殴打|揍|打)(?:我|人|架|她|他|孩子|老婆) (?:打|揍)我(?!卡|工资|账|钱|电话|手机|款|们?单位)(?:了|,|$|!|啊|和|还|,)
        打起来了 打架(?:了|啦|,|!|快|$) 打群架 (?:家暴|家庭暴力)[^,。!?]{0,3}(?:我|了|正在) (?:入室|闯进|闯入|破门)[^,。!?]{0,4}(?:我家|了|抢|来)
        (?:撬|砸|踹)(?:我|我家|人家|邻居)?(?:的)?(?:家)?门 (?:进|来)(?:了)?(?:贼|小偷) 抓(?:小偷|贼) (?:强奸|猥亵|性侵)(?:我|了) 要强奸
        (?:跟踪|尾随)(?:我|着我) 被[^,。!?]{0,8}(?:跟踪|尾随) (?:一直|有人|陌生人)(?:在)?(?:跟着|尾随|跟踪)我
        (?:有|发现|放了?)[^,。!?]{0,3}(?:炸弹|炸药|爆炸物)
        """,
    ),
    "abduction": _any(
        """
        被人?拐走 被人抱走 被人?关起来 (?:没回(?:来|家)|走了)[^。!?]{0,10}(?:找不到|联系不上)了? 被(?:人)?(?:绑架|绑|拐|囚禁|非法拘禁)了
        绑架(?:我|了|人) 传销(?:窝点)?[^,。!?]{0,6}(?:关|困|出不来|跑不)
        """,
        f"{_PERSON}[^,。!?]{{0,12}}(?:不见了|走丢|丢了|走失|失踪|找不到了|被抱走|被拐)",
    ),
    "traffic": _any(
        """
        (?:出|发生)(?:了)?(?:车祸|交通事故)(?:了|啦|!|,|快|$) 出了车祸 (?:发生|出)交通事故了 撞车(?:了|啦)
        (?:被|让)(?:一?辆)?[^,。!?]{0,4}车(?:给)?撞(?:了|飞|倒|伤|到|,|$) 撞(?:到|了|倒)?人了 追尾(?:了|啦) 翻车(?:了|啦)
        车[^,。!?]{0,3}撞(?:了|上|人|在|进|到|倒) 撞了[^,。!?]{0,4}(?:人|车的) 冲进人群 车[^,。!?]{0,2}(?:侧?翻了|侧翻)
        车(?:把|给)?撞(?:了|到|倒|伤)(?:我|人|老人|孩子|小孩) 被[^,。!?]{0,5}车[^,。!?]{0,2}(?:轧|压|碾) 刹车失灵
        车子?[^,。!?]{0,4}(?:相撞|撞上|撞一起|撞在一起) (?:撞|轧|碾)(?:了|到|倒|着)(?:一?个)?(?:人|老人|小孩|孩子|电动车|行人)
        """,
    ),
}
"""How people say that it is happening"""

_STRONG = _any(
    """
    救命(?!钱|恩|药|稻草|之) 救救 救我 快来(?:人|救|个人|帮|啊|呀|!|$) 来人(?:啊|呀|哪|!|$) 快派 快(?:来)?救人 快死了
    赶[紧快](?:派|来) 马上(?:派|来) 快点来 (?<!能)(?<!以)(?<!要)帮(?:我|忙)?(?:报警|叫120|叫救护车|打120|打119|打110)
    喘不(?:上|过) 没(?:有)?呼吸 正在(?:着火|烧|砍|打|抢|行凶) 快不行了 血流不止 流血不止 大出血
    """
)
"""Words that say it is now, whatever else is asked in the same breath."""

_TOPIC = _any(
    """
    申请 申领 认定 鉴定 赔 理赔 补助 补贴 津贴 补偿 救助(?!我|一下) 报销 保险 社保 医保 工伤 低保 证明 补办 补领 办理
    手续 材料 流程 条件 标准 规定 政策 法律 条例 法规 责任 负责 谁管 谁来管 垫付 需要[^,。!?]{0,8}吗 影响 归谁
    哪个部门 什么部门 处罚 罚款 罚多少 拘留 判(?:刑|几年|多少|什么) 犯法 违法吗 犯罪 罪 立案 起诉 诉讼 离婚 调解 维权
    扣分 扣几分 定责 抚恤 丧葬 户口 备案 产假 挂失 (?:证|照|卡|手机|钥匙)[^,。!?]{0,4}掉 请假 病假 不管(?!我) 不处理
    不理 不作为 推诿 扯皮 投诉 举报 建议 反映 预防 防范 演练 培训 宣传 讲座 考试 知识 报警器 检测 安检 年检 补种 疫苗
    热线(?:是|电话|号码|多少) (?:电话|号码)(?:是)?多少 原因 隐患 容易 怕着火 怕发生 担心(?!他|她) 梦见 做梦 方法
    怎么回事 咋回事 什么科 打不着火 电影 小说 新闻 游戏 比赛 保护令 多久 多长时间 几天 多少钱 收费 免费
    怎么(?:处理|办理|算|定|判|罚|收|查|走|领|报)(?!警) 如何(?:处理|申请|办理|认定|预防|避免|逃生|自救)
    怎么(?:逃生|自救|避免|预防|防) 贷款 退款 学费 工资 有哪些 是什么 什么意思
    """
)
"""Words that say it is about rights, procedures or prevention."""

_NOT_NOW = _any(
    r"""
    去年 前年 上个?(?:月|周|星期) 上次 昨[天晚日] 前[天几] (?:几|[0-9一二三两]+个?)(?:天|周|月|年|个?星期)(?:以|之)?前
    之前 以前 曾经 当年 当时 小时候
    (?:火|祸|打|伤|撞|灾|水|毒|漏|泄漏|泄露|尾|倒|抢|盗|丢|失|劫|暴|事故|杀|亡)了?(?:之|以)?后 如果 假如 假设 万一
    要是 遇到 碰到 的时候 发生[^,。!?]{0,6}时 是否
    (?:能|可以|可不可以|能否|能不能|算不算|该不该|应该|应当|算|会|要不要)[^,。!]{0,16}(?:吗|么|嘛|\?|不$) 会不会
    有没有 是不是
    """
)
"""Words that say it is over, supposed, or a yes-or-no question."""

_ABOUT_SUICIDE = _any(
    """
    (?:自杀|轻生|跳楼)[^,。!?]{0,4}(?:预防|干预|热线|电话|率|险|条款|的人|行为|倾向|算|属于|赔)
    (?:不想活|活不下去|想自杀)了?的(?:人|困难|家庭) 预防自杀 自杀(?:能|可以|算|保险|理赔) 赔(?:吗|不赔|多少)
    """
)
"""A question about suicide that is nobody's cry."""
_ANOTHER = re.compile(
    f"^我?(?:的|家|一个)*(?:他|她|有人|朋友|同学|同事|邻居|老公|老婆|媳妇|男朋友|女朋友|妈|爸|{_PERSON})(?!也?不管)"
)
_SELF = _any(
    """
    我(?:真的|现在|好|就|也|都|很|已经)?(?:不想|想|要|活) 不想活(?!了?的) 活不下去(?!了?的) 活够了
    """
)


def dangers(text: str) -> tuple[Kind, ...]:
    """The kinds of danger that a message says someone is in now, the gravest first; empty if it says so of none.

    A question about such a thing (rights, procedures, prevention, something long past) is none.
    """
    said, kinds = plain(text), speaks_of_danger(text)
    # When in doubt, care: only a question about suicide itself is let through.
    if _SUICIDE.search(said) and (not _ABOUT_SUICIDE.search(said) or _SELF.search(said)):
        return ("suicide_other" if _ANOTHER.search(said) else "suicide_self",)
    if not _STRONG.search(said) and (_TOPIC.search(said) or _NOT_NOW.search(said)):
        return ()
    if not kinds and len(said) <= 16 and _CRIES.search(said) and not _TOPIC.search(said):
        return ("unknown",)
    return kinds


def cries_for_help(text: str) -> bool:
    """Whether a message has words that say it is now (救命, 快来人)."""
    return _STRONG.search(plain(text)) is not None


def speaks_of_danger(text: str) -> tuple[Kind, ...]:
    """The kinds of danger that a message has to do with, be it past, supposed or asked about."""
    said = plain(text)
    return tuple(kind for kind, happens in _DANGERS.items() if happens.search(said))


_OVER = _any(
    """
    ^(?:已经|现在|我|他|她|人|都|刚才|这会儿)*(?:没事|没有?危险|不是现在|安全|解决|救(?:出来|上来|下来)|灭|醒(?:过来)?|好多|缓过来|找到|回来|到家)(?:了|的|啦|啊|呢|,|。|!)*(?:谢谢.*)?$
    误会|虚惊 ^(?:我)?(?:就是|只是)?(?:随便)?(?:问问|开玩笑|试试)(?:的|而已|一下)*[。!]*$
    """
)
_GOES_ON = _any(
    """
    怎么办 咋办 咋整 然后呢 接下来 打不通 没人接 占线 还没(?:来|到) 没(?:有)?反应 不动 害怕 (?:在|一直)哭 快点 救
    ^(?:不|没有|不是|是|是的|嗯|对|有|在|好|好的|没|不安全|还在|一个人)[,。!]*$ 打了 打过了 报了 报过了 在路上 来了
    """
)


def over(text: str) -> bool:
    """Whether a reply to the card says that the danger is over, or was none."""
    said = plain(text)
    return len(said) <= 16 and _OVER.search(said) is not None


_ONLY_ASKS = re.compile(
    "(?:我|这边|这里|现在|这会儿|都|人)*(?:(?:没有?|不是)(?:任何)?(?:危险|险情|急事|紧急情况|出事)|没事|误会)?(?:了|的|,|。|!|啊|呀)*"
    "(?:我|就是|只是|只|就|是)*(?:想|要|来)?(?:再)?(?:问|咨询|了解)(?:问|询)?(?:一下|个|些|下)?(?:政策|办事|问题|规定|怎么办事)?(?:的|而已|的事|啊|呀|哈|呢)*[,。!]*"
)


def only_asks(text: str) -> bool:
    """Whether a reply to the card says that nobody is in danger and it was a question (没有危险，我想咨询)."""
    said = plain(text)
    return len(said) <= 20 and _ONLY_ASKS.fullmatch(said) is not None


def goes_on(text: str) -> bool:
    """Whether a reply to the card still speaks of the danger."""
    said = plain(text)
    return len(said) <= 16 and _GOES_ON.search(said) is not None


_ELDERS = "(?:爸|妈|爹|娘|父亲|母亲|爷爷?|奶奶?|外公|外婆|姥姥|姥爷|公公|婆婆|岳父|岳母|老丈人|丈母娘|老人|老人家|老伴|老头子|老爷子|老太太)"
_KIN = f"(?:{_ELDERS}|老公|老婆|丈夫|妻子|爱人|儿子|女儿|孩子|哥|姐|弟|妹|家人|亲人|家属|伯|叔|姑|舅|姨)"
_DEATH = _any(
    f"{_KIN}[^,。!?]{{0,6}}(?:去世|过世|病故|故去|离世|身故|病逝|死了|没救过来|走得(?:突然|早))",
    f"{_ELDERS}[^,。!?]{{0,4}}(?:没了|不在了|走了)(?=$|[,。!?]|以后|之后|后|怎么|咋)",
)
_NOT_THE_OWN = _any("(?:如果|假如|要是|万一|以后|将来)[^,。!?]{0,10}(?:去世|过世|死|走|没了)")


def tells_of_death(text: str) -> bool:
    """Whether somebody near to the citizen has died: then a word of condolence comes before the guidance."""
    said = plain(text)
    return _DEATH.search(said) is not None and not _NOT_THE_OWN.search(said)


_CRIES = _any("救命(?!钱|恩|药|稻草|之) 救救我(?!的) 救我(?!的) 快死了 快来人 快救人 来人啊")


# --- a human, a way out, yes and no ----------------------------------------------------------------------------------

_HUMAN = "(?:人工|真人|活人|接线员|接线生|话务员|坐席|座席|客服|客服人员|工作人员)"
_WANTS_HUMAN = _any(
    """
    ^(?:有没有|有|我要|要|想要|请)?(?:人工|真人)(?:客服|服务|坐席|座席|接听|咨询|热线|台|在线|回复|解答)*(?:在吗|有吗|呢|吗|吧|啊|呀|在哪里?|怎么(?:转|找|接)|电话(?:是)?(?:多少)?|谢谢)?[,。!?~]*$
    (?:怎么|如何|怎样)(?:才能)?(?:转|找|接通?|联系)(?:到)?(?:人工|真人|客服)(?:客服|服务)?[,。!?~]*$
    (?:和|跟|同|与)(?:真人|活人|人|工作人员|接线员|客服)(?:直接)?(?:说话|聊|讲话|通话|对话|交流|沟通|谈|说)(?:$|[,。!?~]|吧|一下|几句|啊)
    找个?人(?:说|聊|讲|跟我|和我|来)(?!情) (?:不要|不想|别|不跟|不和|别让)(?:再)?(?:跟|和|用|让|是)?(?:你这个)?机器人
    换(?:个|一个)人(?:来|跟我|和我|说|回答|吧|$) 转人工$ ^(?:人工)+$ ^(?:接线员|话务员|坐席|客服)[,。!?~]*$
    人工客服[!。]*$ 人工服务[!。]*$ 人工服务怎么打 你们有(?:人工|客服|真人)吗 打人工(?:客服)?电话 [叫让找]你们?领导
    (?:和|跟|同)你们的?(?:工作人员|客服|领导|人)(?:说|聊|讲|谈|沟通)
    """,
    f"(?:转|找|要|接|叫|换|请|给我|帮我|联系|呼叫|需要|接通|转到|转接)(?:我|接)?(?:一?下)?(?:一?[个位名])?(?:你们的?)?{_HUMAN}(?:客服|服务|坐席|座席|接听|咨询|热线|台|处理|解答|回答)?(?:$|[,。!?~]|吧|吗|呢|啊|呀|了|谢|行|可以|来|跟|和|帮|给|解决|说|聊|接|谈|,)",
)
_NO_HUMAN = _any(
    """
    人工(?:智能|审核|审批|流产|费|授精|受孕|成本|湖|耳蜗|增雨|降雨|岛|关节|晶体|繁育|养殖|草|林|鱼|骨|心脏|肝|窗口办|核查|核验|复核|核对|智|受理(?:要|需)|办理(?:要|需)|干预)
    (?:投诉|举报|招聘|应聘|考|工资|态度|待遇|招|当|做|岗位|资格|证)[^,。]{0,6}(?:接线员|话务员|坐席|座席|客服|工作人员)
    (?:接线员|话务员|坐席|座席|客服|工作人员)[^,。]{0,8}(?:态度|工资|待遇|招聘|投诉|骂|不作为|考试|证|年龄|岗位|资格)
    你(?:是|不是|到底是)[^,。]{0,4}(?:真人|人工|机器人) 是(?:真人|人工)还是 上班时间|工作时间|服务时间|几点
    """
)


def wants_human(text: str) -> bool:
    """Whether the message asks for a human operator (转人工)."""
    said = plain(text)
    return bool(_WANTS_HUMAN.search(said)) and not _NO_HUMAN.search(said)


_LEADS = "(?:那|那就|还是|我|就|先|唉|哎|嗯|哦|好吧|,|不好意思|对不起|麻烦|请|帮我|给我|我要|我想|想|要)*"
_TAILS = "(?:了|吧|啊|呀|呢|哈|的|谢谢|谢了|你|您|,|。|!|~|我)*"


def _whole(cores: str) -> re.Pattern[str]:
    """One of the cores, with nothing around it that says more."""
    return re.compile(f"{_LEADS}(?:{'|'.join(cores.split())}){_TAILS}")


_LEAVES = _whole(
    """
    算了 不填 不想填 不登记 取消(?:登记|填写|工单|提交|办理|投诉)? 退出(?:登记|填写)? 不办 不用(?:登记|填|办|提交)?了
    不要(?:登记|填|办|提交)?了 不需要(?:登记|填)?了 不反映 不投诉 不举报 不写 不说 不弄 不提交 停止 停 结束 放弃 中止
    终止 返回 没事 不想(?:反映|投诉|登记|说|办|弄|提交|写) 先不(?:填|登记|办|说|弄|反映|投诉|提交) 下次再(?:说|填|办)
    以后再(?:说|填|办) quit exit cancel
    """
)


def leaves_form(text: str) -> bool:
    """Whether the whole message says to leave the open form (算了, 取消 …)."""
    return bool(_LEAVES.fullmatch(plain(text)))


_RESUMES = _whole("(?:接着|继续|回去|再)(?:登记|填|反映|投诉)(?:工单|表)?")


def resumes_form(text: str) -> bool:
    """Whether the form that was put aside is to go on."""
    return _RESUMES.fullmatch(plain(text)) is not None


_LEAVES_QUEUE = _whole(
    """(?:不|别)(?:想|用|要|再)?(?:等|排|排队|转|转人工|找人工|接|接人工|叫人)(?:人工|人工了|下去)? 不等人工 取消(?:排队|转人工|人工|等待) 退出(?:排队|等待)
    (?:不用|不要|不需要|不找|不要了?)(?:人工|坐席|客服|真人)(?:服务)? 算了(?:,)?(?:不等|不转|不用)?(?:人工)?"""
)


def leaves_queue(text: str) -> bool:
    """Whether whoever waits for a person does not want to any longer."""
    return _LEAVES_QUEUE.fullmatch(plain(text)) is not None


_RATINGS = {
    3: _whole(
        "(?:很|非常|挺|特别|十分|比较)?满意 (?:很|非常|挺|特别|真)好 好评 五星 5星 (?:给|打)?(?:100|一百|满)分 3"
    ),
    2: _whole("一般(?:般|吧)? 还(?:行|好|可以|凑合) (?:马马虎虎|凑合|过得去) 2"),
    1: _whole(
        "(?:很|非常|特别|一点也?|太)?不(?:太|怎么|是很)?满意 (?:很|太|真|非常)?(?:差|差劲|糟糕) (?:没|没有)(?:解决|用) 差评 1"
    ),
}


def satisfaction(text: str) -> int | None:
    """3 满意, 2 一般, 1 不满意; None: no word on it."""
    said = plain(text)
    return next((rating for rating, words in _RATINGS.items() if words.fullmatch(said)), None)


_YES = _whole(
    """
    是 是的 对 对的 对对 没错 正确 嗯+ 恩 好 好的 好滴 好哒 是滴 是嘞 对头 要得 可以 行 成 中 确认(?:提交|无误)? 确定(?:提交)? 提交 没问题
    没毛病 需要 要 同意 愿意 当然(?:可以|是|要|同意)? 没有?(?:错|误) 都对 ok okay yes y 是这样 就这样
    就是(?:这样|这个)?
    """
)
_NO = _whole(
    """
    不 不是 不是的 不对 否 不要 不用 不需要 不行 不可以 不同意 不愿意 没有 没 错 有错 不正确 不确认 不确定 别 no n
    nope 不是这样 不是这个 都?不对 不必 用不着 不好
    """
)


def is_yes(text: str) -> bool:
    """Whether the whole message is a yes."""
    return bool(_YES.fullmatch(plain(text)))


def is_no(text: str) -> bool:
    """Whether the whole message is a no."""
    return bool(_NO.fullmatch(plain(text)))


# --- options ---------------------------------------------------------------------------------------------------------

_DIGITS = {digit: number for number, digit in enumerate("一二三四五六七八九", 1)} | {str(n): n for n in range(1, 10)}
_CHOICE = "(?:我|就|那|那就|请|,)*(?:选|选择|要|看|问|想问|想看|想选|点|是|想要|要问|要看|问的是|说的是)?(?:的是)?"
_OPTION = re.compile(
    rf"{_CHOICE}(?:第([1-9一二三四五六七八九])(?:个|项|条|种|款|题)?|(?:选项|序号|编号|问题)?([1-9一二三四五六七八九])(?:号|项)?)(?:问题|选项|那个|那项|答案)?(?:吧|啊|呀|,|。|\.|、|!|\)|谢谢|的|呢|~)*"
)
_FIRST = re.compile(
    r"(?:我|就|那|要|选|问|是)*(?:头(?:一)?(?:个|条|项)|最?(?:上面|上头|前面)(?:的|那)一?(?:个|条|项))(?:吧|的|那个|问题|,|。)*"
)
_LAST = re.compile(
    rf"{_CHOICE}(?:最?(?:下面|底下|下头)(?:的|那)一?(?:个|项|条)|最后(?:的|那|面|这)?一?(?:个|项|条)?|倒数第[一1](?:个|项|条)?)(?:问题|选项)?(?:吧|啊|呀|,|。|!|谢谢)*"
)
_NONE = _any(
    """
    ^(?:以上|这些|上面|上述|你说的|这几个|这几项|选项)?(?:全?都|全|通通|统统)?(?:不是|不对)(?:我(?:要|想)(?:问|找|说)?的)?(?:吧|啊|呀|,|。|!)*$
    ^(?:以上|这些|上面|上述|这几个|这几项|选项|你说的|好像|,)*(?:全?都|全)(?:不是|不对|不符合|不行|不相关|没有|不沾边|没用|不合适|不要|不选)
    (?:没有|没)(?:一个)?(?:我)?(?:要|想|需要)(?:问|找|说|知道|的|了解) 没(?:有)?一个(?:是|对|符合)
    一个(?:都|也)(?:不|没) (?:没有|没)(?:合适|对|符合|正确|想要)的 ^(?:其他|其它|别的)(?:问题|的)?(?:吧|,|。)*$
    ^换(?:一批|一组|几个) 答非所问 (?:我)?问的不是(?:这个|这些)
    """
)


def option_number(text: str) -> int | None:
    """The option that the whole message chooses: 1–9, -1 for the last one, None if it chooses none."""
    said = plain(text)
    if found := _OPTION.fullmatch(said):
        return _DIGITS[found.group(1) or found.group(2)]
    if _FIRST.fullmatch(said):
        return 1
    return -1 if _LAST.fullmatch(said) else None


def none_of_these(text: str) -> bool:
    """Whether the message says that no offered option fits (以上都不是)."""
    said = plain(text)
    return len(said) <= 16 and bool(_NONE.search(said))


# --- numbers in a message --------------------------------------------------------------------------------------------

_PHONE = re.compile(f"(?P<mobile>{MOBILE})|(?P<landline>{LANDLINE})", re.ASCII)
_TICKET = re.compile(r"(?<!\d)20\d{6}[ \-]?\d{6}(?!\d)", re.ASCII)
_CODE = r"\d{4}[ \-]?\d{4}|\d{6}"
_NAMED_CODE = re.compile(rf"(?:查询码|密码|验证码|码)[是为:, ]{{0,3}}({_CODE})(?!\d)", re.ASCII)
_ANY_CODE = re.compile(rf"(?<!\d)(?:{_CODE})(?!\d)", re.ASCII)
_NAMED_TAIL = re.compile(r"(?:尾号|[后末][四4]位)[是为:, ]{0,3}(\d{4})(?!\d)", re.ASCII)
_LANDLINE = re.compile(r"(?<!\d)0\d{2,3}[ \-]?[2-9]\d{6,7}(?!\d)", re.ASCII)
_ANY_TAIL = re.compile(r"(?<!\d)\d{4}(?![\d年])", re.ASCII)
_NO_PHONE = re.compile(
    "没(?:有)?(?:留|填|写|登记|给)|(?:未|没有?)留|没电话|无电话|不记得留|^(?:没有?|无|没有电话)(?:的|啊|呀)?$"
)


def phone_in(text: str) -> str | None:
    """The first phone number in the message: 13812345678, or 0731-88881234 for a landline; None if there is none."""
    found = _PHONE.search(plain_digits(text))
    if found is None:
        return None
    digits = re.sub(r"\D", "", found.group())
    if found.lastgroup == "mobile":
        return digits[-11:]
    area = 3 if digits[1] in "12" else 4
    return f"{digits[:area]}-{digits[area:]}"


_WRITTEN_MOBILE = re.compile(r"(?<!\d)1\d{2}[ \-]?\d{4}[ \-]?\d{4}(?!\d)", re.ASCII)


def writes_phone(text: str) -> bool:
    """Whether a message that nobody asked for a phone holds one, written as phones are: 1500 1100 800 are three amounts."""
    plain = plain_digits(text)
    return phone_in(text) is not None and bool(_WRITTEN_MOBILE.search(plain) or _LANDLINE.search(plain))


def ticket_number_in(text: str) -> str | None:
    """14 digits that look like a ticket number; whether they can be one, ``bot.tickets.valid_number`` says."""
    found = _TICKET.search(plain_digits(text))
    return re.sub(r"\D", "", found.group()) if found else None


def query_code_in(text: str) -> str | None:
    """The query code in the message, of eight or six digits: the one called so, else the only one that stands alone."""
    plain = _LANDLINE.sub(" ", _TICKET.sub(" ", plain_digits(text)))
    named = _NAMED_CODE.search(plain)
    codes = [named.group(1)] if named else _ANY_CODE.findall(plain)
    return re.sub(r"\D", "", codes[0]) if len(codes) == 1 else None


def phone_tail_in(text: str) -> str | None:
    """The last four digits of the phone in the message: named so, or alone, or a whole number's; empty where it says that
    there is no phone, None where it says nothing of one."""
    said = _TICKET.sub(" ", plain_digits(text))
    if phone := phone_in(said):
        return phone[-4:]
    if named := _NAMED_TAIL.search(said):
        return named.group(1)
    if _NO_PHONE.search(plain(text)):
        return ""
    alone = _ANY_TAIL.findall(said)
    return alone[0] if len(alone) == 1 else None


_NUMERIC = r"[\d.,，:：\-/零〇一二两三四五六七八九十百千万亿幺]"


def beginning(text: str, most: int) -> str:
    """The first so many characters at most; a number that would be cut in two is left out whole."""
    if len(text) <= most:
        return text
    head = text[:most]
    number = re.search(f"(?<!{_NUMERIC}){_NUMERIC}{{1,{_LONGEST}}}$", head) if re.match(_NUMERIC, text[most]) else None
    return head[: number.start()] if number else head


def ending(text: str, most: int) -> str:
    """The last so many characters at most; a number that would be cut in two is left out whole."""
    return beginning(text[::-1], most)[::-1]


_LONGEST = 32
"""Longer than any number: what goes on for longer is cut anywhere."""


def plain(text: str) -> str:
    """Half-width, lower case, without spaces, Chinese punctuation as its plain counterpart."""
    normal = unicodedata.normalize("NFKC", text).lower()
    return re.sub(r"[\s\u200b-\u200f\u20e3\ufe00-\ufe0f\ufeff]+", "", normal).translate(_PUNCTUATION)


_PUNCTUATION = str.maketrans({"。": "。", "、": ",", "；": ",", ";": ",", "…": ",", "“": "", "”": "", '"': "", "'": ""})
