"""The trained Rasa model, made once for each state of its inputs and kept under ``.cache/rasa``.

Training takes most of a minute, so a model is named by a hash of everything it is made from; an unchanged project finds
its model there at once.
"""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bot.errors import YihaodaError

_INPUTS = ("config.yml", "domain.yml", "nlu_data", "bot/rasa", "requirements/rasa.txt")
_TRAINING_DATA = ("nlu_data/nlu", "nlu_data/rules.yml", "nlu_data/stories.yml")
_CACHE = Path(".cache", "rasa")


class RasaTrainingError(YihaodaError):
    """Rasa could not be trained; the message, in Chinese, says where the log lies."""


def ensure_model(root: Path, overlay: Path | None = None) -> Path:
    """Return the Rasa model for the project at ``root``, training it first if its inputs have changed.

    Two callers at once both train and the later one replaces the earlier one's equal file; neither sees half a model.

    Args:
        root: The project's directory, with ``.venv-rasa``, ``config.yml``, ``domain.yml``, ``nlu_data`` and ``bot/rasa``.
        overlay: A file of NLU data that is learned besides.

    Returns:
        ``<root>/.cache/rasa/<hash of the inputs>.tar.gz``.

    Raises:
        RasaTrainingError: if ``.venv-rasa`` or an input is missing, or if Rasa's training fails.
    """
    root = root.resolve()
    model = root / _CACHE / f"{model_id(root, overlay)}.tar.gz"
    if not model.exists():
        model.parent.mkdir(parents=True, exist_ok=True)
        _train(root, model, overlay)
    return model


def _train(root: Path, model: Path, overlay: Path | None) -> None:
    python = root / ".venv-rasa" / "bin" / "python"
    if not python.exists():
        raise RasaTrainingError(f"找不到 Rasa 的运行环境 {python}，请先运行 make setup")
    log = model.parent / "train.log"
    # The working directory is beside the model, on one file system, so that the move is a rename.
    with tempfile.TemporaryDirectory(dir=model.parent, prefix="training-") as out:
        command = [str(python), "-m", "bot.rasa", "train", "--config", "config.yml", "--domain", "domain.yml"]
        data = [*_TRAINING_DATA, *([str(overlay.resolve())] if overlay is not None else [])]
        command += ["--data", *data, "--out", out, "--fixed-model-name", "model"]
        with log.open("wb") as sink:
            finished = subprocess.run(
                command, cwd=root, env=_environment(), stdout=sink, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
            )
        made = Path(out, "model.tar.gz")
        if finished.returncode != 0 or not made.exists():
            raise RasaTrainingError(f"Rasa 模型训练失败（退出码 {finished.returncode}），详见日志 {log}")
        made.replace(model)


def _environment() -> dict[str, str]:
    # Rasa expands ${YIHAODA_ACTION_URL} whenever it reads endpoints.yml; training never calls the address.
    quiet = {"RASA_TELEMETRY_ENABLED": "false", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUNBUFFERED": "1"}
    return {"YIHAODA_ACTION_URL": "http://127.0.0.1:5055/webhook", **os.environ, **quiet}


def model_id(root: Path, overlay: Path | None = None) -> str:
    """What the model of these inputs is called.  Raises: RasaTrainingError, where one is missing."""
    digest = hashlib.sha256()
    for path in _input_files(root):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    if overlay is not None:
        digest.update(b"overlay\0" + overlay.read_bytes())
    return digest.hexdigest()[:16]


def _input_files(root: Path) -> Iterator[Path]:
    for name in _INPUTS:
        entry = root / name
        if entry.is_dir():
            yield from sorted(p for p in entry.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
        elif entry.is_file():
            yield entry
        else:
            raise RasaTrainingError(f"缺少训练 Rasa 所需的 {entry}")
