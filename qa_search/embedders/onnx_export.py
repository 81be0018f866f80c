"""A sentence-transformers encoder or cross-encoder -> ONNX, and how well the two agree. Needs torch and onnx."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from qa_search.embedders.base import Embedder, Vectors
from qa_search.embedders.closeness import Closeness, measure_closeness
from qa_search.embedders.onnx import MODEL_FILE, SETTINGS_FILE, TOKENIZER_FILE, OnnxEmbedder, open_session
from qa_search.embedders.sentence_transformer import SentenceTransformerEmbedder
from qa_search.errors import ModelError

Precision = Literal["int8", "fp32"]

# Below these cosines to the original an export is not used. Measured on MiniLM: int8 .9936 on average and .981 at worst
# cost less than .002 nDCG@10 on three archives.
AGREEMENT_LIMITS: dict[Precision, tuple[float, float]] = {"int8": (0.99, 0.95), "fp32": (0.9999, 0.999)}
_OPSET = 17


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of an export with the original: closeness of their vectors on passages of the archive."""

    passages: int
    mean: float
    min: float

    def within(self, precision: Precision) -> bool:
        """Return whether an export of this precision agrees well enough to be used."""
        mean, least = AGREEMENT_LIMITS[precision]
        return self.mean >= mean and self.min >= least


def export_encoder(original: SentenceTransformerEmbedder, folder: Path, precision: Precision) -> None:
    """Write the model, its tokenizer and its settings to a folder.

    All modules of the model are exported as one graph (transformer, pooling, dense layers, normalisation), for texts
    that are run one by one: so it has no attention mask.

    Raises:
        ModelError: if the model cannot be exported.
    """
    model = original.model
    tokenizer = original.fast_tokenizer
    if tokenizer is None:
        raise ModelError("its tokenizer does not belong to the tokenizers library")
    modules = list(model)
    if original.is_static:
        modules[0] = _mean_of_tokens(modules[0].embedding)
        tokenizer = _without_special_tokens(tokenizer)
    ids = tokenizer.encode("a few words to trace with").ids
    cut = None if model.truncate_dim is None else partial(_cut, dimension=original.dimension)
    _export_graph(modules, {"input_ids": ids}, "sentence_embedding", cut, folder, precision)
    tokenizer.save(str(folder / TOKENIZER_FILE))
    made_from = original.model_id
    settings = {
        "model": {"name": made_from.name, "sha256": made_from.sha256, "location": made_from.location},
        "precision": precision,
        "dimension": original.dimension,
        "passage_limit": original.passage_limit,
        "query_limit": original.query_limit,
        "passage_prompt": original.passage_prompt,
        "query_prompt": original.query_prompt,
    }
    (folder / SETTINGS_FILE).write_text(json.dumps(settings, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _cut(vectors: Any, dimension: int) -> Any:
    return vectors[:, :dimension]


def _mean_of_tokens(embedding: Any) -> Any:
    """Make a module that gives what an ``EmbeddingBag`` does for one text: the mean of its tokens, 0 without any."""
    import torch

    class MeanOfTokens(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens = torch.nn.Embedding(embedding.num_embeddings, embedding.embedding_dim)
            self.tokens.weight = embedding.weight

        def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            ids = features["input_ids"]
            count = torch.ones_like(ids).sum(1, keepdim=True).clamp(min=1)
            return {**features, "sentence_embedding": self.tokens(ids).sum(1) / count}

    return MeanOfTokens()


def _without_special_tokens(tokenizer: Any) -> Any:
    """Return a copy of a tokenizer that adds nothing to a text."""
    from tokenizers import Tokenizer
    from tokenizers.processors import TemplateProcessing

    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.post_processor = TemplateProcessing(single="$A", special_tokens=[])
    return copy


def export_cross_encoder(model: Any, folder: Path) -> None:
    """Write a sentence-transformers ``CrossEncoder`` with one label, and its tokenizer, to a folder.

    The graph takes one pair of texts, as tokens, and gives its score as ``predict`` does. Nothing is quantised.

    Raises:
        ModelError: if the model cannot be exported.
    """
    tokenizer = getattr(model.tokenizer, "backend_tokenizer", None)
    if tokenizer is None:
        raise ModelError("its tokenizer does not belong to the tokenizers library")
    encoding = tokenizer.encode("a few words", "to trace with")
    features = {"input_ids": encoding.ids}
    if "token_type_ids" in model.tokenizer.model_input_names:
        features["token_type_ids"] = encoding.type_ids
    _export_graph(list(model.children()), features, "scores", model.activation_fn, folder, "fp32")
    tokenizer.no_padding()
    tokenizer.enable_truncation(model.max_seq_length or model.tokenizer.model_max_length, strategy="longest_first")
    tokenizer.save(str(folder / TOKENIZER_FILE))


@dataclass(frozen=True, slots=True)
class Reference:
    """What the original makes of some passages: their vectors as passages and as questions, each (n, dimension).

    ``alike`` says that it embeds both in the same way. ``closeness`` is that of its cosines.
    """

    passages: Sequence[str]
    as_passages: Vectors
    as_questions: Vectors
    alike: bool
    closeness: Closeness


def embed_reference(original: SentenceTransformerEmbedder, passages: Sequence[str]) -> Reference:
    """Embed passages by the original, once for all exports that are compared with it."""
    as_passages = original.embed_passages(passages)
    alike = original.passage_prompt == original.query_prompt
    as_questions = as_passages if alike else original.embed_queries(passages)
    return Reference(passages, as_passages, as_questions, alike, measure_closeness(original))


def measure_agreement(reference: Reference, export: Embedder) -> Agreement:
    """Embed the passages by an export, also as questions, and return the closeness of each pair of vectors.

    Where all of a model's cosines are high, cosines would agree whatever becomes of the vectors.
    """
    as_passages = export.embed_passages(reference.passages)
    alike = reference.alike and isinstance(export, OnnxEmbedder)
    as_questions = as_passages if alike else export.embed_queries(reference.passages)
    pairs = ((reference.as_passages, as_passages), (reference.as_questions, as_questions))
    close = reference.closeness.of(np.concatenate([np.sum(one * other, axis=1) for one, other in pairs]))
    return Agreement(len(reference.passages), round(float(close.mean()), 5), round(float(close.min()), 5))


def _export_graph(
    modules: Sequence[Any],
    example: Mapping[str, list[int]],
    output: str,
    activation: Any,
    folder: Path,
    precision: Precision,
) -> None:
    """Write the modules as one graph that takes the inputs of the example and gives one output."""
    raw = folder / "raw.onnx"
    with _quiet():
        try:
            try:
                _trace(modules, example, output, activation, raw)
            except Exception:  # decoders look for texts that were joined, unless they get a mask
                _trace(modules, example, output, activation, raw, masked=True)
            plain = _quantised(raw) if precision == "int8" else raw
            open_session(plain, optimise_into=folder / MODEL_FILE)
        except Exception as error:
            # Tracing runs code of three libraries over a model that nobody here has seen.
            raise ModelError(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}") from error
    for leftover in folder.glob("raw*"):
        leftover.unlink()


def _trace(
    modules: Sequence[Any],
    example: Mapping[str, list[int]],
    output: str,
    activation: Any,
    path: Path,
    *,
    masked: bool = False,
) -> None:
    """Write the modules' graph; ``masked`` gives them an attention mask that leaves nothing out."""
    import torch

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = torch.nn.ModuleList(modules)

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            features: dict[str, torch.Tensor] = dict(zip(example, inputs, strict=True))
            if masked:
                features["attention_mask"] = torch.ones_like(features["input_ids"])
            for part in self.parts:
                features = part(features)
            found = features[output]
            return found if activation is None else activation(found)

    with torch.no_grad(), _plain_attention(getattr(modules[0], "auto_model", None)):
        torch.onnx.export(
            Whole().eval(),
            tuple(torch.tensor([ids]) for ids in example.values()),
            str(path),
            input_names=list(example),
            output_names=[output],
            dynamic_axes={output: {0: "texts"}, **{name: {0: "texts", 1: "tokens"} for name in example}},
            opset_version=_OPSET,
            dynamo=False,
        )


@contextmanager
def _plain_attention(transformer: Any) -> Iterator[None]:
    """Let a transformer, if there is one, compute attention as a plain graph: the fused kernels are torch's own."""
    if transformer is None:
        yield
        return
    attention = transformer.config._attn_implementation
    transformer.set_attn_implementation("eager")
    try:
        yield
    finally:
        transformer.set_attn_implementation(attention)


def _quantised(raw: Path) -> Path:
    """Quantise the weights of linear layers and embeddings to int8 per channel; activations at run time, per text."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared, path = raw.with_name("raw.prepared.onnx"), raw.with_name("raw.int8.onnx")
    quant_pre_process(raw, prepared, skip_symbolic_shape=True)
    quantize_dynamic(
        prepared,
        path,
        op_types_to_quantize=["MatMul", "Gather"],
        per_channel=True,
        weight_type=QuantType.QInt8,
        extra_options={"MatMulConstBOnly": True},
    )
    return path


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what the exporters print and log."""
    import torch

    functions: Any = torch._C  # untyped
    write = functions._jit_onnx_log
    functions._jit_onnx_log = lambda *_: None  # it writes the whole graph to the process's standard output
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        functions._jit_onnx_log = write
