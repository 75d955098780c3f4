"""The steps of a training (``train``) and of a knowledge release (``index``), as ``connectors.jobs.steps`` lists them.

What takes long runs in a process of its own; here is what the worker does of it.  Everything of ``training`` is loaded where it is needed:
most jobs need none of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.clock import utcnow
from bot.settings import Settings

if TYPE_CHECKING:
    from connectors.jobs.steps import Work


def _settings(work: Work) -> Settings:
    """With the encoder that was asked for."""
    encoder: str = work.job.arguments["encoder"]
    return work.settings.model_copy(update={"encoder": encoder}) if encoder else work.settings


def _folder(work: Work) -> Path:
    from training.retrain import frozen

    return frozen.folder(work.settings, work.job.id)


def preflight(work: Work) -> dict[str, Any]:
    """See whether it can be done at all."""
    from training.retrain import preflight

    found = preflight.look(_settings(work))
    if why := work.job.arguments["why"]:
        work.log(f"为什么训练：{why}")
    work.log(
        f"{found.items} 条问答、{found.wordings} 种问法；{len(found.sentences)} 种意图、{sum(found.sentences.values())} 句例句。"
    )
    return {"items": found.items, "wordings": found.wordings}


def freeze(work: Work) -> dict[str, Any]:
    """Write down what everything after it reads."""
    from index.encoder import encoder_checksum
    from training.retrain import frozen

    frozen.forget_old(work.settings, utcnow())
    settings = _settings(work)
    encoder = encoder_checksum(settings.encoder or None) if settings.dense else ""
    found = frozen.freeze(_folder(work), encoder, utcnow()).manifest
    said = f"冻结了知识（修订号 {found['revision']}）和 {found['labelled']} 个审核过的提问"
    work.log(f"{said}，另有 {found['held_out']} 个只用来评测，从不训练。")
    if found["contested"] or found["over"]:
        work.log(f"没有用的：{found['contested']} 句各人说法不一，{found['over']} 次是同一个人问得太多。")
    work.progress(said)
    return {name: found[name] for name in ("revision", "labelled", "held_out")}


def models(work: Work) -> str:
    """The Rasa model, unless one of the same sentences is there, and besides vectors, word indexes, the item classifier; Rasa's name."""
    from bot.settings import ROOT
    from training import rasa_model
    from training.retrain import frozen, making

    overlay = frozen.open_(_folder(work)).overlay
    if (there := making.there_already(work.settings, overlay)) is not None:
        work.log("例句和上次一样，Rasa 模型不用重新训练。")
    _apart(work, *(("index",) if there else ("rasa", "index")))
    return there or rasa_model.model_id(ROOT, overlay)


def calibrate(work: Work) -> str:
    """Weights and limits, and with them an index version, checked."""
    from training.retrain import frozen, making

    _apart(work, "calibrate")
    return making.version(frozen.open_(_folder(work)))


def _apart(work: Work, *steps: str) -> None:
    """Do what ``training.retrain.making`` has under these names, all at once."""
    from training.retrain import child

    encoder: str = work.job.arguments["encoder"]
    others = ["--encoder", encoder] if encoder else []
    arguments = [[step, str(_folder(work)), *others] for step in steps]
    child.run(arguments, {"YIHAODA_DATA_DIR": str(work.settings.data_dir)}, work.progress, work.log)


def bundle(work: Work) -> str:
    """Write the bundle: a folder and a row."""
    from index.versions import store
    from training import fit, rasa_model
    from training.retrain import bundle, frozen, labelled

    data, version = frozen.open_(_folder(work)), work.results["calibrate"]
    texts = [one.text for one in fit.our_questions()] + [one.text for one in fit.our_follow_ups()]
    texts += [one.text for one in data.trained]
    store.keep_encoder(_settings(work), store.manifest_of(work.settings, version))
    made = bundle.Made(
        kind="model",
        index=version,
        rasa=work.results["models"],
        overlay=data.overlay.read_text(encoding="utf-8") if rasa_model.examples(data.overlay) else "",
        data=data.sums,
        texts=map(labelled.digest, texts),
        counts={
            **{name: data.manifest[name] for name in ("items", "wordings", "labelled", "held_out")},
            "job": work.job.id,
        },
    )
    name = f"{work.job.asked_at:%Y%m%d-%H%M%S}-m-{work.job.id[:4]}"
    bundle.make(work.settings, name, made, work.job.asked_by)
    work.log(f"做好了发布包 {name}：索引 {version}，Rasa 模型 {made.rasa}。")
    work.progress(f"做好了发布包 {name}")
    return name


def evaluate(work: Work) -> str:
    """Have the gate judge it; what was frozen is needed no more."""
    from training.retrain import frozen

    name: str = work.results["bundle"]
    state = judged(work, name)
    frozen.remove(_folder(work))
    work.progress(f"发布包 {name}：{state}")
    return state


def judged(work: Work, name: str) -> str:
    """What the gate made of a bundle, in words."""
    from bot import database
    from bot.releases import STATES, reading
    from training import gate

    gate.evaluate(work.settings, name, work.progress)
    with database.read() as session:
        state = STATES[reading.get(session, name).state]
    work.log(f"发布包 {name}：{state}。")
    return state


# --- after an approval -----------------------------------------------------------------------------------------------


def rebuild(work: Work) -> str:
    """A new index of the knowledge as it is now, otherwise like the one in use."""
    from index.versions import build
    from training.retrain import knowledge

    settings, calibrate_ = knowledge.as_in_use(work.settings)
    return build.build(settings, calibrate_, lambda what, share: work.progress(what, round(share * 100), 100))


def wrap(work: Work) -> str | None:
    """A bundle of it, where bundles are released here; None: the index's own pointer counts."""
    from training.retrain import knowledge

    return knowledge.knowledge_bundle(work.settings, work.results["build"], work.job.asked_by)


def judge(work: Work) -> str | None:
    """Have the gate judge it."""
    name: str | None = work.results["bundle"]
    return judged(work, name) if name is not None else None


def refused(work: Work) -> bool:
    """Whether the gate did not pass it: then it waits for a person."""
    from bot import database
    from bot.models.releases import Bundle
    from bot.releases.states import LIVE, PASSED

    name: str | None = work.results["bundle"]
    if name is None:
        return False
    with database.read() as session:
        return session.get_one(Bundle, name).state not in (PASSED, LIVE)
