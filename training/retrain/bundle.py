"""What a training, or a rebuilt index, becomes: a bundle in the state ``built``, see ``bot.releases.files``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot import audit, database
from bot.errors import NotFound
from bot.models.releases import Bundle
from bot.releases import files
from bot.releases.states import BUILT
from bot.settings import Settings
from index.versions.adopting import describe


@dataclass(frozen=True)
class Made:
    """What a bundle is made of."""

    kind: str
    """A key of ``bot.releases.KINDS``"""
    index: str
    """The index version"""
    rasa: str
    """The Rasa model"""
    overlay: str = ""
    """What reviewers added to Rasa's sentences: a file of NLU data; empty: nothing"""
    data: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of the files that it was fitted on"""
    texts: Iterable[str] = ()
    """Digests of the texts that it was fitted on, see ``training.retrain.labelled.digest``"""
    counts: Mapping[str, Any] = field(default_factory=dict)
    """For people"""


def make(settings: Settings, name: str, made: Made, by: str) -> Bundle:
    """Write the folder and the row; done before, nothing changes.

    Raises:
        NotFound, IndexDamaged: the index version is not what it was.
        BundleDamaged: the Rasa model is not there.
        OSError: it can't be written; nothing is left behind.
    """
    try:
        manifest = files.read(settings, name)
    except NotFound:
        held = {files.OVERLAY: made.overlay} if made.overlay else {}
        if texts := sorted(set(made.texts)):
            held[files.TEXTS] = "".join(f"{one}\n" for one in texts)
        manifest = describe(settings, made.index, made.rasa, held, kind=made.kind, name=name, data=made.data)
        files.write(settings, manifest, held)
    with database.write() as session:
        row = session.get(Bundle, name)
        if row is None:
            row = files.row(manifest, BUILT, by, made.counts)
            session.add(row)
            session.flush()
            audit.record(session, by, "release.built", name, kind=made.kind, index=made.index, rasa=made.rasa)
    return row
