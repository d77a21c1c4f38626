"""Tells the channels that webhooks have stopped while orders go on, that the order feed stays empty, and that they are back.

Each change is reported once.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC

from syrve.notifications.channels import Kind
from syrve.notifications.sending import send_through
from syrve.signals.flow import FlowChange, give_back, take_unreported
from syrve.warehouse.database import Warehouse

log = logging.getLogger(__name__)

_WHAT = {"balance": "balance notifications", "order": "order events", "feed": "orders in the order feed"}
_WITHOUT = {
    "balance": "changes found by look-ups",
    "order": "order states read from the feed",
    "feed": "deliveries by webhook or changes found by look-ups",
}


def tell_of_signals(warehouse: Warehouse, *, conn_id: str) -> None:
    """Notify every channel of changes not reported yet; what no channel took, the next run reports. Raises `WarehouseError`."""
    changes = take_unreported(warehouse)
    if not changes:
        return
    for each in changes:
        log.warning("%s", _line(each))
    kind: Kind = "failure" if any(each.has_stopped for each in changes) else "info"
    if not send_through(conn_id, *worded(changes), kind, about="the signals"):
        give_back(warehouse, changes)


def worded(changes: Sequence[FlowChange]) -> tuple[str, str]:
    """Word title and body; they name organizations and counts, and no customer."""
    stopped = {each.sort for each in changes if each.has_stopped}
    lines = [_line(each) for each in changes]
    if stopped - {"feed"}:
        lines.append(
            "Look at the receiver's /health and log, and at what syrve_webhooks shows. Until they are back, "
            "customers are looked up as if there were no signals."
        )
    if "feed" in stopped:
        lines.append(
            "Until the order feed has orders again, it is read by date once an hour too. An organization that delivers nothing has none: "
            "then nothing is wrong. Otherwise check the login's right \"Orders: receiving by revision\", and ask Syrve's support."
        )
    title = "Syrve: signals have stopped"
    if not stopped:
        title = "Syrve: signals are back"
    elif stopped == {"feed"}:
        title = "Syrve: the order feed stays empty"
    return title, "\n".join(lines)


def _line(each: FlowChange) -> str:
    what = _WHAT[each.sort]
    if not each.has_stopped:
        return f"Organization {each.organization_id}: {what} are coming again."
    last = each.last_at.astimezone(UTC)
    return (
        f"Organization {each.organization_id}: no {what} since {last:%Y-%m-%d %H:%M} UTC, "
        f"but {each.unreported:.0f} {_WITHOUT[each.sort]} since."
    )
