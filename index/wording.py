"""What the assistant says in its own words.  Answers come from the knowledge; these are the sentences around them."""

from __future__ import annotations

GREETING = "您好，我是{city}12345的智能助手“一号答”。社保、医保、户籍、证件、劳动等政策，您可以直接问，比如：身份证丢了怎么补办？"
GOODBYE = "再见，祝您生活愉快。有事随时来问。"
THANKS = "不客气。还有别的事，您接着问就行。"
IDENTITY = "我是智能助手“一号答”，不是真人。我只根据审核过的政策回答；我答不准的，会登记工单请工作人员答复。想找人工，请说“转人工”。"
CAPABILITIES = (
    "我能做这些：\n1. 回答政策问题，并给出依据和办事指南；\n2. 答不准时，登记工单请工作人员答复；\n"
    "3. 受理投诉、举报、建议、求助（说“我要反映”）；\n4. 查工单进度（发办件编号和查询码）；\n5. 转人工（说“转人工”）。"
)
ABUSE = "给您添堵了，对不起。您把要办的事再说一遍，我尽力；也可以说“转人工”。"
CHITCHAT = "这个我聊不来，我只懂政策和办事。您有社保、医保、证件、户籍、劳动这类问题，可以直接问我。"
NOT_OURS = "这个问题不在政务服务范围内，我答不了。您有政策或办事方面的问题，可以直接问我。"
EMPTY = "我没看懂这条消息。请用文字说说您想问的事，比如：居住证怎么办？"
AFFIRM = "好的。您想问什么事，请直接说。"
DENY = "好的，那先不办。您想问什么事，请直接说。"
NOTHING_OFFERED = "现在没有可选的选项。请直接说您想问的事。"
NO_SUCH_OPTION = "没有这个选项，请回复 1 到 {last} 的数字；都不是的话，请回复“以上都不是”。"
NOTHING_TO_REPEAT = "我还没有回答过您的问题。请直接说您想问的事。"
PHONE_UNASKED = "您发来了一个电话号码，我没有保存。要留电话给工作人员，请先说“我要反映”。想问政策，请直接说。"

CLARIFY = "您想问的是下面哪一个？请回复数字；都不是的话，请回复“以上都不是”。"
CLARIFY_ONE = "您想问的是这个吗？是的话请回复 1；不是的话，请回复“以上都不是”。"
PASSAGES = "没有审核过的答案，下面是政策文件的原文，供您参考。没有解决的话，请回复“以上都不是”，我登记给工作人员。"
ASK_REGION = "这件事各地规定不同。请问您在哪个市、哪个区县？"
REGION_KNOWN = "好的，记住了：{region}。之后按这个地区的规定回答。您想问什么，请直接说。"
REGION_UNCLEAR = "叫这个名字的地方不止一个：{names}。请把市和区县一起说，比如：长沙市岳麓区。"
REGION_UNKNOWN = "没有查到这个地方，请把市和区县一起说，比如：长沙市岳麓区。"

TICKET = (
    "这个问题，我在现有的政策资料里没有查到可靠的依据，不能随便回答您。已经登记给工作人员。\n"
    "办件编号：{number}\n查询码：{code}\n请记下这两个号，随时可以查进度。最迟{due}答复{estimated}。"
)
TICKET_COMPLAINT = "您反映的事已经登记给工作人员。\n办件编号：{number}\n查询码：{code}\n请记下这两个号，随时可以查进度。最迟{due}答复{estimated}。"
TICKET_HUMAN = "现在没有人工坐席在线。已经为您登记，工作人员上班后处理。\n办件编号：{number}\n查询码：{code}\n最迟{due}答复{estimated}。急事请直接拨打12345。"
TICKET_BROKEN = "对不起，系统出了点问题，刚才没能回答您。您的问题已经登记，由工作人员答复。\n办件编号：{number}\n查询码：{code}\n最迟{due}答复{estimated}。"
TICKET_AGAIN = "这个问题您已经登记过了，正在办理。\n办件编号：{number}\n查询码：{code}\n最迟{due}答复{estimated}。"
ESTIMATED = "（明年放假安排公布前，暂按周末推算）"
ASK_CONTACT = "\n方便的话，可以回复联系电话和所在区县，只用来办这件事、联系您；不留也行。"
TOO_MANY_TICKETS = "您今天登记的工单已经到了上限，这次没有再登记。急事请拨打12345。"
CONTACT_SAVED = "已记到工单 {number} 里：{what}。工作人员会尽快联系您。"
CONTACT_DECLINED = "好的，不留也不影响办理。可以用办件编号和查询码随时查进度。"

WAITING = "已经通知人工坐席，请稍等。等的时候您可以接着问我。"
ALREADY_WAITING = "人工坐席已经收到，正在排队，请稍等。"

RATED_GOOD = "谢谢您的评价，很高兴帮到您。"
RATED_BAD = "抱歉没帮上忙，您的意见已经记下。您可以换个说法再问一次，或者说“转人工”。"
NOTHING_TO_RATE = "谢谢。您还有什么想问的，请直接说。"

ASK_TICKET = "请发办件编号（14 位）和查询码（6 位），我帮您查进度。"
ASK_CODE = "请再发这张工单的查询码（6 位）。"

UNDER_REVIEW = "示范知识，待本市部门审核，办理前请再核实。"
EXPIRED = "这条规定从{when}起已不再有效"
NOT_YET = "这条规定从{when}起才施行"
REPLACED = "原来的规定从{when}起已不再有效，现在按这一条。"
NO_WORDS = "市民发来一条没有文字的消息"
FORM_STILL_OPEN = "刚才的登记还没提交，答完这个问题可以接着填；不想填了请说“算了”。"
TRUNCATED = "您的消息较长，我只看了前 {limit} 个字。"
CALCULATION_LEFT = "好的，不算了。您还想问什么，请直接说。"
CALCULATION_LEAVE = "\n（不想算了请说“算了”）"
