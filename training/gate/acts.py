"""What a Rasa model makes of sentences: parsed by its own Python, and kept, for a model never changes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bot.errors import YihaodaError
from bot.releases import files
from bot.settings import ROOT, Settings
from training.gate.rows import Heard

_TIMEOUT_S = 600
_KEPT = 6


class NoModel(YihaodaError):
    """A Rasa model can't be asked."""

    code = "no_model"


def heard(settings: Settings, model: str, texts: Sequence[str]) -> list[Heard]:
    """The act of each text.  Raises: NoModel."""
    path = kept_in(settings, model, texts)
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(_parsed(files.model_file(settings, model), texts)), encoding="utf-8")
        draft.replace(path)
    path.touch()
    for old in sorted(path.parent.glob("*.json"), key=lambda one: one.stat().st_mtime)[:-_KEPT]:
        old.unlink(missing_ok=True)
    return [Heard("act", act, probability) for act, probability in json.loads(path.read_text(encoding="utf-8"))]


def kept_in(settings: Settings, model: str, texts: Sequence[str]) -> Path:
    """Where what a model heard is kept: [[act, confidence], …]."""
    told = hashlib.sha256(json.dumps([model, *texts], ensure_ascii=False).encode()).hexdigest()[:32]
    return settings.data_dir / "evaluations" / "acts" / f"{told}.json"


def _parsed(model: Path, texts: Sequence[str]) -> list[tuple[str, float]]:
    if not model.is_file():
        raise NoModel(f"意图模型 {model.name} 不在磁盘上。")
    python = ROOT / ".venv-rasa" / "bin" / "python"
    environment = {
        **os.environ,
        "RASA_TELEMETRY_ENABLED": "false",
        "OMP_NUM_THREADS": "1",
        "TF_NUM_INTRAOP_THREADS": "1",
    }
    try:
        finished = subprocess.run(
            ["nice", "-n", "19", python, ROOT / "training" / "gate" / "parse_acts.py", model],
            input=json.dumps(texts),
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env=environment,
            timeout=_TIMEOUT_S,
        )
        results = json.loads(finished.stdout.rstrip("\n").rsplit("\n", 1)[-1])
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise NoModel(f"意图模型 {model.name} 不能用来解析。") from error
    return [(one["intent"], round(one["confidence"], 4)) for one in results]
