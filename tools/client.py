"""The clients: packages by npm, types from the gateway's OpenAPI, checks, builds.

Citizens' is in connectors/miniprogram: `h5` builds the page that the gateway serves, `mp-weixin` the mini-program.  The staff's is
in connectors/console_web: `console` builds it.  `check` compares both with the gateway's routes.  What has not changed is skipped,
except the mini-program, which is built whenever it is asked for.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tools.work import SetupError, Work

if TYPE_CHECKING:  # Python 3.8 could not evaluate these
    from collections.abc import Mapping, Sequence

    from tools.work import Say

STEPS = ("check", "h5", "mp-weixin", "console")
NODE = 20
NEEDED_GB = 0.5  # packages, unpacked
# What decides about the gateway's OpenAPI description.
GATEWAY_SOURCES = ("actions", "bot", "connectors", "index")
# What decides about a build; schema.d.ts, which stands for the OpenAPI description, lies in src.
SOURCES = ("src", "public", "index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts")
TARBALL = re.compile(r"npm http (?:fetch GET 200|cache) \S*/-/([^/\s]+)\.tgz")
UNREACHABLE = r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ERR_SOCKET_TIMEOUT|SELF_SIGNED|UNABLE_TO_"
READ_SETTINGS = """
import json
from bot.settings import get_settings
settings = get_settings()
print(json.dumps([settings.public_url, settings.miniprogram_app_id]))
"""


def find_node(environ: Mapping[str, str]) -> Path:
    """Folder of a Node.js that is new enough, with its npm: on PATH, or among nvm's versions.

    Raises SetupError, naming what is missing and how to get it.
    """
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    nvm = Path(environ.get("NVM_DIR") or home / ".nvm") / "versions" / "node"
    newest_first = sorted(nvm.glob("v*/bin"), key=lambda p: [int(n) for n in re.findall(r"\d+", str(p))], reverse=True)
    on_path = [Path(folder) for folder in environ.get("PATH", os.defpath).split(os.pathsep) if folder]
    refused = ""
    for folder in (*on_path, *newest_first):
        if not os.access(folder / "node", os.X_OK):
            continue
        version = ""
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            answer = subprocess.run([str(folder / "node"), "--version"], stdout=subprocess.PIPE, timeout=30)
            version = answer.stdout.decode("utf-8", "replace").strip()
        match = re.match(r"v(\d+)\.", version)
        if not match or int(match.group(1)) < NODE:
            refused = refused or f"{folder / 'node'} 的版本是 {version or '未知'}，不够新。"
        elif not shutil.which("npm", path=os.pathsep.join([str(folder), environ.get("PATH", "")])):
            refused = refused or f"{folder / 'node'} 可以用，但缺少 npm。Debian 或 Ubuntu 请运行：sudo apt install npm"
        else:
            return folder
    lines = [f"没有找到 Node.js {NODE} 或更新的版本（编译市民端页面需要它和 npm）。任选一种办法安装后再试一次："]
    lines.append(f"  nvm：    nvm install {NODE}")
    lines.append("  apt：    sudo apt install nodejs npm   （系统源里的版本够新时）")
    if refused:
        lines.append(f"（{refused}）")
    raise SetupError("\n".join(lines))


class Client(Work):
    """Brings one client's packages, types and build to where its sources and the gateway say they should be."""

    FOLDER: str
    TITLE: str
    BUILD: str
    """The folder with the page that the gateway serves, within the client's"""
    STEP: str
    """The step that makes it"""
    API: tuple[str, ...] = ()
    """Which part of the gateway's routes it calls"""
    OWN_STEPS: tuple[str, ...] = ()
    """What else it may be asked for"""

    def __init__(self, root: Path, steps: Sequence[str], say: Say) -> None:
        super().__init__(root, self.FOLDER, self.TITLE, say)
        self.steps = [step for step in steps if step in ("check", self.STEP, *self.OWN_STEPS)]
        self.folder = root / self.FOLDER
        self.page = self.folder / self.BUILD / "index.html"
        self._root = root
        self._lock = self.folder / "package-lock.json"
        self._modules_stamp = self.folder / "node_modules" / ".stamp"
        self._api_stamp = self.folder / ".api" / ".stamp"
        self._stamp = self.folder / "dist" / ".stamp"
        self._openapi = self.folder / ".api" / "openapi.json"
        self._types = self.folder / "src" / "api" / "schema.d.ts"
        self._settings: dict[str, str] = {}

    def is_current(self) -> bool:
        """Whether nothing has to be done."""
        return not self.steps or (self._api_is_current() and not any(map(self._outdated, self.steps)))

    def has_packages(self) -> bool:
        """Whether npm has finished for this very lock file."""
        return read(self._modules_stamp) == fingerprint(self._root, [self._lock])

    def prepare(self, node: Path, environ: Mapping[str, str], lock_handle: int) -> None:
        """Install the packages if the lock has changed.  npm's own settings (registry, proxy) apply."""
        self.begin(lock_handle)
        path = os.pathsep.join([str(node), environ.get("PATH", os.defpath)])
        self._settings = {k: v for k, v in environ.items() if k not in ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV")}
        self._settings.update(PATH=path, NO_UPDATE_NOTIFIER="1")
        if self.has_packages():
            return
        locked = json.loads(self._lock.read_text("utf-8"))["packages"]
        packages = sum(1 for name, package in locked.items() if name and not package.get("optional"))
        modules = self._modules_stamp.parent
        if modules.is_symlink():  # npm would empty the folder that it points to, which others use
            modules.unlink()
        command = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=http"]
        self.call(command, self._settings, "安装软件包", packages, self.folder)
        self._modules_stamp.write_text(fingerprint(self._root, [self._lock]), "utf-8")

    def build(self) -> None:
        """Types, check and the page, if asked for; `.venv` has to be ready, and `prepare` done."""
        if not self._api_is_current():
            self._describe_api()
        sources = self._fingerprint()  # of before: what changes meanwhile is built the next time
        if self._outdated("check"):
            self._run("核对类型和接口", "vue-tsc", "--noEmit")
            self._done("check", sources)
        if self.STEP in self.steps and self._outdated(self.STEP):
            self.compile()
            self._done(self.STEP, sources)
        self.tell("就绪")

    def compile(self) -> None:
        """Make the page."""
        raise NotImplementedError

    def note(self, line: str, seen: set[str]) -> str:
        """What npm is at."""
        match = TARBALL.match(line)
        if not match:
            return ""
        seen.add(match.group(1))
        return match.group(1)

    def reason(self, output: str) -> str:
        """Why npm or a compiler failed."""
        if re.search(r"error TS\d+", output):
            return f"{self.title}的代码有类型错误，或者和网关的接口对不上。"
        if re.search(rf"npm error.*({UNREACHABLE})", output):
            return "连不上 npm 的软件源。可用 npm config set registry 指定镜像，用 npm config set proxy 指定代理。"
        if re.search(r"npm error code (E404|ETARGET)", output):
            return "npm 的软件源里没有锁定的版本（镜像可能不全），请用 npm config set registry 换一个软件源。"
        return ""

    def _api_fingerprint(self) -> str:
        files = [file for name in GATEWAY_SOURCES for file in sorted((self._root / name).rglob("*.py"))]
        outside = [file for file in files if "node_modules" not in file.parts]
        return fingerprint(self._root, [*outside, self._root / "requirements" / "app.txt", self._lock])

    def _api_is_current(self) -> bool:
        return read(self._api_stamp) == self._api_fingerprint() and self._types.exists()

    def _describe_api(self) -> None:
        """The gateway's OpenAPI description, and the types made from it."""
        described = self._api_fingerprint()  # of before: what changes meanwhile is described the next time
        self._openapi.parent.mkdir(exist_ok=True)
        command = [self._python(), "-m", "connectors.gateway.openapi", str(self._openapi), *self.API]
        self.call(command, self._settings, "导出网关接口", folder=self._root)
        self._run("生成类型", "openapi-typescript", str(self._openapi), "-o", str(self._types))
        self._api_stamp.write_text(described, "utf-8")

    def _replace(self, made: Path, folder: Path) -> None:
        """Put a new build in the place of the one before, which stays whole until then."""
        old = self.folder / "dist" / "old"
        shutil.rmtree(old, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            folder.replace(old)
        made.replace(folder)
        shutil.rmtree(old, ignore_errors=True)

    def _run(self, what: str, tool: str, *arguments: str, settings: Mapping[str, str] | None = None) -> None:
        command = [str(self.folder / "node_modules" / ".bin" / tool), *arguments]
        self.call(command, settings or self._settings, what, folder=self.folder)

    def _python(self) -> str:
        return str(self._root / ".venv" / "bin" / "python")

    def _fingerprint(self) -> str:
        paths = [self.folder / name for name in SOURCES]
        files = [file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
        return fingerprint(self._root, [file for file in files if file.is_file()])

    def _stamps(self) -> dict[str, str]:
        try:
            stamps: dict[str, str] = json.loads(read(self._stamp))
        except ValueError:
            return {}
        return stamps

    def _outdated(self, step: str) -> bool:
        missing = step == self.STEP and not self.page.exists()
        return missing or self._stamps().get(step) != self._fingerprint()

    def _done(self, step: str, sources: str) -> None:
        self._stamp.parent.mkdir(exist_ok=True)
        self._stamp.write_text(json.dumps({**self._stamps(), step: sources}), "utf-8")


class Citizens(Client):
    """The citizens' client: the page and the mini-program from one source."""

    FOLDER, TITLE = "connectors/miniprogram", "市民端"
    BUILD, STEP, OWN_STEPS = "dist/build/h5", "h5", ("mp-weixin",)
    API = ("--citizens",)

    def is_current(self) -> bool:
        """Whether nothing has to be done."""
        return "mp-weixin" not in self.steps and super().is_current()

    def build(self) -> None:
        """As of every client; and the mini-program."""
        address, app_id = self._read_settings() if "mp-weixin" in self.steps else ("", "")
        super().build()
        if "mp-weixin" in self.steps:
            self._build_miniprogram(address, app_id)

    def compile(self) -> None:
        """Make the page."""
        self._compile("h5", "", "编译网页")

    def _read_settings(self) -> tuple[str, str]:
        """The gateway's public address, without a slash at its end, and the mini-program's app id ("": none yet)."""
        answer = subprocess.run(
            [self._python(), "-c", READ_SETTINGS],
            capture_output=True,
            env=self._settings,
            cwd=self._root,
        )
        if answer.returncode != 0:
            raise SetupError("设置有误，无法读取：\n" + answer.stderr.decode("utf-8", "replace").strip())
        address, app_id = json.loads(answer.stdout.decode("utf-8"))
        if not address:
            raise SetupError(
                "编译小程序要知道网关的公网地址，否则编出来的小程序连不上。请设置 YIHAODA_PUBLIC_URL（https 开头），再试一次。"
            )
        if not re.match(r"https://[^/]|http://(127\.0\.0\.1|localhost)\b", address):
            raise SetupError(f"YIHAODA_PUBLIC_URL 要以 https:// 开头（微信只允许这样的地址），现在是：{address}")
        return address.rstrip("/"), app_id

    def _build_miniprogram(self, address: str, app_id: str) -> None:
        folder = self._compile("mp-weixin", address, "编译小程序")
        if app_id:
            config = folder / "project.config.json"
            project = json.loads(config.read_text("utf-8"))
            project["appid"] = app_id
            config.write_text(json.dumps(project, ensure_ascii=False, indent=2), "utf-8")
        self.tell(f"小程序在 {folder}，用微信开发者工具导入" + ("" if app_id else "（没有设置 AppID，只能预览）"))

    def _compile(self, platform: str, address: str, what: str) -> Path:
        """Build for a platform, with the gateway's address ("": where the page comes from); gives the folder."""
        made, folder = (self.folder / "dist" / state / platform for state in ("new", "build"))
        shutil.rmtree(made, ignore_errors=True)
        settings = {**self._settings, "UNI_OUTPUT_DIR": str(made), "VITE_API_BASE": address}
        self._run(what, "uni", "build", "-p", platform, settings=settings)
        self._replace(made, folder)
        return folder


class Console(Client):
    """The staff's client."""

    FOLDER, TITLE = "connectors/console_web", "工作台"
    BUILD, STEP = "dist/build", "console"

    def compile(self) -> None:
        """Make the page."""
        made = self.folder / "dist" / "new"
        shutil.rmtree(made, ignore_errors=True)
        self._run("编译工作台", "vite", "build", "--outDir", str(made), "--emptyOutDir")
        self._replace(made, self.folder / self.BUILD)


def clients(root: Path, steps: Sequence[str], say: Say) -> list[Client]:
    """The clients that something is asked of."""
    return [one for kind in (Citizens, Console) if (one := kind(root, steps, say)).steps]


def read(stamp: Path) -> str:
    """What a stamp says; nothing if it is not there."""
    try:
        return stamp.read_text("utf-8")
    except OSError:
        return ""


def fingerprint(root: Path, files: Sequence[Path]) -> str:
    """Hash of the files' places under the root and of their contents."""
    digest = hashlib.sha256()
    for file in files:
        place = file.relative_to(root).as_posix()
        digest.update(place.encode("utf-8") + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
