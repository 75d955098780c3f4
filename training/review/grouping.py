"""Questions that mean the same, by their vectors: mutual nearest neighbours, connected; what gets too big is split.

The same questions give the same groups in whatever order they come: texts are sorted first, and the graph is built on one thread.
Nothing is dropped: a text without a neighbour is a group of its own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

LINK = 0.85
"""Cosine of two texts that may be linked: on our own questions the nearest one from there on asks the same four times of five"""
NEIGHBOURS = 10
MOST = 200
"""Texts of a group; a bigger one is split, since a person has to look through it"""
_DENSE = 4_000
"""So many texts are split by all their distances; more are parted by raising the link first"""
_RAISED = 0.02
_HELD = 0.75
"""Cosine to the middle of a group above which a text stays in it"""
_EXACT = 5_000
"""Up to so many texts all are compared; beyond, a graph (HNSW) finds the neighbours"""
_WIDTH, _BUILD, _SEARCH = 16, 64, 48


def group(
    keys: Sequence[str],
    vectors: NDArray[np.float32],
    progress: Callable[[str, int, int], None] = lambda said, done, total: None,
    *,
    before: Mapping[str, str] | None = None,
) -> NDArray[np.int64]:
    """A label for each of these different texts, shape (texts,); labels count from 0 in the order of the keys.

    Args:
        keys: one for each text, none twice; only their order matters.
        vectors: of unit length, shape (texts, dim); a zero vector is near nothing.
        before: the groups that some keys were in.  What was together stays so unless it lies far from the rest: new texts among
            a text's nearest would else push out those that it was linked by.
    """
    count = len(keys)
    if not count:
        return np.zeros(0, dtype=np.int64)
    order = np.array(sorted(range(count), key=keys.__getitem__), dtype=np.int64)
    sorted_vectors = np.ascontiguousarray(vectors[order], dtype=np.float32)
    near, scores = _neighbours(sorted_vectors, progress)
    own = _components(near, scores, LINK, count, _ties([keys[row] for row in order], sorted_vectors, before or {}))
    labels = _split(own, near, scores, sorted_vectors)
    out = np.empty(count, dtype=np.int64)
    out[order] = labels
    return out


def _neighbours(
    vectors: NDArray[np.float32], progress: Callable[[str, int, int], None]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The nearest of each, itself left out: rows and cosines, shape (texts, NEIGHBOURS); -1: there are no more."""
    import faiss

    count, dim = vectors.shape
    threads = faiss.omp_get_max_threads()
    if count <= _EXACT:
        index: Any = faiss.IndexFlatIP(dim)
        index.add(vectors)
    else:
        index = faiss.IndexHNSWFlat(dim, _WIDTH, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction, index.hnsw.efSearch = _BUILD, _SEARCH
        faiss.omp_set_num_threads(1)  # on several threads the graph depends on which is first
        try:
            for start in range(0, count, 2_000):
                index.add(vectors[start : start + 2_000])
                progress("正在找相近的提问", min(count, start + 2_000) // 2, count)
        finally:
            faiss.omp_set_num_threads(threads)
    rows = np.full((count, NEIGHBOURS), -1, dtype=np.int64)
    scores = np.full((count, NEIGHBOURS), -1.0, dtype=np.float32)
    for start in range(0, count, 5_000):
        found, near = index.search(vectors[start : start + 5_000], min(count, NEIGHBOURS + 1))
        for at, (score, row) in enumerate(zip(found, near, strict=True), start):
            other = row[row != at][:NEIGHBOURS]
            rows[at, : len(other)] = other
            scores[at, : len(other)] = score[row != at][:NEIGHBOURS]
        progress("正在找相近的提问", (count + min(count, start + 5_000)) // 2, count)
    return rows, scores


def _ties(keys: Sequence[str], vectors: NDArray[np.float32], before: Mapping[str, str]) -> tuple[list[int], list[int]]:
    """Links from the first text of each group that there was to the others of it that lie near its middle."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        if key in before:
            rows[before[key]].append(row)
    source: list[int] = []
    target: list[int] = []
    for some in rows.values():
        middle = vectors[some].mean(axis=0)
        length = float(np.linalg.norm(middle)) or 1.0
        held = [row for row, cosine in zip(some, vectors[some] @ middle / length, strict=True) if cosine >= _HELD]
        source += held[:1] * (len(held) - 1)
        target += held[1:]
    return source, target


def _components(
    near: NDArray[np.int64],
    scores: NDArray[np.float32],
    link: float,
    count: int,
    ties: tuple[Sequence[int], Sequence[int]] = ((), ()),
) -> NDArray[np.int64]:
    """Connected by links of two that are each among the other's neighbours, and by what ties them anyhow."""
    source = np.repeat(np.arange(count), near.shape[1])
    target, score = near.ravel(), scores.ravel()
    kept = (target >= 0) & (score >= link)
    source, target = source[kept], target[kept]
    mutual = np.isin(source * count + target, target * count + source, assume_unique=True)
    source = np.concatenate([source[mutual], np.array(ties[0], dtype=np.int64)])
    target = np.concatenate([target[mutual], np.array(ties[1], dtype=np.int64)])
    graph = coo_matrix((np.ones(len(source), dtype=np.int8), (source, target)), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    return np.asarray(labels, dtype=np.int64)


def _split(
    labels: NDArray[np.int64], near: NDArray[np.int64], scores: NDArray[np.float32], vectors: NDArray[np.float32]
) -> NDArray[np.int64]:
    """No group beyond ``MOST``; labels in the order of their first text."""
    parts: list[NDArray[np.int64]] = []
    for rows in _by_label(labels):
        parts += _smaller(rows, near, scores, vectors, LINK)
    parts.sort(key=lambda rows: int(rows[0]))
    out = np.empty(len(labels), dtype=np.int64)
    for label, rows in enumerate(parts):
        out[rows] = label
    return out


def _by_label(labels: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)


def _smaller(
    rows: NDArray[np.int64],
    near: NDArray[np.int64],
    scores: NDArray[np.float32],
    vectors: NDArray[np.float32],
    link: float,
) -> list[NDArray[np.int64]]:
    if len(rows) <= MOST:
        return [rows]
    if len(rows) > _DENSE and link + _RAISED < 1:
        place = np.full(len(vectors), -1, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        inside = np.where(near[rows] >= 0, place[near[rows]], -1)
        own = _components(inside, scores[rows], link + _RAISED, len(rows))
        parts = [part for some in _by_label(own) for part in [rows[some]]]
        return [one for part in parts for one in _smaller(part, near, scores, vectors, link + _RAISED)]
    if len(rows) > _DENSE:  # nothing parts them: they are all but equal
        return [rows[start : start + MOST] for start in range(0, len(rows), MOST)]
    from sklearn.cluster import AgglomerativeClustering

    distances = np.maximum(0.0, 1.0 - vectors[rows] @ vectors[rows].T)
    parted = AgglomerativeClustering(n_clusters=-(-len(rows) // MOST) + 1, metric="precomputed", linkage="average")
    own = np.asarray(parted.fit_predict(distances), dtype=np.int64)
    parts = [rows[np.sort(some)] for some in _by_label(own)]
    return [one for part in parts for one in _smaller(part, near, scores, vectors, link)]


def keep_ids(groups: Sequence[Sequence[str]], before: Mapping[str, str]) -> list[str]:
    """An id for each group of members: the one that most of its members had, unless another group has more of them.

    Args:
        groups: members' ids; sorted or not.
        before: member → the group that it was in.

    Returns:
        ids, none twice; a new group is named by its first member.
    """
    shared: list[tuple[int, str, int]] = []
    for number, members in enumerate(groups):
        counts = Counter(before[one] for one in members if one in before)
        shared += [(-count, id_, number) for id_, count in counts.items()]
    shared.sort()
    ids: dict[int, str] = {}
    taken: set[str] = set()
    for _, id_, number in shared:
        if number not in ids and id_ not in taken:
            ids[number] = id_
            taken.add(id_)
    known = taken | set(before.values())
    for number, members in enumerate(groups):
        if number not in ids:
            ids[number] = next(one for one in sorted(members) if one not in known)
            known.add(ids[number])
    return [ids[number] for number in range(len(groups))]


def together(texts: Mapping[str, Sequence[str]], labels: Mapping[str, int]) -> list[list[str]]:
    """Members by group: each text's questions, by the label of the text; in the order of the labels."""
    found: dict[int, list[str]] = defaultdict(list)
    for text, members in texts.items():
        found[labels[text]].extend(members)
    return [found[label] for label in sorted(found)]
