"""The kinds and states of a bundle, with their names for people."""

from __future__ import annotations

START, KNOWLEDGE, MODEL, EMERGENCY = "start", "knowledge", "model", "emergency"
KINDS = {
    START: "启动时登记",
    KNOWLEDGE: "知识发布",
    MODEL: "模型发布",
    EMERGENCY: "紧急更正",
}
"""start: what was in use before there were bundles, or was put to use by hand on the command line"""

BUILT, PASSED, SHORT, REFUSED = "built", "passed", "short", "refused"
SHADOW, SHARE, LIVE, PREVIOUS, KEPT, STOPPED, GONE = (
    "shadow", "share", "live", "previous", "kept", "stopped", "gone"
)  # fmt: skip
STATES = {
    BUILT: "待评测",
    PASSED: "评测通过",
    SHORT: "样本不足",
    REFUSED: "评测没有通过",
    SHADOW: "影子运行",
    SHARE: "灰度",
    LIVE: "在用",
    PREVIOUS: "上一版（随时可退回）",
    KEPT: "旧版",
    STOPPED: "已停",
    GONE: "已清理（只留记录）",
}
HELD = frozenset({SHADOW, SHARE, LIVE, PREVIOUS})
"""Their indices are in memory, their Rasa runs"""
ANSWERING = frozenset({SHARE, LIVE, PREVIOUS})
"""A session that was given one of these goes on with it; any other session is the live one's"""
RELEASED = frozenset({SHARE, LIVE, PREVIOUS, KEPT, STOPPED})
"""They may have answered somebody"""
