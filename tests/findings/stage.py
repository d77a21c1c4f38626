"""Simulators with customers for many seasons, and what is compared once these are over."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random

import requests

from findings.book import read_book
from findings.conservation import violations
from findings.ground import AT_ONCE, Ground, Look
from findings.season import MOMENTS, Season, any_switches, bring_in, keep_looks
from findings.service import MISTAKE
from findings.story import Flag
from findings.truth import CERTAIN_RULES, dangling, expected, name_of
from findings.truth_orders import ORDER_RULES
from findings.virtual_time import VirtualTime
from syrve.api.client import SyrveClient
from syrve.api.config import SyrveConfig
from syrve.api.dialects import DIALECTS
from syrve.findings.reconcile import reconcile
from syrve.findings.rules import Rule, all_rules
from syrve.findings.thresholds import Limits, Thresholds
from syrve.wallet.ledger import Ledger
from syrve.wallet.money import Money
from syrve.wallet.settle import Settler
from syrve.wallet.settle_unknown import settle_unknown
from syrve.wallet.transactions import TransactionsImport
from syrve.warehouse.database import Warehouse
from syrve.warehouse.runs import TaskKey
from syrve_simulator.control import SimulatorControl
from syrve_simulator.in_process import InProcessSimulator
from syrve_simulator.process import start_simulator
from syrve_simulator.settings import Settings

LIMITS = Limits(lookback_seconds=20 * 86400.0, unknown_grace_seconds=300.0)
_CUSTOMERS = 1000


@dataclass
class Stage:
    """One simulator with the customers that no season has taken yet."""

    dialect: str
    url: str
    control: SimulatorControl
    reach: Callable[[requests.Session], None]

    def __post_init__(self) -> None:
        self.organization_id = self.control.organizations()[0]["organization_id"]
        self.looks: list[Look] = []
        self.customers = iter(self.control.customers_page(self.organization_id, limit=5000))

    def season(self, seed: int, rng: Random, time: VirtualTime, warehouse: Warehouse) -> Season:
        ground = Ground(
            seed,
            rng,
            time,
            self.url,
            self.control,
            self.dialect,
            warehouse,
            self.organization_id,
            self.customers,
            self.looks,
            reach=self.reach,
            switches=any_switches(rng),
        )
        return Season(ground)


def stages_without_a_socket(first: int, *, organizations: int = 1) -> list[Stage]:
    """A simulator of each dialect in this process."""
    simulators = [
        InProcessSimulator(
            Settings(
                seed=first + place, dialect=dialect, customers=1000, organizations=organizations, record_requests=True
            )
        )
        for place, dialect in enumerate(DIALECTS)
    ]
    return [
        Stage(dialect, each.url, each.control, each.reach) for dialect, each in zip(DIALECTS, simulators, strict=True)
    ]


@contextmanager
def stages_over_http(first: int) -> Iterator[list[Stage]]:
    """A simulator of each dialect in a process of its own."""
    with ExitStack() as stack:
        stages = []
        for seed, dialect in enumerate(DIALECTS, start=first):
            simulator = stack.enter_context(
                start_simulator(seed=seed, dialect=dialect, customers=_CUSTOMERS, organizations=1, record_requests=True)
            )
            stages.append(Stage(dialect, simulator.url, simulator.control, lambda session: None))
        yield stages


def end_seasons(seasons: Sequence[Season], stages: Sequence[Stage], warehouse: Warehouse) -> None:
    """Finish the stories by the simulators' books, and write down what was seen of balances."""
    books = {stage.organization_id: read_book(stage.control, stage.organization_id) for stage in stages}
    for stage in stages:
        keep_looks(warehouse, stage.organization_id, stage.looks)
    for season in seasons:
        season.end(books[season.ground.organization_id])


def import_records(seasons: Sequence[Season], part: str, warehouse: Warehouse) -> None:
    """Import what was told in time (`records`) or `late`; nothing of it may be refused but what was told by mistake."""
    rows = [row for season in seasons for row in getattr(season.ground, part)]
    bring_in(warehouse, part, rows, seasons[0].ground.rng)
    with warehouse.transaction("test") as cursor:
        cursor.execute("select reason from sync.reject where strpos(identity, %s) = 0", (MISTAKE,))
        assert cursor.fetchall() == []


def read_report(stage: Stage, time: VirtualTime, warehouse: Warehouse) -> None:
    """Read Syrve's transactions report, and look for evidence of what is unknown, as of the last day."""
    config = SyrveConfig(stage.url, "demo-login", dialect=stage.dialect)
    session = requests.Session()
    stage.reach(session)
    with time.beginning_at(MOMENTS[-1]), SyrveClient(config, keeps_connection=False, session=session) as client:
        time.show_database()
        report = TransactionsImport(warehouse, client, key=TaskKey("report", "import"))
        report.run([stage.organization_id], customers=_CUSTOMERS)
        settler = Settler(Money(Ledger(warehouse), client, settings=AT_ONCE))
        settle_unknown(settler, warehouse, [stage.organization_id], operations=10_000)


def work_out(
    stages: Sequence[Stage],
    warehouse: Warehouse,
    moments: Sequence[datetime],
    run: str,
    *,
    limits: Limits = LIMITS,
    rules: Sequence[Rule] | None = None,
) -> None:
    """Reconcile all organizations as of each moment."""
    organization_ids = [stage.organization_id for stage in stages]
    for moment in moments:
        reconcile(
            warehouse,
            as_of=moment,
            organization_ids=organization_ids,
            thresholds=Thresholds(limits),
            run_id=run,
            rules=rules,
        )


def differences(
    seasons: Sequence[Season], stages: Sequence[Stage], warehouse: Warehouse, moments: Sequence[datetime] = MOMENTS
) -> list[str]:
    """Say of each seed what was missed, and what was invented; nothing where precision and recall of every rule are 1."""
    told = []
    for moment in moments:
        got = [flag for stage in stages for flag in found(warehouse, stage.organization_id, moment)]
        told += [compare(season, moment, got) for season in seasons]
        if moment == MOMENTS[-1]:
            told += [violations(season, moment, got) for season in seasons]
        known = {customer_id for season in seasons for customer_id in season.ground.purses}
        told += [f"invented {flag} of nobody, as of {moment}" for flag in got if flag.customer_id not in known]
    return [each for each in told if each]


def blind(*names: str) -> list[Rule]:
    """All rules, of which those named never find anything."""
    rules = []
    for rule in all_rules():
        query = f"select * from ({rule.query}) as whatever where false"
        rules.append(replace(rule, query=query) if rule.name in names else rule)
    return rules


def found(warehouse: Warehouse, organization_id: str, moment: datetime) -> list[Flag]:
    """What is flagged as of a moment; a charge is named by its caller's key, one of ours by its marker."""
    with warehouse.transaction("test") as cursor:
        cursor.execute(
            "select finding.rule, finding.customer_id::text, finding.wallet_id::text, "
            "coalesce("
            "case when finding.subject like 'order:%%' then finding.evidence ->> 'order_id' end, "
            "case when finding.rule <> 'operation_left_planned' then coalesce("
            "finding.hold_id::text, "
            "case when starts_with(operation.source, 'import:') then operation.idempotency_key else operation.operation_id::text end"
            ") end), finding.amount_at_risk "
            "from wallet.finding_as_of(%s) as finding left join wallet.operation as operation "
            "on operation.operation_id::text = split_part(finding.subject, ':', 2) "
            "where finding.organization_id = %s and finding.status = 'open'",
            (moment, organization_id),
        )
        return [Flag(*row) for row in cursor.fetchall()]


def compare(season: Season, moment: datetime, got: Sequence[Flag]) -> str:
    """Say what was missed and what was invented of one seed; nothing where precision and recall are 1."""
    ground = season.ground
    wanted = Counter(_of_nobody(flag) for flag in expected(ground.story, LIMITS, moment))
    mine = Counter(_of_nobody(flag) for flag in got if flag.customer_id in ground.purses)
    nameless = {flag._replace(about=None) for flag in wanted if flag.about is None}  # the call never arrived
    mine = Counter(
        flag if flag._replace(about=None) not in nameless else flag._replace(about=None) for flag in mine.elements()
    )
    missed, invented = wanted - mine, mine - wanted
    lines = by_the_book(season, moment, mine)
    lines += [f"  missed   {flag}" for flag in missed.elements()]
    lines += [f"  invented {flag}" for flag in invented.elements()]
    if lines:
        lines.insert(0, f"seed {ground.seed} ({ground.dialect}, {ground.switches}), as of {moment}:")
    return "\n".join(lines)


def _of_nobody(flag: Flag) -> Flag:
    """Leave out which guest an order's finding names: several pay, and whose hold was made may be told only later."""
    return flag._replace(customer_id="", wallet_id="") if flag.rule in ORDER_RULES else flag


def by_the_book(season: Season, moment: datetime, got: Iterable[Flag]) -> list[str]:
    """Say what contradicts the simulator's list of holds itself, whatever we think that each rule should say."""
    assert season.book is not None
    assert season.service is not None
    flagged = {flag.about for flag in got}
    left = dangling(season.book, season.ground.story, LIMITS, moment)
    nobody_wrote_down = season.service.unwritten
    lines = [
        f"  missed by all rules: {hold}"
        for name, hold in left.items()
        if name not in flagged and hold.comment not in nobody_wrote_down and name not in season.service.misreported
    ]
    nobody_can_tell = {hold.hold_id for hold in season.ground.story.holds if not hold.id_is_known}
    still_open = {name_of(hold) for hold in season.book.holds if hold.is_open(moment)} | nobody_can_tell
    certain = [flag for flag in got if flag.rule in CERTAIN_RULES]
    return lines + [f"  flagged, but not open: {flag}" for flag in certain if flag.about not in still_open]
