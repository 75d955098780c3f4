"""Make the encoder's tokenizer: jieba's dictionary as a `tokenizers` Unigram model.

jieba without its HMM picks the segmentation with the greatest sum of log word frequencies. That is exactly what a
Unigram model does, so the dictionary can live inside ``tokenizer.json``: the same words, but in Rust and with no
Python or jieba needed to encode. Only the words that occur in the training texts are kept; a word left out falls
apart into the next best words, at worst into its characters.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import jieba
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

UNKNOWN = "[UNK]"
TERMS_FILE = Path(__file__).with_name("terms.txt")
_TERM_FREQUENCY = 500  # about that of 身份证 in jieba's dictionary: enough to win over its parts
_RUN_FREQUENCY = 50  # numbers and Latin words: only compared with their own pieces, so any value above 1 does


def read_terms(path: Path = TERMS_FILE) -> list[str]:
    """Domain words to keep whole, one a line; ``#`` starts a comment."""
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def jieba_frequencies() -> dict[str, int]:
    """jieba's own dictionary, word to frequency (its prefixes of frequency 0 left out)."""
    jieba.setLogLevel("WARNING")
    dictionary = jieba.Tokenizer()  # not the global one, to which others may have added words
    dictionary.initialize()
    return {word: frequency for word, frequency in dictionary.FREQ.items() if frequency > 0}


def unigram_tokenizer(frequencies: Mapping[str, int]) -> Tokenizer:
    """A tokenizer that cuts a text into the likeliest words of ``frequencies``.

    Text is NFKC-normalised and lower-cased; white space, punctuation and symbols are dropped; Latin and digit runs
    are kept apart from Chinese. Words are ordered by frequency, so ids are stable for the same input. Id 0 is unknown.
    """
    total = math.log(sum(frequencies.values()))
    ordered = sorted(frequencies.items(), key=lambda item: (-item[1], item[0]))
    vocabulary = [(UNKNOWN, 0.0), *((word, math.log(frequency) - total) for word, frequency in ordered)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=0, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"[\s\p{P}\p{S}\p{C}]+"), behavior="removed"),
            pre_tokenizers.Split(Regex(r"[0-9]+|[a-z]+"), behavior="isolated"),
        ]
    )
    return tokenizer


def build_tokenizer(texts: Iterable[str], size: int) -> Tokenizer:
    """The encoder's tokenizer: at most ``size`` tokens, chosen by how often they occur in ``texts``.

    Always in: the domain terms, and every single character seen at least twice (so that little is ever unknown).
    The rest are jieba's words, numbers and Latin words by falling count.
    """
    frequencies = jieba_frequencies()
    for term in read_terms():
        frequencies[term] = max(frequencies.get(term, 0), _TERM_FREQUENCY)
    counts: Counter[str] = Counter()
    runs: Counter[str] = Counter()
    counter = unigram_tokenizer(frequencies)
    normalise, split = counter.normalizer, counter.pre_tokenizer
    batch: list[str] = []

    def count(batch: list[str]) -> None:
        for encoding in counter.encode_batch(batch, add_special_tokens=False):
            counts.update(encoding.tokens)
        for text in batch[::5]:  # a fifth is plenty to find the common numbers and Latin words
            for piece, _ in split.pre_tokenize_str(normalise.normalize_str(text)):
                if piece.isascii():
                    runs[piece] += 5

    for text in texts:
        batch.append(text)
        if len(batch) == 20_000:
            count(batch)
            batch = []
    count(batch)

    characters: Counter[str] = Counter()
    for word, n in counts.items():
        for character in word:
            characters[character] += n
    chosen = set(read_terms()) | {character for character, n in characters.items() if n >= 2}
    words = Counter({word: n for word, n in counts.items() if word in frequencies and not word.isascii()})
    words.update({run: n for run, n in runs.items() if len(run) <= 12})
    for word, n in words.most_common():
        if len(chosen) >= size - 1 or n < 3:
            break
        chosen.add(word)
    return unigram_tokenizer(
        {word: frequencies.get(word, _RUN_FREQUENCY if word.isascii() and len(word) > 1 else 1) for word in chosen}
    )
