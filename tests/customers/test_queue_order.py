"""In which order a pull takes what is due: priority, waiting time, the active tier, and imports of many."""

from datetime import UTC, datetime, timedelta
from typing import Any

from fixtures.chains import ORGANIZATION, Chain, by_phone, customer, wallet
from syrve.customers.claims import Claimer, PullScope
from syrve.customers.plan import plan_pull
from syrve.customers.pull_settings import PullSettings
from syrve.warehouse.database import Warehouse
from syrve.warehouse.leases import lease


def due(chain: Chain, *rows: tuple[int, int, float | None]) -> None:
    """Put phones on the roster: number, priority, and minutes overdue or (below zero) to go."""
    for number, priority, overdue in rows:
        chain.know([by_phone(number)], customer(number))
        chain.execute(
            "update sync.roster set priority = %s, due_at = now() - make_interval(secs => %s) where identity_value = %s",
            *(priority, 60 * (overdue or 0), by_phone(number).value),
        )


def test_higher_priority_goes_first_and_then_who_has_waited_longest(chain: Chain) -> None:
    due(chain, (1, 0, 5), (2, 9, 1), (3, 0, 60), (4, 9, 2), (5, -3, 600), (6, 9, -5))
    chain.settings = PullSettings(batch_size=2)

    chain.pull_due()

    assert [int(each.value[-1]) for each in chain.bulk.asked] == [4, 2, 3, 1, 5]


def test_pull_of_a_worker_whose_clock_is_slow_comes_to_its_end(chain: Chain) -> None:
    chain.know([by_phone(1)], customer(1, wallets=(wallet(1, "0"),)))
    chain.now = datetime.now(UTC) - timedelta(days=30)

    assert chain.pull_due().requested == 1


def test_limit_takes_the_most_urgent(chain: Chain) -> None:
    due(chain, (1, 0, 5), (2, 9, 1), (3, 0, 60))

    assert chain.pull_due(max_identities=2).requested == 2
    assert [int(each.value[-1]) for each in chain.bulk.asked] in ([2, 3], [3, 2])


def make_active(chain: Chain, number: int) -> None:
    chain.execute(
        "update sync.roster set active_until = now() + interval '1 day' where identity_value = %s",
        by_phone(number).value,
    )


def test_active_ones_belong_to_the_active_tier_until_they_have_been_left_lying(
    chain: Chain, warehouse: Warehouse
) -> None:
    due(chain, (1, 0, 5), (2, 0, 5), (3, 0, 65), (4, 0, -5))
    for number in (2, 3, 4):
        make_active(chain, number)
    options: dict[str, Any] = {"shard_size": 10, "max_shards": 1, "limit": None, "force": False, "wanted": []}

    planned = [plan_pull(warehouse, visible=[ORGANIZATION], tier=tier, **options).due for tier in ("regular", "active")]
    chain.pull_due()
    regular = {int(each.value[-1]) for each in chain.bulk.asked}
    chain.pull_due(tier="active")
    active = {int(each.value[-1]) for each in chain.bulk.asked}

    assert planned == [2, 2]
    assert (regular, active) == ({1, 3}, {2})


def test_active_tier_takes_all_active_ones_that_are_due(chain: Chain) -> None:
    due(chain, (1, 0, 5), (2, 0, 5), (3, 0, 65), (4, 0, -5))
    for number in (2, 3, 4):
        make_active(chain, number)

    chain.pull_due(tier="active")

    assert {int(each.value[-1]) for each in chain.bulk.asked} == {2, 3}


def claimed(chain: Chain, limit: int, ahead: float = 0.0) -> list[int]:
    with chain.warehouse.connect() as connection, lease(connection) as number:
        settings = PullSettings(ahead_seconds=ahead)
        claimer = Claimer(PullScope(ORGANIZATION), settings, lease=number, due_before=datetime.now(UTC))
        return [int(each.value[-2:]) for each in claimer.claim(connection, limit)]


def known_from(chain: Chain, number: int, hours_ago: float) -> None:
    chain.execute(
        "update sync.roster set checked_at = now() - make_interval(secs => %s), outcome = 'found' where identity_value = %s",
        *(3600 * hours_ago, by_phone(number).value),
    )


def test_import_of_many_takes_half_the_batch_while_known_ones_are_due(chain: Chain) -> None:
    due(chain, *((number, 0, 600) for number in range(10, 40)), (1, 0, 5), (2, 0, 4), (3, 0, 3))
    for number in (1, 2, 3):
        known_from(chain, number, 24)

    assert sorted(each < 10 for each in claimed(chain, 4)) == [False, False, True, True]
    chain.execute("update sync.roster set lease = null")
    assert len(claimed(chain, 20)) == 20, "what known ones leave over goes to new ones"


def test_calls_to_spare_go_to_who_is_due_next(chain: Chain) -> None:
    due(chain, (1, 0, 5), (2, 0, -30), (3, 0, -20), (4, 0, -90), (5, 0, -10), (6, 0, -10))
    for number, hours in ((1, 24), (2, 24), (3, 24), (4, 24), (5, 0.1), (6, 24)):
        known_from(chain, number, hours)
    chain.execute("update sync.roster set outcome = 'failed' where identity_value = %s", by_phone(6).value)

    assert claimed(chain, 10) == [1]
    assert sorted(claimed(chain, 10, ahead=3600)) == [1, 2, 3], (
        "not who has just been looked up, nor who waits for a retry"
    )
