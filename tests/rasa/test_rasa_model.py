"""The cache of trained models: found again when nothing changed, another when anything did, a clear error when it fails."""

import shutil
from pathlib import Path

import pytest

from connectors.run.rasa_model import RasaTrainingError, ensure_model

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the inputs whose Rasa is a small program: it 'trains' by writing its arguments, or fails on demand."""
    for name in ("config.yml", "domain.yml", "requirements/rasa.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("nlu_data", "bot/rasa"):
        shutil.copytree(ROOT / name, tmp_path / name)
    python = tmp_path / ".venv-rasa/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(
        "#!/bin/sh\n"
        'echo "run" >> runs.txt\n'
        "[ -e broken ] && { echo 'no such pipeline component'; exit 1; }\n"
        'while [ "$1" != "--out" ]; do shift; done\n'
        'echo "model $2" > "$2/model.tar.gz"\n'
    )
    python.chmod(0o755)
    return tmp_path


def runs(project: Path) -> int:
    return len((project / "runs.txt").read_text().splitlines())


def test_trained_once_for_each_state_of_the_inputs(project: Path) -> None:
    first = ensure_model(project)
    assert first.read_text().startswith("model ")
    assert ensure_model(project) == first
    assert runs(project) == 1

    stories = project / "nlu_data/stories.yml"
    before = stories.read_bytes()
    stories.write_bytes(before + b"\n# changed\n")
    second = ensure_model(project)
    assert second != first
    assert runs(project) == 2

    stories.write_bytes(before)
    assert ensure_model(project) == first
    assert runs(project) == 2


@pytest.mark.parametrize(
    "name", ["config.yml", "bot/rasa/question_gate.py", "requirements/rasa.txt", "nlu_data/dict/policy.txt"]
)
def test_every_kind_of_input_counts(project: Path, name: str) -> None:
    first = ensure_model(project)
    with (project / name).open("a") as file:
        file.write("\n")
    assert ensure_model(project) != first


def test_compiled_files_do_not_count(project: Path) -> None:
    first = ensure_model(project)
    cache = project / "bot/rasa/__pycache__"
    cache.mkdir(exist_ok=True)
    (cache / "question_gate.cpython-310.pyc").write_bytes(b"compiled")
    assert ensure_model(project) == first


def test_failure_names_the_log_and_leaves_no_model(project: Path) -> None:
    (project / "broken").touch()
    with pytest.raises(RasaTrainingError, match=r"训练失败.*train\.log"):
        ensure_model(project)
    assert "no such pipeline component" in (project / ".cache/rasa/train.log").read_text()
    assert [p.name for p in (project / ".cache/rasa").iterdir()] == ["train.log"]

    (project / "broken").unlink()
    assert ensure_model(project).exists()


def test_missing_environment_or_input_is_said(project: Path) -> None:
    shutil.rmtree(project / "nlu_data")
    with pytest.raises(RasaTrainingError, match="nlu_data"):
        ensure_model(project)
    shutil.copytree(ROOT / "nlu_data", project / "nlu_data")
    shutil.rmtree(project / ".venv-rasa")
    with pytest.raises(RasaTrainingError, match=r"\.venv-rasa"):
        ensure_model(project)
