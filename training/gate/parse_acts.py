"""Parses texts with a trained Rasa model: run by ``.venv-rasa`` (Python 3.10) for the gate and ``benchmarks/nlu_acts.py``.

``python training/gate/parse_acts.py MODEL.tar.gz`` reads a JSON list of texts from standard input and writes, as the last line of
its standard output, a JSON list of ``{"intent", "confidence", "entities", "ms"}``.
"""

import asyncio
import json
import logging
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from rasa.core.agent import Agent
from rasa.utils.log_utils import configure_structlog


async def main() -> None:
    """Load the model, parse every text, print the results."""
    configure_structlog(logging.WARNING)
    agent = Agent.load(sys.argv[1])
    results = []
    for text in json.load(sys.stdin):
        started = time.perf_counter()
        parsed = await agent.parse_message(text)
        results.append(
            {
                "intent": parsed["intent"]["name"],
                "confidence": float(parsed["intent"]["confidence"]),
                "entities": [{"entity": e["entity"], "value": e["value"]} for e in parsed["entities"]],
                "ms": 1000 * (time.perf_counter() - started),
            }
        )
    print(json.dumps(results, ensure_ascii=False))


if __name__ == "__main__":
    asyncio.run(main())
