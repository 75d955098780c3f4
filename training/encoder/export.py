"""Write a trained network as a folder in sentence-transformers' layout: one ONNX file of 8-bit weights, one tokenizer file.

The matrices are quantised channel by channel, activations as they come (ONNX Runtime's dynamic quantisation); the table of
pieces is one matrix more.  sentence-transformers opens such a folder with its ONNX backend, the assistant with ONNX Runtime alone.
"""

from __future__ import annotations

import json
import logging
import tempfile
import warnings
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import BertModel

from index.encoder.onnx_model import LONGEST

from .e5 import BOS, EOS, PAD, UNK

_OPSET = 17
_OUTPUT = "last_hidden_state"
MODEL = Path("onnx", "model.onnx")
"""Of the network within an encoder's folder"""


class _Hidden(nn.Module):
    """The last layer's vectors of padded ids."""

    def __init__(self, bert: BertModel) -> None:
        super().__init__()
        self.bert = bert

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        hidden: Tensor = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return hidden


def save_onnx(bert: BertModel, path: Path) -> None:
    """Write the network of (input_ids, attention_mask) as ONNX, its attention and normalisations fused, in 8 bits."""
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers import optimizer

    ids = torch.tensor([[0, 5, 6, 2], [0, 5, 2, 1]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    logging.getLogger("onnxruntime").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        plain, fused = Path(folder) / "plain.onnx", Path(folder) / "fused.onnx"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is the old exporter whose graphs ONNX Runtime knows how to fuse
            torch.onnx.export(
                _Hidden(bert).eval(),
                (ids, mask),
                str(plain),
                input_names=["input_ids", "attention_mask"],
                output_names=[_OUTPUT],
                dynamic_axes={name: {0: "texts", 1: "tokens"} for name in ("input_ids", "attention_mask", _OUTPUT)},
                opset_version=_OPSET,
                dynamo=False,
            )
        model = optimizer.optimize_model(
            str(plain), "bert", num_heads=bert.config.num_attention_heads, hidden_size=bert.config.hidden_size
        )
        model.save_model_to_file(str(fused))
        path.parent.mkdir(parents=True, exist_ok=True)
        quantize_dynamic(
            str(fused),
            str(path),
            per_channel=True,
            reduce_range=True,  # 7 bits: CPUs without VNNI add two products in 16 bits, and would overflow
            weight_type=QuantType.QInt8,
            extra_options={"DefaultTensorType": TensorProto.FLOAT},
        )


def read_onnx(path: Path) -> dict[str, Tensor]:
    """The weights of a network that ``save_onnx`` wrote, by their names in a ``BertModel``; rounded to 8 bits, as they serve.

    Raises:
        OSError: it cannot be read.
        KeyError: it is another network.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(path)).graph
    stored = {one.name: torch.from_numpy(numpy_helper.to_array(one).copy()) for one in graph.initializer}

    def whole(name: str) -> Tensor:
        return (stored[f"{name}_quantized"].float() - stored[f"{name}_zero_point"].float()) * stored[f"{name}_scale"]

    weights = {
        name.removeprefix("bert."): value
        for name, value in stored.items()
        if name.endswith((".bias", "LayerNorm.weight"))
    }
    for name in [one.removesuffix("_quantized") for one in stored if one.endswith("_quantized")]:
        if name.startswith("bert."):
            weights[name.removeprefix("bert.")] = whole(name)
    attention = [node.input[1].removesuffix("_quantized") for node in graph.node if node.op_type == "QAttention"]
    for layer, name in enumerate(attention):
        matrices, biases = whole(name).T.chunk(3), stored[name.replace("_weight", "_bias")].chunk(3)
        for part, matrix, bias in zip(("query", "key", "value"), matrices, biases, strict=True):
            weights[f"encoder.layer.{layer}.attention.self.{part}.weight"] = matrix.contiguous()
            weights[f"encoder.layer.{layer}.attention.self.{part}.bias"] = bias
    dense = [node.input[1].removesuffix("_quantized") for node in graph.node if node.op_type == "MatMulInteger"]
    places = ("attention.output.dense", "intermediate.dense", "output.dense")
    for place, name in enumerate(dense):
        weights[f"encoder.layer.{place // 3}.{places[place % 3]}.weight"] = whole(name).T.contiguous()
    return weights


def save_encoder(out: Path, bert: BertModel, tokenizer: Tokenizer) -> None:
    """Write the encoder's folder."""
    bert.set_attn_implementation("eager")
    save_onnx(bert, out / MODEL)
    tokenizer.save(str(out / "tokenizer.json"))
    bert.config.save_pretrained(out)
    files = {
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
        ],
        "sentence_bert_config.json": {"max_seq_length": LONGEST, "do_lower_case": False},
        "1_Pooling/config.json": {
            "word_embedding_dimension": bert.config.hidden_size,
            "pooling_mode_mean_tokens": True,
        },
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": LONGEST,
            "bos_token": BOS,
            "cls_token": BOS,
            "eos_token": EOS,
            "sep_token": EOS,
            "pad_token": PAD,
            "unk_token": UNK,
        },
    }
    for name, content in files.items():
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
