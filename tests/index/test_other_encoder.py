"""Another sentence-transformers model by one setting: built with, calibrated for, answering."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from bot import database, knowledge
from bot.settings import Settings
from index.assistant.respond import Assistant
from index.encoder import BUNDLED, encoder_checksum
from index.knowledge_files.starter import load_starter
from index.versions import build, calibrations, store
from index.versions.store import IndexReader
from tests.index.test_assistant import Talk
from training.fit import calibration_for, starter_items


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence-transformers model of our own making: a random vector of 64 numbers for each character, rare ones longer."""
    folder = tmp_path_factory.mktemp("other") / "model"
    texts = [text for item in starter_items() for text in (*item.texts, item.answer)]
    seen = Counter(character for text in texts for character in set(text))
    vocabulary = {"[UNK]": 0} | {character: row for row, character in enumerate(seen, 1)}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    weights = np.random.default_rng(1).normal(size=(len(vocabulary), 64)).astype(np.float32)
    weights *= np.array([0.0, *(np.log(len(texts) / n) for n in seen.values())])[:, None].astype(np.float32)
    module = StaticEmbedding(words, embedding_weights=weights)
    SentenceTransformer(modules=[module, Normalize()], device="cpu").save(str(folder), create_model_card=False)
    return folder


@pytest.mark.full  # a calibration is fitted, which takes most of a minute
def test_another_model_answers_by_a_calibration_of_its_own(sqlite_db: Settings, other: Path) -> None:
    settings = sqlite_db.model_copy(update={"encoder": str(other), "dense": True})
    with database.write() as session:
        load_starter(session)
    with database.read() as session:
        assert len(knowledge.all_qas(session)) > 500
    store.publish(settings, build.build(settings, calibration_for))
    loaded = IndexReader(settings).get()
    assert loaded.manifest["encoder"]["dim"] == 64
    assert loaded.calibration.encoder == encoder_checksum(str(other)) != encoder_checksum(str(BUNDLED))
    assert loaded.calibration != calibrations.shipped(encoder_checksum(str(BUNDLED)))
    assert loaded.calibration.fitted_on["wrong_upper_bound"] <= 0.05
    reply = Talk(Assistant(settings, IndexReader(settings))).say("身份证丢了怎么补办")
    assert reply.type == "answer" and reply.matter == "身份证换领补领"
