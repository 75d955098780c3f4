"""What serves loads nothing that fits: no training, no spreadsheet library, and without vectors no scikit-learn."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.settings import ROOT

ANSWER = """
import sys
import actions.__main__, connectors.gateway.app
from index.assistant.respond import get_assistant
get_assistant().warm_up()
print(*sys.modules)
"""
"""Both processes' code, in one: what neither loads, each doesn't"""


@pytest.mark.full
@pytest.mark.parametrize("dense", ["true", "false"])
def test_what_answers_has_loaded_nothing_that_fits(prepared: Path, dense: str) -> None:
    env = os.environ | {"YIHAODA_DATA_DIR": str(prepared), "YIHAODA_DENSE": dense, "YIHAODA_LOG_LEVEL": "ERROR"}
    done = subprocess.run([sys.executable, "-c", ANSWER], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "index.search.find" in loaded
    assert {"training", "openpyxl", "index.knowledge_files"} & loaded == set()
    if dense == "false":  # sentence-transformers imports these two itself
        assert {"sklearn", "scipy.optimize", "torch"} & loaded == set()
