"""A copy of the citizens' client that tests may spoil, with all else of the project linked in."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLIENT = Path("connectors", "miniprogram")


@pytest.fixture(scope="package")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's root in a scratch folder: the client copied, its packages and everything else linked."""
    root = tmp_path_factory.mktemp("checkout")
    for name in (".venv", "actions", "bot", "index", "requirements"):
        (root / name).symlink_to(ROOT / name)
    (root / "connectors").mkdir()
    for file in (ROOT / "connectors").iterdir():
        if file.name != CLIENT.name:
            (root / "connectors" / file.name).symlink_to(file)
    unwanted = shutil.ignore_patterns("node_modules", "dist", ".api", "schema.d.ts")
    shutil.copytree(ROOT / CLIENT, root / CLIENT, ignore=unwanted)
    (root / CLIENT / "node_modules").symlink_to(ROOT / CLIENT / "node_modules")
    return root
