"""A language model at an OpenAI-compatible address: off unless it is set up, asked for drafts only, told nothing personal.

Whoever uses what it says checks it and shows it to a person first; nothing of it reaches a citizen by itself.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import httpx

from bot.errors import InvalidInput, YihaodaError
from bot.masking import mask
from bot.settings import Settings

CONNECT_S = 3.0
READ_S = 60.0
"""A model says nothing until it has thought: so long between two pieces of its reply"""
WHOLE_S = 120.0
"""The whole reply"""
LONGEST_QUESTION = 30_000
"""Characters that it is asked with, at most"""
LONGEST_REPLY = 400_000
"""Bytes"""


class LanguageModelFailed(YihaodaError):
    """The model gave nothing that can be used; the text says why, and never what was asked or answered."""

    code = "language_model"


@dataclass(frozen=True)
class LanguageModel:
    """One model; a question is one request, and none is repeated by itself."""

    url: str
    model: str
    key: str = ""
    read_s: float = READ_S
    whole_s: float = WHOLE_S

    def __repr__(self) -> str:
        return f"LanguageModel({self.model!r})"

    def ask(self, instruction: str, text: str, *, tokens: int = 2000) -> str:
        """What the model says to an instruction of ours and a text, which is masked here.

        Args:
            tokens: the longest reply; a reply that was cut off there counts as none.

        Raises:
            InvalidInput: the text is too long to be asked about in one piece.
            LanguageModelFailed: unreachable, too slow, refused, or no sound reply.
        """
        if len(text) > LONGEST_QUESTION:
            raise InvalidInput(f"文字太长（{len(text)} 字），语言模型一次最多看 {LONGEST_QUESTION} 字。")
        body = {
            "model": self.model,
            "messages": [{"role": "system", "content": instruction}, {"role": "user", "content": mask(text)}],
            "temperature": 0,
            "max_tokens": tokens,
            "stream": False,
        }
        return _content(self._post(body))

    def _post(self, body: dict[str, Any]) -> Any:
        timeout = httpx.Timeout(connect=CONNECT_S, read=self.read_s, write=10.0, pool=CONNECT_S)
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        url = f"{self.url.rstrip('/')}/chat/completions"
        end = time.monotonic() + self.whole_s
        raw = bytearray()
        try:
            with (
                httpx.Client(timeout=timeout, headers=headers, trust_env=False) as http,
                http.stream("POST", url, json=body) as response,
            ):
                if response.status_code != 200:
                    raise LanguageModelFailed(_refused(response.status_code))
                for piece in response.iter_bytes():
                    raw += piece
                    if len(raw) > LONGEST_REPLY:
                        raise LanguageModelFailed("语言模型的答复太长，没有采用。")
                    if time.monotonic() > end:
                        raise LanguageModelFailed("语言模型太久没有答完，没有采用。")
        except httpx.TimeoutException as error:
            raise LanguageModelFailed("语言模型太久没有回应。") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise LanguageModelFailed("语言模型连接不上，请检查 YIHAODA_LLM_URL。") from error
        try:
            return httpx.Response(200, content=bytes(raw)).json()
        except ValueError as error:
            raise LanguageModelFailed("语言模型的答复看不懂，没有采用。") from error


def configured(settings: Settings) -> LanguageModel | None:
    """The model that the settings name; None: there is none, and everything goes on without."""
    if not settings.llm_url:
        return None
    return LanguageModel(settings.llm_url, settings.llm_model, settings.llm_key.get_secret_value())


def _refused(status: int) -> str:
    if status in (401, 403):
        return "语言模型不认这个密钥，请检查 YIHAODA_LLM_KEY。"
    if status == 404:
        return "那个地址没有这个语言模型，请检查 YIHAODA_LLM_URL 和 YIHAODA_LLM_MODEL。"
    if status == 429:
        return "语言模型正忙，请过一会儿再试。"
    return f"语言模型没有答复（{status}）。"


def _content(reply: Any) -> str:
    """The words of a chat completion.  Raises: LanguageModelFailed."""
    try:
        choice = reply["choices"][0]
        content, reason = choice["message"]["content"], choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise LanguageModelFailed("语言模型的答复看不懂，没有采用。") from error
    if reason == "length":
        raise LanguageModelFailed("语言模型没有答完，没有采用。")
    if not isinstance(content, str) or not content.strip():
        raise LanguageModelFailed("语言模型什么也没说。")
    return content.strip()
