"""Simulators with customers for many simulations, and what is compared once these are over."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random

import requests

from findings.book import read_book
from findings.conservation import violations
from findings.expected import CERTAIN_RULES, dangling, expected, name_of
from findings.expected_of_orders import ORDER_RULES
from findings.history import Flag
from findings.service import MISTAKE
from findings.simulation import MOMENTS, Simulation, any_switches, bring_in, keep_looks
from findings.virtual_time import VirtualTime
from findings.world import AT_ONCE, Look, World
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
from syrve_simulator.options import Options
from syrve_simulator.process import start_simulator

LIMITS = Limits(lookback_seconds=20 * 86400.0, unknown_grace_seconds=300.0)
_CUSTOMERS = 1000


@dataclass
class SimulatorServer:
    """One simulator with the customers that no simulation has taken yet."""

    dialect: str
    url: str
    control: SimulatorControl
    reach: Callable[[requests.Session], None]

    def __post_init__(self) -> None:
        self.organization_id = self.control.organizations()[0]["organization_id"]
        self.looks: list[Look] = []
        self.customers = iter(self.control.customers_page(self.organization_id, limit=5000))

    def session(self) -> requests.Session:
        """A session that reaches this simulator."""
        session = requests.Session()
        self.reach(session)
        return session

    def simulation(self, seed: int, rng: Random, time: VirtualTime, warehouse: Warehouse) -> Simulation:
        world = World(
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
        return Simulation(world)


def servers_in_process(first: int, *, organizations: int = 1) -> list[SimulatorServer]:
    """A simulator of each dialect in this process."""
    simulators = [
        InProcessSimulator(
            Options(
                seed=first + place, dialect=dialect, customers=1000, organizations=organizations, record_requests=True
            )
        )
        for place, dialect in enumerate(DIALECTS)
    ]
    return [
        SimulatorServer(dialect, each.url, each.control, each.reach)
        for dialect, each in zip(DIALECTS, simulators, strict=True)
    ]


@contextmanager
def servers_over_http(first: int) -> Iterator[list[SimulatorServer]]:
    """A simulator of each dialect in a process of its own."""
    with ExitStack() as stack:
        servers = []
        for seed, dialect in enumerate(DIALECTS, start=first):
            simulator = stack.enter_context(
                start_simulator(seed=seed, dialect=dialect, customers=_CUSTOMERS, organizations=1, record_requests=True)
            )
            servers.append(SimulatorServer(dialect, simulator.url, simulator.control, lambda session: None))
        yield servers


def end_simulations(
    simulations: Sequence[Simulation], servers: Sequence[SimulatorServer], warehouse: Warehouse
) -> None:
    """Finish the histories by the simulators' books, and record what was seen of balances."""
    books = {server.organization_id: read_book(server.control, server.organization_id) for server in servers}
    for server in servers:
        keep_looks(warehouse, server.organization_id, server.looks)
    for simulation in simulations:
        simulation.end(books[simulation.world.organization_id])


def import_records(simulations: Sequence[Simulation], part: str, warehouse: Warehouse) -> None:
    """Import what was told in time (`records`) or `late`; nothing of it may be refused but what was told by mistake."""
    rows = [row for simulation in simulations for row in getattr(simulation.world, part)]
    bring_in(warehouse, part, rows, simulations[0].world.rng)
    with warehouse.transaction("test") as cursor:
        cursor.execute("select reason from sync.reject where strpos(identity, %s) = 0", (MISTAKE,))
        assert cursor.fetchall() == []


def read_report(server: SimulatorServer, time: VirtualTime, warehouse: Warehouse) -> None:
    """Read Syrve's transactions report, and look for evidence of what is unknown, as of the last day."""
    config = SyrveConfig(server.url, "demo-login", dialect=server.dialect)
    with (
        time.beginning_at(MOMENTS[-1]),
        SyrveClient(config, keeps_connection=False, session=server.session()) as client,
    ):
        time.show_database()
        report = TransactionsImport(warehouse, client, key=TaskKey("report", "import"))
        report.run([server.organization_id], customers=_CUSTOMERS)
        settler = Settler(Money(Ledger(warehouse), client, settings=AT_ONCE))
        settle_unknown(settler, warehouse, [server.organization_id], operations=10_000)


def work_out(
    servers: Sequence[SimulatorServer],
    warehouse: Warehouse,
    moments: Sequence[datetime],
    run: str,
    *,
    limits: Limits = LIMITS,
    rules: Sequence[Rule] | None = None,
) -> None:
    """Reconcile all organizations as of each moment."""
    organization_ids = [server.organization_id for server in servers]
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
    simulations: Sequence[Simulation],
    servers: Sequence[SimulatorServer],
    warehouse: Warehouse,
    moments: Sequence[datetime] = MOMENTS,
) -> list[str]:
    """Say of each seed what was missed, and what was invented; nothing where precision and recall of every rule are 1."""
    told = []
    for moment in moments:
        got = [flag for server in servers for flag in found(warehouse, server.organization_id, moment)]
        told += [compare(simulation, moment, got) for simulation in simulations]
        if moment == MOMENTS[-1]:
            told += [violations(simulation, moment, got) for simulation in simulations]
        known = {customer_id for simulation in simulations for customer_id in simulation.world.purses}
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


def compare(simulation: Simulation, moment: datetime, got: Sequence[Flag]) -> str:
    """Say what was missed and what was invented of one seed; nothing where precision and recall are 1."""
    world = simulation.world
    wanted = Counter(_of_nobody(flag) for flag in expected(world.history, LIMITS, moment))
    mine = Counter(_of_nobody(flag) for flag in got if flag.customer_id in world.purses)
    nameless = {flag._replace(about=None) for flag in wanted if flag.about is None}  # the call never arrived
    mine = Counter(
        flag if flag._replace(about=None) not in nameless else flag._replace(about=None) for flag in mine.elements()
    )
    missed, invented = wanted - mine, mine - wanted
    lines = by_the_book(simulation, moment, mine)
    lines += [f"  missed   {flag}" for flag in missed.elements()]
    lines += [f"  invented {flag}" for flag in invented.elements()]
    if lines:
        lines.insert(0, f"seed {world.seed} ({world.dialect}, {world.switches}), as of {moment}:")
    return "\n".join(lines)


def _of_nobody(flag: Flag) -> Flag:
    """Leave out which guest an order's finding names: several pay, and whose hold was made may be told only later."""
    return flag._replace(customer_id="", wallet_id="") if flag.rule in ORDER_RULES else flag


def by_the_book(simulation: Simulation, moment: datetime, got: Iterable[Flag]) -> list[str]:
    """Say what contradicts the simulator's list of holds itself, whatever we think that each rule should say."""
    assert simulation.book is not None
    assert simulation.service is not None
    flagged = {flag.about for flag in got}
    left = dangling(simulation.book, simulation.world.history, LIMITS, moment)
    nobody_wrote_down = simulation.service.unwritten
    lines = [
        f"  missed by all rules: {hold}"
        for name, hold in left.items()
        if name not in flagged and hold.comment not in nobody_wrote_down and name not in simulation.service.misreported
    ]
    nobody_can_tell = {hold.hold_id for hold in simulation.world.history.holds if not hold.id_is_known}
    still_open = {name_of(hold) for hold in simulation.book.holds if hold.is_open(moment)} | nobody_can_tell
    certain = [flag for flag in got if flag.rule in CERTAIN_RULES]
    return lines + [f"  flagged, but not open: {flag}" for flag in certain if flag.about not in still_open]
