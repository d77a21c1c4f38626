"""Merges look-up results as a pull does, without the roster: what the pull adds to that is measured by `whole_job`."""

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.clients.probe import Probe
from benchmarks.population import customers

from syrve.api.bulk import LookupResult
from syrve.api.models import Card, Category, Customer, Lookup, WalletBalance
from syrve.customers.merge import merge_customers, prepare_batch
from syrve.warehouse.database import Warehouse, transaction
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.staging import prepare_staging

BATCH_SIZE = 5_000
REGION = "RU"


def merge_all(warehouse: Warehouse, results: Sequence[LookupResult]) -> int:
    """Merge all results, a batch a transaction, and return how many customers changed."""
    changed = 0
    with warehouse.connect() as connection:
        prepare_staging(connection)
        for start in range(0, len(results), BATCH_SIZE):
            batch = prepare_batch(results[start : start + BATCH_SIZE], REGION)
            with transaction(connection, "merge customers") as cursor:
                changed += merge_customers(cursor, batch, region=REGION)
    return changed


def results_of(records: Iterator[dict[str, Any]]) -> list[LookupResult]:
    """Make what the bulk look-up would have returned."""
    return [
        LookupResult(
            Lookup(record["organization_id"], "phone", record["phone"]),
            datetime.fromisoformat(record["fetched_at"]),
            customer=_customer(record),
        )
        for record in records
    ]


def _customer(record: dict[str, Any]) -> Customer:
    return Customer(
        customer_id=record["customer_id"],
        phone=record["phone"],
        email=record["email"],
        name=record["name"],
        surname=record["surname"],
        middle_name=record["middle_name"],
        birthday=date.fromisoformat(record["birthday"]),
        sex=record["sex"],
        receives_order_status=record["receives_order_status"],
        receives_promo=record["receives_promo"],
        consent_from=datetime.fromisoformat(record["consent_from"]),
        is_deleted=record["is_deleted"],
        wallets=tuple(
            WalletBalance(each["wallet_id"], each["name"], each["type"], Decimal(each["balance"]))
            for each in sorted(record["wallets"], key=lambda each: each["wallet_id"])
        ),
        cards=tuple(
            Card(each["card_id"], each["track"], each["number"], None)
            for each in sorted(record["cards"], key=lambda each: each["card_id"])
        ),
        categories=tuple(
            Category(each["category_id"], each["name"], each["is_active"], each["is_default_for_new_guests"])
            for each in sorted(record["categories"], key=lambda each: each["category_id"])
        ),
        extra={"comment": record["comment"]} if record["comment"] else {},
    )


def main() -> None:
    work = json.loads(Path(sys.argv[1]).read_text())
    results = results_of(customers(work["count"], work["seed"], **work["load"]))
    with Probe() as probe:
        changed = merge_all(Warehouse(url_from_text(work["dsn"])), results)
    probe.report(done=len(results), changed=changed)


if __name__ == "__main__":
    main()
