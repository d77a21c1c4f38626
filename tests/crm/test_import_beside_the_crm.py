"""An import beside the CRM's own session: nothing that one of them wrote is lost."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd
import pytest

from fixtures.pushes import NEW_PHONES, Pushing
from fixtures.waiting import PATIENCE_SECONDS, wait_until
from syrve.crm.imports import CrmImport
from syrve.warehouse.database import transaction
from syrve.warehouse.errors import WarehouseUnavailable
from syrve.warehouse.runs import Counts

WAITS_FOR_US = "select count(*) from pg_stat_activity where pg_backend_pid() <> pid and %s = any(pg_blocking_pids(pid))"


def take(pushing: Pushing, *rows: dict[str, Any]) -> Counts:
    job = CrmImport(pushing.warehouse, key=pushing.key("import"), region="RU", organization_id=pushing.organization_id)
    return job.run([pd.DataFrame(rows, dtype="object")])


def take_beside(pushing: Pushing, statement: str, values: tuple[object, ...], *rows: dict[str, Any]) -> Counts:
    """Import while a session of the CRM has written a row and not committed; it commits when the import waits for it."""
    with ThreadPoolExecutor(1) as pool, pushing.warehouse.connect() as crm:
        with transaction(crm, "write as the CRM") as cursor:
            cursor.execute("set local role syrve_crm")
            cursor.execute(statement, values)
            importing = pool.submit(take, pushing, *rows)
            wait_until(lambda: importing.done() or pushing.value(WAITS_FOR_US, crm.get_backend_pid()) > 0)
        return importing.result(PATIENCE_SECONDS)


def rows_of(pushing: Pushing, *phones: str) -> list[tuple[Any, ...]]:
    query = "select phone, name, email from crm.customer where phone = any(%s) order by crm_id"
    return pushing.rows(query, list(phones))


def test_fields_of_both_stay(pushing: Pushing) -> None:
    phone = next(NEW_PHONES)
    crm_id = pushing.set_desired(phone=phone, name="Анна")
    statement = "update crm.customer set email = 'a@example.com' where crm_id = %s"

    take_beside(pushing, statement, (crm_id,), {"phone": phone, "name": "Мария"})

    assert rows_of(pushing, phone) == [(phone, "Мария", "a@example.com")]


def test_phone_that_the_crm_changes_meanwhile_is_not_set_back(pushing: Pushing) -> None:
    old, new = next(NEW_PHONES), next(NEW_PHONES)
    crm_id = pushing.set_desired(phone=old, name="Анна")
    statement = "update crm.customer set phone = %s where crm_id = %s"

    with pytest.raises(WarehouseUnavailable, match="another phone or customer in between"):
        take_beside(pushing, statement, (new, crm_id), {"phone": old, "name": "Мария"})

    assert rows_of(pushing, old, new) == [(new, "Анна", None)]
    take(pushing, {"phone": old, "name": "Мария"})
    assert rows_of(pushing, old, new) == [(new, "Анна", None), (old, "Мария", None)]


def test_row_that_gets_a_customer_meanwhile_keeps_to_them(pushing: Pushing) -> None:
    one, other = pushing.people(2)
    phone = next(NEW_PHONES)
    crm_id = pushing.set_desired(phone=phone, name="Анна")
    statement = "update crm.customer set customer_id = %s where crm_id = %s"

    with pytest.raises(WarehouseUnavailable):
        take_beside(
            pushing,
            statement,
            (one["customer_id"], crm_id),
            {"customer_id": other["customer_id"], "phone": phone, "name": "Мария"},
        )

    assert rows_of(pushing, phone) == [(phone, "Анна", None)]


def test_row_that_the_crm_deletes_meanwhile_is_not_revived(pushing: Pushing) -> None:
    phone = next(NEW_PHONES)
    crm_id = pushing.set_desired(phone=phone, name="Анна", email="a@example.com")

    with pytest.raises(WarehouseUnavailable):
        take_beside(pushing, "delete from crm.customer where crm_id = %s", (crm_id,), {"phone": phone, "name": "Мария"})

    assert rows_of(pushing, phone) == []
