"""JSON lines in, raw sentences with line numbers out.

A record is `{"tokens": […], "tags": […]}`, or `{"text": "…", "entities": [{"start", "end",
"label"}]}` with offsets in code points, which is cut into words and punctuation here.
"""

import io
import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from typing import Any, cast

from mlops.sentences import ProblemLog, RawSentence

TAG_KEYS = ("tags", "ner_tags", "labels")

_WORD = re.compile(r"\w[\w\u0300-\u036f]*|[^\w\s]")


def read_jsonl(text: str, log: ProblemLog) -> Iterator[RawSentence]:
    """One object per line: tokens and tags, or a text with entity offsets in code points."""
    for number, line in enumerate(io.StringIO(text, newline=None), 1):
        if not line.strip():
            continue
        try:
            tokens, labels = _record(json.loads(line), number, log)
        except json.JSONDecodeError as error:
            log.error(number, f"Not valid JSON: {error.msg} at column {error.colno}.")
        except RecursionError:
            log.error(number, "Not valid JSON: nested too deeply.")
        except ValueError as error:
            log.error(number, str(error))
        else:
            yield RawSentence(tokens, labels, [number] * len(tokens))


def _record(record: Any, line: int, log: ProblemLog) -> tuple[list[str], list[str]]:
    """Raises ValueError with the reason when the object is no labelled sentence."""
    if not isinstance(record, dict):
        raise ValueError("Each line must be one JSON object.")
    fields = cast(Mapping[str, Any], record)
    tags = next((fields[key] for key in TAG_KEYS if key in fields), None)
    if "tokens" in fields and tags is not None:
        return _token_record(fields["tokens"], tags)
    if "text" in fields and "entities" in fields:
        return _offset_record(fields["text"], fields["entities"], line, log)
    raise ValueError('Needs "tokens" and "tags" (or "ner_tags"), or "text" and "entities".')


def _token_record(tokens: Any, tags: Any) -> tuple[list[str], list[str]]:
    words, labels = _texts(tokens, "tokens"), _texts(tags, "tags")
    if len(words) != len(labels):
        raise ValueError(f"{len(words)} tokens but {len(labels)} tags.")
    if not words:
        raise ValueError("A sentence without tokens.")
    return words, labels


def _texts(value: Any, key: str) -> list[str]:
    items: list[Any] = cast(list[Any], value) if isinstance(value, list) else [None]
    if key == "tags" and any(type(item) is int for item in items):
        raise ValueError("Tags are numbers: export their names (B-…, I-…, O) instead.")
    if not all(isinstance(item, str) for item in items):
        raise ValueError(f'"{key}" must be a list of strings.')
    return items


def _offset_record(
    text: Any, entities: Any, line: int, log: ProblemLog
) -> tuple[list[str], list[str]]:
    if not isinstance(text, str) or not isinstance(entities, list):
        raise ValueError('"text" must be a string and "entities" a list.')
    words = list(_WORD.finditer(text))
    if not words:
        raise ValueError("A text without words.")
    starts, ends = [word.start() for word in words], [word.end() for word in words]
    labels = ["O"] * len(words)
    for start, end, label in (_entity(e, text) for e in cast(list[Any], entities)):
        first, stop = bisect_right(ends, start), bisect_left(starts, end)
        if first == stop:
            raise ValueError(f"Entity {start}–{end} covers no word.")
        if any(taken != "O" for taken in labels[first:stop]):
            raise ValueError(f"Entity {start}–{end} overlaps another one.")
        if starts[first] < start or ends[stop - 1] > end:
            log.warning(line, f"Entity {start}–{end} cuts a word; widened to whole words.")
        labels[first:stop] = [f"B-{label}"] + [f"I-{label}"] * (stop - first - 1)
    return [word.group() for word in words], labels


def _entity(entity: Any, text: str) -> tuple[int, int, str]:
    if not isinstance(entity, dict):
        raise ValueError('Each entity must be an object with "start", "end" and "label".')
    fields = cast(Mapping[str, Any], entity)
    start, end, label = fields.get("start"), fields.get("end"), fields.get("label")
    if type(start) is not int or type(end) is not int or not isinstance(label, str):
        raise ValueError('An entity needs whole numbers "start", "end" and a string "label".')
    if not 0 <= start < end <= len(text):
        raise ValueError(f"Entity {start}–{end} lies outside the text (0–{len(text)}).")
    return start, end, label
