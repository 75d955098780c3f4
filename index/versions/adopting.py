"""What is in use becomes a bundle: at a start, and after somebody put an index version to use by hand."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot import database, releases
from bot.clock import SHANGHAI, utcnow
from bot.errors import NotFound
from bot.models.releases import Bundle
from bot.models.versions import QAVersion
from bot.releases import files, pointer, switching
from bot.releases.files import BundleDamaged, Manifest
from bot.releases.states import BUILT, PREVIOUS, RELEASED
from bot.settings import Settings
from index.search.ranking import Calibration
from index.versions import store

log = structlog.get_logger(__name__)

SYSTEM = "系统"
_SUFFIX = ".tar.gz"
LIMITS = ("answer_at", "likely_at", "clarify_at")


def adopt(settings: Settings, model: Path | None = None) -> str | None:
    """Register what is in use as the live bundle, where it is not; after a switch that broke off, finish that instead.

    Args:
        model: The Rasa model that is started, among the data folder's; None: the live bundle's goes on.

    Returns:
        The live bundle's name; None: there is none, and no Rasa model is known.

    Raises:
        YihaodaError, OSError: what is in use can't be read, or the bundle can't be written.
    """
    named = pointer.read(settings)
    with database.read() as session:
        live = releases.serving(session).live
    if live is not None:
        switching.put_right(settings, live, named)
        named = pointer.read(settings)
    model_id = model.name.removesuffix(_SUFFIX) if model is not None else live.rasa_model if live is not None else None
    if named.version is None or model_id is None:
        return live.name if live is not None else None
    if live is not None and (live.index_version, live.rasa_model) == (named.version, model_id):
        return live.name
    return _register(settings, named.version, model_id, live)


def _register(settings: Settings, version: str, model: str, live: Bundle | None) -> str:
    held = files.held(settings, live.name) if live is not None else {}
    manifest = describe(settings, version, model, held, kind="start")
    with database.write() as session:
        switching.lock(session)
        there = releases.serving(session).live
        if there is not None and (there.index_version, there.rasa_model) == (version, model):
            return there.name  # somebody else was quicker
        bundle = _before(session, settings, manifest)
        if bundle is None:
            files.write(settings, manifest, held)
            bundle = files.row(manifest, BUILT, SYSTEM)
            session.add(bundle)
            session.flush()
        try:
            switching.put_live(
                session, settings, bundle,
                by=SYSTEM, move="adopt", why="命令行启用或启动时登记", figures={}, former=PREVIOUS, now=utcnow(),
            )  # fmt: skip
            switching.step("adopted")
        except BaseException:
            if bundle.name == manifest.name:
                shutil.rmtree(files.folder(settings, manifest.name), ignore_errors=True)
            raise
    switching.step("adoption committed")
    switching.put_right(settings, bundle, pointer.read(settings))
    log.info("bundle.adopted", bundle=bundle.name, index=version, rasa=model)
    return bundle.name


def _before(session: Session, settings: Settings, manifest: Manifest) -> Bundle | None:
    """A bundle of before with this index and this model, if it is whole: it is put to use again."""
    same = select(Bundle).where(
        Bundle.state.in_(RELEASED),
        Bundle.index_version == manifest.index,
        Bundle.rasa_model == manifest.rasa["model"],
    )
    for one in session.scalars(same.order_by(Bundle.made_at.desc())):
        try:
            files.verify(settings, one.name)
        except (BundleDamaged, NotFound):
            continue
        return one
    return None


def describe(
    settings: Settings,
    version: str,
    model: str,
    held: Mapping[str, str],
    *,
    kind: str,
    name: str | None = None,
    data: Mapping[str, str] = MappingProxyType({}),
) -> Manifest:
    """The manifest of a bundle of this index version and this Rasa model.

    Args:
        held: What its folder will hold, see ``files.write``.
        data: Checksums of what it was fitted on, by file.

    Raises:
        NotFound, IndexDamaged, IndexFileError: the index version can't be read.
        BundleDamaged: the Rasa model is not in the data folder.
    """
    index = store.manifest_of(settings, version)
    calibration = Calibration.load(settings.index_dir / version / "calibration.json").to_json()
    file = files.model_file(settings, model)
    if not file.is_file():
        raise BundleDamaged(f"Rasa 模型 {model} 不在这台机器上。")
    now = utcnow()
    with database.read() as session:
        knowledge = index.get("versions") or _versions(session, datetime.fromisoformat(index["created_at"]))
    return Manifest(
        name=name or files.new_name(now),
        made_at=now.isoformat(),
        kind=kind,
        code=files.code(),
        index=version,
        index_files=dict(index["files"]),
        rasa={"model": model, "sha256": files.checksum(file)},
        encoder=index["encoder"]["checksum"] if index["encoder"] else "",
        limits={limit: float(calibration[limit]) for limit in LIMITS},
        knowledge_revision=int(index["knowledge_revision"]),
        knowledge=knowledge,
        overlay=files.digest(held[files.OVERLAY]) if files.OVERLAY in held else None,
        data=dict(data),
        training_texts=files.digest(held[files.TEXTS]) if files.TEXTS in held else None,
    )


def _versions(session: Session, at: datetime) -> dict[str, int]:
    """The published version of each item at that time."""
    newest = (
        select(QAVersion.qa_id, func.max(QAVersion.number))
        .where(
            QAVersion.published_at <= at,
            QAVersion.starts <= at.astimezone(SHANGHAI).date(),
            QAVersion.called_off.is_(False),
        )
        .group_by(QAVersion.qa_id)
    )
    return {row[0]: row[1] for row in session.execute(newest)}
