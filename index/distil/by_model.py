"""Drafts whose questions a language model words.  It is shown numbered sentences and may only point to them: an answer is put together here."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from bot.language_model import LanguageModel, LanguageModelFailed
from index.distil.structure import Statement

MOST = 30
"""Questions taken of one document"""
_SENTENCES = 6
"""An answer has at most so many"""
_INSTRUCTION = (
    "你帮政务热线的知识编辑从政策文件里整理问答草稿。下面是编了号的句子。请写出市民会问的问题，并指出回答它的是哪几句的编号。"
    "只能用编号，不能改写句子，不能补充句子里没有的内容；问题用市民的口语，一条只问一件事，不超过30个字，以问号结尾，不写句子里没有的数字。"
    '只输出 JSON：{"drafts": [{"question": "…？", "sentences": [3, 4]}]}。没有合适的就输出 {"drafts": []}。'
)
_NUMBER = re.compile(
    r"\d+(?:\.\d+)?|[一二三四五六七八九十百千万两半]+(?=个?(?:年|月|日|天|周|元|岁|次|倍|成|户|人|台|小时|工作日))"
)
_FENCE = re.compile(r"^```(?:json)?\s*|\s*```$")


def worded(model: LanguageModel, about: str, said: Sequence[Statement]) -> list[tuple[str, list[Statement]]]:
    """Questions with the statements that answer them; what breaks a rule is left out.

    Raises:
        LanguageModelFailed: see `LanguageModel.ask`; also where it keeps to no form at all.
        InvalidInput: the document is too long for one request.
    """
    listed = "\n".join(f"{number}. {one.text}" for number, one in enumerate(said, 1))
    reply = model.ask(_INSTRUCTION, f"这份文件讲的是：{about}\n\n{listed}", tokens=4000)
    try:
        found = json.loads(_FENCE.sub("", reply))["drafts"]
    except (ValueError, KeyError, TypeError) as error:
        raise LanguageModelFailed("语言模型没有按要求的格式回答，没有采用。") from error
    if not isinstance(found, list):
        raise LanguageModelFailed("语言模型没有按要求的格式回答，没有采用。")
    sound = [pair for one in found[:MOST] if (pair := _sound(one, said)) is not None]
    return list({question: (question, chosen) for question, chosen in reversed(sound)}.values())[::-1]


def _sound(one: Any, said: Sequence[Statement]) -> tuple[str, list[Statement]] | None:
    """A draft that keeps to the rules: a question with no figure but the sentences' own, and sentences that there are."""
    if not isinstance(one, dict):
        return None
    question, numbers = one.get("question"), one.get("sentences")
    if not isinstance(question, str) or not isinstance(numbers, list) or not 1 <= len(numbers) <= _SENTENCES:
        return None
    question = question.strip().replace("?", "？")
    if not 5 <= len(question) <= 40 or not question.endswith("？") or "\n" in question:
        return None
    if any(type(number) is not int or not 1 <= number <= len(said) for number in numbers):
        return None
    chosen = [said[number - 1] for number in sorted(set(numbers))]
    known = set(_NUMBER.findall("".join(statement.text for statement in chosen)))
    return (question, chosen) if set(_NUMBER.findall(question)) <= known else None
