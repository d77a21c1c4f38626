"""`python -m syrve pull --phone`: looks one customer up at Syrve now, by the same backfill as the DAG's."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TextIO
from uuid import uuid4

from syrve.api.errors import LoyaltyNotConfigured
from syrve.command_line.report import ATTENTION, FINE, Report, Table
from syrve.customers.backfill import Backfill, BackfillChoice, finish_backfill
from syrve.customers.claims import PullScope
from syrve.customers.phones import to_e164
from syrve.customers.pull import CustomerPull
from syrve.hooks.syrve import SyrveHook
from syrve.hooks.warehouse import open_budget
from syrve.organizations import chosen, note_without_loyalty, write_organizations
from syrve.sources.errors import UnusableSource
from syrve.warehouse.database import Warehouse
from syrve.warehouse.runs import Counts, TaskKey

TASK = "command_line.pull"
_OUTCOMES = (
    ("requested", "looked up"),
    ("found", "found"),
    ("not_found", "not found"),
    ("changed", "changed"),
    ("unchanged", "unchanged"),
    ("rejected", "rejected"),
    ("failed", "failed"),
)


def read_phone(source: TextIO, prompts: TextIO) -> str:
    """Read the phone from standard input, asking for it at a terminal: an argument would stay in the shell's history and process list."""
    if source.isatty():
        print("Phone, with its country code: ", end="", file=prompts, flush=True)
    return source.readline().strip()


def pull_phone(warehouse: Warehouse, organization_ids: list[str]) -> Report:
    """Ask for a phone and look it up in the organizations, all that the login sees unless some are named.

    Raises `UnusableSource` if it is no phone, and `SyrveError` and `WarehouseError`.
    """
    hook = SyrveHook()
    config = hook.config()
    phone = to_e164(read_phone(sys.stdin, sys.stderr), config.default_region)
    if phone is None:
        raise UnusableSource("this is not a phone: write it with its country code, such as +7 975 000-00-01")
    key = TaskKey(f"command_line__{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}__{uuid4().hex[:8]}", TASK, -1)
    with open_budget(warehouse, config, bulk=False) as budget, hook.get_conn(budget) as client:
        organizations = client.organizations()
    write_organizations(warehouse, organizations, time_zone=config.time_zone, account=config.login_fingerprint)
    visible = [each.organization_id for each in organizations]
    wanted = chosen(visible, organization_ids)
    choice = BackfillChoice(
        organization_ids=wanted,
        visible=visible,
        source="command line",
        frames=[{"organization_id": each, "phone": phone} for each in wanted],
    )
    backfill = Backfill(warehouse, choice, key=key, region=config.default_region)
    plan = backfill.plan(shard_size=100, max_shards=1)
    counts = Counts()
    try:
        with open_budget(warehouse, config, bulk=False) as budget, hook.bulk(budget) as bulk:
            pull = CustomerPull(warehouse, bulk, key=key, region=config.default_region)
            for shard in plan.shards:
                organization_id = shard["organization_id"]
                try:
                    counts.add(pull.run(PullScope(organization_id, None, "regular", plan.backfill_id)))
                except LoyaltyNotConfigured as error:
                    note_without_loyalty(warehouse, organization_id, error, key=key)
    finally:
        finish_backfill(warehouse, key.run_id)
    by_figure = counts.as_dict()
    rows = [{"figure": name, "count": by_figure[figure]} for figure, name in _OUTCOMES]
    table = Table("One phone, by organization", (("figure", ""), ("count", "")), rows)
    return Report({"run_id": key.run_id, "counts": by_figure}, [table], FINE if counts.found else ATTENTION)
