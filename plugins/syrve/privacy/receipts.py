"""Receipts of erasures as files outside the warehouse, so that a restored backup brings no erased person back."""

from __future__ import annotations

import json
import logging
from typing import Any

from syrve.approvals.book import RunOf
from syrve.warehouse.database import Warehouse, fetch_one
from syrve.warehouse.errors import WarehouseError
from syrve.whole_files import put_whole

log = logging.getLogger(__name__)


def write_receipts(warehouse: Warehouse, run: RunOf, folder: Any) -> int:
    """Write the receipts of a run's erasures, one file per person, under the id of the erasure; returns how many there are.

    `folder` is a path of `pathlib` or of Airflow's object storage.
    """
    with warehouse.transaction("read receipts") as cursor:
        cursor.execute(
            "select erasure_id::text, privacy.receipt(erasure_id) from privacy.erasure "
            "where dag_id = %s and run_id = %s and erased_at is not null",
            (run.dag_id, run.run_id),
        )
        receipts = cursor.fetchall()
    folder.mkdir(parents=True, exist_ok=True)
    for erasure_id, receipt in receipts:
        _put(folder, erasure_id, receipt)
    return len(receipts)


def write_missing_receipts(warehouse: Warehouse, folder: Any) -> int:
    """Write the receipts that are not in the folder, as of a run that was killed between an erasure and its receipt; returns how many."""
    written = [path.stem for path in folder.glob("*.json")] if folder.exists() else []
    with warehouse.transaction("read missing receipts") as cursor:
        cursor.execute(
            "select erasure_id::text, privacy.receipt(erasure_id) from privacy.erasure "
            "where erased_at is not null and erasure_id::text <> all(%s)",
            (written,),
        )
        receipts = [(erasure_id, receipt) for erasure_id, receipt in cursor.fetchall() if receipt["key_hashes"]]
    for erasure_id, receipt in receipts:
        _put(folder, erasure_id, receipt)
    return len(receipts)


def _put(folder: Any, erasure_id: str, receipt: Any) -> None:
    put_whole(folder / f"{erasure_id}.json", json.dumps(receipt, indent=2, sort_keys=True).encode())


def forget_again(warehouse: Warehouse, folder: Any) -> tuple[int, int, int]:
    """Import receipts that the warehouse lost, and erase returned customers again.

    Returns how many receipts were missing, how many people were erased again, and how many files are no receipts that can be read; these
    are named in the log and stop nothing. Raises `WarehouseError`.
    """
    missing = unreadable = 0
    for path in sorted(folder.glob("*.json"), key=str) if folder.exists() else ():
        try:
            receipt = json.dumps(json.loads(path.read_text()))
            with warehouse.transaction("take back a receipt of an erasure") as cursor:
                cursor.execute("select privacy.remember(%s::jsonb)", (receipt,))
                missing += bool(fetch_one(cursor)[0])
        except (ValueError, WarehouseError) as problem:
            if isinstance(problem, WarehouseError) and problem.retry_after_seconds is not None:
                raise
            log.error(
                "The receipt %s can't be read (%s): mend it or bring it from a backup",
                path.name,
                type(problem).__name__,
            )
            unreadable += 1
    return missing, _erase_returned(warehouse), unreadable


def _erase_returned(warehouse: Warehouse) -> int:
    """Erase people who are back in the warehouse, one transaction each, after the texts that name them; returns how many."""
    with warehouse.transaction("search texts for people who came back") as cursor:
        cursor.execute("select privacy.forget_returned_texts()")
    with warehouse.transaction("look for people who came back") as cursor:
        cursor.execute("select organization_id::text, customer_id::text, phone from privacy.returned()")
        returned = cursor.fetchall()
    erased = 0
    for person in returned:
        with warehouse.transaction("erase a person who came back") as cursor:
            cursor.execute("select privacy.erase_returned(%s, %s, %s)", person)
            erased += bool(fetch_one(cursor)[0])
    return erased
