"""The mini-program's build: whole, small enough, and without anything that WeChat does not have.

What is reachable is told from the built scripts: strings are taken out, and then no name of a browser's may stand free,
that is, neither after a dot nor asked for by `typeof` first, as uni-app's runtime asks for `window`.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tools import client, setup

ADDRESS = "https://12345.example.gov.cn"
APP_ID = "wx0123456789abcdef"
PACKAGE_BYTES = 2 * 1024 * 1024
BROWSER = (
    "window|document|localStorage|sessionStorage|indexedDB|XMLHttpRequest|fetch|navigator|location|history|FormData|"
    "Blob|FileReader|HTMLElement|CustomEvent|WebSocket|Worker|postMessage|eval|alert"
)
# The components that WeChat's documentation lists and this client may use.
WECHAT_TAGS = {
    *("view", "text", "button", "input", "textarea", "label", "picker", "radio", "radio-group", "switch", "form"),
    *("scroll-view", "image", "icon", "navigator", "block", "slot", "template", "wxs", "import", "page-meta"),
}


@pytest.fixture(scope="module")
def program(checkout: Path) -> Path:
    """Folder of the build, with address and app id."""
    settings = {"YIHAODA_PUBLIC_URL": ADDRESS + "/", "YIHAODA_MINIPROGRAM_APP_ID": APP_ID}
    settings["YIHAODA_MINIPROGRAM_APP_SECRET"] = "secret"
    environ = {k: v for k, v in os.environ.items() if not k.startswith("YIHAODA_")} | settings
    one = client.Citizens(checkout, ["mp-weixin"], lambda line: None)
    with setup.alone(setup.make_state_folder(checkout)) as lock:
        one.prepare(client.find_node(environ), environ, lock)
        one.build()
    return checkout / client.Citizens.FOLDER / "dist" / "build" / "mp-weixin"


def read(file: Path) -> Any:
    return json.loads(file.read_text("utf-8"))


def scripts(program: Path) -> dict[str, str]:
    """Name → source without strings and comments."""
    literal = r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/'
    return {
        str(file.relative_to(program)): re.sub(literal, '""', file.read_text("utf-8"), flags=re.DOTALL)
        for file in program.rglob("*.js")
    }


def foreign(source: str) -> list[str]:
    """Where a script reaches for something that only a browser has, or makes code out of text."""
    source = re.sub(r"typeof (\w+)\s*\?\s*\1\b", "", source)
    free = rf"(?<![.\w$])(?<!typeof )(?:{BROWSER})\b(?!\s*:)|\bnew Function\b|(?<![.\w$])Function\("
    return [source[max(0, match.start() - 40) : match.end() + 40] for match in re.finditer(free, source)]


def test_every_page_is_whole(program: Path) -> None:
    app = read(program / "app.json")
    packages = app.get("subPackages", [])
    pages = [*app["pages"], *(f"{one['root']}/{page}" for one in packages for page in one["pages"])]
    assert len(pages) >= 7
    for page in pages:
        for ending in (".js", ".wxml", ".json"):
            assert (program / f"{page}{ending}").is_file(), page + ending
    for tab in app["tabBar"]["list"]:
        assert tab["pagePath"] in app["pages"], "a tab has to lead to a page of the main package"
        assert tab["text"]


def test_every_component_that_is_used_exists(program: Path) -> None:
    used = 0
    for file in program.rglob("*.json"):
        for name, where in read(file).get("usingComponents", {}).items():
            component = (program / where.lstrip("/")) if where.startswith("/") else file.parent / where
            assert component.with_name(component.name + ".wxml").is_file(), f"{file.name}: {name}"
            used += 1
    assert used > 20


def test_pages_are_made_of_wechats_own_elements(program: Path) -> None:
    for file in program.rglob("*.wxml"):
        tags = set(re.findall(r"<([a-z][\w-]*)", file.read_text("utf-8")))
        own = set(read(file.with_suffix(".json")).get("usingComponents", {}))
        assert tags - own <= WECHAT_TAGS, file.name


def test_the_packages_are_small_enough(program: Path) -> None:
    roots = [program / one["root"] for one in read(program / "app.json").get("subPackages", [])]
    sizes = {file: file.stat().st_size for file in program.rglob("*") if file.is_file()}
    for root in roots:
        assert sum(size for file, size in sizes.items() if root in file.parents) < PACKAGE_BYTES
    assert sum(size for file, size in sizes.items() if not set(roots) & set(file.parents)) < PACKAGE_BYTES


def test_nothing_reaches_for_a_browser_or_makes_code_out_of_text(program: Path) -> None:
    found = {name: foreign(source) for name, source in scripts(program).items()}
    assert len(found) > 20
    assert not {name: places for name, places in found.items() if places}


@pytest.mark.parametrize(
    "source",
    ["a=window.innerWidth", "document.title", "fetch(url)", "x(eval(code))", "new Function(a)", "b=Function(a)()"],
)
def test_the_check_finds_what_it_is_for(source: str) -> None:
    assert foreign(source)


@pytest.mark.parametrize(
    "source", ["e.window", "{fetch:1}", "typeof window?window:0", "this.history=[]", "wx.request()"]
)
def test_the_check_lets_pass_what_is_harmless(source: str) -> None:
    assert not foreign(source)


def test_it_knows_the_gateway_and_the_app(program: Path) -> None:
    texts = [file.read_text("utf-8") for file in program.rglob("*.js")]
    assert any(f'"{ADDRESS}"' in text for text in texts), "the address, without the slash at its end"
    project = read(program / "project.config.json")
    assert project["appid"] == APP_ID
    assert project["compileType"] == "miniprogram"
    assert project["projectname"]
    assert project["setting"]["urlCheck"] is True, "requests to other domains stay forbidden"
    assert read(program / "app.json")["__usePrivacyCheck__"] is True
