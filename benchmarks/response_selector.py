"""Rasa's own FAQ component on our items: run by ``.venv-rasa`` (Python 3.10) for ``benchmarks/decisions.py``.

Reads from standard input a JSON object ``{"items": {id: [wordings]}, "questions": [texts]}``, trains a ResponseSelector (with
the settings of Rasa's documentation for an FAQ: character and word counts; 10 epochs, of a minute or two each) and writes,
as the last line of its standard output, a JSON list of ``[id, confidence]``, one for each question.
"""

import asyncio
import json
import logging
import os
import sys
import tempfile
from pathlib import Path

from rasa.core.agent import Agent
from rasa.model_training import train_nlu
from rasa.shared.utils.io import write_yaml
from rasa.utils.log_utils import configure_structlog

PIPELINE = [
    {"name": "JiebaTokenizer"},
    {"name": "CountVectorsFeaturizer"},
    {"name": "CountVectorsFeaturizer", "analyzer": "char_wb", "min_ngram": 1, "max_ngram": 4},
    {"name": "DIETClassifier", "epochs": 1, "entity_recognition": False},
    {"name": "ResponseSelector", "epochs": 10, "retrieval_intent": "faq"},
]


async def main() -> None:
    """Train, ask, print."""
    configure_structlog(logging.ERROR)
    given = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        config, data, domain = (Path(folder, name) for name in ("config.yml", "nlu.yml", "domain.yml"))
        write_yaml({"recipe": "default.v1", "assistant_id": "faq", "language": "zh", "pipeline": PIPELINE}, config)
        examples = [
            {"intent": f"faq/{id_}", "examples": "".join(f"- {text}\n" for text in texts)}
            for id_, texts in given["items"].items()
        ]
        examples.append({"intent": "other", "examples": "- 哈哈\n- 嗯\n"})  # Rasa trains no classifier on one intent
        write_yaml({"version": "3.1", "nlu": examples}, data)
        responses = {f"utter_faq/{id_}": [{"text": id_}] for id_ in given["items"]}
        write_yaml({"version": "3.1", "intents": ["faq", "other"], "responses": responses}, domain)
        model = train_nlu(str(config), str(data), folder, fixed_model_name="faq", domain=str(domain))
        agent = Agent.load(model)
        found = []
        for text in given["questions"]:
            parsed = await agent.parse_message(text)
            best = parsed["response_selector"]["faq"]["response"]
            found.append([best["intent_response_key"].removeprefix("faq/"), float(best["confidence"])])
    print(json.dumps(found, ensure_ascii=False))


if __name__ == "__main__":
    os.environ.setdefault("RASA_TELEMETRY_ENABLED", "false")
    asyncio.run(main())
