"""Draws the charts of the report with matplotlib: narrow enough for a phone, in the page's colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from syrve.reports.svg import svg_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINTS_PER_INCH = 72
WIDTH_POINTS = 420
FONT_POINTS = 13
_ROW_POINTS = 42
_INK, _FAINT = "#0a0a01", "#0a0a02"
_OPEN, _OPENED, _CLOSED = "#0a0a03", "#0a0a04", "#0a0a05"
_COLOURS = {_INK: "ink", _FAINT: "line", _OPEN: "open", _OPENED: "opened", _CLOSED: "closed"}


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a bar chart: its label, the text at its end, and the sizes of its parts in the order of the series."""

    label: str
    value_text: str
    sizes: Sequence[float]


def stacked_bars(bars: Sequence[Bar], series: Sequence[str], *, name: str, title: str, description: str) -> str:
    """Draw horizontal bars, each under its label; `series` names the custom property of each part's colour."""
    figure = _figure(_ROW_POINTS * len(bars) + 4)
    axes = _axes(figure)
    colours = {f"#0b0b{place:02x}": colour for place, colour in enumerate(series)}
    longest = max((sum(bar.sizes) for bar in bars), default=0) or 1
    for row, bar in enumerate(bars):
        axes.text(0, row - 0.13, bar.label, fontsize=FONT_POINTS, color=_INK, va="bottom")
        axes.text(longest, row - 0.13, bar.value_text, fontsize=FONT_POINTS, color=_INK, va="bottom", ha="right")
        axes.barh(row + 0.17, longest, height=0.34, color=_FAINT)
        left = 0.0
        for size, colour in zip(bar.sizes, colours, strict=True):
            if size:
                axes.barh(row + 0.17, size, left=left, height=0.34, color=colour)
            left += size
    axes.set_xlim(0, longest)
    axes.set_ylim(len(bars) - 0.5, -0.6)
    return svg_text(figure, name=name, title=title, description=description, colours=_COLOURS | colours)


@dataclass(frozen=True, slots=True)
class Day:
    """What happened on a day; `open` is None if nothing was evaluated on it."""

    day: datetime
    opened: int
    closed: int
    open: int | None


def opened_and_closed(days: Sequence[Day], *, name: str, title: str, description: str) -> str:
    """Draw what was open day by day, and below it what opened (up) and closed (down)."""
    figure = _figure(290)
    above: Any = figure.add_axes((0.085, 0.60, 0.905, 0.32))
    below: Any = figure.add_axes((0.085, 0.08, 0.905, 0.40))
    places = range(len(days))
    known = [day.open if day.open is not None else float("nan") for day in days]
    above.fill_between(places, known, 0, color=_OPEN, alpha=0.18, lw=0, clip_on=False)
    above.plot(places, known, color=_OPEN, lw=2, marker="o", markersize=3, clip_on=False)
    below.bar(places, [day.opened for day in days], color=_OPENED, width=0.7)
    below.bar(places, [-day.closed for day in days], color=_CLOSED, width=0.7)
    below.axhline(0, color=_INK, lw=0.8)
    most = max((max(day.opened, day.closed) for day in days), default=0) or 1
    below.set_ylim(-most * 1.05, most * 1.05)
    above.set_ylim(0, max((day.open or 0 for day in days), default=0) * 1.1 or 1)
    _name_days(above, days, named=False)
    _name_days(below, days, named=True)
    for axes, heading in ((above, "open at the day's end"), (below, "opened ↑   closed ↓")):
        axes.set_title(heading, loc="left", fontsize=FONT_POINTS, color=_INK, pad=6)
    return svg_text(figure, name=name, title=title, description=description, colours=_COLOURS)


def _figure(height_points: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH_POINTS / POINTS_PER_INCH, height_points / POINTS_PER_INCH))


def _axes(figure: Figure) -> Axes:
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    return axes


def _name_days(axes: Any, days: Sequence[Day], *, named: bool) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.set_xlim(-0.6, max(len(days) - 0.4, 0.6))
    every = max(1, len(days) // 5)
    shown = list(range(len(days)))[::-1][::every][::-1]
    axes.set_xticks(shown, [f"{days[place].day:%d %b}" for place in shown] if named else [""] * len(shown))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(int(value)):,}"))
    axes.grid(axis="y", color=_FAINT, lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=FONT_POINTS - 1, labelcolor=_INK)
    for side in axes.spines.values():
        side.set_visible(False)
