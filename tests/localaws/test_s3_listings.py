"""Listings: prefixes, delimiters, pages."""

import hashlib
from typing import Any

import pytest

from tests.localaws.buckets import refused


@pytest.fixture(scope="module")
def listed(s3: Any) -> list[str]:
    keys = ["a/1", "a/2", "a/b/3", "a/b/4", "a/ü", "b", "c d+e&f", "z/9"]
    s3.create_bucket(Bucket="listed")
    for key in keys:
        s3.put_object(Bucket="listed", Key=key, Body=b"x")
    return keys


def names(answer: Any) -> list[str]:
    prefixes = [entry["Prefix"] for entry in answer.get("CommonPrefixes", ())]
    return [entry["Key"] for entry in answer.get("Contents", ())] + prefixes


@pytest.mark.parametrize("operation", ["list_objects_v2", "list_objects"])
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, None),
        ({"Prefix": "a/"}, ["a/1", "a/2", "a/b/3", "a/b/4", "a/ü"]),
        ({"Delimiter": "/"}, ["a/", "b", "c d+e&f", "z/"]),
        ({"Prefix": "a/", "Delimiter": "/"}, ["a/1", "a/2", "a/b/", "a/ü"]),
        ({"Prefix": "no"}, []),
    ],
)
def test_listings_page_by_page(
    s3: Any, listed: list[str], operation: str, size: int, arguments: Any, expected: Any
):
    pages = s3.get_paginator(operation).paginate(
        Bucket="listed", PaginationConfig={"PageSize": size}, **arguments
    )
    found = [name for page in pages for name in names(page)]
    assert sorted(found) == sorted(listed if expected is None else expected)


def test_listing_details(s3: Any, listed: list[str]):
    answer = s3.list_objects_v2(Bucket="listed", StartAfter="a/2", MaxKeys=2)
    assert names(answer) == ["a/b/3", "a/b/4"]
    assert (answer["KeyCount"], answer["IsTruncated"]) == (2, True)
    entry = answer["Contents"][0]
    assert (entry["Size"], entry["StorageClass"]) == (1, "STANDARD")
    assert entry["ETag"] == f'"{hashlib.md5(b"x").hexdigest()}"'
    bad = {"Bucket": "listed", "ContinuationToken": "ü"}
    assert refused(s3.list_objects_v2, **bad) == ("InvalidArgument", 400)
