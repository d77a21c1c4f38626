"""What a log-in could take from others by belonging to a role, by reading on and on, or by comparing what is masked."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import psycopg2
import psycopg2.errors
import pytest

from fixtures.targets import CARD, PEOPLE, PHONE, Target
from syrve.warehouse.grants import LOADER, LOCKS, SCHEMAS, roles
from syrve.warehouse.sql_files import sql


def rights(target: Target) -> set[str]:
    """Every right on what is ours, as `grants` compares them."""
    with closing(psycopg2.connect(target.dsn())) as connection, connection.cursor() as cursor:
        cursor.execute(sql("rights/given.sql"), {"schemas": list(SCHEMAS), "closed": LOCKS})
        return {str(right) for right in cursor.fetchall()}


@pytest.mark.parametrize("role", roles())
def test_log_in_takes_no_right_from_its_whole_role(target: Target, role: str) -> None:
    before = rights(target)

    for statement in (
        "drop owned by {role}",
        "drop owned by {role} cascade",
        "reassign owned by {role} to current_user",
    ):
        with suppress(psycopg2.errors.InsufficientPrivilege):
            target.run(role, statement.format(role=role))
        with suppress(psycopg2.errors.InsufficientPrivilege):
            target.run(role, f"set role {role}", statement.format(role="current_user"))
    with suppress(psycopg2.errors.InsufficientPrivilege):
        target.run(role, f"revoke all on all tables in schema analytics, sync, crm, wallet from {role}")

    assert rights(target) == before
    assert len([right for right in before if role in right]) > 0


@contextmanager
def reading(target: Target, role: str, view: str) -> Iterator[None]:
    """Read a view in a transaction that stays open."""
    with closing(psycopg2.connect(target.dsn(role))) as connection, connection.cursor() as cursor:
        cursor.execute(f"select * from {view}")
        yield


@pytest.mark.parametrize(
    "view", ["customer_history", "wallet_balance_history", "card_history", "customer_category_history"]
)
def test_open_query_of_an_analyst_keeps_no_partition_waiting(target: Target, view: str) -> None:
    years = "select count(*) from pg_inherits"
    before = target.run(None, years)[0][0]
    drop = "drop table syrve.{0}_version_2035, syrve.{0}_version_2036".format(view.removesuffix("_history"))

    with reading(target, "syrve_analyst", f"analytics.{view}"):
        target.run(LOADER, "set lock_timeout = '5s'", "select syrve.add_partitions(10)")
        target.run(LOADER, "set lock_timeout = '5s'", f"select count(*) from syrve.{view}")

    assert target.run(None, years)[0][0] >= before
    target.run(None, drop)


def test_hashes_of_one_kind_match_those_of_no_other(target: Target) -> None:
    target.run(
        None,
        f"update syrve.card set track = '{PHONE}'",
        f"update syrve.customer set email = '{PHONE}'",
        "insert into syrve.coupon (organization_id, number, series_id, series_name, verdict, checked_at) "
        f"select organization_id, '{PHONE}', customer_id, 'Spring', 'used', now() from syrve.customer",
    )
    try:
        kinds = [
            set(
                target.run(
                    "syrve_analyst", f"select distinct {column} from analytics.{view} where {column} is not null"
                )
            )
            for view, column in (
                ("customer", "phone_hash"),
                ("customer", "email_hash"),
                ("card", "track_hash"),
                ("coupon", "number_hash"),
            )
        ]
        assert [len(kind) for kind in kinds] == [1, 1, 1, 1]
        assert len(set.union(*kinds)) == 4
    finally:
        target.run(None, f"update syrve.card set track = '{CARD}'", "update syrve.customer set email = null")


@pytest.mark.parametrize("column", ["crm_weight", "gone_weight"])
@pytest.mark.parametrize("weight", ["NaN", "Infinity", "3e38", "1e-40", "0"])
def test_ops_gives_no_weight_that_stops_a_pull(target: Target, column: str, weight: str) -> None:
    policy = f"insert into sync.refresh_policy (organization_id, {column}) values (gen_random_uuid(), '{weight}')"

    with pytest.raises(psycopg2.errors.CheckViolation):
        target.run("syrve_ops", policy)


@pytest.mark.parametrize("role", PEOPLE)
def test_no_session_shows_what_another_asks(target: Target, role: str) -> None:
    with reading(target, LOADER, "syrve.customer"):
        seen = target.run(
            role,
            "select query from pg_stat_activity where usename is distinct from current_user and query not in "
            "('', '<insufficient privilege>')",
        )

    assert seen == []
