"""What a training makes of the frozen data: a Rasa model, an index, weights and limits."""

from __future__ import annotations

import json
import multiprocessing
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bot.releases import files
from bot.releases.files import flush
from bot.settings import ROOT, Settings
from index.encoder import Encoder, load_encoder
from index.replay import QUESTIONS
from index.search import unanswered
from index.search.normalise import normalise
from index.search.policy_texts import PolicyTexts
from index.search.ranking import Calibration
from index.search.retriever import Candidate, Item, Retriever
from index.versions import build
from index.versions.store import VECTORS
from index.versions.vector_cache import CachedEncoder
from training import fit, rasa_model
from training.fit import FollowUp, Question, Say
from training.retrain import frozen, knowledge, labelled
from training.retrain.frozen import Frozen, FrozenDataChanged

Log = Callable[[str], None]
INDEX, CALIBRATION = "index", "calibration.json"
"""In the training's folder: what becomes of the steps"""
_PROCESSES = 2
_CHUNK = 256
"""Texts that are encoded before somebody may stop it; what is encoded stays"""
FEWEST_ANSWERABLE, FEWEST_OTHERS, FEWEST_FOLLOW_UPS, FEWEST_MATTERS = 300, 100, 60, 20
"""With fewer labelled questions weights and limits would say more about chance than about the knowledge"""


# --- Rasa ------------------------------------------------------------------------------------------------------------


def there_already(settings: Settings, overlay: Path) -> str | None:
    """The name of the Rasa model of the program and these sentences, if it is trained; of the program's own, a copy is made."""
    model = rasa_model.model_id(ROOT, overlay)
    target, ours = files.model_file(settings, model), ROOT / rasa_model.CACHE / f"{model}.tar.gz"
    if not target.exists() and ours.exists():
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = target.with_name(f".{model}-{secrets.token_hex(4)}")
        try:
            shutil.copyfile(ours, draft)
            flush(draft)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
    return model if target.exists() else None


def train_rasa(settings: Settings, folder: Path, say: Say, log: Log) -> None:
    """Train the model, unless it is there."""
    overlay = frozen.open_(folder).overlay
    if there_already(settings, overlay):
        return
    target = files.model_file(settings, rasa_model.model_id(ROOT, overlay))
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in target.parent.glob("training-*"):  # of this same step, killed before: one training at a time
        shutil.rmtree(left, ignore_errors=True)

    def heard(line: str) -> None:
        _, info, said = line.rpartition(" - ")
        if info and said.strip():
            log(f"Rasa：{said.strip()}")
            say("训练 Rasa", None, None)

    say("训练 Rasa", None, None)
    rasa_model.train(ROOT, target, overlay, heard)


# --- the index -------------------------------------------------------------------------------------------------------


def build_index(settings: Settings, folder: Path, say: Say, log: Log) -> None:
    """Everything of an index version but its calibration, in the training's folder."""
    if (folder / INDEX).exists():
        return
    data = frozen.open_(folder)
    source, encoder = data.source, _encoder(settings, data)
    cached = CachedEncoder(encoder, settings.index_dir / VECTORS) if encoder else None
    try:
        if cached is not None:
            wanted = [*Retriever.encoded(source.items, unanswered.questions()), *PolicyTexts.encoded(source.passages)]
            _encode(cached, wanted, "计算向量", say)
            log(f"{len(wanted)} 段文字，其中 {cached.encoded} 段是新的，重新计算了向量。")
        say("建关键词索引，训练条目分类器", None, None)
        retriever = Retriever.build(source.items, cached, unanswered.questions())
        policy_texts = PolicyTexts.build(source.passages, cached)
    finally:
        if cached is not None:
            cached.close()
    say("写入索引", None, None)
    draft = folder / f".{INDEX}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    build.write(draft, retriever, policy_texts)
    draft.rename(folder / INDEX)
    flush(folder)


def _encode(cached: CachedEncoder, texts: Sequence[str], what: str, say: Say) -> None:
    """Put the vectors of texts into the cache, some at a time."""
    different = list(dict.fromkeys(texts))
    for start in range(0, len(different), _CHUNK):
        say(what, start, len(different))
        cached.encode(different[start : start + _CHUNK])


# --- weights and limits ----------------------------------------------------------------------------------------------


def calibrate(settings: Settings, folder: Path, say: Say, log: Log) -> None:
    """Fit weights and limits on the frozen items and what is labelled for them (too little of it, and the program's are taken), make an
    index version of all, and check it."""
    data = frozen.open_(folder)
    encoder, name = _encoder(settings, data), version(data)
    if (settings.index_dir / name).exists():
        return
    if not (folder / CALIBRATION).exists():
        calibration = _fitted(settings, folder, data, encoder, say, log)
        draft = folder / f".{CALIBRATION}"
        draft.write_text(json.dumps(calibration.to_json(), ensure_ascii=False), encoding="utf-8")
        flush(draft)
        draft.replace(folder / CALIBRATION)
    say("检查新索引", None, None)
    build.complete(settings, folder / INDEX, name, data.source, encoder, Calibration.load(folder / CALIBRATION))


def version(data: Frozen) -> str:
    """What the index version of a training is called: the same, however often the step runs."""
    at = datetime.fromisoformat(data.manifest["frozen_at"]).astimezone(UTC)
    return f"{at:%Y%m%d-%H%M%S}-r{data.manifest['revision']}-{data.folder.name[:4]}"


def _encoder(settings: Settings, data: Frozen) -> Encoder | None:
    """The encoder that the data were frozen for.  Raises: FrozenDataChanged."""
    encoder = load_encoder(settings.encoder or None) if settings.dense else None
    if (encoder.checksum if encoder is not None else "") != data.encoder:
        raise FrozenDataChanged("句向量模型和发起训练时不是同一个了，请重新发起一次训练。")
    return encoder


def _fitted(settings: Settings, folder: Path, data: Frozen, encoder: Encoder | None, say: Say, log: Log) -> Calibration:
    items = data.source.items
    ours, own, follow_ups = labels(data, items)
    if lacking := _lacking([*ours, *own], follow_ups):
        log(f"标注的问题不够（{lacking}），用随程序附带的标定，没有重新标定。")
        say("标定", None, None)
        return fit.calibration_for(encoder)
    # Whether an item of the city's own answers one of our questions, nobody has said.
    added = frozenset(item.id for item in items) - {item.id for item in fit.starter_items()}
    questions = [*(replace(one, unjudged=added) for one in ours), *own]
    say("读取索引", None, None)
    ahead = Ahead(encoder) if encoder is not None else None
    retriever = Retriever.load(folder / INDEX, ahead)
    if ahead is not None:
        _read_ahead(settings, ahead, items, questions, follow_ups, say)
    used = knowledge.calibration(settings)
    in_use = used if used is not None and used.encoder == data.encoder else None
    fitted = fit.fit(ahead, retriever, questions, follow_ups, say, in_processes, in_use)
    figures = {
        **fitted.fitted_on,
        "items": len(items),
        "items_sha256": build.items_digest(items),
        "own_labels": len(own),
    }
    log(
        f"标定用了 {figures['questions']} 个问题（本市审核过的 {len(own)} 个），"
        f"直接作答的界限 {fitted.answer_at:g}，“您问的可能是”的界限 {fitted.likely_at:g}。"
    )
    return replace(fitted, fitted_on=figures)


def labels(data: Frozen, items: Sequence[Item]) -> tuple[list[Question], list[Question], list[FollowUp]]:
    """What is labelled for some items: our questions with what answers them here, the city's own, and our follow-ups as far as they hold."""
    matters = {item.id: item.matter for item in items}
    known = frozenset(matters)
    own = data.trained
    taken = {labelled.digest(one.text) for one in (*own, *data.held_out)}
    # What only items answer that are not here has no answer here: citizens ask it all the same.
    ours = [
        replace(one, right=one.right & known) for one in fit.our_questions() if labelled.digest(one.text) not in taken
    ]
    follow_ups = [
        replace(one, right=one.right & known)
        for one in fit.our_follow_ups()
        if one.before_qa in known and (not one.right or one.right & known) and labelled.digest(one.text) not in taken
    ]
    return ours, labelled.questions(own, matters, data.since), follow_ups


def _lacking(questions: Sequence[Question], follow_ups: Sequence[FollowUp]) -> str:
    """What is too little, in words; empty: it is enough."""
    answerable = [one for one in questions if one.right]
    others = sum(not one.right and not one.wrong for one in questions)
    matters = len({one.group for one in answerable})
    counted = (
        ("有答案的", len(answerable), FEWEST_ANSWERABLE),
        ("没有答案的", others, FEWEST_OTHERS),
        ("追问", len(follow_ups), FEWEST_FOLLOW_UPS),
        ("事项", matters, FEWEST_MATTERS),
    )
    return "，".join(f"{what} {there} 个，至少要 {least} 个" for what, there, least in counted if there < least)


_BATCH = 32
"""Messages that a process searches for at once"""
_searched: Retriever | None = None
"""Of ``in_processes``: what the processes that are forked search"""


def in_processes(retriever: Retriever, messages: Sequence[Sequence[str]]) -> Iterator[list[Candidate]]:
    """As ``fit.one_by_one``, in two processes.  The retriever needs no encoder for them, see ``Ahead``."""
    global _searched
    _searched = retriever
    items = retriever.items
    batches = [messages[start : start + _BATCH] for start in range(0, len(messages), _BATCH)]
    with multiprocessing.get_context("fork").Pool(min(_PROCESSES, os.cpu_count() or 1)) as pool:
        for batch in pool.imap(_search, batches):
            for found in batch:
                yield [Candidate(items[place], features, wording, few) for place, features, wording, few in found]


def _search(batch: Sequence[Sequence[str]]) -> list[list[tuple[int, NDArray[np.float64], str, float]]]:
    """Candidates by their place: items are many, and the same again and again."""
    assert _searched is not None
    retriever, texts = _searched, dict.fromkeys(text for readings in batch for text in readings)
    vectors = [vector for text in texts if (vector := retriever.vector(text)) is not None]
    with threadpool_limits(1):  # one of several processes
        retriever = retriever.expecting(np.stack(vectors)) if vectors else retriever
    return [
        [(retriever.place(one.item.id), one.features, one.wording, one.few) for one in retriever.candidates(*readings)]
        for readings in batch
    ]


class Ahead:
    """An ``Encoder`` that knows beforehand what it will be asked."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._known: dict[str, NDArray[np.float32]] = {}
        self.name, self.checksum, self.dim = encoder.name, encoder.checksum, encoder.dim

    def learn(self, texts: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """These are theirs."""
        self._known.update(zip(texts, vectors, strict=True))

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As ``Encoder.encode``."""
        if missing := [text for text in dict.fromkeys(texts) if text not in self._known]:
            self.learn(missing, self._encoder.encode(missing))
        return np.stack([self._known[text] for text in texts]) if texts else np.zeros((0, self.dim), np.float32)


def _read_ahead(
    settings: Settings,
    ahead: Ahead,
    items: Sequence[Item],
    questions: Sequence[Question],
    follow_ups: Sequence[FollowUp],
    say: Say,
) -> None:
    """Encode what fitting asks for, many at a time; what is the project's is kept for the next time, what citizens said is not."""
    matters = {item.id: item.matter for item in items}
    ours = [one.text for one in fit.our_questions()]
    ours += [text for act in ("ask_policy", "report_problem", "chitchat", "abuse") for text in fit.nlu_examples(act)]
    read = [normalise(text).text for text in ours]
    for one in follow_ups:
        text, before = normalise(one.text).text, normalise(one.before).text
        read += [text, f"{matters[one.before_qa]} {text}", f"{before} {text}"]
    known = [normalise(text).text for text in fit.some(tuple(text for item in items for text in item.texts))]
    for name, texts, what in (
        (VECTORS, known, "计算问法的向量"),
        (QUESTIONS, read, "计算标注问题的向量"),
    ):
        cached = CachedEncoder(ahead._encoder, settings.index_dir / name)
        try:
            different = list(dict.fromkeys(texts))
            for start in range(0, len(different), _CHUNK):
                say(what, start, len(different))
                some = different[start : start + _CHUNK]
                ahead.learn(some, cached.encode(some))
        finally:
            cached.close()
    own = list(dict.fromkeys(normalise(one.text).text for one in questions))
    for start in range(0, len(own), _CHUNK):
        say("计算本市问题的向量", start, len(own))
        ahead.encode(own[start : start + _CHUNK])


STEPS: Mapping[str, Callable[[Settings, Path, Say, Log], None]] = {
    "rasa": train_rasa,
    "index": build_index,
    "calibrate": calibrate,
}
"""What ``training.retrain.child`` does in a process of its own"""
