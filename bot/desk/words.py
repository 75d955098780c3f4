"""What the citizen is told when it changes who answers: one sentence a move."""

from __future__ import annotations

TAKEN = "人工坐席 {agent} 为您服务。您的话我都能看到，请接着说。"
PASSED_ON = "已为您转给人工坐席 {agent}，前面说过的都在，请稍等。"
PASSED_TO_GROUP = "已为您转给{skill}坐席，前面说过的都在，请稍等。"
STEPPED_IN = "现在由人工坐席 {agent} 接着为您服务，前面说过的都在。"
HANDED_BACK = "人工坐席 {agent} 的服务到这里，您可以接着问智能助手。这次服务您满意吗？请回复“满意”“一般”或“不满意”。"
ENDED = "本次人工服务已结束，还有问题请接着问。这次服务您满意吗？请回复“满意”“一般”或“不满意”。"
SILENT = "您有一阵没有说话，本次人工服务先结束，还有问题请接着问。这次服务您满意吗？请回复“满意”“一般”或“不满意”。"
RETURNED = "刚才的坐席一时没能回复，已为您重新排队，您排在原来的位置，请稍等。"
LEFT = "好的，不再排队。您可以接着问我，急事请拨打12345。"
CIVIL = "您反映的事我们会尽力去办。沟通中请文明用语，谢谢您的理解。"
