"""History: a version when, and only when, something changed; any moment can be asked for."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from devstack.postgres import PostgresServer
from fixtures.chains import (
    NOT_FOUND,
    ORGANIZATION,
    OTHER_ORGANIZATION,
    Chain,
    by_id,
    by_phone,
    card,
    category,
    customer,
    id_of,
    merge,
    result,
    wallet,
)
from fixtures.logins import login_of
from syrve.warehouse.database import Warehouse, transaction
from syrve.warehouse.dsn import url_from_text
from syrve.warehouse.staging import prepare_staging

VIEWS = ("customer", "wallet_balance", "card", "customer_category")
FULL = customer(1, wallets=(wallet(1, "100"), wallet(2, "5")), cards=(card(1),), categories=(category(1),))
AS_OF = """
select
    customer.name,
    customer.is_deleted,
    wallet.balance
from syrve.customer_history as customer
left join syrve.wallet_balance_history as wallet
    on
        customer.organization_id = wallet.organization_id
        and customer.customer_id = wallet.customer_id
        and wallet.valid_from <= %(moment)s
        and (wallet.valid_to > %(moment)s or wallet.valid_to is null)
where
    customer.valid_from <= %(moment)s
    and (customer.valid_to > %(moment)s or customer.valid_to is null)
order by wallet.wallet_id
"""
"""As the comment of syrve.customer_history documents it."""


def versions(chain: Chain) -> dict[str, int]:
    """How many superseded versions there are."""
    return {name: chain.value(f"select count(*) from syrve.{name}_version") for name in VIEWS}


def spans(chain: Chain, name: str, columns: str) -> list[tuple[Any, ...]]:
    """The history of a thing, times as hours since the first pull."""
    first = chain.value("select min(first_seen_at) from syrve.customer")

    def hours(moment: datetime | None) -> float | None:
        return None if moment is None else (moment - first) / timedelta(hours=1)

    rows = chain.rows(
        f"select {columns}, valid_from, valid_to from syrve.{name}_history order by valid_from, {columns}"
    )
    return [(*row[:-2], hours(row[-2]), hours(row[-1])) for row in rows]


@pytest.fixture
def pulled(chain: Chain) -> Chain:
    """One customer with two wallets, a card and a category, known by phone and id, as of the first pull."""
    chain.know([by_phone(1), by_id(1)], FULL)
    chain.pull()
    return chain


def test_first_load_writes_no_version_and_is_the_current_one_in_history(pulled: Chain) -> None:
    assert set(versions(pulled).values()) == {0}
    assert spans(pulled, "customer", "name") == [("Guest 1", 0, None)]
    assert spans(pulled, "wallet_balance", "balance") == [(5, 0, None), (100, 0, None)]
    assert spans(pulled, "card", "track") == [("track1", 0, None)]
    assert spans(pulled, "customer_category", "name") == [("VIP", 0, None)]


def test_unchanged_pull_writes_no_version(pulled: Chain) -> None:
    counts = [pulled.pull() for _ in range(3)]

    assert [each.changed for each in counts] == [0] * 3
    assert set(versions(pulled).values()) == {0}


def test_changed_profile_makes_a_version_of_the_customer_and_of_nothing_else(pulled: Chain) -> None:
    pulled.knows(customer(1, name="Ия", wallets=FULL.wallets, cards=FULL.cards, categories=FULL.categories))
    pulled.pull()

    assert versions(pulled) == {"customer": 1, "wallet_balance": 0, "card": 0, "customer_category": 0}
    assert spans(pulled, "customer", "name") == [("Guest 1", 0, 1), ("Ия", 1, None)]


def test_moved_balance_makes_a_version_of_that_wallet_and_of_nothing_else(pulled: Chain) -> None:
    pulled.knows(customer(1, wallets=(wallet(1, "99.5"), wallet(2, "5")), cards=FULL.cards, categories=FULL.categories))
    pulled.pull()

    assert versions(pulled) == {"customer": 0, "wallet_balance": 1, "card": 0, "customer_category": 0}
    assert spans(pulled, "wallet_balance", "balance") == [(5, 0, None), (100, 0, 1), (Decimal("99.5"), 1, None)]
    assert spans(pulled, "customer", "name") == [("Guest 1", 0, None)]


def test_renamed_wallet_is_no_other_balance_and_no_activity(pulled: Chain) -> None:
    renamed = tuple(msgspec.structs.replace(each, name="Новое имя") for each in FULL.wallets)
    pulled.knows(customer(1, wallets=renamed, cards=FULL.cards, categories=FULL.categories))
    pulled.pull()

    assert versions(pulled) == dict.fromkeys(VIEWS, 0)
    assert pulled.rows("select distinct name, changed_at = fetched_at from syrve.wallet_balance") == [
        ("Новое имя", False)
    ]
    assert pulled.value("select count(*) from sync.roster where active_until is not null") == 0


def test_equal_balance_written_otherwise_is_no_change(pulled: Chain) -> None:
    pulled.knows(
        customer(1, wallets=(wallet(1, "100.00"), wallet(2, "5.0")), cards=FULL.cards, categories=FULL.categories)
    )

    assert pulled.pull().changed == 0
    assert set(versions(pulled).values()) == {0}


def test_what_vanishes_is_closed_and_gone_from_the_mirror_and_opened_again_when_it_returns(pulled: Chain) -> None:
    pulled.knows(customer(1, wallets=(wallet(1, "100"),)))
    pulled.pull()
    mirrored = [pulled.value(f"select count(*) from syrve.{name}") for name in VIEWS]
    pulled.pull()
    pulled.knows(FULL)
    pulled.pull()

    assert mirrored == [1, 1, 0, 0]
    assert spans(pulled, "wallet_balance", "balance") == [(5, 0, 1), (100, 0, None), (5, 3, None)]
    assert spans(pulled, "card", "track") == [("track1", 0, 1), ("track1", 3, None)]
    assert spans(pulled, "customer_category", "name") == [("VIP", 0, 1), ("VIP", 3, None)]
    assert spans(pulled, "customer", "name") == [("Guest 1", 0, None)]


def test_deleted_customer_is_a_version_of_their_own_and_opened_again_when_they_return(pulled: Chain) -> None:
    pulled.answers.update({by_phone(1): NOT_FOUND, by_id(1): NOT_FOUND})
    deleted = [pulled.pull(), pulled.pull()]
    pulled.know([by_phone(1), by_id(1)], FULL)
    returned = pulled.pull()

    assert [(each.not_found, each.changed, each.unchanged) for each in deleted] == [(2, 1, 0), (2, 0, 0)]
    assert (returned.found, returned.changed) == (2, 1)
    assert spans(pulled, "customer", "is_deleted") == [(False, 0, 1), (True, 1, 3), (False, 3, None)]
    assert spans(pulled, "wallet_balance", "balance") == [(5, 0, None), (100, 0, None)]


def test_one_customer_in_two_organizations_has_a_history_in_each(pulled: Chain) -> None:
    other = OTHER_ORGANIZATION
    pulled.know([by_phone(1, other)], customer(1, name="Elsewhere"))
    pulled.pull(organization_id=other)

    assert pulled.rows("select organization_id::text, name, valid_to from syrve.customer_history order by 1") == [
        (ORGANIZATION, "Guest 1", None),
        (other, "Elsewhere", None),
    ]


def test_any_moment_can_be_asked_for_with_one_query(pulled: Chain) -> None:
    began = pulled.now
    pulled.knows(customer(1, name="Ия", wallets=(wallet(1, "70"),)))
    pulled.pull()
    pulled.answers.update({by_phone(1): NOT_FOUND, by_id(1): NOT_FOUND})
    pulled.pull()

    def as_of(hours: float) -> list[tuple[Any, ...]]:
        return pulled.rows(AS_OF, moment=began + timedelta(hours=hours))

    assert as_of(-0.01) == []
    assert as_of(0) == as_of(0.99) == [("Guest 1", False, 100), ("Guest 1", False, 5)]
    assert as_of(1) == as_of(1.99) == [("Ия", False, 70)]
    assert as_of(2) == as_of(9999) == [("Ия", True, 70)]


def test_versions_lie_in_the_partition_of_the_year_in_which_they_ended(pulled: Chain) -> None:
    with pulled.warehouse.connect() as connection:
        prepare_staging(connection)
        for at in (
            datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC),
            datetime(2027, 1, 1, tzinfo=UTC),
            datetime(2051, 1, 1, tzinfo=UTC),
        ):
            known = customer(1, name=str(at), wallets=(wallet(1, str(at.year)), wallet(2, "5")))
            with transaction(connection, "merge") as cursor:  # a pull takes no answer of the future
                merge(cursor, [result(by_id(1), known, at)])

    for name in ("customer", "wallet_balance"):
        found = pulled.rows(
            f"select tableoid::regclass::text, extract(year from valid_to) from syrve.{name}_version order by valid_to"
        )
        assert found == [
            (f"syrve.{name}_version_{place}", year) for place, year in ((2026, 2026), (2027, 2027), ("other", 2051))
        ]


def test_asking_for_a_late_moment_passes_over_the_partitions_of_the_years_before(chain: Chain) -> None:
    query = (
        "explain select * from syrve.{}_history"
        " where valid_from <= '2036-06-01Z' and (valid_to > '2036-06-01Z' or valid_to is null)"
    )
    for name in VIEWS:
        plan = "\n".join(line for (line,) in chain.rows(query.format(name)))
        read = [year for year in range(2026, 2038) if f"{name}_version_{year}" in plan]
        assert read == [2036, 2037]


def test_the_dags_can_add_to_history_but_not_change_it(
    pulled: Chain, postgres_server: PostgresServer, emptied_warehouse_dsn: str
) -> None:
    with login_of(postgres_server, "syrve_loader") as name:
        theirs = Chain(Warehouse(url_from_text(emptied_warehouse_dsn).set(username=name)), pulled.answers, pulled.now)
        theirs.knows(customer(1, name="Ия", wallets=(wallet(1, "1"),)))
        assert theirs.pull().changed == 1
        assert versions(theirs) == {"customer": 1, "wallet_balance": 2, "card": 1, "customer_category": 1}

        for view in VIEWS:
            for table in (f"{view}_version", f"{view}_version_2026"):
                for statement in ("update syrve.{} set valid_to = now()", "delete from syrve.{}", "truncate syrve.{}"):
                    with pytest.raises(Exception, match="InsufficientPrivilege"):
                        theirs.execute(statement.format(table))


ADD = (
    "insert into syrve.wallet_balance_version (organization_id, customer_id, wallet_id, name, type, balance, valid_from, valid_to) "
    "values (%s, %s, %s, 'bonus', 1, 1, %s, %s)"
)


@pytest.mark.parametrize(
    ("began", "ended"),
    [
        ("2026-06-10", "2026-06-20"),
        ("2026-06-14", "2026-06-15"),
        ("2026-06-01", "2026-06-11"),
        ("2026-06-19", "2026-07-01"),
        ("2026-01-01", "2026-12-31"),
        ("2026-06-15", "2028-01-01"),
        ("2025-01-01", "2050-01-01"),
    ],
)
def test_version_that_overlaps_another_of_the_same_thing_is_refused(chain: Chain, began: str, ended: str) -> None:
    thing = (ORGANIZATION, id_of(1), id_of(1, 1))
    chain.execute(ADD, *thing, "2026-06-10Z", "2026-06-20Z")

    with pytest.raises(Exception, match=r"ExclusionViolation|UniqueViolation"):
        chain.execute(ADD, *thing, f"{began}Z", f"{ended}Z")

    assert chain.value("select count(*) from syrve.wallet_balance_version") == 1


def test_overlap_within_one_statement_is_refused(chain: Chain) -> None:
    row = f"('{ORGANIZATION}', '{id_of(1)}', false, '{{}}', %s, %s)"
    columns = "organization_id, customer_id, is_deleted, extra, valid_from, valid_to"

    with pytest.raises(Exception, match="ExclusionViolation"):
        chain.execute(
            f"insert into syrve.customer_version ({columns}) values {row}, {row}",
            *("2026-06-10Z", "2026-06-20Z", "2026-06-19Z", "2027-06-20Z"),
        )


def test_neighbours_and_other_things_are_no_overlap(chain: Chain) -> None:
    for thing in (id_of(1), id_of(2)):
        for began, ended in (
            ("2026-06-10Z", "2026-06-20Z"),
            ("2026-06-20Z", "2027-03-01Z"),
            ("2026-06-01Z", "2026-06-10Z"),
        ):
            chain.execute(ADD, ORGANIZATION, thing, id_of(1, 1), began, ended)

    assert chain.value("select count(*) from syrve.wallet_balance_version") == 6


def test_version_that_ends_before_it_begins_is_refused(chain: Chain) -> None:
    with pytest.raises(Exception, match="CheckViolation"):
        chain.execute(ADD, ORGANIZATION, id_of(1), id_of(1, 1), "2026-06-10Z", "2026-06-10Z")
