"""What no other choice beats in every respect at once."""

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def front(choices: Iterable[T], key: Callable[[T], tuple[float, ...]]) -> list[T]:
    """The choices that nothing dominates, in order of their keys; smaller is better throughout.

    Of choices with equal keys the first one stays.
    """
    kept: list[tuple[tuple[float, ...], T]] = []
    for choice in sorted(choices, key=key):
        measures = key(choice)
        if not any(_covers(other, measures) for other, _ in kept):
            kept.append((measures, choice))
    return [choice for _, choice in kept]


def _covers(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    """At least as good in every respect. Sorted input means that only earlier ones can be."""
    return all(x <= y for x, y in zip(a, b, strict=True))
