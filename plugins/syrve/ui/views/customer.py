"""One customer: profile, history, look-ups, pushes, holds and money as one timeline. What is typed to find them is kept nowhere."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from airflow.sdk.exceptions import AirflowNotFoundException
from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import HTMLResponse

from syrve.api.errors import ConfigurationError
from syrve.customers.phones import to_e164
from syrve.hooks.syrve import SyrveHook
from syrve.reports.cells import id_only
from syrve.ui.access import Person, PersonDep, own_form
from syrve.ui.errors import PageError
from syrve.ui.render import page
from syrve.ui.store import Row, note, reading

router = APIRouter()
MOST_OF_EACH = 60
DEFAULT_REGION = "RU"


@router.get("/customer")
def ask(request: Request, person: PersonDep) -> HTMLResponse:
    """Show the form."""
    return page(request, person, "customer", found=None, timeline=[], several=[], asked=False, clear=False)


@router.post("/customer")
def show(
    request: Request,
    person: Annotated[Person, Depends(own_form)],
    key: Annotated[str, Form(max_length=100)] = "",
    clear: Annotated[bool, Form()] = False,
) -> HTMLResponse:
    """Show the customer of an id or a phone; in clear only with the right for it, which is noted by their id."""
    customer_id, phone = _read_key(key)
    clear = clear and person.may_see_clear
    with reading("find a customer") as read:
        people = read.rows("customer", customer_id=customer_id, phone=phone, clear=clear)
        found = people[0] if len(people) == 1 else None
        timeline: list[Row] = []
        if found:
            asked = {"organization_id": found["organization_id"], "customer_id": found["customer_id"]}
            timeline = [_shown(each) for each in read.rows("customer_timeline", **asked, most=MOST_OF_EACH)]
    if clear and people:
        note(person, "see a customer in clear", {"customer_ids": sorted({each["customer_id"] for each in people})})
    several = people if len(people) > 1 else []
    return page(request, person, "customer", found=found, timeline=timeline, several=several, asked=True, clear=clear)


def _shown(event: Row) -> Row:
    """Return an event with the order that it is about, as reports show it: an order may be numbered by a phone."""
    order_id = id_only(event["order_id"])
    return event | {"what": f"{event['what']}, order {order_id}" if order_id else event["what"]}


def _read_key(key: str) -> tuple[str | None, str | None]:
    text = key.strip()
    try:
        return str(UUID(text)), None
    except ValueError:
        pass
    phone = to_e164(text, _region())
    if phone is None:
        raise PageError(
            400,
            "This is neither an id nor a phone",
            "Write a customer's id, or a phone with its country code, such as +7 975 000-00-01.",
        )
    return None, phone


def _region() -> str:
    """Return the region of national numbers; a broken connection must not keep a person from the mirror."""
    try:
        return SyrveHook().config().default_region
    except (AirflowNotFoundException, ConfigurationError):
        return DEFAULT_REGION
