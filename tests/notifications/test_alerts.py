"""People are told once that something went wrong and once that it is well again; what no channel took is told by the next look."""

import pytest

from fixtures.channels import Webhook
from notifications.conftest import Connecting
from syrve.notifications.alerts import MOST_LINES, tell_of_alerts
from syrve.warehouse.database import Warehouse
from syrve.warehouse.sql_files import sql

ORGANIZATION = "5f4e0000-0000-4000-8000-000000000001"
FAILING = {"syrve_customers": "syrve_customers runs by itself and fails"}


def run(warehouse: Warehouse, statement: str) -> list[tuple[object, ...]]:
    with warehouse.transaction("test") as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


FRESHNESS = f"""
    insert into sync.freshness_kept (
        organization_id, counted_at, identities, found, not_found, rejected, failed, never_checked, overdue,
        fresher_than_1h, fresher_than_24h, fresher_than_7d,
        interval_up_to_1h, interval_up_to_1d, interval_up_to_7d, interval_up_to_30d, interval_over_30d,
        oldest, promised_max_age
    )
    values (
        '{ORGANIZATION}', now() - interval '1 hour', 9, 9, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 9, 0,
        interval '{{oldest}}', interval '30 days'
    )
"""
BUDGET = f"""
    insert into sync.refresh_fit (
        organization_id, shape, mean_per_day, calibration, theta, max_interval_days, observed, expected, identities,
        lookups_per_day, keeps_max_age, fitted_at
    )
    values ('{ORGANIZATION}', 1, 1, array_fill(1, array[31]), 1, 30, '{{}}', '{{}}', 9, 1440, false, now())
"""
REFUSED = (
    "insert into sync.run (run_id, task, map_index, calls, rate_limited) "
    "values ('r', 'syrve_customers.pull', 0, 90, 21), ('r', 'syrve_customers.pull', 1, 10, 4)"
)
UNSETTLED = (
    "insert into wallet.unsettled_operation (operation_id, kind, organization_id, amount, source, state, planned_at, sent_at) "
    f"select gen_random_uuid(), 'topup', '{ORGANIZATION}', 7, 'test', 'unknown', sent, sent "
    "from (select now() - interval '61 minutes' as sent from generate_series(1, {count})) as old"
)
CONDITIONS = [
    pytest.param(FRESHNESS.format(oldest="31 days 1 hour"), "the oldest answer is 31.1 days old, promised are 30.0", id="freshness"),
    pytest.param(BUDGET, "the budget gives 1440 look-ups a day, too few", id="budget too small"),
    pytest.param(REFUSED, "Syrve refused 25 of 100 calls of the runs of the last hour (429)", id="refusals"),
    pytest.param(UNSETTLED.format(count=1), "(topup of 7) has had no outcome since", id="unsettled"),
]  # fmt: skip


@pytest.mark.parametrize(("plant", "told"), CONDITIONS)
def test_condition_is_told_once_and_its_end_once(
    warehouse: Warehouse, connecting: Connecting, webhook: Webhook, plant: str, told: str
) -> None:
    channels = connecting(webhook.path)
    run(warehouse, plant)

    for _ in range(3):
        tell_of_alerts(warehouse, channels, {})

    (began,) = webhook.taken
    assert began["title"] == "Syrve alerts: 1 began"
    assert told in began["message"]
    run(warehouse, "truncate sync.freshness_kept, sync.refresh_fit, sync.run, wallet.unsettled_operation")
    for _ in range(3):
        tell_of_alerts(warehouse, channels, {})
    (_, ended) = webhook.taken
    assert ended["title"] == "Syrve alerts: 1 ended"
    assert "Well again: " in ended["message"]
    assert told in ended["message"]


@pytest.mark.parametrize(
    "plant",
    [
        FRESHNESS.format(oldest="30 days 20 hours"),
        BUDGET.replace("false", "true"),
        REFUSED.replace("21", "5").replace("90", "290"),
        UNSETTLED.format(count=1).replace("61 minutes", "59 minutes"),
    ],
    ids=["within a day", "budget suffices", "few refusals", "within the hour"],
)
def test_what_is_still_well_is_not_told(
    warehouse: Warehouse, connecting: Connecting, webhook: Webhook, plant: str
) -> None:
    run(warehouse, plant)

    tell_of_alerts(warehouse, connecting(webhook.path), {})

    assert webhook.taken == []


def test_what_began_together_is_one_message_of_bounded_length(
    warehouse: Warehouse, connecting: Connecting, webhook: Webhook
) -> None:
    run(warehouse, UNSETTLED.format(count=MOST_LINES + 5))

    told = tell_of_alerts(warehouse, connecting(webhook.path), FAILING)

    (message,) = webhook.taken
    assert told == {"began": MOST_LINES + 6}
    assert "Money without an outcome for more than an hour (15)" in message["message"]
    assert "- and 5 more" in message["message"]
    assert "- syrve_customers runs by itself and fails (since " in message["message"]


def test_alert_that_no_channel_took_is_told_by_the_next_look(
    warehouse: Warehouse, connecting: Connecting, webhook: Webhook
) -> None:
    channels = connecting(webhook.path)
    webhook.status = 500
    tell_of_alerts(warehouse, channels, FAILING)
    webhook.status = 200

    tell_of_alerts(warehouse, channels, FAILING)
    tell_of_alerts(warehouse, channels, FAILING)

    assert len(webhook.taken) == 1


def test_end_of_what_nobody_was_told_of_is_not_told(
    warehouse: Warehouse, connecting: Connecting, webhook: Webhook
) -> None:
    channels = connecting(webhook.path)
    tell_of_alerts(warehouse, [], FAILING)

    tell_of_alerts(warehouse, channels, {})

    assert webhook.taken == []
    assert run(warehouse, "select ended_at is not null, told_at is null from sync.alert") == [(True, True)]


def test_what_comes_back_is_told_again(warehouse: Warehouse, connecting: Connecting, webhook: Webhook) -> None:
    channels = connecting(webhook.path)

    for failing in (FAILING, {}, FAILING):
        tell_of_alerts(warehouse, channels, failing)

    assert [each["title"].removeprefix("Syrve alerts: ") for each in webhook.taken] == ["1 began", "1 ended", "1 began"]


def test_killed_before_it_noted_tells_the_same_again(
    warehouse: Warehouse, connecting: Connecting, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    channels = connecting(webhook.path)
    monkeypatch.setattr(
        "syrve.notifications.alerts.sql", lambda name: "select 1/0" if name == "alert/told.sql" else sql(name)
    )
    with pytest.raises(Exception, match="note what people were told"):
        tell_of_alerts(warehouse, channels, FAILING)
    monkeypatch.undo()

    tell_of_alerts(warehouse, channels, FAILING)

    assert len(webhook.taken) == 2
