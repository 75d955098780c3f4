"""``python -m training.categories.fit``: fit the suggester of categories, its temperature and its limits out of fold.

Learned from ``requests.jsonl``, short requests in several registers that were written for this, the words with which the tree says
what belongs where, and the knowledge's wordings by the matters that the tree names; the latter two count less.  Folds are over the
requests alone.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from scipy.linalg import solve
from scipy.optimize import minimize_scalar
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import StratifiedKFold

from bot.tickets.categories import bundled
from index.assist.categories import FILE, Limits, Suggester
from index.danger.classifier import grams
from index.encoder import load_encoder
from index.knowledge_files.reading import read_folder
from index.knowledge_files.starter import STARTER

REQUESTS = Path(__file__).with_name("requests.jsonl")
OF_A_MATTER = 20
"""So many wordings of a matter are learned from, at most"""
WEIGHT = 0.3
"""What a wording of the knowledge or of the tree counts, a request counting 1"""
VECTORS, RIDGE = 5.0, 0.5
"""What the vectors count beside the words, and the penalty"""
SURE, OFFER = 0.90, 0.10
"""A category is filled in from the probability on at which the department is right so often (of those at or above it); offered at all from the second on"""
_FOLDS = 3
_SEED = 20261130

Floats = NDArray[np.float64]


def read_requests(path: Path) -> list[tuple[str, str]]:
    """Requests with the code of their category."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    return [(row["q"], row["l2"]) for row in rows]


def further() -> list[tuple[str, str]]:
    """The tree's own words, and wordings of the knowledge by matter."""
    tree = bundled()
    found = [
        (words, code)
        for code, (_, one) in tree.second.items()
        for words in (one.name, *one.covers.replace("，", "、").split("、"))
    ]
    wordings: dict[str, set[str]] = defaultdict(set)
    for qa in read_folder(STARTER).qas:
        if qa.matter in tree.by_matter:
            wordings[qa.matter] |= {qa.question, *qa.similar}
    chance = np.random.default_rng(_SEED)
    for matter, texts in sorted(wordings.items()):
        for at in sorted(chance.permutation(len(texts))[:OF_A_MATTER]):
            found.append((sorted(texts)[at], tree.by_matter[matter]))
    return found


def fit(
    rows: Sequence[tuple[str, str]], vectors: NDArray[np.float32], weights: Floats, limits: Limits, temperature: float
) -> Suggester:
    """A suggester fitted on labelled texts, whose vectors are given: one ridge regression for all categories, in closed form."""
    codes = sorted({code for _, code in rows})
    vectoriser = TfidfVectorizer(analyzer=grams, sublinear_tf=True, min_df=2, dtype=np.float32)
    features = vectoriser.fit_transform([text for text, _ in rows])
    middle = vectors.mean(axis=0)
    dense = vectors - middle
    wanted = np.zeros((len(rows), len(codes)), dtype=np.float32)
    wanted[np.arange(len(rows)), [codes.index(code) for _, code in rows]] = 1
    share = np.average(wanted, axis=0, weights=weights)
    alike = (features @ features.T).toarray() + VECTORS * (dense @ dense.T)
    alike[np.diag_indices_from(alike)] += (RIDGE / weights).astype(np.float32)
    pulls = solve(alike, (wanted - share).astype(np.float32), assume_a="pos", overwrite_a=True).astype(np.float32)
    of_words = np.asarray(features.T @ pulls).T
    of_vectors = VECTORS * (pulls.T @ dense)
    requests = [at for at, weight in enumerate(weights) if weight == 1]
    return Suggester(
        codes,
        [str(term) for term in vectoriser.get_feature_names_out()],
        vectoriser.idf_.astype(np.float32),
        np.hstack([of_words, share[:, None]]).astype(np.float32),
        np.hstack([of_vectors, -(of_vectors @ middle)[:, None]]).astype(np.float32),
        [rows[at] for at in requests],
        vectors[requests],
        limits,
        temperature,
    )


def measured(codes: Sequence[str], probabilities: Floats, labels: Sequence[str]) -> dict[str, float]:
    """Shares that are right: level 1 and 2, department, and the department among the three likeliest categories."""
    tree = bundled()
    order = np.argsort(-probabilities, axis=1)
    first = [codes[row[0]] for row in order]
    three = [[codes[at] for at in row[:3]] for row in order]
    lead = {code: tree.lead(code).code for code in codes}
    pairs = list(zip(first, labels, strict=True))
    return {
        "level 1": float(np.mean([one[:2] == right[:2] for one, right in pairs])),
        "level 2": float(np.mean([one == right for one, right in pairs])),
        "department": float(np.mean([lead[one] == lead[right] for one, right in pairs])),
        "level 2 among three": float(np.mean([right in some for some, right in zip(three, labels, strict=True)])),
        "department among three": float(
            np.mean([lead[right] in {lead[code] for code in some} for some, right in zip(three, labels, strict=True)])
        ),
    }


def by_keywords(codes: Sequence[str], texts: Sequence[str]) -> Floats:
    """A baseline: how many of the words with which the tree says what belongs there a text has."""
    tree = bundled()
    words = [
        [*tree.second[code][1].covers.replace("，", "、").split("、"), tree.second[code][1].name] for code in codes
    ]
    pairs = [[{word[at : at + 2] for at in range(len(word) - 1)} for word in of_one] for of_one in words]
    return np.array(
        [
            [
                sum(len(word) for word in of_one if word in text)
                + 0.1 * sum(sum(two in text for two in some) for some in twos)
                for of_one, twos in zip(words, pairs, strict=True)
            ]
            for text in texts
        ]
    )


def by_majority(codes: Sequence[str], labels: Sequence[str], count: int) -> Floats:
    """A baseline: always what is most frequent."""
    often = Counter(labels)
    return np.tile(np.array([float(often[code]) for code in codes]), (count, 1))


def main() -> None:
    """Fit, write, show."""
    out = Console()
    requests = read_requests(REQUESTS)
    rows = [*requests, *further()]
    vectors = load_encoder().encode([text for text, _ in rows])
    weights = np.array([1.0] * len(requests) + [WEIGHT] * (len(rows) - len(requests)))
    codes = sorted({code for _, code in rows})
    labels = [code for _, code in requests]
    scores = np.zeros((len(requests), len(codes)))
    for learned, held in StratifiedKFold(_FOLDS, shuffle=True, random_state=_SEED).split(labels, labels):
        chosen = [*learned, *range(len(requests), len(rows))]
        model = fit([rows[at] for at in chosen], vectors[chosen], weights[chosen], Limits(0, 0), 1.0)
        for at in held:
            scores[at] = model.scores_of(rows[at][0], vectors[at])
    right = np.array([codes.index(code) for code in labels])

    def loss(temperature: float) -> float:
        scaled = scores / temperature
        shares = scaled - np.logaddexp.reduce(scaled, axis=1, keepdims=True)
        return float(-np.mean(shares[np.arange(len(right)), right]))

    temperature = float(minimize_scalar(loss, bounds=(0.02, 2), method="bounded").x)
    scaled = scores / temperature
    probabilities = np.exp(scaled - np.logaddexp.reduce(scaled, axis=1, keepdims=True))
    tree = bundled()
    lead = np.array([tree.lead(code).code for code in codes])
    first = probabilities.argmax(axis=1)
    top, fits = probabilities.max(axis=1), lead[first] == lead[right]
    order = np.argsort(-top)
    shares = np.cumsum(fits[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(shares >= SURE)
    limits = Limits(round(float(top[order[enough[-1]]]), 3) if len(enough) else 1.0, OFFER)
    fit(rows, vectors, weights, limits, temperature).save(FILE)
    texts = [text for text, _ in requests]
    for name, found in (
        ("suggester, out of fold", probabilities),
        ("keywords", by_keywords(codes, texts)),
        ("majority", by_majority(codes, labels, len(texts))),
    ):
        out.print(name, {what: round(share, 3) for what, share in measured(codes, found, labels).items()})
    sure = top >= limits.sure_at
    out.print(
        f"temperature {temperature:.2f}, {limits}; filled in {sure.mean():.3f}, department right there {fits[sure].mean():.3f}"
    )


if __name__ == "__main__":
    main()
