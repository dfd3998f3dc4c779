"""Numbers as people read them, the same in every section: densities, measured values, differences, spreads."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MANY = 1e7  # from here on powers of ten are easier to read
FEW = 1e-3  # and below here
MOST_DECIMALS = 5


def left(density: float) -> str:
    """A share of weights in words: "100 %", "17.4 %", "0.52 %"."""
    percent = 100 * density
    return "100 %" if percent >= 99.95 else f"{percent:.1f} %" if percent >= 1 else f"{percent:.2g} %"


def written(value: float, form: str) -> str:
    """`value` in the format `form` ("+.2f", ",.0f"), with a real minus sign, and without one before a zero."""
    sign, rest = (form[0], form[1:]) if form[:1] == "+" else ("", form)
    return f"{float(value):{sign}z{rest}}".replace("-", "−")


def digits(value: float, count: int = 3) -> str:
    """So many digits, zeros at the end among them: "11.4", "14.0", "0.100", "1.67×10⁻⁵", "12,345"."""
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    mantissa, power = f"{value:.{count - 1}e}".split("e")
    if FEW <= abs(value) < MANY:
        return written(value, f",.{max(0, count - 1 - int(power))}f")
    return f"{mantissa.replace('-', '−')}×10{str(int(power)).translate(RAISED)}"


def with_error(value: float, error: float) -> str:
    """ "0.100 ± 0.018": both to the second digit of the error; `value` alone where there is none."""
    if not math.isfinite(error) or error <= 0:
        return digits(value)
    decimals = max(0, 1 - math.floor(math.log10(error)))
    if decimals > MOST_DECIMALS:
        return f"{digits(value)} ± {digits(error, 2)}"
    return f"{written(value, f',.{decimals}f')} ± {error:,.{decimals}f}"


def ranged(values: pd.Series, form: str = "") -> str:
    """ "97.31 (96.90 to 97.60)": the mean, the least and the greatest; without these where there is one value; "–" for
    none. form: as `written` takes it; left out: three digits."""
    there = values.dropna()
    if there.empty:
        return "–"
    mean, low, high = (
        written(each, form) if form else digits(float(each)) for each in (there.mean(), there.min(), there.max())
    )
    return f"{mean} ({low} to {high})" if len(there) > 1 else mean


def of_replicates(n: int) -> str:
    return f"n = {n} {'replicates' if n > 1 else 'replicate'}"
