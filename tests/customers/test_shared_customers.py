"""Batches that share customers and are merged at the same time: they follow one another, and none of them fails."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from functools import partial

from fixtures.chains import (
    FAILED,
    ORGANIZATION,
    START,
    Chain,
    add_identities,
    blocked_by,
    by_card,
    by_id,
    by_phone,
    customer,
    merge,
    result,
    take_leases,
)
from fixtures.waiting import PATIENCE_SECONDS, wait_until
from syrve.api.bulk import LookupResult
from syrve.warehouse.database import transaction
from syrve.warehouse.sql_files import sql
from syrve.warehouse.staging import prepare_staging

SECOND = timedelta(seconds=1)


def test_twelve_who_find_the_same_new_customers_at_once_all_succeed(chain: Chain) -> None:
    cards = [[by_card(f"{lane}-{number}") for number in range(40)] for lane in range(12)]
    add_identities(chain.warehouse, [each for mine in cards for each in mine])
    start = threading.Barrier(12)

    def run(lane: int) -> int:
        answers = [result(each, customer(number), START + lane * SECOND) for number, each in enumerate(cards[lane])]
        with chain.warehouse.connect() as connection:
            prepare_staging(connection)
            take_leases(connection, cards[lane], lane)
            start.wait(PATIENCE_SECONDS)
            with transaction(connection, "merge") as cursor:
                return merge(cursor, answers[lane:] + answers[:lane], number=lane).changed

    with ThreadPoolExecutor(12) as pool:
        changed = list(pool.map(run, range(12)))

    assert sum(changed) == 40, "each is new to one of them and unchanged to the others"
    found = "select count(*), count(distinct customer_id) from sync.roster where outcome = 'found'"
    assert chain.rows(found) == [(480, 40)]


def test_batch_whose_new_customers_others_write_first_one_after_another_succeeds(chain: Chain) -> None:
    theirs = [result(by_card(f"a{number}"), customer(number), START) for number in range(5)]
    mine = [result(by_card(f"b{number}"), customer(number, name="Later"), START + SECOND) for number in range(5)]
    add_identities(chain.warehouse, [each.lookup for each in theirs + mine])
    with ExitStack() as stack:
        *others, me = [stack.enter_context(chain.warehouse.connect()) for _ in range(6)]
        prepare_staging(me)
        take_leases(me, [each.lookup for each in mine], 5)
        for number, connection in enumerate(others):
            prepare_staging(connection)
            take_leases(connection, [theirs[number].lookup], number)
            with connection.cursor() as cursor:
                merge(cursor, [theirs[number]], number=number)

        def follow() -> int:
            with transaction(me, "merge") as cursor:
                return merge(cursor, mine, number=5).changed

        with ThreadPoolExecutor(1) as pool:
            following = pool.submit(follow)
            for connection in others:
                wait_until(partial(blocked_by, chain.warehouse, me, connection))
                connection.commit()
            assert following.result(PATIENCE_SECONDS) == 5
    assert chain.rows("select name, count(*) from syrve.customer group by 1") == [("Later", 5)]


def test_batches_that_cross_never_wait_for_each_other_in_a_circle(chain: Chain) -> None:
    """One finds the first and gets no answer about the second, the other the other way round, and a form makes all due meanwhile."""
    identities = [by_phone(1), by_id(1), by_phone(2), by_id(2)]
    add_identities(chain.warehouse, identities)
    chain.know([by_phone(1), by_id(1)], customer(1))
    chain.know([by_phone(2), by_id(2)], customer(2))
    chain.pull()
    start = threading.Barrier(3)

    def answers(lane: int, number: int) -> list[LookupResult]:
        found, missed = (1, 2) if lane == 0 else (2, 1)
        at = chain.now + (1 + number) * SECOND
        return [result(by_phone(found), customer(found, name=str(number)), at), result(by_id(missed), FAILED, at)]

    def work(lane: int) -> None:
        with chain.warehouse.connect() as connection:
            prepare_staging(connection)
            for number in range(30):
                mine = answers(lane, number)
                take_leases(connection, [each.lookup for each in mine], lane)
                start.wait(PATIENCE_SECONDS)
                with transaction(connection, "merge") as cursor:
                    merge(cursor, mine, number=lane)

    def force() -> None:
        for _ in range(30):
            start.wait(PATIENCE_SECONDS)
            with chain.warehouse.transaction("force") as cursor:
                cursor.execute(sql("roster/force.sql"), {"organization_ids": [ORGANIZATION]})

    with ThreadPoolExecutor(3) as pool:
        for each in [pool.submit(work, 0), pool.submit(work, 1), pool.submit(force)]:
            each.result(PATIENCE_SECONDS)

    assert chain.rows("select distinct name from syrve.customer") == [("29",)]
