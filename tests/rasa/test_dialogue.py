"""The dialogue as Rasa runs it: the data agree with themselves, every rule is tested, the trained model follows the tests."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
TRAINING_DATA = ["nlu_data/nlu", "nlu_data/rules.yml", "nlu_data/stories.yml"]
TEST_STORIES = ROOT / "nlu_data/tests/test_stories.yml"


def rasa(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / ".venv-rasa/bin/python", "-m", "bot.rasa", *arguments],
        cwd=ROOT,
        env={**os.environ, "YIHAODA_ACTION_URL": "http://127.0.0.1:5055/webhook"},
        capture_output=True,
        text=True,
    )


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def pairs(steps: list[dict[str, Any]]) -> set[tuple[str, str, str | None]]:
    """(intent, action, what is awaited at the time) of each turn; the awaited thing only where it is a form."""
    found, awaiting = set(), None
    for step, following in zip(steps, [*steps[1:], {}], strict=True):
        for slot in step.get("slot_was_set", []):
            awaiting = slot.get("awaiting", awaiting)
        if "intent" in step and "action" in following:
            found.add((step["intent"], following["action"], "form" if awaiting == "form" else None))
    return found


def test_every_rule_occurs_in_a_test_story() -> None:
    tested: set[tuple[str, str, str | None]] = set()
    for story in load(TEST_STORIES)["stories"]:
        tested |= pairs(story["steps"])
    wanted: set[tuple[str, str, str | None]] = set()
    for rule in load(ROOT / "nlu_data/rules.yml")["rules"]:
        wanted |= pairs([*rule.get("condition", []), *rule["steps"]])

    assert len(wanted) >= 24
    untested = {
        (intent, action, awaiting)
        for intent, action, awaiting in wanted
        if not any(t[:2] == (intent, action) and (awaiting is None or t[2] == awaiting) for t in tested)
    }
    assert not untested


def test_every_act_has_a_rule_and_enough_examples() -> None:
    declared = {next(iter(intent)) for intent in load(ROOT / "domain.yml")["intents"]}
    examples: dict[str, set[str]] = {}
    for path in sorted((ROOT / "nlu_data/nlu").glob("*.yml")):
        for block in load(path)["nlu"]:
            if "intent" in block:
                lines = {line.strip() for line in block["examples"].splitlines() if line.strip()}
                examples.setdefault(block["intent"], set()).update(lines)
    ruled = {
        step["intent"] for r in load(ROOT / "nlu_data/rules.yml")["rules"] for step in r["steps"] if "intent" in step
    }

    assert set(examples) == declared
    assert ruled == declared | {"nlu_fallback"}
    assert {act: len(lines) for act, lines in examples.items() if len(lines) < 30} == {}


def test_no_text_is_an_example_of_two_acts() -> None:
    seen: dict[str, str] = {}
    for path in sorted((ROOT / "nlu_data/nlu").glob("*.yml")):
        for block in load(path)["nlu"]:
            for line in block["examples"].splitlines() if "intent" in block else []:
                assert seen.setdefault(line.strip(), block["intent"]) == block["intent"], line


def test_data_hold_no_conflict() -> None:
    checked = rasa("data", "validate", "--data", *TRAINING_DATA, "--fail-on-warnings")
    assert checked.returncode == 0, checked.stdout[-3000:] + checked.stderr[-3000:]
    assert "No story structure conflicts found" in checked.stdout + checked.stderr


def test_model_follows_every_test_story(rasa_model: Path, tmp_path: Path) -> None:
    tested = rasa(
        "test", "core", "--model", rasa_model, "--stories", TEST_STORIES, "--e2e", "--fail-on-prediction-errors",
        "--out", tmp_path,
    )  # fmt: skip
    assert tested.returncode == 0, tested.stdout[-3000:] + tested.stderr[-3000:]
    report = json.loads((tmp_path / "story_report.json").read_text(encoding="utf-8"))
    assert report["conversation_accuracy"]["total"] == len(load(TEST_STORIES)["stories"])
    assert report["conversation_accuracy"]["accuracy"] == 1.0


def test_entities_and_neutral_texts(rasa_model: Path) -> None:
    from benchmarks.nlu_acts import parse

    expected = {
        "工单号20261128000456，查询码123456": {("ticket_number", "20261128000456"), ("query_code", "123456")},
        "工单号20261128000456，查询码12345678": {("ticket_number", "20261128000456"), ("query_code", "12345678")},
        "打 139 1234 5678 找我": {("phone", "139 1234 5678")},
        "座机0571-87654321": {("phone", "0571-87654321")},
        "2": {("option", "2")},
        "第三个": {("option", "三")},
        "我选第二条": {("option", "二")},
        "最后一个": {("option", "最后")},
        "我在杭州": {("region", "杭州")},
        "第二套房的契税怎么算": set(),
        "2025年12月的社保": set(),
    }
    for (text, wanted), found in zip(expected.items(), parse(list(expected)), strict=True):
        assert {(e["entity"], e["value"]) for e in found["entities"]} == wanted, text
