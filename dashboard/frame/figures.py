"""Numbers as people read them. The exact value always stands beside, in a title or a table."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

_UNITS = ((Decimal(10) ** 12, "T"), (Decimal(10) ** 9, "B"), (Decimal(10) ** 6, "M"), (Decimal(10) ** 3, "K"))
_SMALLEST_COMPACT = 10_000


def count(value: int | float | Decimal) -> str:
    """1234567 -> `1,234,567`."""
    return f"{value:,.0f}"


def compact(value: int | Decimal) -> str:
    """1234567 -> `1.23M`; up to 9,999 in full."""
    number = Decimal(value)
    if abs(number) < _SMALLEST_COMPACT:
        return count(number)
    for position, (unit, letter) in enumerate(_UNITS):
        if abs(number) >= unit:
            short = _three_digits(number / unit)
            if Decimal(short) >= 1000 and position:  # 999,999 is 1M, not 1000K
                return f"1{_UNITS[position - 1][1]}"
            return short + letter
    return count(number)


def money(value: Decimal) -> str:
    """Dollars to the cent from one cent on, below that to three digits that tell something: `$0.000123`."""
    if value == 0:
        return "$0.00"
    if abs(value) >= Decimal("0.01"):
        return f"${value:,.2f}"
    places = 2 - value.adjusted()
    return f"${value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN):f}"


def of_cents(value: int) -> str:
    """Whole US cents, as amounts that people set are."""
    return money(Decimal(value) / 100)


def brief_money(value: Decimal) -> str:
    """Where there is little room: what is below a cent is `<$0.01`."""
    return "<$0.01" if 0 < value < Decimal("0.01") else money(value)


def exact_money(value: Decimal) -> str:
    """Every digit there is: `$12.3456789`."""
    digits = f"{value.normalize():f}"
    whole, _, fraction = digits.partition(".")
    return f"${int(whole):,}.{fraction.ljust(2, '0')}"


def money_tick(value: Decimal) -> str:
    """For an axis, whose steps are round: all digits of small amounts, `$1.2K` for large ones."""
    return f"${compact(value)}" if value >= _SMALLEST_COMPACT else exact_money(value)


def percent(part: int, whole: int) -> str:
    """One decimal; what rounds to nothing but is something is `<0.1%`."""
    if not whole:
        return "0%"
    share = Decimal(part) * 100 / whole
    if 0 < share < Decimal("0.1"):
        return "<0.1%"
    return f"{share:.1f}%".replace(".0%", "%")


def money_share(part: Decimal, whole: Decimal) -> str:
    """As `percent`, of money."""
    if not whole:
        return "0%"
    share = part * 100 / whole
    return "<0.1%" if 0 < share < Decimal("0.1") else f"{share:.1f}%".replace(".0%", "%")


def change(now: int | Decimal, before: int | Decimal) -> str:
    """How much more or less than before: `+12%`, `-3.4%`, `17x`, `new`, `same`."""
    if now == before:
        return "same"
    if not before:
        return "new"
    share = (Decimal(now) - Decimal(before)) * 100 / Decimal(before)
    if share >= 900:
        return f"{compact(round(share / 100 + 1))}x"
    text = f"{share:+.1f}".removesuffix(".0")
    return f"{'<' if text in ('+0', '-0') else ''}{'0.1' if text in ('+0', '-0') else text}%"


def duration(milliseconds: Decimal | float) -> str:
    """`840 ms`, `1.2 s`, `3 min`."""
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.0f} min"


def span(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 5 min`, `2 days`."""
    if seconds < 60:
        return f"{max(0, seconds):.0f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} days"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def _three_digits(number: Decimal) -> str:
    places = max(0, 2 - number.adjusted())
    text = f"{number:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
