#!/usr/bin/env python3
"""Prepare the two virtual environments and the two clients, with any Python from 3.8 on and no other package.

`python -m tools.setup install rasa app` makes `.venv-rasa` (Python 3.10, Rasa) and `.venv` (Python 3.11, the rest) from
their lock files; adding `dev` puts the tools for lint and tests into `.venv`; `h5` and `console` build the web
pages with Node.js, see `tools/client.py`.  The Makefile calls it; `make help` lists the ways.

What is trusted: `.venv/.stamp` names, for each finished step, the hash of everything it was made from.  It is written
last.  While an installation runs, `.setup/<environment>.installing` exists; where one is found at the start, an earlier
run was cut off, and the environment is made anew.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import functools
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tools import client
from tools.work import STATE_FOLDER, SetupError, Stopped, Work

if TYPE_CHECKING:  # Python 3.8 could not evaluate these
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tools.work import Say

    Version = tuple[int, int]
    Job = tuple[Work, Callable[[], None]]

HEARTBEAT_SECONDS = 15.0
# Unpacked; the torch that PyPI has for Linux brings CUDA libraries and needs several GB more.
NEEDED_GB = {".venv-rasa": 3.0, ".venv": 2.5}
# Where pip's output names the package it is at.
PACKAGE_LINE = re.compile(
    r"(?:Collecting|Requirement already satisfied:) ([A-Za-z0-9._-]+)|Processing \S*/([A-Za-z0-9._]+)-"
)
# What the torch of PyPI brings for NVIDIA cards.  It differs from machine to machine, so torch itself pins it.
ACCELERATOR = re.compile(r"^(nvidia-|cuda-|triton$)")


class Step(NamedTuple):
    """One lock file that goes into an environment."""

    name: str
    lock: str
    constraints: tuple[str, ...] = ()
    alone_first: tuple[str, ...] = ()  # installed by a pip call of their own before the rest


class Environment(NamedTuple):
    """A virtual environment and the steps that fill it, in order."""

    folder: str
    title: str
    python: Version
    steps: tuple[Step, ...]


ENVIRONMENTS = (
    Environment(".venv-rasa", "Rasa", (3, 10), (Step("rasa", "rasa.txt"),)),
    Environment(
        ".venv",
        "助手",
        (3, 11),
        (Step("app", "app.txt", alone_first=("torch",)), Step("dev", "dev.txt", constraints=("app.txt",))),
    ),
)
STEP_NAMES = (*(step.name for environment in ENVIRONMENTS for step in environment.steps), *client.STEPS)


# --- finding Python -------------------------------------------------------------------------------------------------

PROBE = """
import json, struct, sys
try:
    import ensurepip, venv
    complete = True
except ImportError:
    complete = False
print(json.dumps([sys.version_info[:2], getattr(sys, "_base_executable", None) or sys.executable,
                  sys.implementation.name == "cpython" and struct.calcsize("P") == 8, complete]))
"""


class Probe(NamedTuple):
    """What an interpreter said about itself when it was run."""

    version: Version
    executable: str  # of the Python itself, where the one asked belongs to a virtual environment
    fits: bool  # CPython, 64 bits
    complete: bool  # has venv and ensurepip; Debian packs them apart


def probe(executable: str) -> Probe | None:
    """Run an interpreter and ask who it is; None if it does not run (a pyenv shim may refuse to)."""
    try:
        answer = subprocess.run(
            [executable, "-c", PROBE],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=30,
        )
        version, base, fits, complete = json.loads(answer.stdout.decode("utf-8"))
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return Probe((version[0], version[1]), base, fits, complete)


def candidates(version: Version, environ: Mapping[str, str]) -> Iterator[str]:
    """Where a Python of this version may be: PATH, pyenv's versions, then what uv knows."""
    dotted = "{}.{}".format(*version)
    path = environ.get("PATH", os.defpath)
    for name in ("python" + dotted, "python3", "python"):
        for folder in filter(None, path.split(os.pathsep)):
            executable = Path(folder, name)
            if executable.is_file() and os.access(executable, os.X_OK):
                yield str(executable)

    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    for root in dict.fromkeys([environ.get("PYENV_ROOT") or str(home / ".pyenv"), str(home / ".pyenv")]):
        found = Path(root, "versions").glob(dotted + ".*/bin/python" + dotted)
        for executable_path in sorted(found, key=lambda p: [int(n) for n in re.findall(r"\d+", str(p))], reverse=True):
            yield str(executable_path)

    uv_places = [path, str(home / ".local" / "bin"), str(home / ".cargo" / "bin")]
    uv = shutil.which("uv", path=os.pathsep.join(uv_places))
    if uv:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            answer = subprocess.run(
                [uv, "python", "find", dotted],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=30,
                env=dict(environ),
                cwd=os.sep,
            )
            if answer.returncode == 0:
                yield answer.stdout.decode("utf-8").strip()


def find_python(version: Version, purpose: str, environ: Mapping[str, str]) -> str:
    """Path of a 64-bit CPython of exactly this minor version that can make virtual environments.

    Raises SetupError, naming what is missing and how to get it.
    """
    dotted = "{}.{}".format(*version)
    refused: list[str] = []
    incomplete: list[str] = []
    for executable in dict.fromkeys(candidates(version, environ)):
        found = probe(executable)
        if found is None:
            if Path(executable).name == "python" + dotted:
                refused.append(executable)
        elif found.version == version and found.fits:
            if found.complete:
                return found.executable
            incomplete.append(executable)
    if incomplete:
        raise SetupError(
            f"{incomplete[0]} 缺少 venv 模块，无法创建虚拟环境。"
            f"Debian 或 Ubuntu 请运行：sudo apt install python{dotted}-venv"
        )
    lines = [f"没有找到 Python {dotted}（{purpose} 需要它，其他版本不能代替）。任选一种办法安装后再试一次："]
    lines.append(f"  uv：     uv python install {dotted}")
    lines.append(f"  pyenv：  pyenv install {dotted}")
    lines.append(f"  apt：    sudo apt install python{dotted} python{dotted}-venv   （系统源里有这个版本时）")
    if refused:
        lines.append(f"（{refused[0]} 存在，但不能运行：它若是 pyenv 的转发脚本，说明 pyenv 里没有装这个版本。）")
    raise SetupError("\n".join(lines))


# --- lock files -----------------------------------------------------------------------------------------------------


def plain_name(name: str) -> str:
    """A package's name in the one spelling that PEP 503 gives it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_pins(lock: Path) -> dict[str, str]:
    """The lock's packages: plain name → exact version.  Raises SetupError for a line that is no exact pin."""
    pins: dict[str, str] = {}
    for number, raw in enumerate(lock.read_text("utf-8").splitlines(), 1):
        line = raw.split("#", 1)[0].strip()
        if not line:
            continue
        name, found, version = line.partition("==")
        if not found or not re.match(r"^[A-Za-z0-9._-]+$", name) or not re.match(r"^[A-Za-z0-9.!+]+$", version):
            raise SetupError(f"{lock.name} 第 {number} 行不是“包名==版本”：{raw}")
        pins[plain_name(name)] = version
    return pins


def fingerprint(root: Path, environment: Environment, step: Step) -> str:
    """Hash of everything a step's result depends on."""
    digest = hashlib.sha256(repr((environment.python, step)).encode("utf-8"))
    for name in ("build.txt", step.lock, *step.constraints):
        digest.update((root / "requirements" / name).read_bytes())
    return digest.hexdigest()


# --- one environment ------------------------------------------------------------------------------------------------


class Installation(Work):
    """Brings one environment to where its lock files say it should be."""

    def __init__(self, root: Path, environment: Environment, step_names: Sequence[str], say: Say) -> None:
        super().__init__(root, environment.folder, environment.title, say)
        self.environment = environment
        self.folder = root / environment.folder
        self.python = self.folder / "bin" / "python"
        self.requirements = root / "requirements"
        self._root = root
        self._stamp = self.folder / ".stamp"
        self._marker = self.log.with_suffix(".installing")
        self._steps = [step for step in environment.steps if step.name in step_names]
        self._expected = {step.name: fingerprint(root, environment, step) for step in self._steps}

    def is_current(self) -> bool:
        """Whether nothing has to be done: finished, unchanged, not moved, and its Python still there."""
        stamp = self._read_stamp()
        if self._marker.exists() or stamp.get("folder") != str(self.folder.resolve()):
            return False
        if any(stamp.get(name) != value for name, value in self._expected.items()):
            return False
        found = probe(str(self.python))
        return found is not None and found.version == self.environment.python

    def install(self, python: str, environ: Mapping[str, str], lock_handle: int) -> None:
        """Make or update the environment.  Raises SetupError, with the log's last lines in it."""
        settings = {k: v for k, v in environ.items() if k not in ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV")}
        settings.update(PIP_USER="0", PIP_DISABLE_PIP_VERSION_CHECK="1", PYTHONUTF8="1", PYTHONUNBUFFERED="1")
        try:
            arguments = shlex.split(environ.get("YIHAODA_PIP_ARGS", ""))
        except ValueError as error:
            raise SetupError(f"YIHAODA_PIP_ARGS 的引号不成对，无法读取：{error}") from error

        self.begin(lock_handle)
        kept = self._read_stamp()
        if not self._reusable():
            kept = {}
            if self.folder.exists():
                self.tell("旧环境不能再用，重新创建")
            self._marker.touch()
            shutil.rmtree(self.folder, ignore_errors=True)
            if self.folder.exists():
                raise SetupError(f"无法删除旧环境 {self.folder}，请手工删除后再试。")
            self.tell(f"用 {python} 创建虚拟环境")
            self.call([python, "-m", "venv", str(self.folder)], settings, "创建虚拟环境")
        self._marker.touch()
        if self._stamp.exists():
            self._stamp.unlink()

        pip = [str(self.python), "-m", "pip", "install", "--no-input", "--no-color", "--progress-bar", "off"]
        build = self.requirements / "build.txt"
        self.call([*pip, "pip==" + read_pins(build)["pip"], *arguments], settings, "更新 pip")
        pip += ["--build-constraint", str(build)]
        pins: dict[str, str] = {}
        for step in self._steps:
            wanted = read_pins(self.requirements / step.lock)
            pins.update(wanted)
            lock = str(self.requirements / step.lock)
            constraints: list[str] = []
            for name in step.constraints:
                constraints += ["-c", str(self.requirements / name)]
            for name in step.alone_first:
                first = [*pip, f"{name}=={wanted[name]}", "-c", lock, *constraints, *arguments]
                self.call(first, settings, f"安装 {name}")
            self.call([*pip, "-r", lock, *constraints, *arguments], settings, f"安装 {step.lock}", len(wanted))
        self._verify(settings, pins)

        stamp = dict(kept)  # a step asked for earlier and untouched now stays good…
        for step in self.environment.steps:
            if step.name not in self._expected and stamp.get(step.name) != fingerprint(
                self._root, self.environment, step
            ):
                stamp.pop(step.name, None)  # …unless its own lock has changed meanwhile
        stamp.update(self._expected, folder=str(self.folder.resolve()))
        temporary = self._stamp.with_suffix(".new")
        temporary.write_text(json.dumps(stamp, indent=1), "utf-8")
        temporary.replace(self._stamp)
        self._marker.unlink()
        self.tell("就绪")

    def _reusable(self) -> bool:
        """Whether pip may work on what is there: no cut-off run, right Python, not moved.

        An environment without a stamp was made by hand; pip brings it to the lock's versions, and the checks follow.
        """
        found = probe(str(self.python))
        if self._marker.exists() or found is None or found.version != self.environment.python:
            return False
        here = str(self.folder.resolve())
        return bool(self._read_stamp().get("folder", here) == here)

    def _read_stamp(self) -> dict[str, Any]:
        try:
            stamp = json.loads(self._stamp.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return stamp if isinstance(stamp, dict) else {}

    def _verify(self, settings: Mapping[str, str], pins: Mapping[str, str]) -> None:
        """Check that what is installed is what the locks say, and that it fits together."""
        self.call([str(self.python), "-m", "pip", "check"], settings, "检查依赖")
        listing = subprocess.run(
            [str(self.python), "-m", "pip", "list", "--format", "json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(settings),
        )
        installed = {plain_name(p["name"]): p["version"] for p in json.loads(listing.stdout.decode("utf-8") or "[]")}
        for name, version in pins.items():
            # A wheel may add a local label to the same version: torch 2.13.0+cpu is torch 2.13.0.
            if installed.get(name, "").split("+")[0] != version.split("+")[0]:
                raise SetupError(
                    f"{self.environment.folder} 中 {name} 应为 {version}，实际是 {installed.get(name, '未安装')}。"
                )

    def note(self, line: str, seen: set[str]) -> str:
        """What pip is at."""
        match = PACKAGE_LINE.match(line)
        if match:
            name: str = match.group(1) or match.group(2)
            seen.add(plain_name(name))
            return name
        if line.startswith("Downloading"):
            return line.replace("Downloading ", "下载 ")
        if line.startswith("Building wheel for"):
            return "编译 " + line.split()[3]
        return "写入磁盘" if line.startswith("Installing collected packages") else ""

    def reason(self, output: str) -> str:
        """Why pip failed."""
        if re.search(
            r"NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError|Connection refused",
            output,
        ):
            return "连不上软件源。可用 YIHAODA_PIP_ARGS 指定镜像或代理，例如 YIHAODA_PIP_ARGS='--index-url 镜像地址'。"
        if "No matching distribution found" in output:
            return "软件源里没有锁定的版本（镜像可能不全）。可用 YIHAODA_PIP_ARGS 换一个软件源。"
        return ""


# --- commands -------------------------------------------------------------------------------------------------------


def say(text: str) -> None:
    print(text, flush=True)


@contextlib.contextmanager
def alone(state: Path) -> Iterator[int]:
    """Hold the folder's lock: two set-ups at once in one tree would spoil each other's work.

    Gives the lock's file descriptor; a process that inherits it holds the lock for as long as it lives.
    """
    with (state / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("另一个安装正在进行，等它结束……")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle.fileno()


def make_state_folder(root: Path) -> Path:
    state = root / STATE_FOLDER
    state.mkdir(exist_ok=True)
    (state / ".gitignore").write_text("*\n", "utf-8")
    return state


def install(root: Path, step_names: Sequence[str], environ: Mapping[str, str], keep_page: bool = False) -> None:
    """Bring every environment that one of the steps belongs to up to date, side by side, and then the clients.

    With ``keep_page``, a page that was built earlier will do where a new one can't be built.
    Raises SetupError with everything that is wrong, Stopped after Ctrl-C.
    """
    concerned = [e for e in ENVIRONMENTS if any(step.name in step_names for step in e.steps)]
    pages = client.clients(root, step_names, say)

    def outdated() -> list[Installation]:
        return [i for i in (Installation(root, e, step_names, say) for e in concerned) if not i.is_current()]

    if not outdated() and all(page.is_current() for page in pages):
        return
    with alone(make_state_folder(root)) as lock:
        work = outdated()
        pages = [page for page in pages if not page.is_current()]
        pythons: dict[str, str] = {}
        problems: list[str] = []
        page_problems: list[tuple[Work, str]] = []
        for one in work:
            try:
                pythons[one.environment.folder] = find_python(one.environment.python, one.environment.title, environ)
            except SetupError as error:
                problems.append(str(error))
        node: Path | None = None
        if pages:
            try:
                node = client.find_node(environ)
            except SetupError as error:
                page_problems = [(page, str(error)) for page in pages]

        def refuse() -> None:
            """Raises SetupError with all that is wrong, unless a page built earlier will do."""
            missing = [text for page, text in page_problems if not (keep_page and has_page(page))]
            if problems or missing:
                raise SetupError("\n".join(dict.fromkeys([*problems, *(text for _, text in page_problems)])))

        refuse()
        needed = sum(NEEDED_GB[one.environment.folder] for one in work if not one.folder.exists())
        needed += sum(client.NEEDED_GB for page in pages if node and not page.has_packages())
        free = shutil.disk_usage(root).free / 1e9
        if free < needed:
            raise SetupError(f"磁盘空间不足：安装需要约 {needed:.0f} GB，{root} 所在磁盘只剩 {free:.1f} GB。")
        if work and any(not one.folder.exists() for one in work):
            say("首次安装要下载约 1–3 GB，通常需要几分钟；以后启动会跳过这一步。")
        jobs: list[Job] = [
            (one, functools.partial(one.install, pythons[one.environment.folder], environ, lock)) for one in work
        ]
        if node:
            jobs += [(page, functools.partial(page.prepare, node, environ, lock)) for page in pages]
        failed = side_by_side(jobs)
        problems = [text for one, text in failed if not isinstance(one, client.Client)]
        page_problems += [(one, text) for one, text in failed if isinstance(one, client.Client)]
        if node and not problems:  # the build asks the gateway for its routes, so `.venv` comes first
            ready = [page for page in pages if page not in [one for one, _ in page_problems]]
            page_problems += side_by_side([(page, page.build) for page in ready])
        refuse()
        for text in dict.fromkeys(text for _, text in page_problems):
            print(text, file=sys.stderr, flush=True)
        for page, _ in page_problems:
            print(f"注意：{page.title}没有编译成功，原因见上。继续使用上一次编译的网页。", file=sys.stderr, flush=True)


def has_page(work: Work) -> bool:
    """Whether a page of this client was built earlier."""
    return isinstance(work, client.Client) and work.page.exists()


def side_by_side(jobs: Sequence[Job]) -> list[tuple[Work, str]]:
    """Run all jobs at once, telling their progress; gives what went wrong with which.  Raises Stopped after Ctrl-C."""
    problems: list[tuple[Work, str]] = []
    with ThreadPoolExecutor(len(jobs) or 1) as pool:
        running = [(one, pool.submit(job)) for one, job in jobs]
        try:
            next_beat = time.monotonic() + HEARTBEAT_SECONDS
            while not all(future.done() for _, future in running):
                time.sleep(0.2)
                if time.monotonic() >= next_beat:
                    next_beat += HEARTBEAT_SECONDS
                    for one, _ in running:
                        one.tell_progress()
        except BaseException:
            for one, _ in running:
                one.stop()
            raise
    for one, future in running:
        problem = future.exception()
        if isinstance(problem, SetupError):
            problems.append((one, str(problem)))
        elif problem is not None:
            raise problem
    return problems


def resolve(root: Path, environ: Mapping[str, str]) -> None:
    """Write the lock files anew from `requirements/*.in`, without touching the environments."""
    requirements = root / "requirements"
    state = make_state_folder(root)
    arguments = shlex.split(environ.get("YIHAODA_PIP_ARGS", ""))
    build = read_pins(requirements / "build.txt")
    with alone(state):
        for environment in ENVIRONMENTS:
            python = find_python(environment.python, environment.title, environ)
            with tempfile.TemporaryDirectory(dir=str(state)) as folder:
                subprocess.run([python, "-m", "venv", folder], check=True)
                pip = [str(Path(folder, "bin", "python")), "-m", "pip", "install", "--quiet", "--no-input"]
                subprocess.run([*pip, "pip==" + build["pip"], *arguments], check=True)
                below: dict[str, str] = {}
                for step in environment.steps:
                    say(f"解析 {step.name}.in ……")
                    report = Path(folder, step.name + ".json")
                    command = [*pip, "--dry-run", "--ignore-installed", "--report", str(report)]
                    command += ["--build-constraint", str(requirements / "build.txt")]
                    command += ["-r", str(requirements / (step.name + ".in")), *arguments]
                    if subprocess.run(command).returncode != 0:
                        raise SetupError(f"{step.name}.in 无法解析，原因见上。")
                    found = json.loads(report.read_text("utf-8"))["install"]
                    pins = {plain_name(p["metadata"]["name"]): p["metadata"]["version"].split("+")[0] for p in found}
                    lines = [f"# Exact versions, resolved from {step.name}.in by `make lock`; do not edit by hand."]
                    lines += [
                        f"{name}=={version}"
                        for name, version in sorted(pins.items())
                        if name not in below and name != "pip" and not ACCELERATOR.match(name)
                    ]
                    (requirements / step.lock).write_text("\n".join(lines) + "\n", "utf-8")
                    below.update(pins)
                    say(f"{step.lock}：{len(lines) - 1} 个包")


def interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 1 something to put right, 130 stopped."""
    parser = argparse.ArgumentParser(description="准备一号答的两个 Python 虚拟环境、市民端和工作台")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("install", help="按锁定文件安装；没有变化的部分跳过")
    one.add_argument("steps", nargs="+", choices=STEP_NAMES)
    one.add_argument("--keep-page", action="store_true", help="网页编译不成时，用上一次编译的")
    commands.add_parser("lock", help="由 requirements/*.in 重新生成锁定文件")
    chosen = parser.parse_args(arguments)

    root = Path(__file__).resolve().parent.parent
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, interrupt)
    try:
        if chosen.command == "install":
            install(root, chosen.steps, os.environ, chosen.keep_page)
        else:
            resolve(root, os.environ)
    except SetupError as error:
        print(f"错误：{error}", file=sys.stderr, flush=True)
        return 1
    except (KeyboardInterrupt, Stopped):
        print("已中断。下次会从头安装没有完成的环境。", file=sys.stderr, flush=True)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
