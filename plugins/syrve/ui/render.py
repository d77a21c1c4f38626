"""Turns values into pages: Jinja templates with autoescape, and the words in which figures are shown."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from syrve.reports.cells import age_text, money
from syrve.ui.access import Person

FOLDER = Path(__file__).parent
MENU = (
    ("overview", "", "Overview"),
    ("inbox", "inbox", "Inbox"),
    ("rejects", "rejects", "Rejects"),
    ("push", "push", "Push"),
    ("holds", "holds", "Holds"),
    ("backfill", "backfill", "Backfill"),
    ("freshness", "freshness", "Freshness"),
    ("runs", "runs", "Runs"),
    ("customer", "customer", "Customer"),
)


NOTICES = {
    "conflict": "Decided. The next push follows it.",
    "unblock": "The row goes again with the next push.",
    "resolved": "Resolved. A reject that comes again is opened again.",
    "kept": "Acknowledged.",
    "promised": "Set. It holds from the next run of syrve_customers on.",
}
"""What a view says after a change that a person made there, by the word that its address then has."""


def done(request: Request, view: str, notice: str) -> RedirectResponse:
    """Lead back to a view, which says what was done."""
    assert notice in NOTICES
    return RedirectResponse(f"{request.scope['root_path']}/{view}?done={notice}", status_code=303)


def run_id_only(text: str) -> str:
    """Return a run id that came back in an address, or nothing if it is no run id."""
    return text if re.fullmatch(r"[A-Za-z0-9_.:+~-]{1,250}", text) else ""


def page(request: Request, person: Person, view: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Return the view `<view>.html` for the person."""
    text = templates().get_template(f"{view}.html").render(view=view, person=person, **shared(request), **values)
    return HTMLResponse(text, status_code=status)


def shared(request: Request) -> dict[str, Any]:
    """Return what every template knows."""
    here = str(request.scope.get("root_path", ""))
    return {
        "here": here,
        "airflow": here.removesuffix("/syrve"),
        "menu": MENU,
        "now": datetime.now(UTC),
        "notice": NOTICES.get(request.query_params.get("done", "")),
    }


@cache
def templates() -> jinja2.Environment:
    """Return the environment of the templates."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": count,
        "rate": rate,
        "money": money_or_zero,
        "when": when,
        "iso": iso,
        "span": span,
        "percent": percent,
        "units": units,
    }
    return environment


def count(number: Any, most: int | None = None) -> str:
    """Write a number grouped by thousands; `most` is where counting stopped."""
    value = int(number or 0)
    return f"{most:,}+" if most is not None and value > most else f"{value:,}"


def rate(number: float) -> str:
    """Write a rate with a tenth, if it has any."""
    return f"{number:,.1f}".removesuffix(".0")


def money_or_zero(amount: Any) -> str:
    """Write an amount for people; none is zero."""
    return money(Decimal(amount or 0))


def units(seconds: int | None, unit_seconds: int) -> str:
    """Write seconds in minutes or days for a field of a form, so exactly that it reads as the same seconds; empty for none."""
    return f"{seconds / unit_seconds:.5f}".rstrip("0").removesuffix(".") if seconds else ""


def percent(share: Any) -> str:
    """Write a share in percent, which no line end separates from its sign."""
    return f"{100 * float(share or 0):.0f}\N{NO-BREAK SPACE}%"


def iso(moment: Any) -> str:
    """Write a moment for machines, in UTC."""
    return _moment(moment).isoformat(timespec="seconds").replace("+00:00", "Z")


def when(moment: Any, now: datetime | None = None) -> str:
    """Write a moment for people: how long ago or how soon, which holds in every time zone."""
    if moment is None:
        return "never"
    seconds = int(((now or datetime.now(UTC)) - _moment(moment)).total_seconds())
    if abs(seconds) < 60:
        return "just now" if seconds >= 0 else "in under a minute"
    return f"{age_text(seconds)} ago" if seconds > 0 else f"in {age_text(-seconds)}"


def span(length: timedelta | float | None) -> str:
    """Write a length of time in its two largest units; seconds where it is a number."""
    if length is None:
        return "not known"
    seconds = int(length.total_seconds() if isinstance(length, timedelta) else length)
    if seconds < 60:
        return f"{seconds} s"
    units = [("d", 86_400), ("h", 3_600), ("min", 60)]
    parts = []
    for unit, size in units:
        if seconds >= size:
            parts.append(f"{seconds // size:,} {unit}")
            seconds %= size
    return " ".join(parts[:2])


def _moment(moment: Any) -> datetime:
    found = datetime.fromisoformat(moment.replace("Z", "+00:00")) if isinstance(moment, str) else moment
    assert isinstance(found, datetime)
    return found.astimezone(UTC)
