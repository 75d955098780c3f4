"""The language model's client: what it sends, and what it makes of every way to fail."""

from __future__ import annotations

import time

import pytest
from language_model import FakeModel, fake_model
from pydantic import ValidationError

from bot.errors import InvalidInput
from bot.language_model import LONGEST_QUESTION, LanguageModel, LanguageModelFailed, configured
from bot.settings import Settings

__all__ = ["fake_model"]


def test_what_is_asked_is_masked_and_what_is_said_comes_back(fake_model: FakeModel) -> None:
    fake_model.says(" 市民问高龄津贴。\n")
    assert fake_model.client().ask("写摘要", "我叫王芳，电话13800138000", tokens=50) == "市民问高龄津贴。"
    (body,) = fake_model.heard
    assert "13800138000" not in str(body) and body["messages"][0] == {"role": "system", "content": "写摘要"}
    assert (body["model"], body["max_tokens"], body["stream"]) == ("fake", 50, False)
    assert fake_model.keys[0] is not None and fake_model.keys[0].startswith("Bearer ")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("500", "500"),
        ("429", "正忙"),
        ("401", "密钥"),
        ("404", "地址"),
        ("html", "看不懂"),
        ("empty", "什么也没说"),
        ("cut", "没有答完"),
        ("hang", "太久"),
        ("drop", "连接不上"),
        ("trickle", "太久"),
        ("huge", "太长"),
    ],
)
def test_each_failure_has_its_sentence_and_ends_in_time(fake_model: FakeModel, how: str, words: str) -> None:
    fake_model.fails(how)
    started = time.monotonic()
    with pytest.raises(LanguageModelFailed, match=words) as failed:
        fake_model.client().ask("写摘要", "很长的话")
    assert time.monotonic() - started < 3
    assert "秘密" not in str(failed.value) and "很长的话" not in str(failed.value)
    assert len(fake_model.heard) == 1, "none is asked twice"


def test_nobody_there_and_no_sound_address() -> None:
    for url in ("http://127.0.0.1:9/v1", "什么也不是", "ftp://127.0.0.1"):
        with pytest.raises(LanguageModelFailed, match="连接不上"):
            LanguageModel(url, "m").ask("写摘要", "话")


def test_what_is_too_long_is_not_sent(fake_model: FakeModel) -> None:
    with pytest.raises(InvalidInput):
        fake_model.client().ask("写摘要", "长" * (LONGEST_QUESTION + 1))
    assert not fake_model.heard


def test_it_is_off_unless_it_is_set_up(settings: Settings) -> None:
    assert configured(settings) is None
    made = configured(settings.model_copy(update={"llm_url": "http://127.0.0.1:9/v1", "llm_model": "m"}))
    assert made is not None and "key" not in repr(made)
    with pytest.raises(ValidationError, match="YIHAODA_LLM_MODEL"):
        Settings(llm_url="http://127.0.0.1:9/v1")
