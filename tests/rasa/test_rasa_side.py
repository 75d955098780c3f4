"""Runs the tests of ``bot.rasa`` where it lives: in `.venv-rasa`, under Python 3.10."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_rasa_side() -> None:
    finished = subprocess.run(
        [ROOT / ".venv-rasa/bin/python", "tests/rasa/rasa_side.py"], cwd=ROOT, capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stderr[-5000:]
    assert "OK" in finished.stderr
    assert "Ran 0 tests" not in finished.stderr
