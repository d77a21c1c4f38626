"""Makes the page of a report: what it says in words and tables, around the charts."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup, escape

from syrve.reports.cells import AGES, age_text, id_only, money, time_text
from syrve.reports.charts import Bar, Day, opened_and_closed, stacked_bars
from syrve.reports.gather import Gathered
from syrve.reports.tally import GRAVEST_FIRST, Tally

TEMPLATES = Path(__file__).parent / "templates"
AGE_COLOURS = ("age-1", "age-2", "age-3", "age-4")
OTHERS = "others"
MOST_ROWS = 15
"""Rules and organizations beyond these are shown as one."""
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class RuleText:
    """What a rule's file says of it."""

    meaning: str
    what_to_do: str


def render(gathered: Gathered, *, run_id: str, rules: Mapping[str, RuleText], days: int, csv_href: str) -> str:
    """Return the page; the same findings give the same bytes."""
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return _template().render(
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=f"sha256-{digest}",
        as_of=_moment(gathered.as_of),
        as_of_iso=time_text(gathered.as_of),
        run_id=run_id,
        csv_href=csv_href,
        **_head(gathered),
        **_findings(gathered.tally, rules),
        over_time=_over_time(gathered, days),
    )


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters["breakable"] = _breakable
    return environment.get_template("report.html.j2")


def _breakable(text: str) -> Markup:
    """Let a long id break after its marks."""
    return Markup(re.sub(r"([_:-])", r"\1<wbr>", str(escape(text))))  # noqa: S704 - escaped right here


def _head(gathered: Gathered) -> dict[str, Any]:
    tally, evaluations = gathered.tally, gathered.evaluations
    fresh = evaluations[evaluations["as_of"] == gathered.as_of]
    late = evaluations[evaluations["as_of"] != gathered.as_of]
    grave = tally.sums[tally.sums["severity"].isin(["critical", "high"])]["findings"].sum()
    tiles = [
        (money(tally.at_risk), "money at risk"),
        (f"{tally.findings:,}", f"open findings, {int(grave):,} of them critical or high"),
        (f"{int(fresh['opened_count'].sum()):,}", f"opened, {_sum(fresh, 'opened_amount')}{_since(fresh)}"),
        (f"{int(fresh['closed_count'].sum()):,}", f"closed, {_sum(fresh, 'closed_amount')}{_since(fresh)}"),
        (age_text(tally.oldest_seconds) if tally.findings else "none", "oldest finding"),
    ]
    notes = []
    if tally.unpriced:
        notes.append(f"{tally.unpriced:,} of the findings have no amount: they are counted and add no money.")
    if len(late) and len(evaluations):
        pairs = zip(late["organization_id"], late["as_of"], strict=True)
        named = ", ".join(f"{name} (as of {_moment(moment)})" for name, moment in list(pairs)[:_MOST_NAMED])
        rest = f" and {len(late) - _MOST_NAMED:,} more" if len(late) > _MOST_NAMED else ""
        notes.append(
            f"{len(late):,} of {len(evaluations):,} organizations were not evaluated as of this moment, and are shown as "
            f"last known: {named}{rest}."
        )
    count = len(evaluations)
    return {
        "tiles": [{"figure": figure, "meaning": meaning} for figure, meaning in tiles],
        "notes": notes,
        "nothing": _nothing(gathered),
        "organizations": "1 organization" if count == 1 else f"{count:,} organizations",
    }


def _nothing(gathered: Gathered) -> dict[str, str] | None:
    if gathered.tally.findings:
        return None
    if gathered.evaluations.empty:
        return {
            "title": "Nothing is known",
            "text": "By this moment nothing had been evaluated: run syrve_reconcile_holds.",
        }
    return {"title": "No findings", "text": "No rule found anything that was open as of this moment."}


def _findings(tally: Tally, rules: Mapping[str, RuleText]) -> dict[str, Any]:
    by_rule = _shown(tally.table("rule", "age", "amount"))
    organizations = tally.table("organization_id", "severity", "once")
    by_organization = _shown(organizations)
    more = len(organizations) - len(by_organization) + 1 if OTHERS in by_organization.index else 0
    names = sorted(set(tally.sums["rule"]) & set(rules))
    return {
        "ages": list(zip(AGES, AGE_COLOURS, strict=True)),
        "severities": [(severity, severity) for severity in GRAVEST_FIRST],
        "by_rule": _amounts(by_rule, tally.counts("rule")),
        "by_organization": _amounts(by_organization, tally.counts("organization_id")),
        "more_organizations": f"“{OTHERS}” are {more:,} organizations; the CSV has each." if more else "",
        "risk_chart": _bars(by_rule, AGE_COLOURS, name="risk", title="Money at risk by rule and age"),
        "organization_chart": _bars(
            by_organization,
            GRAVEST_FIRST,
            name="organizations",
            title="Money at risk by organization and severity",
            label_length=8,
        ),
        "gravest": _gravest(tally),
        "rules": [
            {"name": name, "meaning": rules[name].meaning, "what_to_do": rules[name].what_to_do} for name in names
        ],
    }


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    if len(table) <= MOST_ROWS:
        return table
    others = table.iloc[MOST_ROWS - 1 :].sum().to_frame(OTHERS).T
    return pd.concat([table.iloc[: MOST_ROWS - 1], others])


def _amounts(table: pd.DataFrame, counts: Mapping[str, int]) -> dict[str, Any]:
    known = {str(name): counts[str(name)] for name in table.index if name != OTHERS}
    rows = [
        {
            "name": id_only(str(name)),
            "cells": [money(value) if value else "–" for value in values],
            "findings": f"{known.get(str(name), sum(counts.values()) - sum(known.values())):,}",
            "total": money(sum(values, Decimal(0))),
        }
        for name, *values in table.itertuples(name=None)
    ]
    return {"columns": list(table.columns), "rows": rows}


def _bars(
    table: pd.DataFrame, colours: Sequence[str], *, name: str, title: str, label_length: int | None = None
) -> Markup:
    if table.empty:
        return Markup("")
    bars = [
        Bar(_cut(id_only(str(label)), label_length), money(sum(sizes, Decimal(0))), [float(size) for size in sizes])
        for label, *sizes in table.itertuples(name=None)
    ]
    summary = "; ".join(f"{bar.label} {bar.value_text}" for bar in bars)
    description = f"{summary}. The table beside it has every figure."
    drawn = stacked_bars(bars, colours, name=name, title=title, description=description)
    return Markup(drawn)  # noqa: S704 - written by ElementTree, which escapes


def _cut(text: str, length: int | None) -> str:
    return text if length is None or len(text) <= length else f"{text[:length]}…"


def _gravest(tally: Tally) -> dict[str, Any]:
    rows = [
        {
            "severity": row["severity"],
            "rule": id_only(row["rule"]),
            "subject": id_only(row["subject"]),
            "organization": row["organization_id"],
            "amount": money(row["amount_at_risk"]) if isinstance(row["amount_at_risk"], Decimal) else "not known",
            "age": age_text(int(row["age_seconds"])),
            "first_seen": _moment(row["first_seen_at"]),
            "is_acknowledged": row["status"] == "acknowledged",
        }
        for row in tally.gravest.to_dict("records")
    ]
    shows_all = len(rows) == tally.findings
    return {
        "title": "The findings" if shows_all else f"The gravest {len(rows):,} of {tally.findings:,} findings",
        "caption": "By severity, then amount, then age." + ("" if shows_all else " The CSV has all."),
        "rows": rows,
    }


def _over_time(gathered: Gathered, days: int) -> dict[str, Any] | None:
    found = gathered.over_time
    if found.empty:
        return None
    last = gathered.as_of.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    calendar = [last - timedelta(days=back) for back in range(days - 1, -1, -1)]
    known = set(found["day"])
    # An organization that was not evaluated on a day counts as it last was.
    still_open = (
        found.pivot_table(index="day", columns="organization_id", values="open_count", aggfunc="last")
        .ffill()
        .sum(axis=1)
    )
    moved = found.groupby("day")[["opened_count", "closed_count"]].sum()
    shown = [
        Day(
            day,
            int(moved["opened_count"].get(day, 0)),
            int(moved["closed_count"].get(day, 0)),
            int(still_open[day]) if day in known else None,
        )
        for day in calendar
    ]
    opened, closed = sum(day.opened for day in shown), sum(day.closed for day in shown)
    summary = f"{opened:,} findings opened and {closed:,} closed in {days} days."
    chart = opened_and_closed(
        shown,
        name="days",
        title="Findings opened and closed by day",
        description=f"{summary} The table beside it has every day.",
    )
    rows = [
        {
            "day": f"{day.day:%Y-%m-%d}",
            "opened": f"{day.opened:,}",
            "closed": f"{day.closed:,}",
            "open": f"{day.open:,}",
        }
        for day in reversed(shown)
        if day.open is not None
    ]
    return {"days": days, "chart": Markup(chart), "caption": summary, "rows": rows}  # noqa: S704 - as above


def _since(fresh: pd.DataFrame) -> str:
    former = {moment for moment in fresh["former_as_of"] if isinstance(moment, datetime) and not pd.isna(moment)}
    if not former:
        return ""
    return f" since {_moment(former.pop())}" if len(former) == 1 else " since the time before"


def _sum(frame: pd.DataFrame, name: str) -> str:
    return money(sum(frame[name], Decimal(0)))


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"
