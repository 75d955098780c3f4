"""Texts to vectors: any sentence-transformers model behind one small protocol, and the bundled one.

A model with an ONNX file is run by ONNX Runtime alone (``onnx_model``); any other by sentence-transformers and torch
(``torch_model``), which take seconds to import.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bot.errors import YihaodaError

BUNDLED = Path(__file__).with_name("model")
BUNDLED_NAME = "yihaoda-e5-small"
ONNX = Path("onnx") / "model.onnx"
"""Where a sentence-transformers folder has its ONNX file"""

_WEIGHT_FILES = (
    "*.safetensors",
    "*.bin",
    "*.onnx",
    "tokenizer.json",
    "vocab.txt",
    "*.model",
    "modules.json",
    "config.json",
)


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


def encoder_folder(name_or_path: str | None = None) -> Path:
    """Where that encoder's files lie.  Raises: EncoderError."""
    return _locate(name_or_path)[1]


def load_encoder(name_or_path: str | None = None) -> Encoder:
    """The bundled encoder (``None``), a model folder, or a model of that name in the local Hugging Face cache.

    Nothing is downloaded and no code of the model is run.  A small model sets torch to one thread for the whole process,
    but for encoding many texts at once.

    Raises:
        EncoderError: there is no such model on this machine, or its files are damaged.
    """
    name, folder = _locate(name_or_path)
    try:
        encoder: Encoder
        if (folder / ONNX).is_file():
            from index.encoder.onnx_model import OnnxEncoder

            encoder = OnnxEncoder(folder, name)
        else:
            from index.encoder.torch_model import TorchEncoder

            encoder = TorchEncoder(folder, name)
        if not np.isfinite(encoder.encode(["一号答"])).all() or not encoder.dim:
            raise ValueError("the model gives no finite vector")
    except Exception as error:  # many kinds, from several libraries; all mean the same to the caller
        raise EncoderError(
            f"语义模型无法加载：{name}（{error}）。请检查模型文件夹是否完整，或改用自带模型。"
        ) from error
    return encoder


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
