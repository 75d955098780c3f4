"""The frozen data of one training: written once, with checksums, and read by every step after it.

What citizens said is encrypted there as it is in the database, and goes with the folder once the bundle stands.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot import database, knowledge, review
from bot.clock import SHANGHAI
from bot.crypto import get_cipher
from bot.errors import StoreBusy, YihaodaError
from bot.models.versions import QAVersion
from bot.releases.files import aside, checksum, flush
from bot.settings import Settings
from index.search.policy_texts import PolicyPassage
from index.search.retriever import Item
from index.versions import build
from training.retrain import labelled
from training.retrain.labelled import Label

FOLDER = "training"
"""In the data folder; below it one folder a training"""
ITEMS, PASSAGES, KNOWLEDGE = "items.jsonl", "passages.jsonl", "knowledge.json"
TRAINED, HELD_OUT, OVERLAY = "labelled.jsonl", "held_out.jsonl", "nlu_overlay.yml"
MANIFEST = "manifest.json"
_TRIES = 20
KEPT = timedelta(days=7)
"""So long a training that was stopped may be resumed: what citizens said is erased in the database meanwhile, and not there"""


class FrozenDataChanged(YihaodaError):
    """The frozen data are not there any more, or not what they were."""

    code = "frozen_data_changed"


@dataclass(frozen=True)
class Frozen:
    """What was frozen."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def source(self) -> build.Source:
        """What the index is made from."""
        items = [Item(**{**raw, "texts": tuple(raw["texts"])}) for raw in self._lines(ITEMS)]
        passages = [PolicyPassage(**raw) for raw in self._lines(PASSAGES)]
        versions = {id_: one["version"] for id_, one in self._knowledge().items() if one["version"] is not None}
        return build.Source(self.manifest["revision"], items, passages, versions)

    @property
    def encoder(self) -> str:
        """Checksum of the encoder that everything is fitted for; empty: none."""
        return str(self.manifest["encoder"])

    @property
    def since(self) -> dict[str, datetime]:
        """When each item was published first."""
        return {id_: datetime.fromisoformat(one["since"]) for id_, one in self._knowledge().items() if one["since"]}

    @property
    def trained(self) -> list[Label]:
        """What people decided about the city's questions."""
        return [_label(raw) for raw in self._lines(TRAINED, secret=True)]

    @property
    def held_out(self) -> list[Label]:
        """The same, of questions that nothing is ever trained on."""
        return [_label(raw) for raw in self._lines(HELD_OUT, secret=True)]

    @property
    def overlay(self) -> Path:
        """What reviewers added to Rasa's sentences."""
        return self.folder / OVERLAY

    @property
    def sums(self) -> dict[str, str]:
        """SHA-256 of each file."""
        return dict(self.manifest["files"])

    def _knowledge(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = json.loads((self.folder / KNOWLEDGE).read_text(encoding="utf-8"))
        return found

    def _lines(self, name: str, *, secret: bool = False) -> list[dict[str, Any]]:
        lines = (self.folder / name).read_text(encoding="utf-8").split("\n")
        return [json.loads(get_cipher().decrypt(line) if secret else line) for line in lines if line]


def folder(settings: Settings, job_id: str) -> Path:
    """Where a training has its data."""
    return settings.data_dir / FOLDER / job_id


def open_(folder: Path) -> Frozen:
    """Raises: FrozenDataChanged."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        wrong = [name for name, sum_ in manifest["files"].items() if checksum(folder / name) != sum_]
    except (OSError, ValueError, KeyError) as error:
        raise FrozenDataChanged("这次训练冻结的数据不在了或者读不出来，请重新发起一次训练。") from error
    if wrong:
        raise FrozenDataChanged(f"这次训练冻结的数据被改动过（{'、'.join(wrong)}），请重新发起一次训练。")
    return Frozen(folder, manifest)


def freeze(target: Path, encoder: str, now: datetime) -> Frozen:
    """Write down everything that a training reads, as it is at this moment.

    Args:
        encoder: checksum of the encoder; empty: without vectors.

    Raises:
        StoreBusy: the knowledge changes all the time.
        InvalidInput: there is none.
    """
    if (target / MANIFEST).exists():
        return open_(target)  # the step was killed after its end
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = aside(target)
    draft.mkdir(mode=0o700)
    counts = _write(draft, now.astimezone(SHANGHAI).date())
    files = {path.name: checksum(path) for path in sorted(draft.iterdir())}
    manifest = {"frozen_at": now.isoformat(), "encoder": encoder, **counts, "files": files}
    (draft / MANIFEST).write_text(json.dumps(manifest, ensure_ascii=False, indent=1), encoding="utf-8")
    for path in draft.iterdir():
        path.chmod(0o600)
        flush(path)
    draft.rename(target)
    flush(target.parent)
    return open_(target)


def _write(draft: Path, today: date) -> dict[str, Any]:
    for _ in range(_TRIES):
        with database.read() as session:
            source = build.read(session, today)
            versions = _versions(session, today)
            found = labelled.gather(session)
            overlay = review.examples(session)
        with database.write() as session:
            if knowledge.revision(session) == source.revision:
                labelled.remember(session, found)
                break
    else:
        raise StoreBusy("知识一直在改动，冻结不下来，过一会儿再试。")
    _put(draft / ITEMS, (vars(item) for item in source.items))
    _put(draft / PASSAGES, (asdict(passage) for passage in source.passages))
    (draft / KNOWLEDGE).write_text(json.dumps(versions, ensure_ascii=False), encoding="utf-8")
    _put(draft / TRAINED, (_stored(one) for one in found.trained), secret=True)
    _put(draft / HELD_OUT, (_stored(one) for one in found.held_out), secret=True)
    (draft / OVERLAY).write_text(overlay, encoding="utf-8")
    return {
        "revision": source.revision,
        "items": len(source.items),
        "wordings": sum(len(item.texts) for item in source.items),
        "passages": len(source.passages),
        "labelled": len(found.trained),
        "held_out": len(found.held_out),
        "contested": found.contested,
        "over": found.over,
    }


def _versions(session: Session, today: date) -> dict[str, dict[str, Any]]:
    first = select(QAVersion.qa_id, func.min(QAVersion.published_at)).group_by(QAVersion.qa_id)
    since = {id_: at.isoformat() for id_, at in session.execute(first)}
    return {qa.id: {"version": qa.version, "since": since.get(qa.id)} for qa in knowledge.all_qas(session, today)}


def _put(path: Path, rows: Iterable[Mapping[str, Any]], *, secret: bool = False) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            line = json.dumps(dict(row), ensure_ascii=False)
            file.write(f"{get_cipher().encrypt(line) if secret else line}\n")


def _stored(label: Label) -> dict[str, Any]:
    return {**asdict(label), "at": label.at.isoformat()}


def _label(raw: dict[str, Any]) -> Label:
    at = datetime.fromisoformat(raw["at"])
    return Label(raw["text"], tuple(raw["right"]), tuple(raw["wrong"]), raw["group"], at, raw["held_out"])


def remove(folder: Path) -> None:
    """Remove what was frozen, with all that was made of it."""
    shutil.rmtree(folder, ignore_errors=True)


def forget_old(settings: Settings, now: datetime) -> int:
    """Remove what trainings that were stopped, or failed, left behind long ago; how many."""
    removed = 0
    for one in (settings.data_dir / FOLDER).glob("*"):
        with contextlib.suppress(FileNotFoundError):
            if one.is_dir() and now.timestamp() - one.stat().st_mtime > KEPT.total_seconds():
                remove(one)
                removed += 1
    return removed
