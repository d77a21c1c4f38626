"""docs/privacy.md says what the views of analysts protect and what not: both hold."""

import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from devstack.postgres import PostgresServer
from fixtures.pulls import Syncing
from syrve.warehouse.database import Warehouse
from syrve_simulator.process import start_simulator

PAGE = (Path(__file__).parents[2] / "docs" / "privacy.md").read_text(encoding="utf-8")
CUSTOMERS = 300
BALANCES = """
    select person.organization_id, wallet.wallet_type, wallet.balance
    from analytics.customer as person
    inner join analytics.wallet_balance as wallet
        on person.organization_id = wallet.organization_id and person.customer_id = wallet.customer_id
    where wallet.is_money and wallet.balance > 0
"""


def section() -> str:
    found = re.search(r"^## What the analysts' views protect.*?(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    return found[0]


@pytest.fixture
def totals(postgres_server: PostgresServer, warehouse_dsn: str) -> Iterator[Any]:
    """A session with the role that the page makes for people who need totals only, under a name of its own."""
    name = f"totals_{uuid.uuid4().hex[:8]}"
    (statements,) = re.findall(r"```sql\n(.*?)```", section(), re.DOTALL)
    with closing(psycopg2.connect(warehouse_dsn)) as owner:
        owner.autocommit = True
        with owner.cursor() as cursor:
            cursor.execute(statements.replace("syrve_totals nologin", f"{name} login").replace("syrve_totals", name))
            try:
                with closing(psycopg2.connect(warehouse_dsn.replace("postgres@", f"{name}@"))) as session:
                    session.autocommit = True
                    yield session
            finally:
                cursor.execute(f"drop owned by {name}; drop role {name}")


def may_read(session: Any, view: str) -> bool:
    with session.cursor() as cursor:
        try:
            cursor.execute(f"select * from analytics.{view}")
        except psycopg2.errors.InsufficientPrivilege:
            return False
        return True


def test_role_of_the_page_reads_totals_and_no_rows(totals: Any) -> None:
    with totals.cursor() as cursor:
        cursor.execute(
            "select relname from pg_class where relnamespace = 'analytics'::regnamespace and relkind = 'v' order by 1"
        )
        readable = [name for (name,) in cursor.fetchall() if may_read(totals, name)]
        cursor.execute(
            "select relname from pg_attribute inner join pg_class on pg_class.oid = attrelid "
            "where relnamespace = 'analytics'::regnamespace and attname ~ '_(hash|masked)$|^(customer|hold|crm|order)_id$'"
        )
        of_persons = {name for (name,) in cursor.fetchall()}

    assert readable == ["coupon_series_usage", "daily_balance", "organization", "reject_summary", "run"]
    assert not of_persons & set(readable)


def test_exact_balance_finds_a_row_as_the_page_says(syncing: Syncing, make_login: Callable[[str], str]) -> None:
    analyst = Warehouse(syncing.warehouse.url.set(username=make_login("syrve_analyst")))
    with start_simulator(customers=2 * CUSTOMERS, seed=11) as crowded:
        crowd = replace(syncing, simulator=crowded, config=replace(syncing.config, base_url=crowded.url))
        crowd.add(phone=[customer["phone"] for customer in crowd.customers(CUSTOMERS)])
        crowd.pull(batch_size=500)
    with analyst.transaction("read") as cursor:
        cursor.execute(BALANCES)
        sizes = Counter(cursor.fetchall())
    alone = sum(size == 1 for size in sizes.values()) / sizes.total()

    assert sizes.total() > CUSTOMERS / 2
    (stated,) = re.findall(r"at least (\d+) % of wallets with money", section())
    assert alone >= int(stated) / 100
