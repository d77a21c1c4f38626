"""Whoever writes about a person while they are erased: what was written before is erased, what comes after does not stay."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg2
import pytest

from fixtures.persons import ERASURE, Persons
from fixtures.waiting import wait_until
from syrve.privacy.erase import erase_people

WRITERS = {
    "import": "insert into sync.roster (organization_id, identity_kind, identity_value, source, received_value) "
    "values (%(o)s, 'phone', %(p)s, 'late', %(p)s) on conflict (organization_id, identity_kind, identity_value) do update "
    "set source = excluded.source",
    "reject": "insert into sync.reject (run_id, entity, organization_id, identity, stage, reason) "
    "values ('late', 'roster', %(o)s, 'phone ' || %(p)s, 'import', 'late')",
    "signal": "insert into sync.signal (content_key, organization_id, kind, event_type, channel, customer_id, phone) "
    "values (sha256('late'), %(o)s, 'balance', 'balance', 'webhook', %(c)s, %(p)s)",
    "text of a signal": "insert into sync.signal (content_key, organization_id, kind, event_type, channel, order_number) "
    "values (sha256('late'), %(o)s, 'other', 'Odd', 'webhook', 'call ' || %(p)s)",
    "desired state": "insert into crm.customer (organization_id, phone, name) values (%(o)s, %(p)s, 'late')",
    "campaign": "insert into wallet.campaign_row (campaign, version, row_key, organization_id, customer_id, wallet_id, amount) "
    "values ('late', 1, 'late', %(o)s, %(c)s, gen_random_uuid(), 1)",
    "transactions report": "insert into wallet.transaction (organization_id, transaction_id, customer_id, revision, created_at) "
    "values (%(o)s, gen_random_uuid(), %(c)s, 1, now())",
    "movement of a signal": "insert into wallet.notified_movement (organization_id, content_key, customer_id, moved_at, received_at) "
    "values (%(o)s, sha256('late'), %(c)s, now(), now())",
}
WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database() and query ~ %s"


@pytest.fixture
def person(persons: Persons) -> Persons:
    persons.known_in_every_way()
    persons.execute(
        "insert into wallet.campaign_version (campaign, version, digest, rows, amount, rejected_rows, run_id) "
        "values ('late', 1, repeat('0', 64), 1, 1, 0, 'r')"
    )
    persons.plan()
    persons.approve()
    return persons


@contextmanager
def other_session(person: Persons) -> Iterator[Any]:
    url = person.warehouse.url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = psycopg2.connect(url)
    try:
        yield connection
    finally:
        connection.close()


def values_of(person: Persons) -> dict[str, str]:
    return {"o": person.organization_id, "c": person.customer_id, "p": person.phone}


@pytest.mark.parametrize("writer", WRITERS)
def test_what_is_being_written_is_erased_too(person: Persons, writer: str) -> None:
    with ThreadPoolExecutor(1) as working, other_session(person) as session:
        session.cursor().execute(WRITERS[writer], values_of(person))
        erasing = working.submit(erase_people, person.warehouse, ERASURE)
        wait_until(lambda: erasing.done() or person.rows(WAITING, r"privacy\.erase\(")[0][0] == 1)
        session.commit()

        assert erasing.result()["people"] == 1

    assert person.traces() == {}


def test_texts_are_searched_for_an_identity_that_comes_meanwhile(person: Persons) -> None:
    other = "+79990007788"
    person.execute(
        "insert into sync.reject (run_id, entity, organization_id, identity, stage, reason) values ('r', 'roster', %s, %s, 'import', 'r')",
        person.organization_id,
        f"phone {other}",
    )
    with ThreadPoolExecutor(1) as working, other_session(person) as session:
        session.cursor().execute(
            "insert into sync.roster (organization_id, identity_kind, identity_value, source, customer_id, outcome) "
            "values (%(o)s, 'phone', %(other)s, 'late', %(c)s, 'found')",
            values_of(person) | {"other": other},
        )
        erasing = working.submit(erase_people, person.warehouse, ERASURE)
        wait_until(lambda: erasing.done() or person.rows(WAITING, r"privacy\.erase\(")[0][0] == 1)
        session.commit()

        assert erasing.result()["people"] == 1

    assert person.traces(other) == {}


@pytest.mark.parametrize("writer", WRITERS)
def test_what_comes_during_an_erasure_does_not_stay(person: Persons, writer: str) -> None:
    with ThreadPoolExecutor(1) as working, other_session(person) as session, other_session(person) as erasing:
        erasing.cursor().execute("select privacy.erase(erasure_id) from privacy.erasure where run_id = 'erasure'")
        writing = working.submit(session.cursor().execute, WRITERS[writer], values_of(person))
        wait_until(lambda: writing.done() or person.rows(WAITING, "^insert into")[0][0] == 1)
        erasing.commit()
        refusal = writing.exception()
        assert refusal is None or getattr(refusal, "pgcode", "") == "SY001"
        session.commit()

    assert person.traces() == {}
