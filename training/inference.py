"""Entry point of an endpoint (SageMaker's inference contract): text or tokens in, entities out.

JSON in: {"text": "…"} (split into sentences and tokens here) or {"tokens": ["…"]} (one sentence).
JSON out: {"tokens": […], "labels": […], "entities": [{"type", "text", "start", "end"}]}; start and
end are characters of the text, or tokens where tokens were given, the end excluded.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ner_crf
import ner_features
import pycrfsuite
from ner_scores import entities

_JSON = "application/json"
_TOKEN = re.compile(r"\w+|[^\w\s]")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_MAX_TOKENS = 100_000

Span = tuple[int, int]


@dataclass(frozen=True)
class Document:
    """Sentences of tokens; `text` is None where tokens were given."""

    text: str | None
    sentences: tuple[tuple[str, ...], ...]
    spans: tuple[tuple[Span, ...], ...]
    """Start and end of each token."""


def model_fn(model_dir: str) -> Any:
    """The trained tagger of an unpacked model.tar.gz."""
    tagger = pycrfsuite.Tagger()  # pyright: ignore[reportAttributeAccessIssue]
    tagger.open(str(Path(model_dir) / ner_crf.MODEL_FILE))
    return tagger


def input_fn(body: bytes | str, content_type: str) -> Document:
    """ValueError for what is not a request of ours."""
    if content_type.partition(";")[0].strip() != _JSON:
        raise ValueError(f"Content type {content_type} is not known here; send {_JSON}.")
    sent = json.loads(body)
    if not isinstance(sent, dict) or len(sent.keys() & {"text", "tokens"}) != 1:
        raise ValueError('Send {"text": "…"} or {"tokens": ["…"]}.')
    document = _of_text(sent["text"]) if "text" in sent else _of_tokens(sent["tokens"])
    if sum(map(len, document.sentences)) > _MAX_TOKENS:
        raise ValueError(f"At most {_MAX_TOKENS} tokens at a time.")
    return document


def predict_fn(document: Document, tagger: Any) -> dict[str, Any]:
    labels: list[str] = []
    found: list[dict[str, Any]] = []
    for tokens, spans in zip(document.sentences, document.spans, strict=True):
        tagged = tagger.tag(ner_features.featurize(tokens))
        labels += tagged
        found += [
            _entity(document, tokens, spans, kind, first, after)
            for kind, first, after in sorted(entities(tagged), key=lambda entity: entity[1])
        ]
    tokens = [token for sentence in document.sentences for token in sentence]
    return {"tokens": tokens, "labels": labels, "entities": found}


def output_fn(prediction: dict[str, Any], accept: str) -> tuple[str, str]:
    """Body and content type."""
    if not any(kind in accept for kind in (_JSON, "*/*")):
        raise ValueError(f"Answers are {_JSON}, not {accept}.")
    return json.dumps(prediction, ensure_ascii=False), _JSON


def _of_text(text: Any) -> Document:
    if not isinstance(text, str):
        raise ValueError("`text` must be a string.")
    sentences: list[tuple[str, ...]] = []
    spans: list[tuple[Span, ...]] = []
    for start, end in _sentences(text):
        found = [token.span() for token in _TOKEN.finditer(text, start, end)]
        if found:
            spans.append(tuple(found))
            sentences.append(tuple(text[first:after] for first, after in found))
    return Document(text, tuple(sentences), tuple(spans))


def _of_tokens(tokens: Any) -> Document:
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise ValueError("`tokens` must be a list of strings.")
    spans = tuple((position, position + 1) for position in range(len(tokens)))
    return Document(None, (tuple(tokens),), (spans,))


def _sentences(text: str) -> list[Span]:
    """A line break ends a sentence, and so does a space after a full stop."""
    bounds, start = [], 0
    for gap in _SENTENCE_END.finditer(text):
        bounds.append((start, gap.start()))
        start = gap.end()
    return [*bounds, (start, len(text))]


def _entity(
    document: Document,
    tokens: tuple[str, ...],
    spans: tuple[Span, ...],
    kind: str,
    first: int,
    after: int,
) -> dict[str, Any]:
    start, end = spans[first][0], spans[after - 1][1]
    text = " ".join(tokens[first:after]) if document.text is None else document.text[start:end]
    return {"type": kind, "text": text, "start": start, "end": end}
