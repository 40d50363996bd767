"""Money is an integer number of micro-USD; this is the one place that converts.

Costs round up, what is left rounds down; decimal strings cross the wire, never floats.
"""

import re
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, ROUND_CEILING, Context, Decimal

from mlops.errors import RequestError

MICRO_PER_USD = 1_000_000
MICRO_PER_CENT = 10_000
_CENTS, _SHOWN = Decimal("0.01"), Decimal("0.0001")
SECONDS_PER_HOUR = 3600

# The default context would round to 28 digits before anything can be rounded up.
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
_LARGEST_EXPONENT = 12
_PLAIN = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")


def parse_usd(text: str | Decimal | int) -> int:
    """Micro-USD of a decimal amount such as "10", "0.7364"; digits beyond micro round up.

    Raises RequestError when the text is no plain number ("1e3" may be a slip) of a sensible size.
    """
    is_amount = not isinstance(text, str) or _PLAIN.fullmatch(text.strip())
    amount = Decimal(text if is_amount else "NaN")
    if not amount.is_finite() or amount.adjusted() > _LARGEST_EXPONENT:
        raise RequestError("bad_amount", f"{text!r} is not an amount of money.")
    return int(amount.scaleb(6, _EXACT).to_integral_value(ROUND_CEILING))


def to_usd(micro: int) -> str:
    """Exact decimal string for JSON: at least two decimals, never an exponent."""
    amount = Decimal(micro).scaleb(-6)
    text = f"{amount:.6f}".rstrip("0")
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals.ljust(2, '0')}"


def show_usd(micro: int) -> str:
    """For people, rounded up: "$10.01", "$0.5155"; amounts under one cent keep all their digits."""
    sign = "-" if micro < 0 else ""
    size = abs(micro)
    if size % MICRO_PER_CENT and size < MICRO_PER_CENT:
        return f"{sign}${to_usd(size)}"
    in_cents = size % MICRO_PER_CENT == 0 or size >= MICRO_PER_USD
    digits = _CENTS if in_cents else _SHOWN
    return f"{sign}${Decimal(size).scaleb(-6).quantize(digits, ROUND_CEILING):,f}"


def cost_of_seconds(seconds: int, usd_per_hour_micro: int) -> int:
    """Micro-USD for billed seconds at an hourly price, rounded up."""
    return -(-seconds * usd_per_hour_micro // SECONDS_PER_HOUR)


def seconds_for(amount_micro: int, usd_per_hour_micro: int) -> int:
    """Whole seconds that an amount buys, rounded down; the price must be positive."""
    return amount_micro * SECONDS_PER_HOUR // usd_per_hour_micro


def to_cents(micro: int) -> int:
    """Whole cents, rounded down (policy engines have no floats)."""
    return micro // MICRO_PER_CENT
