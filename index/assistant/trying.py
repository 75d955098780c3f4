"""试一试: what a citizen would be told, by the very ``decide`` that answers citizens; nothing is written, nobody is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from bot.clock import utcnow
from bot.conversations import Context
from bot.turns import Outcome, Turn
from index.assistant.acts import literal_act
from index.assistant.respond import Assistant


def attempt(assistant: Assistant, said: Sequence[str], region: str | None = None) -> Outcome:
    """What the last of the messages comes to, said one after the other in a conversation of its own.

    The dialogue act is read off the words, as where Rasa fails: whatever is not clearly another act is a question.
    """
    memory = Context(region=region)
    *earlier, last = said
    for text in earlier:
        memory = assistant.decide(_turn(text, memory)).context
    return assistant.decide(_turn(last, memory))


def _turn(text: str, memory: Context) -> Turn:
    act = literal_act(text) or "ask_policy"
    return Turn("trial", "trial", text, "bot", memory, utcnow(), act=act, engine="fallback", trial=True)
