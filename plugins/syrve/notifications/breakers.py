"""Notifies the channels of breakers that tripped: each once, even if several runs and tasks tripped it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from syrve.notifications.sending import send_through
from syrve.warehouse.breaker import HOW_TO_DECIDE, TrippedBreaker, give_back, take_unalerted
from syrve.warehouse.database import Warehouse

log = logging.getLogger(__name__)

_WHAT = {
    "customers_gone": "customers newly not found, deleted or emptied",
    "field_changed": "customers whose {field} a pull changed",
    "push": "customers whose {field} a push would change",
}


def what_tripped(kind: str, field: str | None) -> str:
    """Say what too many customers had: a kind of breaker and, if the kind has one, its field."""
    return _WHAT.get(kind, kind).format(field=field)


def tell_of_breakers(warehouse: Warehouse, organization_id: str, *, conn_id: str) -> None:
    """Notify every channel of the breakers of an organization that were not reported yet; what no channel took, the next run reports.

    A channel that fails is logged and fails nothing else. Raises `WarehouseError`.
    """
    breakers = take_unalerted(warehouse, organization_id)
    if not breakers:
        return
    for each in breakers:
        log.warning("Breaker %d: %s", each.breaker_id, _line(each))
    if not send_through(conn_id, *worded(breakers), "failure", about="the breaker"):
        give_back(warehouse, breakers)


def worded(breakers: Sequence[TrippedBreaker]) -> tuple[str, str]:
    """Word title and body; they name organizations, runs and counts, and no customer."""
    held = any(each.is_held_back for each in breakers)
    title = "Syrve: changes held back until a person decides" if held else "Syrve: many customers changed at once"
    lines = [_line(each) for each in breakers]
    if held:
        lines.append(f"To go on, {HOW_TO_DECIDE}.")
    return title, "\n".join(lines)


def _line(each: TrippedBreaker) -> str:
    what = what_tripped(each.kind, each.field)
    end = f"held back under breaker {each.breaker_id}" if each.is_held_back else "they landed"
    return (
        f"Organization {each.organization_id}, run {each.run_id}: {each.affected} of {each.looked} {what} "
        f"(up to {each.allowed} go without a question); {end}."
    )
