"""tools/client.py: finding Node.js, and building the real clients, also when they do not fit the gateway."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import client, setup
from tools.work import SetupError

ENVIRON = {k: v for k, v in os.environ.items() if not k.startswith("YIHAODA_")}


# --- finding Node.js


def a_node(folder: Path, version: str, npm: bool = True) -> Path:
    folder.mkdir(parents=True)
    for name, words in (("node", version), *([("npm", "11.0.0")] if npm else [])):
        (folder / name).write_text(f"#!/bin/sh\necho {words}\n", "utf-8")
        (folder / name).chmod(0o755)
    return folder


def test_node_on_the_path_is_taken(tmp_path: Path) -> None:
    old, new = a_node(tmp_path / "old", "v18.20.1"), a_node(tmp_path / "new", "v20.0.0")
    assert client.find_node({"PATH": f"{old}:{new}", "HOME": str(tmp_path)}) == new


def test_nvms_newest_is_taken_where_the_path_has_none(tmp_path: Path) -> None:
    for version in ("v9.11.2", "v20.20.2", "v22.3.0"):
        a_node(tmp_path / ".nvm" / "versions" / "node" / version / "bin", version)
    found = client.find_node({"PATH": str(tmp_path), "HOME": str(tmp_path)})
    assert found.parent.name == "v22.3.0"


@pytest.mark.parametrize(
    ("version", "npm", "said"), [("v18.20.1", True, "v18.20.1，不够新"), ("v20.1.0", False, "缺少 npm")]
)
def test_what_is_wrong_with_node_is_said(tmp_path: Path, version: str, npm: bool, said: str) -> None:
    folder = a_node(tmp_path / "bin", version, npm)
    with pytest.raises(SetupError) as raised:
        client.find_node({"PATH": str(folder), "HOME": str(tmp_path)})
    message = str(raised.value)
    assert message.startswith("没有找到 Node.js 20 或更新的版本")
    assert said in message and "nvm install 20" in message and "sudo apt install nodejs npm" in message


# --- building


class Checkout:
    """The scratch project; ``said`` is what the work reported."""

    def __init__(self, root: Path, kind: type[client.Client] = client.Citizens) -> None:
        self.root, self._kind = root, kind
        self.folder = root / kind.FOLDER
        self.said: list[str] = []

    def client(self, *steps: str) -> client.Client:
        return self._kind(self.root, steps, self.said.append)

    def build(self, *steps: str, **settings: str) -> None:
        one = self.client(*steps)
        self.said.clear()
        setup.make_state_folder(self.root)
        with setup.alone(self.root / ".setup") as lock:
            one.prepare(client.find_node(ENVIRON), {**ENVIRON, **settings}, lock)
            one.build()

    @property
    def page(self) -> str:
        return self.client().page.read_text("utf-8")


@pytest.fixture(scope="module")
def built(checkout: Path) -> Checkout:
    project = Checkout(checkout)
    project.build("h5")
    return project


@pytest.fixture
def project(built: Checkout) -> Iterator[Checkout]:
    """The built client; what a test changes in its sources is put back."""
    kept = built.folder.with_name("kept")
    shutil.copytree(built.folder / "src", kept)
    yield built
    shutil.rmtree(built.folder / "src")
    kept.rename(built.folder / "src")


@pytest.mark.full
def test_nothing_is_done_twice(project: Checkout) -> None:
    assert "<html" in project.page
    assert project.client("check", "h5").is_current()
    project.build("h5")
    assert not [line for line in project.said if "编译" in line or "核对" in line]
    assert not project.client("mp-weixin").is_current(), "the mini-program is built whenever it is asked for"


@pytest.mark.full
def test_a_page_that_is_gone_is_built_again(project: Checkout) -> None:
    shutil.rmtree(project.folder / "dist" / "build" / "h5")
    assert not project.client("h5").is_current()
    project.build("h5")
    assert "<html" in project.page


@pytest.mark.full
def test_a_field_that_the_gateway_does_not_have_fails_the_build_and_the_page_before_stays(project: Checkout) -> None:
    before = project.page
    words = project.folder / "src" / "words.ts"
    client_file = (
        "import type { Answer } from './api/client'\nexport const wrong = (answer: Answer) => answer.nosuchfield\n"
    )
    words.write_text(client_file + words.read_text("utf-8"), "utf-8")
    with pytest.raises(SetupError, match="和网关的接口对不上") as raised:
        project.build("h5")
    assert "nosuchfield" in str(raised.value)
    assert project.page == before
    assert not project.client("h5").is_current()


@pytest.mark.full
def test_a_route_that_the_gateway_no_longer_has_fails_the_build(project: Checkout) -> None:
    gateway = (
        project.root / "connectors" / "gateway"
    )  # linked as a whole: now file by file, but for the one that changes
    real = gateway.resolve()
    gateway.unlink()
    gateway.mkdir()
    for file in real.glob("*.py"):
        (gateway / file.name).symlink_to(file)
    openapi = gateway / "openapi.py"
    text = openapi.read_text("utf-8")
    openapi.unlink()
    described = "    described = create_app().openapi()\n"
    without = '    described["paths"].pop("/api/themes")\n'
    text = text.replace(described, described + without)
    openapi.write_text(text, "utf-8")
    assert without in text
    try:
        with pytest.raises(SetupError, match="和网关的接口对不上") as raised:
            project.build("check")
        assert "/api/themes" in str(raised.value)
    finally:
        shutil.rmtree(gateway)
        gateway.symlink_to(real)
        project.build("check")


@pytest.mark.full
def test_the_old_page_will_do_for_running_but_not_for_testing(
    project: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    (project.folder / "src" / "words.ts").write_text("export const broken: number = 'text'\n", "utf-8")
    setup.install(project.root, ["h5"], ENVIRON, keep_page=True)
    assert "继续使用上一次编译的网页" in capsys.readouterr().err
    with pytest.raises(SetupError):
        setup.install(project.root, ["h5"], ENVIRON)
    without_node = {**ENVIRON, "PATH": str(project.root), "HOME": str(project.root), "NVM_DIR": str(project.root)}
    setup.install(project.root, ["h5"], without_node, keep_page=True)
    assert "没有找到 Node.js" in capsys.readouterr().err
    with pytest.raises(SetupError, match=r"没有找到 Node\.js"):
        setup.install(project.root, ["h5"], without_node)


@pytest.mark.full
def test_a_mini_program_without_the_gateways_address_is_refused(project: Checkout) -> None:
    with pytest.raises(SetupError, match="请设置 YIHAODA_PUBLIC_URL"):
        project.build("mp-weixin", YIHAODA_PUBLIC_URL="")
    with pytest.raises(SetupError, match="要以 https:// 开头"):
        project.build("mp-weixin", YIHAODA_PUBLIC_URL="http://12345.example.gov.cn")
    assert not (project.folder / "dist" / "build" / "mp-weixin").exists()


def test_packages_that_another_checkout_uses_are_left_alone(tmp_path: Path) -> None:
    one = client.Console(tmp_path, ["console"], print)
    theirs = tmp_path / "theirs"
    for folder in (theirs, one.folder / "local"):
        folder.mkdir(parents=True)
    (theirs / "kept.txt").write_text("theirs", "utf-8")
    (one.folder / "node_modules").symlink_to(theirs)
    local = {"name": "local", "version": "1.0.0"}
    package = {"name": "ours", "version": "1.0.0", "dependencies": {"local": "file:local"}}
    packages = {"": package, "local": {"version": "1.0.0"}, "node_modules/local": {"resolved": "local", "link": True}}
    for name, content in (
        ("local/package.json", local),
        ("package.json", package),
        ("package-lock.json", {**package, "lockfileVersion": 3, "packages": packages}),
    ):
        (one.folder / name).write_text(json.dumps(content), "utf-8")
    with setup.alone(setup.make_state_folder(tmp_path)) as lock:
        one.prepare(client.find_node(ENVIRON), ENVIRON, lock)
    assert one.has_packages() and (one.folder / "node_modules" / "local").exists()
    assert [file.name for file in theirs.iterdir()] == ["kept.txt"]


# --- the console


def test_each_client_does_what_is_asked_of_it(tmp_path: Path) -> None:
    def asked(*steps: str) -> list[tuple[str, list[str]]]:
        return [(one.title, one.steps) for one in client.clients(tmp_path, steps, print)]

    assert asked("rasa", "app") == []
    assert asked("app", "h5", "console") == [("市民端", ["h5"]), ("工作台", ["console"])]
    assert asked("check") == [("市民端", ["check"]), ("工作台", ["check"])]
    assert asked("mp-weixin") == [("市民端", ["mp-weixin"])]


def test_without_node_a_console_that_was_built_will_do_and_one_that_was_not_is_missed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    without_node = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "app.txt").write_text("", "utf-8")
    pages = [kind(tmp_path, [kind.STEP], print) for kind in (client.Citizens, client.Console)]
    for page in pages:
        page.folder.mkdir(parents=True)
        (page.folder / "package-lock.json").write_text("{}", "utf-8")
    pages[0].page.parent.mkdir(parents=True)
    pages[0].page.write_text("<html>", "utf-8")
    with pytest.raises(SetupError, match=r"没有找到 Node\.js"):
        setup.install(tmp_path, ["h5", "console"], without_node, keep_page=True)
    pages[1].page.parent.mkdir(parents=True)
    pages[1].page.write_text("<html>", "utf-8")
    setup.install(tmp_path, ["h5", "console"], without_node, keep_page=True)
    told = capsys.readouterr().err
    assert told.count("没有找到 Node.js") == 1
    assert "市民端没有编译成功" in told and "工作台没有编译成功" in told


@pytest.mark.full
def test_the_console_is_built_once_and_an_error_in_it_keeps_the_page_before(checkout: Path) -> None:
    one = Checkout(checkout, client.Console)
    one.build("console")
    assert "/console/assets/" in one.page
    assert one.client("check", "console").is_current()
    one.build("console")
    assert not [line for line in one.said if "编译" in line or "核对" in line]
    before = one.page
    words = one.folder / "src" / "words.ts"
    words.write_text(
        "import type { Ticket } from './api/client'\nexport const wrong = (ticket: Ticket) => ticket.nosuchfield\n"
        + words.read_text("utf-8"),
        "utf-8",
    )
    with pytest.raises(SetupError, match="工作台的代码有类型错误，或者和网关的接口对不上"):
        one.build("console")
    assert one.page == before
