"""Texts to vectors: any sentence-transformers model behind one small protocol, and the bundled one.

torch and sentence-transformers take seconds to import, so that happens inside `load_encoder` alone.
"""

import hashlib
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from bot.errors import YihaodaError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BUNDLED = Path(__file__).with_name("model")
BUNDLED_NAME = "yihaoda-static"

_WEIGHT_FILES = ("*.safetensors", "*.bin", "tokenizer.json", "vocab.txt", "*.model", "modules.json", "config.json")


_FEW, _MANY = 8, 64  # texts up to which one call is small, and from which on it is worth several threads
_SAME = 1e-5  # difference up to which two vectors are taken for the same
_SHALLOW = 5_000_000  # parameters beside the table of words


class EncoderError(YihaodaError):
    """The encoder cannot be loaded; the message, in Chinese, says why."""


class Encoder(Protocol):
    """Turns texts into unit vectors."""

    @property
    def name(self) -> str:
        """What to call it in a manifest or a report."""

    @property
    def checksum(self) -> str:
        """SHA-256 over the weights and the tokenizer: equal vectors come only from equal checksums."""

    @property
    def dim(self) -> int:
        """Numbers in a vector."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors, float32, shape (texts, dim). A text without any known word gets the zero vector."""


class SentenceEncoder:
    """A sentence-transformers model as an `Encoder`."""

    def __init__(self, model: "SentenceTransformer", name: str, folder: Path, bulk_threads: int = 0) -> None:
        """``bulk_threads``: threads of torch for many texts at once; 0 leaves torch as it is."""
        self._model = model
        self._folder = folder
        self._bulk_threads = bulk_threads
        self.name = name
        self.dim = int(model.get_embedding_dimension() or 0)
        self._of_nothing = self._vectors([""])

    @cached_property
    def checksum(self) -> str:
        return checksum(self._folder)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        vectors = self._vectors(texts)
        # A model with a start token has a vector for an empty text too, and gives it to every text it sees nothing in.
        vectors[np.abs(vectors - self._of_nothing).max(axis=1) < _SAME] = 0
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)

    def _vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        import torch

        if len(texts) <= _FEW and not self._model.default_prompt_name:
            with torch.inference_mode():  # `encode` spends 2 ms on matters that these need not
                features = self._model(self._model.preprocess(list(texts)))
            return np.asarray(features["sentence_embedding"].numpy(), dtype=np.float32).copy()
        many = len(texts) > _MANY and self._bulk_threads > 0
        before = torch.get_num_threads()
        try:
            if many:
                torch.set_num_threads(self._bulk_threads)
            vectors = self._model.encode(
                list(texts),
                batch_size=256 if len(texts) > _MANY else _MANY,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        finally:
            if many:
                torch.set_num_threads(before)
        return np.asarray(vectors, dtype=np.float32)


def checksum(folder: Path) -> str:
    """SHA-256, in hex, over the names and contents of a model folder's weight, tokenizer and module files."""
    digest = hashlib.sha256()
    files = {path for pattern in _WEIGHT_FILES for path in folder.rglob(pattern) if path.is_file()}
    for path in sorted(files, key=lambda path: path.relative_to(folder).as_posix()):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def encoder_checksum(name_or_path: str | None = None) -> str:
    """The checksum that ``load_encoder`` would give its encoder, without loading it.  Raises: EncoderError."""
    return checksum(_locate(name_or_path)[1])


def load_encoder(name_or_path: str | None = None) -> Encoder:
    """The bundled encoder (``None``), a model folder, or a model of that name in the local Hugging Face cache.

    Nothing is downloaded and no code of the model is run. A small model (the bundled one is) sets torch to one thread
    for the whole process, but for encoding many texts at once.

    Raises:
        EncoderError: there is no such model on this machine, or its files are damaged.
    """
    name, folder = _locate(name_or_path)
    try:
        import torch
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(str(folder), device="cpu", local_files_only=True, trust_remote_code=False)
        layers = sum(p.numel() for name, p in model.named_parameters() if "embedding" not in name)
        threads = 0
        if layers < _SHALLOW:
            # Handing a short question to several threads costs more than working it out.
            threads = _usual_threads() if layers else 0
            torch.set_num_threads(1)
        encoder = SentenceEncoder(model.float().eval(), name, folder, threads)
        if not np.isfinite(encoder.encode(["一号答"])).all() or not encoder.dim:
            raise ValueError("the model gives no finite vector")
    except Exception as error:  # many kinds, from three libraries; all mean the same to the caller
        raise EncoderError(
            f"语义模型无法加载：{name}（{error}）。请检查模型文件夹是否完整，或改用自带模型。"
        ) from error
    return encoder


@cache
def _usual_threads() -> int:
    """torch's threads before a small model set them to one."""
    import torch

    return int(torch.get_num_threads())


def _locate(name_or_path: str | None) -> tuple[str, Path]:
    """A model's name and folder."""
    folder = BUNDLED if name_or_path is None else Path(name_or_path).expanduser()
    name = BUNDLED_NAME if name_or_path is None else folder.name if folder.is_dir() else name_or_path
    return name, folder if folder.is_dir() else _cached(name)


def _cached(name: str) -> Path:
    """The folder of a model that was downloaded earlier, by its name."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except Exception as error:  # not there, or not even a valid name
        raise EncoderError(
            f"找不到语义模型：{name}。请填写本机上 sentence-transformers 模型文件夹的路径，或留空使用自带模型。"
        ) from error
