"""Write a model as a sentence-transformers folder: standard modules, half-precision weights, one tokenizer file."""

import tempfile
from pathlib import Path

import torch
from tokenizers import Tokenizer, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from .model import MASK, MAX_TOKENS, PAD, START, Reader


def save_reader(out: Path, tokenizer: Tokenizer, reader: Reader) -> None:
    """Write ``reader`` as a `Transformer`, a mean `Pooling` and a `Normalize` module; the characters are folded in.

    ``tokenizer`` knows the special tokens. The word nobody knows keeps the zero vector it was trained with.
    """
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    table = reader.folded()
    config = BertConfig(**reader.bert.config.to_dict() | {"vocab_size": len(table), "pad_token_id": reader.pad})
    bert = BertModel(config, add_pooling_layer=False)
    bert.load_state_dict(reader.bert.state_dict() | {"embeddings.word_embeddings.weight": table})
    complete = Tokenizer.from_str(tokenizer.to_str())
    complete.post_processor = processors.TemplateProcessing(
        single=f"{START} $A", special_tokens=[(START, reader.start)]
    )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=complete,
        model_max_length=MAX_TOKENS,
        unk_token=tokenizer.id_to_token(0),
        pad_token=PAD,
        mask_token=MASK,
        cls_token=START,
        model_input_names=["input_ids", "attention_mask"],
    )
    with tempfile.TemporaryDirectory() as folder:
        bert.to(torch.float16).save_pretrained(folder)
        wrapped.save_pretrained(folder)
        transformer = Transformer(folder, max_seq_length=MAX_TOKENS)
    pooling = Pooling(reader.bert.config.hidden_size, pooling_mode="mean")
    model = SentenceTransformer(modules=[transformer, pooling, Normalize()], device="cpu").half()
    model.save(str(out), create_model_card=False)


def save_table(out: Path, tokenizer: Tokenizer, weight: torch.Tensor) -> None:
    """Write a table of word vectors as a `StaticEmbedding` and a `Normalize` module."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding

    module = StaticEmbedding(tokenizer, embedding_weights=weight.half())
    SentenceTransformer(modules=[module, Normalize()], device="cpu").save(str(out), create_model_card=False)
