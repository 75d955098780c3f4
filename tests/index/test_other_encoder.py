"""Another sentence-transformers model, trained on the spot, by one setting: built with, calibrated for, answering."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import database, knowledge
from bot.settings import Settings
from index.assistant.respond import Assistant
from index.encoder import BUNDLED, encoder_checksum
from index.knowledge_files.starter import STARTER, load_starter
from index.versions import build, calibrations, store
from index.versions.store import IndexReader
from tests.index.test_assistant import Talk
from training.encoder.batches import tokenise
from training.encoder.export import save_table
from training.encoder.pairs import item_sources, read_items
from training.encoder.table import TablePlan, new_table, train_table
from training.encoder.tokenizer import unigram_tokenizer
from training.fit import calibration_for


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 32 numbers a character, learned from the starter knowledge in some seconds."""
    folder = tmp_path_factory.mktemp("other")
    items = read_items(STARTER)
    sources = item_sources(items, 1, all_items=True)
    characters = dict.fromkeys("".join(item.question + item.answer for item in items), 1)
    words = unigram_tokenizer(characters)
    sets = [tokenise(words, source) for source in sources]
    table = new_table(words.get_vocab_size(), 32, 1)
    save_table(folder / "model", words, train_table(sets, table, TablePlan(batch=256, steps=60, seed=1), folder))
    return folder / "model"


@pytest.mark.full  # a calibration is fitted, which takes most of a minute
def test_a_model_trained_on_the_spot_answers_by_a_calibration_of_its_own(sqlite_db: Settings, trained: Path) -> None:
    settings = sqlite_db.model_copy(update={"encoder": str(trained), "dense": True})
    with database.write() as session:
        load_starter(session)
    with database.read() as session:
        assert len(knowledge.all_qas(session)) > 500
    store.publish(settings, build.build(settings, calibration_for))
    loaded = IndexReader(settings).get()
    assert loaded.manifest["encoder"]["dim"] == 32
    assert loaded.calibration.encoder == encoder_checksum(str(trained)) != encoder_checksum(str(BUNDLED))
    assert loaded.calibration != calibrations.shipped(encoder_checksum(str(BUNDLED)))
    assert loaded.calibration.fitted_on["wrong_upper_bound"] <= 0.05
    reply = Talk(Assistant(settings, IndexReader(settings))).say("身份证丢了怎么补办")
    assert reply.type == "answer" and reply.matter == "身份证换领补领"
