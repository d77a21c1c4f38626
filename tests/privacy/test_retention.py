"""What is kept how long, and that nothing younger goes."""

import pytest

from fixtures.persons import Persons
from syrve.customers.roster import uncover_lost
from syrve.privacy.errors import UnusableRequest
from syrve.privacy.retention import KEEP_DAYS, add_partitions, keep_days, prune

ORGANIZATION = "5f4e0004-0000-4000-8000-000000000001"


def old_and_young(persons: Persons, statement: str) -> None:
    """Insert a row that is older than any retention, and one of now."""
    for age in ("1000 days", "1 day"):
        persons.execute(statement.replace("AGE", f"(now() - interval '{age}')"))


@pytest.mark.parametrize(
    ("kind", "statement", "table"),
    [
        (
            "runs",
            "insert into sync.run (run_id, task, map_index, updated_at) values (AGE::text, 'pull', -1, AGE)",
            "sync.run",
        ),
        (
            "resolved_rejects",
            (
                "insert into sync.reject (run_id, entity, identity, stage, reason, resolved_at) "
                "values ('r', 'roster', AGE::text, 'import', 'x', AGE)"
            ),
            "sync.reject",
        ),
        (
            "open_rejects",
            (
                "insert into sync.reject (run_id, entity, identity, stage, reason, last_seen_at) "
                "values ('r', 'roster', AGE::text, 'import', 'x', AGE)"
            ),
            "sync.reject",
        ),
        (
            "backfills",
            "insert into sync.backfill (run_id, criteria, finished_at) values (AGE::text, '{}', AGE)",
            "sync.backfill",
        ),
        (
            "unanswered_erasures",
            (
                "insert into privacy.erasure (dag_id, run_id, organization_id, phone, requested_by, asked_at) "
                f"values ('d', 'r', '{ORGANIZATION}', '+7', 'u', AGE)"
            ),
            "privacy.erasure",
        ),
        (
            "signals",
            (
                "insert into sync.signal (content_key, organization_id, kind, event_type, channel, received_at) "
                f"values (sha256(AGE::text::bytea), '{ORGANIZATION}', 'other', 'x', 'webhook', AGE)"
            ),
            "sync.signal",
        ),
        (
            "notified_movements",
            (
                "insert into wallet.notified_movement (organization_id, content_key, moved_at, received_at) "
                f"values ('{ORGANIZATION}', sha256(AGE::text::bytea), AGE, AGE)"
            ),
            "wallet.notified_movement",
        ),
        (
            "breaker_counts",
            (
                "insert into sync.breaker_count (organization_id, run_id, kind, task, map_index, counted_at) "
                f"values ('{ORGANIZATION}', AGE::text, 'push', 't', -1, AGE)"
            ),
            "sync.breaker_count",
        ),
        (
            "breakers",
            (
                "insert into sync.breaker (organization_id, kind, run_id, looked, affected, allowed, decision, decided_at) "
                f"values ('{ORGANIZATION}', 'push', AGE::text, 1, 1, 1, 'recovered', AGE)"
            ),
            "sync.breaker",
        ),
        (
            "check_results",
            (
                "insert into sync.check_result (run_id, check_name, failures, examples, seconds, checked_at) "
                "values (AGE::text, 'x', 0, '[]', 0, AGE)"
            ),
            "sync.check_result",
        ),
        (
            "alerts",
            "insert into sync.alert (kind, subject, detail, began_at, ended_at) values ('dag_failing', AGE::text, 'x', AGE, AGE)",
            "sync.alert",
        ),
        (
            "audit",
            "insert into sync.audit (user_id, user_name, action, done_at) values ('1', 'ops', 'resolve rejects', AGE)",
            "sync.audit",
        ),
        (
            "notifications",
            (
                "insert into wallet.notification (channel, as_of, opened_count, raised_count, amount_changed_count, closed_count, "
                "passed_count, sent_at) values ('c', AGE, 1, 0, 0, 0, 0, AGE)"
            ),
            "wallet.notification",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value in KEEP_DAYS else "",
)
def test_only_rows_beyond_their_retention_go(persons: Persons, kind: str, statement: str, table: str) -> None:
    old_and_young(persons, statement)

    removed = prune(persons.warehouse)

    assert removed == dict.fromkeys(KEEP_DAYS.keys() - {"reports", "exports"}, 0) | {kind: 1}, (
        "files are pruned by themselves"
    )
    assert persons.rows(f"select count(*) from {table}") == [(1,)]


def test_retention_that_is_unknown_or_too_short_is_refused() -> None:
    with pytest.raises(UnusableRequest, match="history"):
        keep_days({"history": 30})
    with pytest.raises(UnusableRequest, match="runs must be kept at least 7 days"):
        keep_days({"runs": 1})
    with pytest.raises(UnusableRequest, match="audit must be kept at least 365 days"):
        keep_days({"audit": 364})


def test_missing_partition_of_the_history_is_added(persons: Persons) -> None:
    assert add_partitions(persons.warehouse) == 0
    persons.execute("drop table syrve.card_version_2027")

    assert add_partitions(persons.warehouse) == 1

    assert persons.rows("select to_regclass('syrve.card_version_2027') is not null") == [(True,)]


def test_breaker_that_is_undecided_or_that_a_push_goes_by_stays(persons: Persons) -> None:
    old = "insert into sync.breaker (organization_id, kind, field, run_id, looked, affected, allowed, decision, decided_at, decided_by)"
    age = "now() - interval '1000 days'"
    persons.execute(f"{old} values ('{ORGANIZATION}', 'push', 'name', 'r', 9, 9, 1, null, null, null)")
    persons.execute(f"{old} values ('{ORGANIZATION}', 'push', 'email', 'r', 9, 9, 1, 'dropped', {age}, 'ops')")
    held = "insert into crm.push_held_back (crm_id, key, organization_id, breaker_id) select 1, 'email', organization_id, breaker_id"
    persons.execute(f"{held} from sync.breaker where field = 'email'")

    assert prune(persons.warehouse)["breakers"] == 0

    persons.execute("delete from crm.push_held_back")
    assert prune(persons.warehouse)["breakers"] == 1


def test_covered_identity_whom_no_other_stands_for_is_due(persons: Persons) -> None:
    row = "insert into sync.roster (organization_id, identity_kind, identity_value, source, due_at, customer_id) values"
    kept, lost = "5f4e0004-0000-4000-8000-00000000000a", "5f4e0004-0000-4000-8000-00000000000b"
    persons.execute(f"{row} ('{ORGANIZATION}', 'phone', '+7', 't', now() + interval '1 day', '{kept}')")
    persons.execute(f"{row} ('{ORGANIZATION}', 'id', '{kept}', 't', 'infinity', '{kept}')")
    persons.execute(f"{row} ('{ORGANIZATION}', 'id', '{lost}', 't', 'infinity', '{lost}')")

    assert uncover_lost(persons.warehouse) == 1
    assert persons.rows("select identity_value from sync.roster where due_at <= now()") == [(lost,)]
