"""Each check passes on sound data, and fails by name and row once its fault is planted."""

from pathlib import Path

import psycopg2
import pytest

from syrve.quality.checks import all_checks, check_named, parse_check
from syrve.quality.errors import MalformedCheck
from syrve.quality.making import make_check
from syrve.warehouse.database import Warehouse
from syrve.warehouse.dsn import url_from_text
from warehouse.planted import GOODS, HOLDS, ONE, THREE, WALLET, customer_id, plant

DOCS = Path(__file__).parents[2] / "docs" / "checks.md"
PHONE = "+79750000001"
VERSION = f"""
    set session_replication_role = replica;
    insert into syrve.wallet_balance_version (organization_id, customer_id, wallet_id, type, balance, valid_from, valid_to)
    values ('{ONE}', '{customer_id(1)}', '{WALLET}', 1, 1, now() - interval '3 days', now() - interval '1 day')
"""
RUNS = """
    insert into sync.run (run_id, task, map_index, requested, found, not_found, started_at) values
        ('before', 'syrve_customers.pull', 0, 1000, 950, 50, now() - interval '3 days'),
        ('lately', 'syrve_customers.pull', 0, 200, 100, 100, now())
"""
TOPUP = f"""
    insert into wallet.operation (operation_id, kind, organization_id, customer_id, wallet_id, amount, source, requested_at)
    values ('{HOLDS[0].replace("0f", "0b")}', 'topup', '{ONE}', '{customer_id(2)}', '{WALLET}', 20, 'topup:X', now() - interval '3 days');
    insert into wallet.operation_event (operation_id, sequence, state, occurred_at, basis)
    values ('{HOLDS[0].replace("0f", "0b")}', 1, 'confirmed', now() - interval '3 days', 'answer')
"""

FAULTS = {
    "phone_unique": (
        f"update syrve.customer set phone = '{PHONE}' where customer_id = '{customer_id(2)}'",
        (customer_id(1), customer_id(2)),
    ),
    "versions_apart": (VERSION, (ONE, customer_id(1), WALLET)),
    "replay_equals_mirror": (
        f"update syrve.wallet_balance set balance = 1 where customer_id = '{customer_id(1)}'",
        (ONE, customer_id(1), WALLET),
    ),
    "no_orphans": (f"delete from syrve.customer where customer_id = '{customer_id(5)}'", (THREE, customer_id(5))),
    "counts_add_up": ("update sync.run set not_found = 0", ("run", "syrve_customers.pull", "0")),
    "found_rate": (RUNS, ("syrve_customers.pull",)),
    "freshness_promise": ("update sync.roster set checked_at = now() - interval '32 days'", (ONE,)),
    "no_money_on_deleted": (
        f"update syrve.customer set is_deleted = true where customer_id = '{customer_id(5)}'",
        (THREE, customer_id(5)),
    ),
    "ledger_meets_balances": (
        TOPUP + f"; update sync.roster set confirmed_at = now() where customer_id = '{customer_id(2)}'",
        (ONE, customer_id(2), WALLET),
    ),
}
"""What makes each check fail, and the ids that its failure names."""


BRANCHES = [
    (
        "no_orphans",
        f"insert into syrve.card (organization_id, customer_id, card_id, changed_at) values ('{ONE}', '{WALLET}', '{WALLET}', now())",
        "card without a customer",
    ),
    (
        "no_orphans",
        (
            f"insert into syrve.customer_category (organization_id, customer_id, category_id, name, is_active, is_default_for_new_guests, "
            f"changed_at) values ('{ONE}', '{WALLET}', '{WALLET}', 'VIP', true, false, now())"
        ),
        "category without a customer",
    ),
    (
        "no_orphans",
        "update sync.roster set customer_id = gen_random_uuid() where outcome = 'found'",
        "identity of the roster without a customer",
    ),
    (
        "replay_equals_mirror",
        "update syrve.wallet_balance set changed_at = now() + interval '1 day'",
        "the balance of the mirror begins in the future",
    ),
    (
        "replay_equals_mirror",
        "update syrve.customer set profile_changed_at = now() + interval '1 day'",
        "the profile of the mirror begins in the future",
    ),
    (
        "versions_apart",
        (
            "insert into syrve.customer_version (organization_id, customer_id, is_deleted, extra, valid_from, valid_to) "
            f"select '{ONE}', '{customer_id(1)}', false, '{{}}', now() - days * interval '1 day', now() from generate_series(2, 3) as days"
        ),
        "customer: versions overlap",
    ),
    (
        "versions_apart",
        (
            "insert into syrve.card_version (organization_id, customer_id, card_id, valid_from, valid_to) "
            f"select '{ONE}', '{customer_id(1)}', '{WALLET}', now() - days * interval '1 day', now() from generate_series(2, 3) as days"
        ),
        "card: versions overlap",
    ),
    (
        "versions_apart",
        (
            "insert into syrve.customer_category_version (organization_id, customer_id, category_id, name, is_active, "
            "is_default_for_new_guests, valid_from, valid_to) "
            f"select '{ONE}', '{customer_id(1)}', '{GOODS}', 'VIP', true, false, now() - days * interval '1 day', now() "
            "from generate_series(2, 3) as days"
        ),
        "customer_category: versions overlap",
    ),
]
"""What else a check looks for: a fault of each further part of its select."""


@pytest.fixture(scope="module")
def planted_dsn(lasting_dsn: str) -> str:
    plant(Warehouse(url_from_text(lasting_dsn)))
    return lasting_dsn


def execute(dsn: str, statement: str) -> None:
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


def test_sound_data_passes_every_check(planted_dsn: str) -> None:
    warehouse = Warehouse(url_from_text(planted_dsn))

    found = {check.name: make_check(warehouse, check, run_id="sound").examples for check in all_checks()}

    assert found == dict.fromkeys(FAULTS, ())


@pytest.fixture
def broken(warehouse_dsn: str) -> str:
    plant(Warehouse(url_from_text(warehouse_dsn)))
    return warehouse_dsn


@pytest.mark.parametrize("name", list(FAULTS))
def test_planted_fault_is_found_and_named(broken: str, name: str) -> None:
    fault, ids = FAULTS[name]
    warehouse = Warehouse(url_from_text(broken))
    execute(broken, fault)

    result = make_check(warehouse, check_named(name), run_id="broken")

    assert not result.is_passed
    assert ids in [subject for subject, _ in result.examples]
    assert " / ".join(ids) in result.text()
    assert check_named(name).what_to_do in result.text()
    assert "7975" not in result.text()
    with warehouse.transaction("read") as cursor:
        cursor.execute("select check_name, failures, examples -> 0 -> 'subject' from sync.check_result")
        assert cursor.fetchall()[0][:2] == (name, result.failures)


@pytest.mark.parametrize(("name", "fault", "said"), BRANCHES)
def test_each_part_of_a_check_finds_its_fault(broken: str, name: str, fault: str, said: str) -> None:
    execute(broken, f"set session_replication_role = replica; {fault}")

    result = make_check(Warehouse(url_from_text(broken)), check_named(name), run_id="broken")

    assert [detail for _, detail in result.examples if detail.startswith(said)]


def test_final_day_that_is_not_the_history_is_found(broken: str) -> None:
    execute(broken, "update syrve.daily_balance set balance = balance + 1 where is_final")

    result = make_check(Warehouse(url_from_text(broken)), check_named("counts_add_up"), run_id="run")

    assert ONE in {subject[0] for subject, _ in result.examples}


def test_long_list_of_failures_is_cut_and_counted(broken: str) -> None:
    rows = "select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, now(), now() from generate_series(1, 30)"
    execute(
        broken,
        f"insert into syrve.wallet_balance (organization_id, customer_id, wallet_id, balance, changed_at, fetched_at) {rows}",
    )

    result = make_check(Warehouse(url_from_text(broken)), check_named("no_orphans"), run_id="run")

    assert (result.failures, len(result.examples)) == (30, 20)
    assert "and 10 more: run the select of sql/checks/no_orphans.sql" in result.text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("select 1", "must begin with a line '-- check: ...'"),
        ("-- check: a\n-- meaning: b\nselect 1", "must begin with a line '-- what to do: ...'"),
        ("-- check: b\n-- meaning: b\n-- what to do: c\nselect 1", "calls itself 'b'"),
        ("-- check: a\n-- sense: b\nselect 1", "'-- sense: ...' is not known"),
    ],
)
def test_malformed_check_is_refused(text: str, said: str) -> None:
    with pytest.raises(MalformedCheck, match=said):
        parse_check("a", text)


def test_unknown_check_is_refused_with_the_known_ones() -> None:
    with pytest.raises(MalformedCheck, match="there is no check 'nothing'; there are counts_add_up"):
        check_named("nothing")


def test_page_describes_every_check() -> None:
    page = " ".join(DOCS.read_text(encoding="utf-8").split())

    for check in all_checks():
        assert f"`{check.name}`" in page
        assert " ".join(check.meaning.split()) in page
        assert " ".join(check.what_to_do.split()) in page
