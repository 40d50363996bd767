"""The instance types: GPU, price with its date, and quota for training and spot training."""

import streamlit as st

from app import session
from app.plain import escape
from app.theme import table
from mlops.tools import OfferRow, QuotasOutput
from workbench import frames
from workbench.wording import wait_cell

COLUMNS = (
    "Type",
    "USD per hour",
    "Free",
    "Note",
    "GPU",
    "GPUs",
    "GPU GiB",
    "In use",
    "Free spot",
    "In use spot",
    "Waits",
    "As of",
    "Confidence",
    "vCPU",
    "Memory GiB",
    "Source",
)

WIDE = ("GPU", "Note", "vCPU", "Memory GiB")
REGIONS = (
    "us-east-1",
    "us-east-2",
    "us-west-2",
    "eu-central-1",
    "eu-west-1",
    "eu-north-1",
    "ap-northeast-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-south-1",
    "sa-east-1",
    "ca-central-1",
)


def main() -> None:
    st.title("GPUs", anchor=False)
    with st.spinner("Asking for quotas and prices …"):
        found = session.read(lambda: session.workbench().gpus())
    _cheapest(found)
    with st.container(horizontal=True):
        gpu_only = st.toggle("GPU only", value=True, key="gpu_only", bind="query-params")
        free_only = st.toggle("Available now", key="free_only", bind="query-params")
    offers = tuple(o for o in found.offers if _wanted(o, gpu_only, free_only))
    if not offers:
        st.info("No instance type passes these filters.", icon=":material/filter_alt_off:")
        return
    frame = frames.gpus_frame(found.model_copy(update={"offers": offers}))
    frame["Note"] = [_note(offer, found) for offer in offers]
    frame["Waits"] = [wait_cell(offer) for offer in offers]
    frame["In use"] = [_count(offer.in_use) for offer in offers]
    frame["In use spot"] = [_count(offer.spot_in_use) for offer in offers]
    table(frame, "offers", "Instance types", COLUMNS, WIDE, absent="unknown")
    st.caption(
        "Free is how many of your quota you can have now, for training and for spot training. Prices are list prices for training, each with its own date and source. Confidence A "
        "and B may be spent on, C is shown only; “unknown” is not zero, and a type without a "
        "price is never used. Waits: median and p90 from launch to start of your own jobs."
    )
    _side_by_side(offers, found.region)


def _cheapest(found: QuotasOutput) -> None:
    rows = {offer.instance_type: offer for offer in found.offers}
    with st.container(horizontal=True):
        for label, name in (
            ("Cheapest GPU", found.cheapest_gpu),
            ("Cheapest type", found.cheapest),
        ):
            with st.container(border=True, width="content"):
                if name is None:
                    st.metric(f"{label} you can have now", "none", width="content")
                else:
                    price = f"${rows[name].usd_per_hour} per hour"
                    st.metric(f"{label} you can have now", price, width="content")
                    st.badge(escape(name), icon=":material/star:", color="green")
    st.caption(f"Region {escape(found.region)}.")


def _note(offer: OfferRow, found: QuotasOutput) -> str:
    """In words, not in colour alone."""
    if offer.instance_type == found.cheapest_gpu:
        return "★ cheapest GPU"
    if offer.instance_type == found.cheapest:
        return "★ cheapest"
    return "" if offer.spendable else "shown only"


def _side_by_side(offers: tuple[OfferRow, ...], own: str) -> None:
    st.subheader("Regions side by side", anchor=False)
    others = [region for region in REGIONS if region != own]
    chosen = st.multiselect(
        f"Beside {own}", others, key="regions", placeholder="Choose other regions"
    )
    if not chosen:
        return
    regions = (own, *chosen)
    with st.spinner("Asking each region …"):
        found = session.read(lambda: session.workbench().gpus(regions=regions))
    priced = {offer.region for offer in found.regions if offer.usd_per_hour is not None}
    for silent in (region for region in chosen if region not in priced):
        st.info(f"No price in {silent} is known here.", icon=":material/help:")
    known = [region for region in regions if region in priced]
    names = [offer.instance_type for offer in offers]
    frame = frames.regions_frame(found, known, names)
    table(frame, "regions_table", "Regions", ("Type", *known), ("Type",), absent="unknown")
    st.caption(
        f"List price per hour, and how many are free; ★ costs least. Data and jobs of this back end "
        f"are in {escape(own)}: elsewhere nothing is started."
    )


def _count(number: int | None) -> str:
    return "unknown" if number is None else str(number)


def _wanted(offer: OfferRow, gpu_only: bool, free_only: bool) -> bool:
    if gpu_only and offer.gpu is None:
        return False
    return not free_only or bool(offer.available)


main()
