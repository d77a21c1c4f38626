"""Claiming due identities, planning a run and fitting theta, on a roster of 100 thousand and on one of 10 million."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg2

from benchmarks.bench_server import BenchServer, bench_server, execute
from benchmarks.clients.ours_roster import BATCH_SIZE, Roster
from benchmarks.measure import Figures, Promise, say
from benchmarks.population import organization_id
from syrve.customers.refit import refit
from syrve.warehouse.database import transaction

FULL, QUICK = (100_000, 10_000_000, 48, 5), (10_000, 20_000, 4, 2)
"""Small roster, large roster, claims, plannings."""
BUSY = [organization_id(number) for number in range(4)]
FEW_DUE, NONE_DUE = organization_id(4), organization_id(5)
FEW = 40
ORGANIZATIONS = [*BUSY, FEW_DUE, NONE_DUE]
FILL = """
    insert into sync.roster (
        organization_id, identity_kind, identity_value, source, priority, due_at, checked_at, outcome, customer_id, changes, exposure_days,
        lease, leased_until
    )
    select
        (array[{organizations}]::uuid[])[1 + n %% {number}],
        case when n %% 10 = 0 then 'id' else 'phone' end,
        case when n %% 10 = 0 then md5(n::text)::uuid::text else '+7' || (9000000000 + n) end,
        'bench',
        case when n %% 100 < 2 then 10 when n %% 100 < 10 then 5 else 0 end,
        case
            when n %% {number} = {none_due} then now() + make_interval(secs => 3600 + abs(hashint4(n)) %% 604800)
            when n %% {number} = {few_due} and n / {number} >= {few}
                then now() + make_interval(secs => 3600 + abs(hashint4(n)) %% 604800)
            when abs(hashint4(n)) %% 100 < %(due_percent)s then now() - make_interval(secs => abs(hashint4(n + 1)) %% 86400)
            else now() + make_interval(secs => 3600 + abs(hashint4(n)) %% 604800)
        end,
        now() - interval '2 days',
        'found',
        md5((n + 7)::text)::uuid,
        power(abs(hashint4(n + 3)) %% 1000 / 1000.0, 6) * 20,
        abs(hashint4(n + 5)) %% 140,
        case when abs(hashint4(n)) %% 1000 < 2 then 999998 + n %% 2 end,
        case when abs(hashint4(n)) %% 1000 < 2 then now() + interval '10 minutes' end
    from generate_series(0, %(size)s - 1) as n
"""
DUE_PERCENT = 50
ACCOUNT = """
    insert into syrve.organization (organization_id, name, time_zone, account, synced_at)
    select organization_id, 'bench', 'UTC', 'bench', now() from unnest(%(organizations)s::uuid[]) as organization_id;
    insert into sync.call_budget (account, family, calls_per_minute, configured_per_minute)
    values ('bench', 'customer', %(per_minute)s, %(per_minute)s);
"""
LEASE_OF_ANOTHER = 999_999


@dataclass
class Sized:
    """A roster of one size, the connection of the task that claims from it, and that of another that holds leases."""

    size: int
    roster: Roster
    other: Roster

    @property
    def name(self) -> str:
        """Name it."""
        return f"{self.size:,}"


def run(*, quick: bool) -> list[Promise]:
    """Fill both rosters, claim in turn, and return how the times compare."""
    small, large, claims, plannings = QUICK if quick else FULL
    figures = Figures()
    with bench_server() as here:
        sizes = [_filled(here, size) for size in (small, large)]
        try:
            _claims(figures, sizes, claims)
            for name, organization in (("few due", FEW_DUE), ("none due", NONE_DUE)):
                _times(figures, sizes, name, plannings * 2, partial(_claimed_by, organization))
            _times(figures, sizes, "planning", plannings, Roster.count_due)
            rewritten = _fits(figures, sizes[1], plannings)
        finally:
            for each in sizes:
                each.roster.close()
                each.other.close()
    return [
        *(_promise(figures, name, small, large) for name in ("claim", "few due", "none due", "planning")),
        Promise(
            f"theta for {large:,} identities, slowest of {plannings}",
            figures.largest(f"{large:,}", "theta"),
            5.0,
            at_least=False,
            unit=" s",
        ),
        Promise("theta: roster rows written", rewritten, 0, at_least=False, unit=""),
    ]


def _fits(figures: Figures, large: Sized, number: int) -> int:
    """Fit theta as each plan does; return how many rows of the roster that wrote."""
    values = {"organizations": ORGANIZATIONS, "per_minute": large.size / 30 / 1440}
    with transaction(large.roster.connection, "list the organizations") as cursor:
        cursor.execute(ACCOUNT, values)
    before = large.roster.rows_written()
    for count in range(number):
        started = time.perf_counter()
        with transaction(large.roster.connection, "fit theta") as cursor:
            (outlook,) = refit(cursor).values()
        seconds = time.perf_counter() - started
        figures.add(large.name, theta=seconds)
        say(count + 1, f"theta, {large.name}", f"{seconds:6.2f} s  theta {outlook.theta:.3f}")
    return large.roster.rows_written() - before


def _promise(figures: Figures, name: str, small: int, large: int) -> Promise:
    told = {
        "claim": f"a batch of {BATCH_SIZE}",
        "few due": f"with {FEW} due",
        "none due": "with none due",
        "planning": "planning",
    }
    times = [figures.median(f"{size:,}", name) for size in (small, large)]
    print(f"  {told[name]:<20} {small:,}: {1000 * times[0]:10.2f} ms   {large:,}: {1000 * times[1]:10.2f} ms")
    return Promise(f"claim, {told[name]}: {large:,} to {small:,}", times[1] / times[0], 3.0, at_least=False)


def _claims(figures: Figures, sizes: list[Sized], claims: int) -> None:
    """Claim batch after batch from the busy organizations, both rosters in turn; what was claimed is finished, outside the clock."""
    written = {each.size: 0 for each in sizes}
    for number in range(claims):
        for each in sizes:
            before = each.roster.wal_bytes()
            organization, now = BUSY[number % len(BUSY)], each.roster.now()
            started = time.perf_counter()
            claimed = each.roster.claim(organization, now)
            seconds = time.perf_counter() - started
            if claimed != BATCH_SIZE and each.size >= FULL[0]:
                raise AssertionError(f"a claim gave {claimed} identities: too few are due in the roster of {each.name}")
            figures.add(each.name, claim=seconds)
            each.roster.finish()
            written[each.size] += each.roster.wal_bytes() - before
    for each in sizes:
        values = sorted(figures.values[each.name, "claim"])
        text = f"median {1000 * figures.median(each.name, 'claim'):8.2f} ms  slowest {1000 * values[-1]:8.2f} ms  "
        text += f"WAL of claim and finish {written[each.size] / claims / BATCH_SIZE:7,.0f} bytes per identity"
        say("all", f"claim from {each.name}", text)


def _claimed_by(organization: str, roster: Roster, now: Any) -> object:
    return roster.claim(organization, now)


def _times(figures: Figures, sizes: list[Sized], name: str, number: int, work: Callable[[Roster, Any], object]) -> None:
    for count in range(number):
        for each in sizes:
            now = each.roster.now()
            started = time.perf_counter()
            work(each.roster, now)
            figures.add(each.name, **{name: time.perf_counter() - started})
            each.roster.give_back()
            if count == 0:
                say("first", f"{name}, {each.name}", f"{1000 * figures.values[each.name, name][0]:8.2f} ms")


def _filled(here: BenchServer, size: int) -> Sized:
    """Make a roster of six organizations, of which four have half due; some are leased, by a live task or by a dead one.

    Secondary indexes are made after the rows.
    """
    started = time.monotonic()
    dsn = here.fresh_database(f"roster_{size}", migrated=True)
    connection = psycopg2.connect(dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index "
            "where indrelid = 'sync.roster'::regclass and not indisprimary"
        )
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f"drop index {name}")
        names = ", ".join(f"'{each}'" for each in ORGANIZATIONS)
        number = len(ORGANIZATIONS)
        statement = FILL.format(organizations=names, number=number, few_due=number - 2, none_due=number - 1, few=FEW)
        cursor.execute(statement, {"size": size, "due_percent": DUE_PERCENT})
        for _, definition in indexes:
            cursor.execute(definition)
    connection.close()
    execute(dsn, "vacuum (analyze) sync.roster", "checkpoint")
    print(f"  a roster of {size:,} took {time.monotonic() - started:.0f} s to make", flush=True)
    return Sized(size, Roster(dsn), Roster(dsn, LEASE_OF_ANOTHER))
