"""How well Rasa tells questions from other acts: ``python benchmarks/nlu_acts.py FILE.jsonl [--json]``.

Each line of the file is ``{"text": …, "act": …}`` with an intent of ``domain.yml``. Printed are the recall of each act and the
policy questions (act ``ask_policy``) that went to another act; ``follow_up`` and ``nlu_fallback`` count as questions, for
they reach the same action. Run it in `.venv`; the parsing happens in `.venv-rasa` (`training/gate/parse_acts.py`).
"""

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from connectors.run.rasa_model import ensure_model  # noqa: E402

QUESTIONS = frozenset({"ask_policy", "follow_up", "nlu_fallback"})


def parse(texts: list[str]) -> list[dict[str, Any]]:
    """Run texts through the current Rasa model, trained first if need be.

    Args:
        texts: What citizens write.

    Returns:
        One dictionary a text: ``intent``, ``confidence``, ``entities`` (type and value), ``ms`` (milliseconds it took).

    Raises:
        RasaTrainingError: if the model cannot be trained.
        subprocess.CalledProcessError: if the parsing process fails.
    """
    finished = subprocess.run(
        [ROOT / ".venv-rasa/bin/python", ROOT / "training/gate/parse_acts.py", ensure_model(ROOT)],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "RASA_TELEMETRY_ENABLED": "false"},
    )
    results: list[dict[str, Any]] = json.loads(finished.stdout.splitlines()[-1])
    return results


def score(examples: list[dict[str, str]], parsed: list[dict[str, Any]]) -> dict[str, Any]:
    """Compare what was meant with what was recognised.

    Args:
        examples: ``{"text", "act"}`` each.
        parsed: What ``parse`` returned for their texts.

    Returns:
        ``recall`` (by act, with ``n``), ``other_acts`` (recall over all acts that are no questions), ``leaked`` (share of policy
        questions sent to another act), ``errors`` (every example not recognised) and ``ms_p50``.
    """
    total: Counter[str] = Counter()
    right: Counter[str] = Counter()
    errors = []
    for example, found in zip(examples, parsed, strict=True):
        act, intent = example["act"], found["intent"]
        total[act] += 1
        if intent == act or (act in QUESTIONS and intent in QUESTIONS):
            right[act] += 1
        else:
            errors.append({**example, "intent": intent, "confidence": round(found["confidence"], 3)})
    others = [act for act in total if act not in QUESTIONS]
    n_others = sum(total[act] for act in others)
    return {
        "recall": {act: {"n": total[act], "recall": right[act] / total[act]} for act in sorted(total)},
        "other_acts": sum(right[act] for act in others) / n_others if n_others else None,
        "leaked": 1 - right["ask_policy"] / total["ask_policy"] if total["ask_policy"] else None,
        "errors": errors,
        "ms_p50": sorted(found["ms"] for found in parsed)[len(parsed) // 2],
    }


def main() -> None:
    """Read the arguments, measure, print a table or JSON."""
    arguments = argparse.ArgumentParser(description="Recall of each dialogue act, and the questions sent astray.")
    arguments.add_argument("file", type=Path, help="JSON lines with text and act")
    arguments.add_argument("--json", action="store_true", help="print one JSON object")
    options = arguments.parse_args()

    lines = options.file.read_text(encoding="utf-8").split("\n")
    examples = [json.loads(line) for line in lines if line.strip()]
    if not examples:
        arguments.error(f"{options.file} has no examples")
    result = score(examples, parse([example["text"] for example in examples]))
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
        return
    for act, row in result["recall"].items():
        print(f"{act:16} {row['n']:5} {row['recall']:7.1%}")
    for name in ("other_acts", "leaked"):
        if result[name] is not None:
            print(f"{name:16}       {result[name]:7.2%}")
    print(f"ms_p50           {result['ms_p50']:12.1f}")
    for error in result["errors"]:
        print(f"  {error['act']} → {error['intent']} ({error['confidence']}): {error['text']}")


if __name__ == "__main__":
    main()
