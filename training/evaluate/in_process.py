"""The assistant of this process, without gateway and Rasa: where variants of the retrieval are compared (`benchmarks.decisions`).

The dialogue act is the one that the fallback path reads off the words.  Nothing is written to the database.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.clock import utcnow
from bot.conversations import Context
from bot.settings import Settings
from bot.turns import Turn
from index.assistant.acts import literal_act
from index.assistant.respond import Assistant
from index.versions.store import IndexReader
from training.evaluate.citizen import Asked, Heard, answering, ask_all
from training.evaluate.questions import Question, known_matters, refuse_unknown


class _Conversation:
    """One conversation."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant
        self._context = Context()

    def say(self, text: str) -> Heard:
        act = literal_act(text) or "ask_policy"
        turn = Turn("evaluation", "evaluation", text, "bot", self._context, utcnow(), act=act, engine="fallback")
        outcome = self._assistant.decide(turn)
        self._context = outcome.context
        return Heard(answering(outcome.replies), {"act": act, "decision": outcome.decision, "explain": outcome.explain})


def evaluate(settings: Settings, questions: Sequence[Question]) -> list[Asked]:
    """Ask everything.

    Raises:
        InvalidInput: an expected id or matter is not in the knowledge.
        IndexUnavailable: there is no index yet.
    """
    matters = known_matters()
    refuse_unknown(questions, matters)
    assistant = Assistant(settings, IndexReader(settings))
    assistant.reader.get()
    return list(ask_all(lambda: _Conversation(assistant), questions, matters))
