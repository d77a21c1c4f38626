"""Tells the channels of conditions that began or ended: each once, grouped into one message per look.

`sync.alert` keeps what holds and what was told. It is written right after a channel took the message, so a message that no channel took, or
a run that dies, is made up for by the next look; a run that dies between the two sends it once more.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from syrve.notifications.sending import send_to_all
from syrve.notifications.tell import alone
from syrve.warehouse.database import Warehouse, transaction
from syrve.warehouse.sql_files import sql

if TYPE_CHECKING:
    from syrve.notifications.channels import Channel, Kind

log = logging.getLogger(__name__)

MOST_LINES = 10
"""Of a kind in one message; more are counted."""
TITLES: Mapping[str, str] = {
    "money_unsettled": "Money without an outcome for more than an hour",
    "dag_failing": "DAGs that fail",
    "budget_exhausted": "Budget exhausted",
    "freshness_promise": "Freshness promise broken",
}
"""Words of each kind, the gravest first."""


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on something is worth an alert: refusals in the runs of an hour, money without an outcome; `most` bounds the operations."""

    refused_at_least: int = 20
    refused_share: float = 0.1
    unsettled_seconds: int = 3600
    most: int = 1000


@dataclass(frozen=True, slots=True)
class Alert:
    """A condition that began, or ended, and of which people are to be told."""

    alert_id: int
    kind: str
    subject: str
    detail: str
    began_at: datetime
    ended_at: datetime | None


def tell_of_alerts(
    warehouse: Warehouse,
    channels: Sequence[Channel],
    failing_dags: Mapping[str, str],
    limits: Limits | None = None,
) -> Counter[str]:
    """Look what holds now and tell every channel what changed; return how many began and ended, by `began` and `ended`.

    `failing_dags` says for each failing DAG what is wrong. Nothing is noted as told if no channel took it. Raises `WarehouseError`.
    """
    with warehouse.connect() as connection, alone(connection, "alerts"):
        asked = {
            **{name: getattr(limits or Limits(), name) for name in Limits.__slots__},
            "dag_ids": list(failing_dags),
            "dag_details": list(failing_dags.values()),
        }
        with transaction(connection, "look for what people must know") as cursor:
            cursor.execute(sql("alert/refresh.sql"), asked)
            cursor.execute(sql("alert/untold.sql"))
            unreported = [Alert(*row) for row in cursor.fetchall()]
        for each in unreported:
            log.warning("%s: %s", "Well again" if each.ended_at else "Alert", _line(each))
        if unreported and send_to_all(channels, *worded(unreported), about="the alerts"):
            with transaction(connection, "note what people were told") as cursor:
                cursor.execute(sql("alert/told.sql"), {"alert_ids": [each.alert_id for each in unreported]})
    return Counter("ended" if each.ended_at else "began" for each in unreported)


def worded(alerts: Sequence[Alert]) -> tuple[str, str, Kind]:
    """Word title and body, what began first; they name organizations, DAGs and operations, and no customer."""
    began = [each for each in alerts if each.ended_at is None]
    ended = [each for each in alerts if each.ended_at is not None]
    counted = [f"{len(began):,} began"] * bool(began) + [f"{len(ended):,} ended"] * bool(ended)
    lines: list[str] = []
    for heading, chosen in (("", began), ("Well again: ", ended)):
        for kind, words in TITLES.items():
            of_kind = [each for each in chosen if each.kind == kind]
            if of_kind:
                lines += [f"{heading}{words} ({len(of_kind):,})"]
                lines += [f"- {_line(each)}" for each in of_kind[:MOST_LINES]]
                lines += [f"- and {len(of_kind) - MOST_LINES:,} more"] * (len(of_kind) > MOST_LINES)
    if began:
        lines.append("What to do: docs/alerts.md")
    return f"Syrve alerts: {', '.join(counted)}", "\n".join(lines), "failure" if began else "success"


def _line(each: Alert) -> str:
    since = f"since {each.began_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f"{each.detail} ({since}, over)" if each.ended_at else f"{each.detail} ({since})"
