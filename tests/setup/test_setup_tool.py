"""tools/setup.py: finding Python, and filling an environment from lock files, with real interpreters and a real pip.

The packages are tiny wheels made here, and nothing is fetched: pip gets `--no-index --find-links` by YIHAODA_PIP_ARGS.
"""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import setup

ROOT = Path(__file__).resolve().parents[2]
VERSION = (sys.version_info[0], sys.version_info[1])
DOTTED = "{}.{}".format(*VERSION)
BASE_PYTHON = str(Path(sys.base_prefix) / "bin" / f"python{DOTTED}")


# The settings for pip that this machine may have are none of the tests' business.
ENVIRON = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")} | {"PIP_CONFIG_FILE": os.devnull}


def a_program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    path.chmod(0o755)
    return path


def a_python(path: Path) -> Path:
    return a_program(path, f'exec "{BASE_PYTHON}" "$@"')


# --- finding Python


def same_python(found: str) -> bool:
    """Whether this is the interpreter that the tests' own environment was made from."""
    return Path(found).resolve() == Path(BASE_PYTHON).resolve()


def test_a_refusing_shim_is_passed_over(tmp_path: Path) -> None:
    a_program(tmp_path / "shims" / f"python{DOTTED}", "echo 'pyenv: command not found' >&2; exit 127")
    a_python(tmp_path / "bin" / f"python{DOTTED}")
    path = f"{tmp_path}/shims:{tmp_path}/bin"
    assert same_python(setup.find_python(VERSION, "测试", {"PATH": path, "HOME": str(tmp_path)}))


@pytest.mark.parametrize("name", ["python3", "python"])
def test_a_plain_name_counts_if_its_version_is_right(tmp_path: Path, name: str) -> None:
    a_python(tmp_path / "bin" / name)
    assert same_python(setup.find_python(VERSION, "测试", {"PATH": f"{tmp_path}/bin", "HOME": str(tmp_path)}))


def test_the_newest_of_pyenvs_versions_is_taken(tmp_path: Path) -> None:
    versions = tmp_path / "pyenv" / "versions"
    for patch in ("2", "10", "9"):
        a_python(versions / f"{DOTTED}.{patch}" / "bin" / f"python{DOTTED}")
    environ = {"PATH": str(tmp_path / "empty"), "HOME": str(tmp_path), "PYENV_ROOT": str(tmp_path / "pyenv")}
    assert [Path(p).parts[-3] for p in setup.candidates(VERSION, environ)] == [f"{DOTTED}.{n}" for n in (10, 9, 2)]
    assert same_python(setup.find_python(VERSION, "测试", environ))


def test_pyenv_in_the_home_folder_needs_no_variable(tmp_path: Path) -> None:
    a_python(tmp_path / ".pyenv" / "versions" / f"{DOTTED}.1" / "bin" / f"python{DOTTED}")
    assert same_python(setup.find_python(VERSION, "测试", {"PATH": "", "HOME": str(tmp_path)}))


def test_uv_is_asked_last(tmp_path: Path) -> None:
    hidden = a_python(tmp_path / "hidden" / "python")
    script = f'[ "$*" = "python find {DOTTED}" ] && echo "{hidden}" || exit 2'
    a_program(tmp_path / ".local" / "bin" / "uv", script)
    assert same_python(setup.find_python(VERSION, "测试", {"PATH": "", "HOME": str(tmp_path)}))


def test_another_version_is_no_substitute_and_the_message_says_what_to_do(tmp_path: Path) -> None:
    a_python(tmp_path / "bin" / "python3.10")  # a liar: it is the tests' own version
    a_program(tmp_path / "shims" / "python3.10", "exit 127")
    environ = {"PATH": f"{tmp_path}/bin:{tmp_path}/shims", "HOME": str(tmp_path)}
    with pytest.raises(setup.SetupError) as raised:
        setup.find_python((3, 10), "Rasa", environ)
    message = str(raised.value)
    assert "没有找到 Python 3.10（Rasa 需要它" in message
    for way in ("uv python install 3.10", "pyenv install 3.10", "sudo apt install python3.10 python3.10-venv"):
        assert way in message
    assert f"{tmp_path}/shims/python3.10 存在，但不能运行" in message


def test_a_python_without_venv_is_named(tmp_path: Path) -> None:
    code = "import sys; sys.modules['ensurepip'] = None; exec(sys.argv[1])"
    a_program(tmp_path / "bin" / f"python{DOTTED}", f'exec "{BASE_PYTHON}" -c "{code}" "$2"')
    with pytest.raises(setup.SetupError, match=f"sudo apt install python{DOTTED}-venv"):
        setup.find_python(VERSION, "测试", {"PATH": f"{tmp_path}/bin", "HOME": str(tmp_path)})


# --- lock files


def test_our_locks_pin_everything_exactly() -> None:
    for environment in setup.ENVIRONMENTS:
        for step in environment.steps:
            assert len(setup.read_pins(ROOT / "requirements" / step.lock)) > 10
    app = setup.read_pins(ROOT / "requirements" / "app.txt")
    dev = setup.read_pins(ROOT / "requirements" / "dev.txt")
    assert app["torch"] == "2.13.0"
    assert setup.read_pins(ROOT / "requirements" / "rasa.txt")["rasa"] == "3.6.21"
    assert not set(app) & set(dev), "dev.txt repeats what app.txt pins"
    assert set(setup.read_pins(ROOT / "requirements" / "build.txt")) == {"pip", "setuptools", "wheel"}


@pytest.mark.parametrize("line", ["torch", "torch>=2", "torch==2.*", "-e .", "https://example.org/x.whl"])
def test_a_line_that_is_no_exact_pin_is_refused(tmp_path: Path, line: str) -> None:
    lock = tmp_path / "app.txt"
    lock.write_text(f"# first\nnumpy==1.0\n{line}\n", "utf-8")
    with pytest.raises(setup.SetupError, match=r"app\.txt 第 3 行"):
        setup.read_pins(lock)


# --- filling an environment


def a_wheel(folder: Path, name: str, version: str, requires: str = "") -> None:
    folder.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += f"Requires-Dist: {requires}\n" if requires else ""
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


def a_wheel_of_pip(folder: Path) -> str:
    """The very pip that runs here, packed again so that an environment can install it; returns its version."""
    pip = importlib.metadata.distribution("pip")
    with zipfile.ZipFile(folder / f"pip-{pip.version}-py3-none-any.whl", "w") as archive:
        for file in pip.files or []:
            path = Path(str(pip.locate_file(file)))
            if ".." not in file.parts and path.suffix != ".pyc":
                archive.write(path, str(file))
    return pip.version


class Project:
    """A small project folder with locks of its own; only the steps of `.venv` are used."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.venv = root / ".venv"
        self.wheels = root / "wheels"
        requirements = root / "requirements"
        requirements.mkdir()
        for name, version, requires in (
            ("torch", "2.0+cpu", ""),
            ("apple", "1.0", "torch"),
            ("apple", "2.0", "torch"),
            ("pear", "1.0", "apple<3"),
            ("plum", "1.0", "apple>=5"),
        ):
            a_wheel(self.wheels, name, version, requires)
        self.lock("build", f"pip=={a_wheel_of_pip(self.wheels)}")
        self.lock("app", "torch==2.0", "apple==1.0")
        self.lock("dev", "pear==1.0")

    def lock(self, step: str, *pins: str) -> None:
        (self.root / "requirements" / f"{step}.txt").write_text("\n".join(pins) + "\n", "utf-8")

    def install(self, *steps: str, pip_args: str | None = None) -> None:
        arguments = f"--no-index --find-links '{self.wheels}'" if pip_args is None else pip_args
        setup.install(self.root, steps, {**ENVIRON, "YIHAODA_PIP_ARGS": arguments})

    def version_of(self, name: str) -> str:
        code = f"import {name}; print({name}.VERSION)"
        command = [str(self.venv / "bin" / "python"), "-c", code]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("project with a space"))
    project.install("app")
    return project


@pytest.fixture
def project(installed: Project) -> Iterator[Project]:
    """The installed project; what a test changes in its locks is put back."""
    before = {file: file.read_bytes() for file in (installed.root / "requirements").iterdir()}
    yield installed
    for file, content in before.items():
        file.write_bytes(content)
    # A test that made pip fail had it fail before anything was changed; making all anew would only take time.
    (installed.root / ".setup" / "venv.installing").unlink(missing_ok=True)


pytestmark = pytest.mark.skipif(VERSION != (3, 11), reason="the tool makes .venv with Python 3.11 only")


def test_an_environment_is_made_and_stamped(project: Project) -> None:
    project.install("app")
    assert project.version_of("apple") == "1.0"
    assert project.version_of("torch") == "2.0+cpu"
    assert set(json.loads((project.venv / ".stamp").read_text("utf-8"))) >= {"app", "folder"}
    assert not list((project.root / ".setup").glob("*.installing"))
    log = (project.root / ".setup" / "venv.log").read_text("utf-8")
    assert log.index("torch==2.0") < log.index("-r "), "torch comes first, by a call of its own"
    assert (project.root / ".setup" / ".gitignore").read_text("utf-8") == "*\n"


def test_nothing_is_done_twice(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.install("app")
    capsys.readouterr()
    shutil.move(project.wheels, project.root / "elsewhere")
    try:
        project.install("app")  # would fail if it called pip
    finally:
        shutil.move(project.root / "elsewhere", project.wheels)
    assert capsys.readouterr().out == ""


@pytest.mark.full
def test_a_changed_lock_updates_and_a_second_step_adds(project: Project) -> None:
    project.install("app", "dev")
    kept = project.venv / "kept"
    kept.touch()
    project.lock("app", "torch==2.0", "apple==2.0")
    project.install("app")
    assert project.version_of("apple") == "2.0"
    assert kept.exists(), "an update need not begin anew"
    stamp = json.loads((project.venv / ".stamp").read_text("utf-8"))
    assert "dev" not in stamp, "dev.txt is constrained by app.txt, and has to be looked at again"
    project.install("app", "dev")
    assert set(json.loads((project.venv / ".stamp").read_text("utf-8"))) >= {"app", "dev"}


@pytest.mark.full
def test_a_cut_off_installation_begins_anew(project: Project) -> None:
    project.install("app")
    half = project.venv / "half"
    half.touch()
    (project.root / ".setup" / "venv.installing").touch()
    project.install("app")
    assert not half.exists()
    assert project.version_of("apple") == "1.0"


@pytest.mark.full
def test_an_environment_whose_python_is_gone_begins_anew(project: Project) -> None:
    project.install("app")
    for link in (project.venv / "bin").glob("python*"):
        link.unlink()
    project.install("app")
    assert project.version_of("apple") == "1.0"


@pytest.mark.full
def test_a_moved_environment_begins_anew(project: Project, tmp_path: Path) -> None:
    project.install("app")
    moved = tmp_path / "moved"
    shutil.copytree(project.root, moved, symlinks=True)
    (moved / ".venv" / "old").touch()
    arguments = f"--no-index --find-links '{project.wheels}'"
    setup.install(moved, ["app"], {**ENVIRON, "YIHAODA_PIP_ARGS": arguments})
    assert not (moved / ".venv" / "old").exists()
    assert str(moved) in (moved / ".venv" / "bin" / "pip").read_text("utf-8")


@pytest.mark.full
def test_a_failure_names_reason_log_and_last_lines_and_is_not_trusted_later(project: Project) -> None:
    project.lock("app", "torch==2.0", "apple==9.9")
    with pytest.raises(setup.SetupError) as raised:
        project.install("app")
    message = str(raised.value)
    assert ".venv：安装 app.txt失败，软件源里没有锁定的版本" in message
    assert "YIHAODA_PIP_ARGS" in message
    assert str(project.root / ".setup" / "venv.log") in message
    assert "No matching distribution found for apple==9.9" in message
    assert not (project.venv / ".stamp").exists()
    project.lock("app", "torch==2.0", "apple==1.0")
    project.install("app")
    assert project.version_of("apple") == "1.0"


def test_no_way_to_the_index_is_said_as_such(project: Project) -> None:
    project.lock("app", "torch==2.0", "apple==9.8")
    nowhere = f"--retries 1 --find-links '{project.wheels}' --index-url http://127.0.0.1:9/simple"
    with pytest.raises(setup.SetupError, match="连不上软件源"):
        project.install("app", pip_args=nowhere)


def test_packages_that_do_not_fit_together_are_found(project: Project) -> None:
    project.lock("app", "torch==2.0", "apple==1.0", "plum==1.0")
    with pytest.raises(setup.SetupError, match="ResolutionImpossible"):
        project.install("app")


def test_unpaired_quotes_in_the_arguments_are_a_clear_error(project: Project) -> None:
    project.lock("app", "torch==2.0", "apple==2.0")
    with pytest.raises(setup.SetupError, match="YIHAODA_PIP_ARGS 的引号不成对"):
        project.install("app", pip_args="--index-url 'half")


def test_a_password_in_the_arguments_stays_out_of_the_log(project: Project) -> None:
    project.lock("app", "torch==2.0", "apple==1.0", "# changed")
    address = "http://someone:secret-word@127.0.0.1:9/simple"
    project.install("app", pip_args=f"--no-index --find-links '{project.wheels}' --extra-index-url {address}")
    log = (project.root / ".setup" / "venv.log").read_text("utf-8")
    assert "--extra-index-url" in log
    assert "secret-word" not in log


# --- the command itself


def test_everything_missing_is_said_at_once_without_a_traceback(tmp_path: Path) -> None:
    """From a copy, so that nothing is installed here; with a PATH on which there is no Python at all."""
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    unwanted = shutil.ignore_patterns("node_modules", "dist")
    shutil.copytree(ROOT / "connectors" / "miniprogram", tmp_path / "connectors" / "miniprogram", ignore=unwanted)
    environ = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "tools.setup", "install", "rasa", "app", "h5"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", env=environ)
    assert result.returncode == 1
    assert result.stderr.startswith("错误：没有找到 Python 3.10")
    assert "没有找到 Python 3.11" in result.stderr
    assert "没有找到 Node.js 20" in result.stderr
    assert "Traceback" not in result.stderr
