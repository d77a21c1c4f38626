"""Freshness: how old what the mirror shows is, what another budget would buy, and what is promised to each organization."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import HTMLResponse, Response

from syrve.customers.pull_settings import PullSettings
from syrve.customers.refit import read_accounts
from syrve.customers.what_if import CALLS_PER_DAY, outlooks
from syrve.hooks.warehouse import open_warehouse
from syrve.ui.access import Person, PersonDep, editor
from syrve.ui.errors import PageError
from syrve.ui.render import done, page, span
from syrve.ui.store import change, reading

router = APIRouter()
SAMPLE_IDENTITIES = 10_000
"""Enough for bars on a page, and read in a tenth of the time that a fit takes."""
FACTORS = (0.25, 0.5, 0.75, 1.5, 2.0, 3.0, 4.0)
"""What-if budgets, as shares of the present one."""
BANDS = (
    ("interval_up_to_1h", "up to 1 h"),
    ("interval_up_to_1d", "up to 1 d"),
    ("interval_up_to_7d", "up to 7 d"),
    ("interval_up_to_30d", "up to 30 d"),
    ("interval_over_30d", "over 30 d"),
)
DAY_SECONDS = 86_400
Shown = Annotated[int | None, Form(ge=1, lt=2**31)]
"""Seconds that a form showed; None if it showed none."""


@router.get("/freshness")
def freshness(request: Request, person: PersonDep) -> HTMLResponse:
    """Show the figures of the last count, and the what-if."""
    with reading("read the freshness") as read:
        organizations = read.rows("freshness")
        policies = {row["organization_id"]: row for row in read.rows("policies")}
        signals = {row["organization_id"]: row for row in read.rows("signals")}
    return page(
        request,
        person,
        "freshness",
        organizations=organizations,
        policies=policies,
        signals=signals,
        bands=BANDS,
        accounts=_what_if(),
    )


@router.post("/freshness/policy")
def policy(
    request: Request,
    person: Annotated[Person, Depends(editor())],
    organization_id: Annotated[UUID, Form()],
    max_age_days: Annotated[str, Form(max_length=20)] = "",
    min_interval_minutes: Annotated[str, Form(max_length=20)] = "",
    shown_max_age_seconds: Shown = None,
    shown_min_interval_seconds: Shown = None,
) -> Response:
    """Set what is promised to an organization, if it is still what the form showed; an empty field takes the project's own."""
    values = {
        "max_age_seconds": _seconds(max_age_days, DAY_SECONDS, "maximum age"),
        "min_interval_seconds": _seconds(min_interval_minutes, 60, "shortest interval"),
    }
    longest, shortest = values["max_age_seconds"], values["min_interval_seconds"]
    if longest is not None and shortest is not None and shortest > longest:
        raise PageError(
            400, "The shortest interval is longer than the maximum age", "Nothing was changed. Correct one of them."
        )
    subject = {"organization_id": str(organization_id), **values}
    shown = {
        "shown_max_age_seconds": shown_max_age_seconds,
        "shown_min_interval_seconds": shown_min_interval_seconds,
    }
    change("set the policy", person, "set what is promised", "set_policy", lambda _: subject, **subject, **shown)
    return done(request, "freshness", "promised")


def _seconds(text: str, unit_seconds: int, name: str) -> int | None:
    if not text.strip():
        return None
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = 0.0
    if not 0 < number * unit_seconds < 2**31:
        raise PageError(
            400, f"The {name} must be a number above zero", "Nothing was changed. Correct it, or leave it empty."
        )
    return max(1, round(number * unit_seconds))


def _what_if() -> list[dict[str, Any]]:
    with open_warehouse().transaction("read what budgets would buy") as cursor:
        cursor.execute("set transaction read only")
        accounts = read_accounts(cursor, PullSettings(), take_evidence=False, sample_identities=SAMPLE_IDENTITIES)
    parts = []
    for account in accounts.values():
        now = account.calls_per_day / CALLS_PER_DAY
        outlook = outlooks(account, [round(now * factor, 3) for factor in FACTORS])
        for row in outlook["budgets"]:
            row["delay_seconds"] = round(row["mean_delay_days"] * DAY_SECONDS)
            row["delay"] = span(row["delay_seconds"])
            row["age"] = span(row["mean_age_days"] * DAY_SECONDS)
            row["longest"] = span(row["longest_interval_days"] * DAY_SECONDS)
        parts.append(outlook)
    return parts
