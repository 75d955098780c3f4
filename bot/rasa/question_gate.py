"""Decides whether a message is a clear other act or a question: the last step of the NLU pipeline.

Rasa's own fallback classifier looks at the confidence of the first intent only, so that a message torn between thanks and
praise falls back although it is surely no question. What matters here is the probability that the message is a question
at all: sending a question to another act costs far more than asking retrieval once too often.
"""

from typing import Any, Dict, List, Type

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier
from rasa.nlu.constants import TOKENS_NAMES
from rasa.shared.constants import DEFAULT_NLU_FALLBACK_INTENT_NAME
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.constants import INTENT, INTENT_RANKING_KEY, TEXT
from rasa.shared.nlu.training_data.message import Message


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=False)
class QuestionGate(GraphComponent, IntentClassifier):  # type: ignore[misc, unused-ignore]
    """Turns an act that is not clear enough into ``nlu_fallback``.

    Configuration (all probabilities from 0 to 1):

    - ``questions``: the intents that are questions; they pass untouched.
    - ``question_at``: a message is a question when the probabilities of these add up to at least this.
    - ``act_at``: an act needs at least this probability.
    - ``vetoes``: a list of ``{pattern, acts}``: a message in which a regex of ``nlu_data`` matches whose name begins with
      ``pattern`` cannot be one of ``acts`` (a greeting that names a public-service matter is a question about it).

    A classifier that ranks all intents and, for vetoes, ``RegexFeaturizer`` come before it.
    """

    @classmethod
    def required_components(cls) -> List[Type[Any]]:
        """There must be a classifier to judge."""
        return [IntentClassifier]

    @staticmethod
    def get_default_config() -> Dict[str, Any]:
        """Return the defaults; ``config.yml`` holds the measured values."""
        return {"questions": ["ask_policy", "follow_up"], "question_at": 0.2, "act_at": 0.25, "vetoes": []}

    def __init__(self, config: Dict[str, Any]) -> None:
        """Read the configuration."""
        self._questions = frozenset(config["questions"])
        self._question_at = float(config["question_at"])
        self._act_at = float(config["act_at"])
        self._vetoes = [(veto["pattern"], frozenset(veto["acts"])) for veto in config["vetoes"]]

    @classmethod
    def create(
        cls,
        config: Dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> "QuestionGate":
        """Build the component; nothing is trained or stored.

        Raises:
            InvalidConfigException: if a limit is no probability or no question intent is named.
        """
        limits = (config["question_at"], config["act_at"])
        if not config["questions"] or not all(0 <= float(limit) <= 1 for limit in limits):
            raise InvalidConfigException("QuestionGate needs questions, and question_at and act_at from 0 to 1")
        return cls(config)

    def process(self, messages: List[Message]) -> List[Message]:
        """Judge each message in place and return the same list."""
        for message in messages:
            ranking = message.get(INTENT_RANKING_KEY) or []
            if ranking and not self._is_clear(ranking, message):
                fallback = {"name": DEFAULT_NLU_FALLBACK_INTENT_NAME, "confidence": ranking[0]["confidence"]}
                message.set(INTENT, fallback, add_to_output=True)
                message.set(INTENT_RANKING_KEY, [fallback, *ranking], add_to_output=True)
        return messages

    def _is_clear(self, ranking: List[Dict[str, Any]], message: Message) -> bool:
        act, confidence = ranking[0]["name"], ranking[0]["confidence"]
        if act in self._questions:
            return True
        question = sum(entry["confidence"] for entry in ranking if entry["name"] in self._questions)
        if confidence < self._act_at or question >= self._question_at:
            return False
        # RegexFeaturizer notes on each token which patterns cover it.
        matched = {
            name
            for token in message.get(TOKENS_NAMES[TEXT]) or []
            for name, covers in token.get("pattern", {}).items()
            if covers
        }
        return not any(act in acts and any(m.startswith(prefix) for m in matched) for prefix, acts in self._vetoes)
