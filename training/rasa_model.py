"""Rasa models: each is named by a hash of everything it is made from, so that the same inputs are never trained twice."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from bot.errors import YihaodaError

_INPUTS = ("config.yml", "domain.yml", "nlu_data", "bot/rasa", "requirements/rasa.txt")
_TRAINING_DATA = ("nlu_data/nlu", "nlu_data/rules.yml", "nlu_data/stories.yml")
CACHE = Path(".cache", "rasa")
"""In the project: models of what comes with it"""


class RasaTrainingError(YihaodaError):
    """Rasa could not be trained; the message, in Chinese, says where the log lies."""


def model_id(root: Path, overlay: Path | None = None) -> str:
    """What names the model of the project at ``root``, with what reviewers added to its sentences.

    Raises:
        RasaTrainingError: an input is missing.
    """
    digest = hashlib.sha256()
    for path in _input_files(root):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    if overlay is not None and examples(overlay):
        digest.update(b"overlay\0" + overlay.read_bytes())
    return digest.hexdigest()[:16]


def examples(overlay: Path) -> dict[str, list[str]]:
    """The sentences of a file of NLU data, by act."""
    entries = yaml.safe_load(overlay.read_text(encoding="utf-8"))["nlu"] or ()
    found: dict[str, list[str]] = {}
    for entry in entries:
        if "intent" not in entry:
            continue  # synonyms and such
        lines = (line.strip().removeprefix("-").strip() for line in entry["examples"].splitlines())
        found.setdefault(entry["intent"], []).extend(line for line in lines if line)
    return found


def python(root: Path) -> Path:
    """The interpreter that has Rasa.  Raises: RasaTrainingError."""
    found = root / ".venv-rasa" / "bin" / "python"
    if not found.exists():
        raise RasaTrainingError(f"找不到 Rasa 的运行环境 {found}，请先运行 make setup")
    return found


def train(root: Path, model: Path, overlay: Path | None = None, heard: Callable[[str], None] | None = None) -> None:
    """Train the project's model; it is at ``model`` when this returns, whole.

    Args:
        heard: told each line that Rasa writes, which goes into ``train.log`` beside the model too.

    Raises:
        RasaTrainingError
    """
    interpreter, log = python(root), model.parent / "train.log"
    data = [*_TRAINING_DATA, *([str(overlay.resolve())] if overlay is not None and examples(overlay) else [])]
    # The working directory is beside the model, on one file system, so that the move is a rename.
    with tempfile.TemporaryDirectory(dir=model.parent, prefix="training-") as out:
        command = [str(interpreter), "-m", "bot.rasa", "train", "--config", "config.yml", "--domain", "domain.yml"]
        command += ["--data", *data, "--out", out, "--fixed-model-name", "model"]
        with (
            log.open("wb") as sink,
            subprocess.Popen(
                command,
                cwd=root,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            ) as process,
        ):
            assert process.stdout is not None
            for line in process.stdout:
                sink.write(line)
                if heard is not None:
                    heard(line.decode("utf-8", "replace").rstrip())
        made = Path(out, "model.tar.gz")
        if process.returncode != 0 or not made.exists():
            raise RasaTrainingError(f"Rasa 模型训练失败（退出码 {process.returncode}），详见日志 {log}")
        made.replace(model)


def _environment() -> dict[str, str]:
    # Rasa expands ${YIHAODA_ACTION_URL} whenever it reads endpoints.yml; training never calls the address.
    quiet = {"RASA_TELEMETRY_ENABLED": "false", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUNBUFFERED": "1"}
    return {"YIHAODA_ACTION_URL": "http://127.0.0.1:5055/webhook", **os.environ, **quiet}


def _input_files(root: Path) -> Iterator[Path]:
    for name in _INPUTS:
        entry = root / name
        if entry.is_dir():
            yield from sorted(p for p in entry.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
        elif entry.is_file():
            yield entry
        else:
            raise RasaTrainingError(f"缺少训练 Rasa 所需的 {entry}")
