"""Copies of the clients that tests may spoil, with all else of the project linked in."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = tuple(Path("connectors", name) for name in ("miniprogram", "console_web"))


@pytest.fixture(scope="package")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's root in a scratch folder: the clients copied, their packages and everything else linked."""
    root = tmp_path_factory.mktemp("checkout")
    for name in (".venv", "actions", "bot", "index", "requirements"):
        (root / name).symlink_to(ROOT / name)
    (root / "connectors").mkdir()
    for file in (ROOT / "connectors").iterdir():
        if file.name not in [client.name for client in CLIENTS]:
            (root / "connectors" / file.name).symlink_to(file)
    unwanted = shutil.ignore_patterns("node_modules", "dist", ".api", "schema.d.ts")
    for client in CLIENTS:
        shutil.copytree(ROOT / client, root / client, ignore=unwanted)
        (root / client / "node_modules").symlink_to(ROOT / client / "node_modules")
    return root
