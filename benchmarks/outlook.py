"""What a budget buys at three numbers of customers, by the project's own policy: the table and the chart of docs/scaling.md."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from benchmarks.measure import ROOT, Promise
from syrve.customers.freshness import Budgeted, Cell, Fit, Outlook, least_budget, spend
from syrve.customers.pull_settings import PullSettings
from syrve.customers.what_if import CALLS_PER_DAY

SIZES = {"10 thousand": 10_000, "1 million": 1_000_000, "100 million": 100_000_000}
BUDGETS = (100, 400, 1_200, 12_000)
SHAPE, CHANGES_A_YEAR = 0.5, 12.0
CELLS = 400
SURE_DAYS = 1e7
CHART = ROOT / "docs" / "freshness.svg"
PAGE = ROOT / "docs" / "scaling.md"
HOUR, MINUTE = 1 / 24, 1 / 1440


@dataclass(frozen=True)
class Bought:
    """What a budget (calls per minute) buys, and the mean delay of a round robin, in days."""

    outlook: Outlook
    round_robin_days: float


def run(*, quick: bool) -> list[Promise]:
    """Write the table and the chart into the docs; promises nothing."""
    lines = table()
    print("\n".join(lines))
    if not quick:
        text = PAGE.read_text(encoding="utf-8")
        section = "\n".join(["<!-- outlook -->", *lines, "<!-- end of outlook -->"])
        PAGE.write_text(re.sub(r"<!-- outlook -->.*<!-- end of outlook -->", section, text, flags=re.DOTALL))
        draw()
    return []


def population(customers: int) -> Budgeted:
    """Return customers whose rates are gamma distributed and known."""
    rng = np.random.default_rng(1)
    rates = np.sort(rng.gamma(SHAPE, CHANGES_A_YEAR / 365 / SHAPE, 1_000 * CELLS)).reshape(CELLS, -1).mean(axis=1)
    cells = [Cell(6, customers / CELLS, float(rate) * SURE_DAYS, SURE_DAYS, 1.0) for rate in rates]
    settings = PullSettings()
    fit = Fit(SHAPE, CHANGES_A_YEAR / 365)
    return Budgeted(fit, cells, settings.min_interval_seconds / 86400, settings.max_age_seconds / 86400)


def bought(part: Budgeted, per_minute: float) -> Bought:
    """Return what a budget buys."""
    lookups_per_day = per_minute * CALLS_PER_DAY
    return Bought(spend([part], lookups_per_day), max(part.min_days, part.identities / lookups_per_day) / 2)


def table() -> list[str]:
    """Return the table in Markdown."""
    heads = ["customers", *(f"budget {each:,}" for each in BUDGETS), "for a maximum age of 30 days"]
    lines = [f"| {' | '.join(heads)} |", f"| {' | '.join('---' for _ in heads)} |"]
    for name, customers in SIZES.items():
        part = population(customers)
        row = [name]
        for budget in BUDGETS:
            each = bought(part, budget)
            broken = "" if each.outlook.keeps_max_age else ", promise broken"
            row.append(f"{_span(each.outlook.mean_delay_days)} ({_span(each.round_robin_days)}){broken}")
        least = max(1.0, least_budget([part]) / CALLS_PER_DAY)
        lines.append(f"| {' | '.join([*row, f'{least:,.0f} a minute'])} |")
    return lines


def draw() -> None:
    """Draw mean delay over budget."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    budgets = np.geomspace(10, 30_000, 40)
    for number, (name, customers) in enumerate(SIZES.items()):
        part = population(customers)
        points = [bought(part, float(each)) for each in budgets]
        learned = [each.outlook.mean_delay_days for each in points]
        axes.plot(budgets, learned, color=f"C{number}", label=f"{name} customers")
        axes.plot(budgets, [each.round_robin_days for each in points], color=f"C{number}", linestyle="dashed")
    axes.plot([], [], color="gray", linestyle="dashed", label="the same, round robin")
    _label(axes)
    figure.savefig(CHART, metadata={"Date": None})


def _label(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("budget, look-ups per minute")
    axes.set_ylabel("mean delay from a change to its row")
    ticks: Sequence[float] = [10 * MINUTE, HOUR, 6 * HOUR, 1, 7, 30, 365]
    axes.set_yticks(ticks, ["10 min", "1 h", "6 h", "1 day", "7 days", "30 days", "1 year"])
    axes.set_xticks([10, 100, 1_000, 10_000], ["10", "100", "1,000", "10,000"])
    axes.minorticks_off()
    axes.grid(visible=True, alpha=0.3)
    axes.legend()


def _span(days: float) -> str:
    if days < HOUR:
        return f"{days / MINUTE + 1e-6:.0f} min"
    if days < 1:
        return f"{days / HOUR:.1f} h"
    return f"{days:.1f} days" if days < 10 else f"{days:,.0f} days"
