"""The cache of trained models: found again when nothing changed, another when anything did, a clear error when it fails."""

import shutil
from pathlib import Path

import pytest

from bot import database, notices
from bot.models.releases import Bundle
from bot.releases import files
from bot.settings import Settings
from connectors.run import services
from connectors.run.rasa_model import RasaTrainingError, ensure_model, model_id
from tests.bot.test_releases import bundle

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the inputs whose Rasa is a small program: it 'trains' by writing its arguments, or fails on demand."""
    for name in ("config.yml", "domain.yml", "requirements/rasa.txt", "pyproject.toml"):
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
        'while [ "$1" != "--data" ]; do shift; done; echo "$*" > learned.txt\n'
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


LEARNED = "nlu:\n  - intent: thanks\n    examples: |\n      - 多谢您嘞\n"


def test_sentences_that_are_learned_besides_count_and_are_learned(project: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "nlu_overlay.yml"
    overlay.write_text(LEARNED)
    plain, besides = ensure_model(project), ensure_model(project, overlay)
    assert besides != plain and besides.name == f"{model_id(project, overlay)}.tar.gz"
    assert str(overlay) in (project / "learned.txt").read_text()
    overlay.write_text(LEARNED.replace("多谢", "谢谢"))
    assert model_id(project, overlay) != besides.name.removesuffix(".tar.gz")
    assert ensure_model(project) == plain


def said_to_people() -> list[str]:
    with database.read() as session:
        return notices.texts(session)


def test_a_start_in_production_runs_the_live_releases_model_as_long_as_the_program_is_the_same(
    project: Path, sqlite_db: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "ROOT", project)
    production = sqlite_db.model_copy(update={"env": "production"})
    first = services._rasa_model(production, lambda line: None)
    assert first.parent == sqlite_db.data_dir / "rasa" and first.is_file()
    live = bundle("a", "live")
    live.rasa_model, live.summary = "frozen", {"code": files.code(project)}
    with database.write() as session:
        session.add(live)
    frozen = files.model_file(sqlite_db, "frozen")
    frozen.write_text("frozen")
    overlay = files.folder(sqlite_db, "a") / files.OVERLAY
    overlay.parent.mkdir(parents=True)
    overlay.write_text(LEARNED)
    with (project / "nlu_data/stories.yml").open("a") as file:
        file.write("\n# changed\n")
    trained = runs(project)
    assert services._rasa_model(production, lambda line: None) == frozen and runs(project) == trained
    assert said_to_people() == []
    assert services._rasa_model(sqlite_db, lambda line: None).name == f"{model_id(project, overlay)}.tar.gz"
    assert runs(project) == trained + 1, "in development it goes along"

    with (project / "domain.yml").open("a") as file:
        file.write("\n")
    files.engine.cache_clear()
    anew = services._rasa_model(production, lambda line: None)
    assert anew.name == f"{model_id(project, overlay)}.tar.gz" and runs(project) == trained + 2
    assert str(overlay) in (project / "learned.txt").read_text()
    (told,) = said_to_people()
    assert "发布包 a" in told and "程序文件有更新" in told
    with database.write() as session:
        session.get_one(Bundle, "a").summary = {"code": files.code(project)}
    assert services._rasa_model(production, lambda line: None) == frozen and said_to_people() == []
    frozen.unlink()
    services._rasa_model(production, lambda line: None)
    assert "不在这台机器上" in said_to_people()[0]


def test_a_rasa_for_each_model_that_is_held(sqlite_db: Settings) -> None:
    settings = sqlite_db.model_copy(update={"rasa_port": 5005, "rasa_spare_ports": "5006,5007"})
    for model in ("one", "two"):
        files.model_file(settings, model).parent.mkdir(parents=True, exist_ok=True)
        files.model_file(settings, model).write_text(model)
    started = services.services(settings, files.model_file(settings, "one"))
    look = services.wanted(settings, started)
    assert look() == [started[0]], "without a bundle the first one stays"
    with database.write() as session:
        for name, state, model, port in (
            ("a", "live", "one", 5005), ("b", "previous", "one", 5005), ("c", "share", "two", 5006),
            ("d", "shadow", "gone", 5007), ("e", "shadow", "two", None), ("f", "kept", "two", 5007),
        ):  # fmt: skip
            made = bundle(name, state)
            made.rasa_model, made.rasa_port = model, port
            session.add(made)
    found = {one.name: one for one in look()}
    assert set(found) == {"rasa", "rasa-5006"}
    assert found["rasa"].command == started[0].command and found["rasa"].env == started[0].env
    assert str(files.model_file(settings, "two")) in found["rasa-5006"].command
    assert not found["rasa-5006"].needed and found["rasa-5006"].drain_s > settings.rasa_timeout_s
