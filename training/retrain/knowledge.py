"""Knowledge releases (知识发布): a rebuilt index with everything else as it is live."""

from __future__ import annotations

from collections.abc import Callable

from bot import database, releases
from bot.errors import YihaodaError
from bot.models.releases import Bundle
from bot.releases import files
from bot.settings import Settings
from index.encoder import Encoder, encoder_checksum
from index.search.ranking import Calibration
from index.versions import store
from training import fit
from training.retrain import bundle
from training.retrain.bundle import Made


def calibration(settings: Settings) -> Calibration | None:
    """Weights and limits of the index in use; None: there is none, or it can't be read."""
    current, _ = store.pointer(settings)
    try:
        manifest = store.manifest_of(settings, current or "")
        return Calibration.load(settings.index_dir / manifest["version"] / "calibration.json")
    except YihaodaError:
        return None


def as_in_use(settings: Settings) -> tuple[Settings, Callable[[Encoder | None], Calibration]]:
    """(settings, calibrate) to rebuild the index in use with: its own encoder, and its own weights and limits where they were fitted here.

    New wordings alone don't change what a score means; weights and limits change with the next training.
    """
    used = calibration(settings)
    if used is None or not used.own:
        return settings, fit.calibration_for
    return _with_encoder(
        settings, used.encoder
    ), lambda encoder: used if (encoder.checksum if encoder else "") == used.encoder else fit.calibration_for(encoder)


def _with_encoder(settings: Settings, wanted: str) -> Settings:
    """The settings with the encoder of this checksum, as they name it or kept beside the versions."""
    kept = settings.index_dir / store.ENCODERS / wanted
    named = encoder_checksum(settings.encoder or None) if settings.dense and wanted else wanted
    return settings.model_copy(update={"encoder": str(kept)}) if named != wanted and kept.is_dir() else settings


def live() -> Bundle | None:
    """The bundle that answers citizens."""
    with database.read() as session:
        return releases.serving(session).live


def knowledge_bundle(settings: Settings, index_version: str, by: str) -> str | None:
    """Make a bundle of a rebuilt index with the live bundle's Rasa model and sentences; its name.  None: nothing is live.

    Raises:
        NotFound, IndexDamaged: there is no such index version.
        OSError: it can't be written.
    """
    now_live = live()
    if now_live is None:
        return None
    name = f"{index_version[:15]}-k-{index_version[-4:]}"
    held = files.held(settings, now_live.name)
    made = Made(
        kind="knowledge",
        index=index_version,
        rasa=now_live.rasa_model,
        overlay=held.get(files.OVERLAY, ""),
        data=files.read(settings, now_live.name).data,
        texts=held.get(files.TEXTS, "").split(),
        counts={"before": now_live.name},
    )
    return bundle.make(settings, name, made, by).name
