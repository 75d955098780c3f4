"""话后小结: what came of a call in a few lines, from its fields alone.  What nobody said stands as 待核; nothing is made up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from index.assist.fields import Field

_ORDER = (
    ("caller_name", "来电人"),
    ("told_time", "时间"),
    ("region", "地区"),
    ("address", "地点"),
    ("matter", "事由"),
    ("wanted", "诉求"),
)
OPEN = "待核"


def summary_of(fields: Mapping[str, Field], questions: Sequence[str]) -> str:
    """One line a field; then what was asked.

    Args:
        fields: by their names; those without a line to come from are 待核.
        questions: what the caller asked, in their words.
    """
    lines = []
    for name, label in _ORDER:
        one = fields[name]
        value = one.value if one.spans else None
        note = "" if one.sure or value is None else f"（{OPEN}）"
        lines.append(f"{label}：{value or OPEN}{note}")
    if questions:
        lines.append(f"问了：{'；'.join(dict.fromkeys(questions))}")
    return "\n".join(lines)
