"""An erasure whose process is killed at every step of database and files, and goes on: whole or not at all, and nobody else loses."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psycopg2.extensions
import pytest
from airflow.sdk import Context

from fixtures.dying_pulls import Death, start, was_killed
from fixtures.persons import ERASURE, Persons
from privacy.test_neighbours import add_customer, add_to_crm, add_to_roster
from syrve.operators import privacy
from syrve.operators.privacy import SyrveEraseOperator
from syrve.privacy.errors import ErasureHindered
from syrve.warehouse.database import Connection, Warehouse

PHONES = {"first": "+79990007711", "second": "+79990007722", "other": "+79990007733"}
CHILDREN = """
    insert into syrve.wallet_balance (organization_id, customer_id, wallet_id, name, type, balance, changed_at, fetched_at)
    values (%(o)s, %(c)s, gen_random_uuid(), 'Bonus', 1, 10, now(), now());
    insert into syrve.customer_version (organization_id, customer_id, phone, is_deleted, extra, valid_from, valid_to)
    values (%(o)s, %(c)s, %(p)s, false, '{}', now() - interval '2 days', now() - interval '1 day');
    insert into wallet.operation (operation_id, kind, organization_id, customer_id, wallet_id, amount, source, requested_at,
        idempotency_key, fingerprint)
    values (gen_random_uuid(), 'topup', %(o)s, %(c)s, gen_random_uuid(), 3, 'import:till', now(), %(p)s, '')
"""


STEPS = (
    *(("privacy.erase(", 1), ("privacy.erase(", 2), ("privacy.receipt(", 1), ("replace", 1), ("replace", 2)),
    *(("renew_statistics", 1), ("names_erased", 1), ("unlink", 1), ("unlink", 3), ("replace", 3)),
)
"""Before what the process dies: the n-th statement with these words, or the n-th call of this name on a file."""


class Step(Death):
    """Dies before the n-th step of a name; counts what was reached."""

    def __init__(self, name: str = "", countdown: int = 0) -> None:
        super().__init__(name, countdown)

    def reach(self, moment: str) -> None:
        if self.at and self.at in moment:
            super().reach(self.at)


class MortalWarehouse(Warehouse):
    """A warehouse whose every statement is a step to die before."""

    death: Death = Step()

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        death = self.death

        class MortalCursor(psycopg2.extensions.cursor):
            def execute(self, statement: Any, *arguments: Any) -> None:
                death.reach(str(statement))
                super().execute(statement, *arguments)

        with super().connect() as connection:
            connection.cursor_factory = MortalCursor
            yield connection


@dataclass
class Place:
    """Two people who are to be erased, one who is not, and files that name each."""

    persons: Persons
    folder: Path

    def plant(self) -> None:
        for folder in ("inbox", "exports", "reports"):
            (self.folder / folder).mkdir(exist_ok=True)
        customer_ids = {}
        for name, phone in PHONES.items():
            customer_id = customer_ids[name] = add_customer(self.persons, phone)
            add_to_roster(self.persons, phone, customer_id)
            add_to_crm(self.persons, phone)
            values = {"o": self.persons.organization_id, "c": customer_id, "p": phone}
            self.persons.execute(CHILDREN, values)
            (self.folder / "inbox" / f"{name}.csv.rejected.csv").write_text(f"line,reason,phone\n1,bad,{phone}\n")
            (self.folder / "exports" / f"{name}.json").write_text(f'{{"phone": "{phone}"}}')
        (self.folder / "reports" / "findings.csv").write_text("\n".join(customer_ids.values()))
        for name in ("first", "second"):
            self.persons.plan(id=customer_ids[name])
        self.persons.approve()

    def tables(self, name: str) -> dict[str, int]:
        return {table: rows for table, rows in self.persons.traces(PHONES[name]).items() if table != "privacy.erasure"}

    def files(self, name: str) -> list[str]:
        return sorted(
            path.name for path in self.folder.rglob("*") if path.is_file() and PHONES[name] in path.read_text()
        )


def counting(death: Death, made: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        death.reach(made.__name__)
        return made(*arguments, **options)

    return call


def erase(place: Place, death: Death) -> None:
    """Do what the task does, in a child process or here."""
    warehouse = MortalWarehouse(place.persons.warehouse.url)
    warehouse.death = death
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(privacy, "_folders", lambda: {kind: place.folder / kind for kind in ("reports", "exports")})
        patch.setattr(privacy, "_inboxes", lambda: iter([place.folder / "inbox"]))
        patch.setattr(SyrveEraseOperator, "warehouse", lambda _: warehouse)
        for name in ("replace", "unlink", "fsync"):
            patch.setattr(os, name, counting(death, getattr(os, name)))
        context = cast(Context, {"run_id": ERASURE.run_id, "ti": SimpleNamespace(dag_id=ERASURE.dag_id)})
        SyrveEraseOperator(task_id="erase").execute(context)


@pytest.fixture
def place(persons: Persons, tmp_path: Path) -> Place:
    return Place(persons, tmp_path)


@pytest.mark.parametrize(("name", "countdown"), STEPS)
def test_erasure_killed_before_a_step_ends_whole(place: Place, name: str, countdown: int) -> None:
    place.plant()
    whole = place.tables("first")
    assert whole.keys() >= {"syrve.customer", "crm.customer", "wallet.operation", "sync.roster"}
    others = [place.tables("other"), place.files("other")]

    assert was_killed(start(partial(erase, place, Step(name, countdown))))
    for one in ("first", "second"):
        assert place.tables(one) in ({}, whole), "whole or not at all"
    erase(place, Step())

    for one in ("first", "second"):
        assert (place.tables(one), place.files(one)) == ({}, [])
    assert [place.tables("other"), place.files("other")] == others
    assert len(list((place.folder / "reports" / "erasures").glob("*.json"))) == 2


def test_files_are_searched_though_another_person_has_to_wait(place: Place) -> None:
    place.plant()
    place.persons.execute(
        "insert into crm.push_state (crm_id, organization_id, customer_id, leased_until) "
        "select -1, organization_id, customer_id, now() + interval '1 hour' from syrve.customer where phone = %s",
        PHONES["second"],
    )

    with pytest.raises(ErasureHindered, match="1 done, 1 not"):
        erase(place, Step())

    assert (place.tables("first"), place.files("first")) == ({}, [])
    assert place.files("second") == ["second.csv.rejected.csv", "second.json"]
    assert len(list((place.folder / "reports" / "erasures").iterdir())) == 1
