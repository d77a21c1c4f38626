"""An erasure that is killed in the middle, and what a restored backup replays afterwards."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from fixtures.persons import ERASURE, Persons
from fixtures.waiting import wait_until
from syrve.privacy.erase import erase_people
from syrve.privacy.receipts import forget_again, write_receipts
from syrve.warehouse.errors import WarehouseError

ERASING = (
    "select pid from pg_stat_activity "
    "where starts_with(query, 'select privacy.erase(') and wait_event_type = 'Lock' and datname = current_database()"
)


@contextmanager
def locked_row_of_the_crm(persons: Persons) -> Iterator[Any]:
    """Hold a row that the erasure comes to late, so that it stands in the middle of its work."""
    connection = psycopg2.connect(
        persons.warehouse.url.set(drivername="postgresql").render_as_string(hide_password=False)
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute("select from crm.customer where organization_id = %s for update", (persons.organization_id,))
            yield connection
    finally:
        connection.close()


def test_erasure_killed_in_the_middle_erases_nothing(persons: Persons) -> None:
    persons.known_in_every_way()
    before = persons.traces()
    persons.plan()
    persons.approve()
    traces = {table: count for table, count in persons.traces().items() if not table.startswith("privacy.")}

    with locked_row_of_the_crm(persons), ThreadPoolExecutor(1) as working:
        erasing = working.submit(erase_people, persons.warehouse, ERASURE)
        wait_until(lambda: bool(persons.rows(ERASING)))
        persons.rows(f"select pg_terminate_backend(pid) from ({ERASING}) as erasing")
        with pytest.raises(WarehouseError):
            erasing.result()

    after = {table: count for table, count in persons.traces().items() if not table.startswith("privacy.")}
    assert before
    assert after == traces, "whole or not at all"
    assert erase_people(persons.warehouse, ERASURE)["people"] == 1
    assert persons.traces() == {}


def test_replay_after_a_restore_brings_nobody_back(persons: Persons, tmp_path: Path) -> None:
    persons.known_in_every_way()
    persons.erase()
    write_receipts(persons.warehouse, ERASURE, tmp_path)
    persons.execute("truncate privacy.erased_key, privacy.erasure")  # a backup of before, with the person
    persons.import_roster(persons.phone)
    persons.pull()
    persons.import_crm()
    assert {"syrve.customer", "crm.customer"} <= set(persons.traces())

    forget_again(persons.warehouse, tmp_path)
    persons.import_roster(persons.phone)
    persons.pull()
    crm = persons.import_crm()

    assert (crm.changed, crm.rejected) == (0, 1)
    assert persons.traces() == {}
    assert forget_again(persons.warehouse, tmp_path) == (0, 0, 0), "and nobody is left to be forgotten"
