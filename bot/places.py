"""Places that several people name: read out of what they say together, without a list of the city's names.

A name that one person gives may be cut anywhere (我们金桂园, 金桂园小区); of what many say only the name is the same.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

_ENDS = (
    "小区|花园|家园|新城|公寓|社区|街道|大道|广场|大厦|市场|菜场|小学|中学|大学|幼儿园|学校|医院|车站|工业园|开发区|园区|公园|桥|"
    "园|苑|府|湾|里|镇|乡|村|庄|路|街|巷|门|厂|站"
)
_END = re.compile(_ENDS)
_NAME = re.compile(r"[\u4e00-\u9fff]+")
_NOT_IN = re.compile(
    r"[我你您他她它们这那哪的在是个了去到从没有不把被吗呢吧和跟与说问今昨明天几什么怎为请想听看等住出进开关整全各每都也还就又要能会让给做坐上下前后边面旁线]"
)
"""What no name of a place has in it: a longer piece with it is a name and something else"""
_LONGEST = 7


@dataclass(frozen=True)
class Place:
    """A name, and who says it."""

    name: str
    named_by: frozenset[str]


def named(texts: Mapping[str, str], least: int = 3) -> list[Place]:
    """Names that at least so many of these texts have, the most frequent first; none is a part of another.

    Args:
        texts: by whoever says them.
    """
    said: dict[str, set[str]] = defaultdict(set)
    for who, text in texts.items():
        for end in _END.finditer(text):
            start = end.start()
            for begin in range(max(0, end.end() - _LONGEST), start):
                piece = text[begin : end.end()]
                if (
                    start - begin >= (2 if len(end[0]) == 1 else 1)
                    and _NAME.fullmatch(piece)
                    and not _NOT_IN.search(piece)
                ):
                    said[piece].add(who)
    common = {piece: by for piece, by in said.items() if len(by) >= least}
    found: list[Place] = []
    for piece, by in sorted(common.items(), key=lambda one: (-len(one[1]), -len(one[0]), one[0])):
        longer = any(
            piece != other and piece in other and len(others) * 3 >= len(by) * 2 for other, others in common.items()
        )
        if not longer and not any(piece in one.name or one.name in piece for one in found):
            found.append(Place(piece, frozenset(who for who, text in texts.items() if piece in text)))
    return found
