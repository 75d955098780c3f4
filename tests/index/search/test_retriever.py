"""Features that are worked out for the proposed items alone are what looking through everything gives."""

from __future__ import annotations

import numpy as np
import pytest

from bot import regions
from index.encoder import Encoder, load_encoder
from index.search import tokenize
from index.search.normalise import clean
from index.search.retriever import FEATURES, Item, Retriever, sentences_of

ITEMS = [
    Item(
        f"{name}-{number}",
        name,
        regions.NATION,
        "",
        (f"{name}{asked}", f"{asked}，我说的是{name}"),
        f"{name}{asked}的，本人带身份证到{place}窗口申请。工本费{number}0元，七个工作日办好。",
    )
    for name in ("护照", "居住证", "养老金", "失业金", "公积金", "营业执照")
    for number, (asked, place) in enumerate(
        (("怎么办", "政务大厅"), ("丢了怎么补", "原来发证的"), ("多久能下来", "社区"))
    )
]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder()


@pytest.fixture(scope="module")
def retriever(encoder: Encoder) -> Retriever:
    return Retriever.build(ITEMS, encoder)


@pytest.mark.parametrize("readings", [("工本费要多少",), ("居住证在社区能办吗",), ("要带什么", "护照要带什么")])
def test_the_nearest_sentence_of_each_proposed_item_is_found(
    retriever: Retriever, encoder: Encoder, readings: tuple[str, ...]
) -> None:
    asked = encoder.encode(readings)
    found = retriever.candidates(*readings)
    assert found
    for one in found:
        said = encoder.encode([clean(one.item.texts[0]), *sentences_of(one.item.answer)])
        nearest = (asked @ said.T).max(axis=1).mean()
        assert one.features[FEATURES.index("passage")] == pytest.approx(nearest, abs=1e-5)


@pytest.mark.parametrize("compared", [1, 100])
@pytest.mark.parametrize("readings", [("本子丢了咋整",), ("要带什么", "护照要带什么")])
def test_wordings_are_compared_however_few_items_are_near_as_a_whole(
    retriever: Retriever, encoder: Encoder, readings: tuple[str, ...], compared: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.search.retriever._COMPARED", compared)
    asked = encoder.encode(readings)
    found = retriever.candidates(*readings)
    assert found
    for one in found:
        cosines = asked @ encoder.encode([clean(text) for text in one.item.texts]).T
        assert one.features[FEATURES.index("dense")] == pytest.approx(cosines.max(axis=1).mean(), abs=1e-5)
        assert one.features[FEATURES.index("centroid")] == pytest.approx(cosines.mean(), abs=1e-5)


def test_what_the_knowledge_says_nowhere_is_unseen(retriever: Retriever) -> None:
    everything = "\n".join(clean(text) for item in ITEMS for text in (item.matter, *item.texts, item.answer))
    query = "护照的工本费涨价了，驾驶证社区窗口abc能不能补"
    words = set(tokenize.words(query))
    weights = {word: retriever._words.idf(word) for word in words}
    unseen = sum(weight for word, weight in weights.items() if word not in everything) / sum(weights.values())
    assert 0 < unseen < 1
    assert retriever.unseen(query) == pytest.approx(unseen)
    assert retriever.unseen("护照") == 0
    assert retriever.unseen("驾驶证") == pytest.approx(1)


def test_without_vectors_sentences_count_nothing() -> None:
    found = Retriever.build(ITEMS, None).candidates("护照怎么办")
    assert found and not np.any([one.features[FEATURES.index("passage")] for one in found])
