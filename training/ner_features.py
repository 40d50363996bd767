"""Tokens of a sentence become the string features of a linear-chain CRF.

Per token: the word, its compressed shape, prefixes, suffixes and case of itself and its direct
neighbours, longer affixes of itself, the words two away and the word pairs, and sentence edges.
"""

from collections.abc import Sequence
from functools import lru_cache

VERSION = 1
"""Goes into the checkpoint's identity: raise it when the features change."""


def featurize(tokens: Sequence[str]) -> list[list[str]]:
    """One list of features per token."""
    last = len(tokens) - 1
    lowered = [token.lower() for token in tokens]
    return [_at(tokens, lowered, position, last) for position in range(len(tokens))]


def _at(tokens: Sequence[str], lowered: list[str], position: int, last: int) -> list[str]:
    features = ["bias", *_word("0", tokens[position]), *_affixes(lowered[position])]
    if position > 0:
        features += _word("-1", tokens[position - 1])
        features.append(f"-1|0={lowered[position - 1]}|{lowered[position]}")
    else:
        features.append("begin")
    if position < last:
        features += _word("+1", tokens[position + 1])
        features.append(f"0|+1={lowered[position]}|{lowered[position + 1]}")
    else:
        features.append("end")
    if position > 1:
        features.append(f"-2w={lowered[position - 2]}")
    if position < last - 1:
        features.append(f"+2w={lowered[position + 2]}")
    return features


@lru_cache(maxsize=200_000)
def _word(at: str, token: str) -> tuple[str, ...]:
    lower = token.lower()
    features = [
        f"{at}w={lower}",
        f"{at}shape={_shape(token)}",
        f"{at}s3={lower[-3:]}",
        f"{at}s2={lower[-2:]}",
        f"{at}p3={lower[:3]}",
        f"{at}p2={lower[:2]}",
    ]
    if token.isupper():
        features.append(f"{at}upper")
    if token.istitle():
        features.append(f"{at}title")
    if any(character.isdigit() for character in token):
        features.append(f"{at}digit")
    return tuple(features)


@lru_cache(maxsize=200_000)
def _affixes(lower: str) -> tuple[str, ...]:
    return (f"s5={lower[-5:]}", f"s4={lower[-4:]}", f"p4={lower[:4]}")


def _shape(token: str) -> str:
    """Runs of a character class become one sign: `BRCA-2b` is `X-9x`."""
    signs: list[str] = []
    for character in token:
        sign = _sign(character)
        if not signs or signs[-1] != sign:
            signs.append(sign)
    return "".join(signs)


def _sign(character: str) -> str:
    if character.isupper():
        return "X"
    if character.isalpha():
        return "x"
    return "9" if character.isdigit() else character
