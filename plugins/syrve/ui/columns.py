"""Lays out column charts by day; the template draws them as SVG, so that the page's style sheet colours them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from syrve.ui.render import count
from syrve.ui.store import Row

WIDTH, HEIGHT = 320, 90
DAYS = 14


@dataclass(frozen=True, slots=True)
class Column:
    """One day: its place and height in the drawing, and what it says."""

    x: float
    y: float
    width: float
    height: float
    label: str


@dataclass(frozen=True, slots=True)
class DayChart:
    """A chart with its title, its total and its columns; `description` is for screen readers."""

    title: str
    total: str
    most: str
    columns: list[Column]
    first: str
    last: str
    description: str
    width: int = WIDTH
    height: int = HEIGHT


def day_chart(days: list[Row], name: str, title: str) -> DayChart:
    """Lay out one figure of the last days; a day without runs is an empty place. `days` is not empty."""
    end = max(row["day"] for row in days)
    places = [end - timedelta(days=DAYS - 1 - number) for number in range(DAYS)]
    known = {row["day"]: int(row[name] or 0) for row in days}
    figures = [known.get(place, 0) for place in places]
    most = max(figures) or 1
    step = WIDTH / DAYS
    columns = [
        Column(
            round(number * step + 2, 1),
            round(HEIGHT - HEIGHT * figure / most, 1),
            round(step - 4, 1),
            round(HEIGHT * figure / most, 1),
            f"{place:%d %b}: {count(figure)}",
        )
        for number, (place, figure) in enumerate(zip(places, figures, strict=True))
    ]
    labels = "; ".join(column.label for column in columns if column.height)
    return DayChart(
        title,
        count(sum(figures)),
        count(max(figures)),
        columns,
        f"{places[0]:%d %b}",
        f"{places[-1]:%d %b}",
        labels or "none",
    )
