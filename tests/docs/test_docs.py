"""The documentation is tested: every setting, command, route, metric and reply type is documented, and nothing else is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args
from urllib.parse import unquote

import pytest
import typer.main
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import SecretStr

from bot.replies import REPLIES, Reply
from bot.settings import ROOT, Settings
from connectors import metrics
from connectors.gateway import app, errors
from connectors.terminal import cli

PAGES = [ROOT / "README.md", ROOT / "README.en.md", *sorted((ROOT / "docs").rglob("*.md"))]
OPERATIONS = ROOT / "docs" / "operations.zh.md"
API = ROOT / "docs" / "api.md"

NOT_SETTINGS = {"YIHAODA_PIP_ARGS": "tools/setup.py", "YIHAODA_CHROMIUM": "tests/web/visitor.py"}
"""Read before there is anything that could read settings, or by the tests only; and by which file."""


@cache
def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def everything() -> str:
    return "\n".join(read(page) for page in PAGES)


def cells(page: Path) -> list[list[str]]:
    """The rows of a page's tables."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in read(page).splitlines() if line[:1] == "|"
    ]


def code(page: Path) -> str:
    """A page's code, a line each: fenced and indented blocks, and what stands between backticks."""
    text = read(page)
    fenced = re.findall(r"^```.*?\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    indented = re.findall(r"^ {4}\S.*$", prose, re.MULTILINE)
    return "\n".join([*fenced, *indented, *re.findall(r"`([^`\n]+)`", prose)])


# --- settings --------------------------------------------------------------------------------------------------------


def shown(value: Any) -> str:
    """A default as the table shows it."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, Path):
        value = value.relative_to(ROOT)
    if isinstance(value, bool):
        value = str(value).lower()
    if isinstance(value, float):
        value = f"{value:g}"
    return f"`{value}`" if str(value) else "（空）"


def test_every_setting_is_documented_with_its_default() -> None:
    rows = [row for row in cells(OPERATIONS) if row[0].startswith("`YIHAODA_")]
    documented = {row[0].strip("`"): row[1] for row in rows}
    assert len(rows) == len(documented), "a setting is in the tables twice"
    fields = {f"YIHAODA_{name.upper()}": shown(field.default) for name, field in Settings.model_fields.items()}
    assert documented == fields
    assert all(row[2] for row in rows)


def test_no_page_names_a_setting_that_does_not_exist() -> None:
    named = set(re.findall(r"YIHAODA_[A-Z_]*[A-Z]", everything()))
    assert named <= {f"YIHAODA_{name.upper()}" for name in Settings.model_fields} | set(NOT_SETTINGS)
    for name, file in NOT_SETTINGS.items():
        assert name in (ROOT / file).read_text(encoding="utf-8")


# --- commands --------------------------------------------------------------------------------------------------------


def commands() -> dict[str, set[str]]:
    """Each command ("kb import") with its options."""

    def walk(node: Any, path: str) -> Iterator[tuple[str, set[str]]]:
        if hasattr(node, "commands"):
            for name, child in node.commands.items():
                yield from walk(child, f"{path} {name}".strip())
        else:
            options = {option for parameter in node.params for option in parameter.opts if option.startswith("--")}
            yield path, options - {"--help"}

    return dict(walk(typer.main.get_command(cli.app), ""))


def documented_commands() -> list[tuple[str, str]]:
    """(command, the rest of the line) wherever code on a page calls ``yihaoda``."""
    known = commands()
    found = []
    for line in "\n".join(code(page) for page in PAGES).splitlines():
        for call in re.finditer(r"(?:^|[\s/])yihaoda ([a-z]+(?: [a-z]+)*)([^#;]*)", line):
            words, rest = call[1].split(), call[2]
            longest = next((n for n in range(len(words), 0, -1) if " ".join(words[:n]) in known), 1)
            found.append((" ".join(words[:longest]), " ".join([*words[longest:], rest])))
    return found


def test_every_command_is_documented_and_no_other() -> None:
    assert {path for path, _ in documented_commands()} == set(commands())


def test_every_option_is_documented_and_no_other() -> None:
    known = commands()
    for path, rest in documented_commands():
        assert set(re.findall(r"--[a-z][a-z-]*", rest)) <= known[path], f"yihaoda {path}{rest}"
    table = {row[0]: row for row in cells(OPERATIONS) if row[0].startswith("`./yihaoda ")}
    for path, options in known.items():
        rows = [row for call, row in table.items() if re.match(rf"`\./yihaoda {path}(?:`| )", call)]
        assert len(rows) == 1, f"yihaoda {path} needs one row in {OPERATIONS.name}"
        assert set(re.findall(r"--[a-z][a-z-]*", rows[0][2])) == options, f"yihaoda {path}"


def test_every_make_target_is_documented_and_no_other() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", "\n".join(code(page) for page in PAGES)))
    assert targets
    assert named == targets


# --- routes ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def application() -> FastAPI:
    return app.create_app()


def routes(application: FastAPI) -> set[tuple[str, str]]:
    """(method, path with bare braces) of our own routes, also of those that the schema hides; HEAD comes with GET."""
    return {
        (method, bare(context.path))
        for context in iter_route_contexts(application.routes)
        if isinstance(context.original_route, APIRoute) and context.path
        for method in context.methods or ()
        if method != "HEAD"
    }


def bare(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def test_every_route_is_documented_and_no_other(application: FastAPI) -> None:
    text = read(API) + read(OPERATIONS)
    named = re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[^\s`?]*)", text)
    known = routes(application)
    assert len(known) > 15
    assert {(method, bare(path)) for method, path in named} == known


def test_every_curl_example_calls_a_route(application: FastAPI) -> None:
    calls: list[tuple[str, str]] = []
    for page in PAGES:
        for command in re.findall(r"^curl (?:.*\\\n)*.*$", read(page), re.MULTILINE):
            verb = re.search(r"-X ([A-Z]+)", command)
            address = re.search(r"(?:\$BASE|127\.0\.0\.1:8000)(/[^\s\"'?]*)", command)
            assert address, command
            calls.append((verb[1] if verb else "GET", address[1]))
    assert calls
    shapes = [(method, re.escape(path).replace(r"\{\}", "[^/]+")) for method, path in routes(application)]
    for called, path in calls:
        assert any(called == method and re.fullmatch(shape, path) for method, shape in shapes), f"{called} {path}"


def test_every_error_is_documented_with_its_status() -> None:
    documented = {(row[0], row[1].strip("`")) for row in cells(API) if row[0].isdecimal() and row[1].startswith("`")}
    for kind, status in errors.STATUS.items():
        assert (str(status), kind.code) in documented


# --- metrics, replies, knowledge -------------------------------------------------------------------------------------


def test_every_metric_is_documented_and_no_other() -> None:
    families = metrics.REGISTRY.collect()
    known = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    assert {row[0].strip("`") for row in cells(OPERATIONS) if row[0].startswith("`yihaoda_")} == known
    assert set(re.findall(r"`(yihaoda_[a-z_]+)`", everything())) <= known


def examples() -> list[Any]:
    return [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", read(API), re.DOTALL | re.MULTILINE)]


def replies_in(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "type" in value:
            yield value
        for inner in value.values():
            yield from replies_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from replies_in(inner)


def test_every_reply_type_has_a_whole_example() -> None:
    """Each example is what the gateway sends: valid, with every field that a reply of its type has."""
    shapes = {model.model_fields["type"].default: model for model in get_args(get_args(Reply)[0])}
    found = [reply for example in examples() for reply in replies_in(example)]
    REPLIES.validate_python(found)
    assert {reply["type"] for reply in found} == set(shapes)
    for reply in found:
        assert set(reply) == set(shapes[reply["type"]].model_fields), reply["type"]
    for kind in shapes:
        assert f"### `{kind}`" in read(API)


# --- the pages themselves --------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    prose = re.sub(r"^```.*?^```", "", read(page), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#{1,6} (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", read(page)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = unquote(link).partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def links(page: Path) -> set[Path]:
    """The pages that a page links to."""
    found = re.findall(r"\]\(([^)\s:]+)\)", read(page))
    return {(page.parent / link.partition("#")[0]).resolve() for link in found} & set(PAGES)


def test_every_page_is_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    new = {PAGES[0]}
    while new:
        reached |= new
        new = {linked for page in new for linked in links(page)} - reached
    assert reached == set(PAGES)


def test_every_file_that_the_architecture_names_exists() -> None:
    named = re.findall(
        r"`((?:actions|bot|connectors|index|training|tests)/[\w./*-]+)`", read(ROOT / "docs" / "architecture.md")
    )
    assert len(named) > 40
    for path in named:
        assert any(ROOT.glob(path.rstrip("/"))), path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_a_machine_or_a_package_index(page: Path) -> None:
    text = read(page)
    assert not re.findall(r"(?<![\w.~])/(?:root|tmp|home|Users|mnt)/\S*", text)
    hosts = set(re.findall(r"https?://([^/:\s)`\"'>|]+)", text))
    assert all(host == "127.0.0.1" or host.endswith(".gov.cn") for host in hosts), hosts
