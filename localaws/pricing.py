"""Price List API for SageMaker training: verified rows of the price file in the service's own shape."""

import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import orjson

from localaws.errors import AwsError
from localaws.paging import page
from mlops.instances import rows

_SERVICE_CODE = "AmazonSageMaker"
_PAGE_SIZE = 100
_VERIFIED = ("A", "B")
_OFFER_TERM = "JRTCKXETXF"
_RATE = "6YS6EN2CT7"
_LOCATIONS = {"us-east-1": ("US East (N. Virginia)", "USE1")}
_MATCHES: dict[str, Callable[[str, str], bool]] = {
    "TERM_MATCH": lambda found, wanted: found == wanted,
    "EQUALS": lambda found, wanted: found == wanted,
    "CONTAINS": lambda found, wanted: wanted in found,
    "ANY_OF": lambda found, wanted: found in wanted.split(","),
    "NONE_OF": lambda found, wanted: found not in wanted.split(","),
}


class Pricing:
    """Rows without a verified price (confidence C or none) are absent, as types that AWS does not sell."""

    service_name = "pricing"

    def get_products(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["ServiceCode"] != _SERVICE_CODE:
            message = f"Prices of {request['ServiceCode']} are not part of the embedded AWS"
            raise AwsError("NotFoundException", message)
        filters = request.get("Filters") or []
        found = [p for p in _products() if all(_meets(p, wanted) for wanted in filters)]
        size = min(request.get("MaxResults", _PAGE_SIZE), _PAGE_SIZE)
        products, more = page(found, request.get("NextToken"), size, "InvalidNextTokenException")
        price_list = [orjson.dumps(product).decode() for product in products]
        return {"FormatVersion": "aws_v1", "PriceList": price_list, **more}


@cache
def _products() -> tuple[dict[str, Any], ...]:
    return tuple(
        _product(row)
        for row in rows()
        if row["confidence"] in _VERIFIED and row["training_usd_per_hour"] and row["as_of"]
    )


def _meets(product: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    attributes = {
        **product["product"]["attributes"],
        "productFamily": product["product"]["productFamily"],
        "sku": product["product"]["sku"],
        "ServiceCode": _SERVICE_CODE,
    }
    found = attributes.get(wanted["Field"])
    return found is not None and _MATCHES[wanted["Type"]](found, wanted["Value"])


def _product(row: Mapping[str, str]) -> dict[str, Any]:
    sku = "LOCAL" + hashlib.sha256(row["instance_type"].encode()).hexdigest()[:11].upper()
    effective = f"{row['as_of']}T00:00:00Z"
    return {
        "product": {"productFamily": "ML Instance", "attributes": _attributes(row), "sku": sku},
        "serviceCode": _SERVICE_CODE,
        "terms": {"OnDemand": {f"{sku}.{_OFFER_TERM}": _term(row, sku, effective)}},
        "version": row["as_of"].replace("-", "") + "000000",
        "publicationDate": effective,
    }


def _attributes(row: Mapping[str, str]) -> dict[str, str]:
    """Field names as in the real list; what the price file does not know is N/A there as well."""
    name, region = row["instance_type"], row["region"]
    location, prefix = _LOCATIONS[region]
    has_gpu = row["gpu"] not in ("", "none")
    return {
        "servicecode": _SERVICE_CODE,
        "servicename": "Amazon SageMaker",
        "location": location,
        "locationType": "AWS Region",
        "regionCode": region,
        "instanceName": name,
        "instanceType": f"{name}-Training",
        "component": "Training",
        "platoinstancename": name,
        "platoinstancetype": "Training",
        "usagetype": f"{prefix}-Train:{name}",
        "operation": "RunInstance",
        "vCpu": row["vcpu"] or "N/A",
        "memory": f"{row['memory_gib']} GiB" if row["memory_gib"] else "N/A",
        "physicalGpu": row["gpu_count"] if has_gpu else "N/A",
        "gpuMemory": row["gpu_memory_gib_each"] if has_gpu else "N/A",
    }


def _term(row: Mapping[str, str], sku: str, effective: str) -> dict[str, Any]:
    term = f"{sku}.{_OFFER_TERM}"
    price = f"{row['training_usd_per_hour']}"
    dimension = {
        "unit": "Hrs",
        "endRange": "Inf",
        "beginRange": "0",
        "description": f"${price} per Hour for {row['instance_type']} Training (list price)",
        "appliesTo": [],
        "rateCode": f"{term}.{_RATE}",
        "pricePerUnit": {"USD": price},
    }
    return {
        "priceDimensions": {f"{term}.{_RATE}": dimension},
        "sku": sku,
        "effectiveDate": effective,
        "offerTermCode": _OFFER_TERM,
        "termAttributes": {},
    }
