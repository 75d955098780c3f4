"""Write the vectors of the starter knowledge that come with the project, after its texts or the encoder changed.

    python -m training.starter_vectors

What the file has already is not worked out again.
"""

from __future__ import annotations

from bot.settings import get_settings
from index.encoder import load_encoder
from index.search import unanswered
from index.search.retriever import Retriever
from index.versions import starter_vectors
from index.versions.store import VECTORS
from index.versions.vector_cache import CachedEncoder
from training.fit import starter_items


def main() -> None:
    """Write the file, and say how many texts it holds and how many of them are new."""
    texts = sorted(set(Retriever.encoded(starter_items(), unanswered.questions())))
    encoder = CachedEncoder(load_encoder(), get_settings().index_dir / VECTORS)
    try:
        vectors = encoder.encode(texts)
    finally:
        encoder.close()
    starter_vectors.write([starter_vectors.key(encoder.checksum, text) for text in texts], vectors)
    print(f"{len(texts)} texts, {encoder.encoded} of them encoded now: {starter_vectors.FILE.name}")


if __name__ == "__main__":
    main()
