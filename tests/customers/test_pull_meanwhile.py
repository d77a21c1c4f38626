"""Pulls while others write at Syrve, clocks are off and everybody is not found for a while: in the end the mirror is what Syrve has."""

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from customers.test_clock_skew import pull
from fixtures.pulls import Syncing
from syrve.api.config import SyrveConfig
from syrve.api.errors import SyrveError
from syrve.customers.holding import CustomersHeldBack
from syrve.customers.pull_settings import PullSettings
from syrve.warehouse.database import Warehouse
from syrve_simulator.process import SimulatorProcess, start_simulator

GUESTS, STEPS = 80, 14
NOT_FOUND = {"code": "Transport_WrongCustomerId", "errorCode": "Customer_CustomerNotFound", "httpStatusCode": 400}
SKEWS = [timedelta(), timedelta(seconds=90), timedelta(hours=-1), timedelta(days=2)]


@dataclass
class PullScenario:
    """What happens at Syrve and here, in an order that chance decides."""

    syncing: Syncing
    chance: random.Random
    guests: list[str]
    surnames: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    def other_writer_changes_a_customer(self) -> None:
        one = self.chance.choice([each for each in self.guests if each not in self.gone])
        self.surnames[one] = f"Чужой-{self.chance.randrange(1000)}"
        control = self.syncing.simulator.control
        control.change_customer(self.syncing.organization_id, one, fields={"surname": self.surnames[one]})

    def syrve_forgets_a_customer(self) -> None:
        if len(self.gone) < 5:
            one = self.chance.choice([each for each in self.guests if each not in self.gone])
            self.syncing.simulator.control.remove_customer(self.syncing.organization_id, one)
            self.gone.add(one)

    def nobody_is_found(self) -> None:
        rule = {"operation": "customer_info", "fault": "status", "status": 400, "body": NOT_FOUND}
        self.syncing.simulator.control.set_faults([rule])

    def service_is_well(self) -> None:
        self.syncing.simulator.control.clear_faults()

    def service_fails_half_of_the_time(self) -> None:
        rules: list[dict[str, object]] = [
            {"operation": "customer_info", "fault": "status", "status": 503, "probability": 0.3},
            {"operation": "customer_info", "fault": "reset_after", "probability": 0.3},
        ]
        self.syncing.simulator.control.set_faults(rules)

    def pull(self) -> None:
        share = self.chance.uniform(0.1, 1.0)
        self.syncing.execute("update sync.roster set due_at = now() where random() < %s", share)
        with suppress(SyrveError):
            pull(self.syncing, self.chance.choice(SKEWS))

    def person_decides(self) -> None:
        numbers = self.syncing.rows("select breaker_id from sync.breaker where decision is null")
        for (number,) in numbers:
            self.syncing.value("select sync.drop_held_back(%s)", number)

    @property
    def deleted(self) -> set[str]:
        rows = self.syncing.rows("select customer_id::text from syrve.customer where is_deleted")
        return {each for (each,) in rows}

    def heal(self) -> None:
        """Let everything be well, and pull until nothing changes any more; what is still held back then is true, and a person sees that."""
        self.service_is_well()
        for _ in range(4):
            self.syncing.make_due()
            with suppress(CustomersHeldBack):
                self.syncing.pull()
            for (number,) in self.syncing.rows("select breaker_id from sync.breaker where decision is null"):
                self.syncing.value("select sync.let_through(%s)", number)


@pytest.fixture(scope="module")
def own_simulator() -> Iterator[SimulatorProcess]:
    with start_simulator(customers=6 * GUESTS, seed=23) as process:
        yield process


@pytest.fixture
def make_scenario(own_simulator: SimulatorProcess, warehouse: Warehouse) -> Callable[[int], PullScenario]:
    own_simulator.control.clear_faults()
    config = SyrveConfig(base_url=own_simulator.url, api_login="demo-login")
    syncing = Syncing(own_simulator, warehouse, config, settings=PullSettings(batch_size=40))

    def begin(seed: int) -> PullScenario:
        guests = [each["customer_id"] for each in syncing.customers(GUESTS)]
        syncing.add(id=guests)
        syncing.pull()
        return PullScenario(syncing, random.Random(seed), guests)

    return begin


@pytest.mark.parametrize("seed", range(5))
def test_mirror_converges_to_syrve_whatever_happens_meanwhile(
    make_scenario: Callable[[int], PullScenario], seed: int
) -> None:
    scenario = make_scenario(seed)
    acts = [
        scenario.other_writer_changes_a_customer,
        scenario.other_writer_changes_a_customer,
        scenario.syrve_forgets_a_customer,
        scenario.nobody_is_found,
        scenario.service_is_well,
        scenario.service_fails_half_of_the_time,
        scenario.pull,
        scenario.pull,
        scenario.pull,
        scenario.person_decides,
    ]
    for _ in range(STEPS):
        before = scenario.deleted
        act = scenario.chance.choice(acts)
        act()
        wrongly = scenario.deleted - scenario.gone - before
        assert len(wrongly) <= scenario.syncing.settings.breaker.at_least, "one run deletes no more than it may"
        assert scenario.syncing.value("select coalesce(bool_and(fetched_at <= now()), true) from syrve.customer")

    scenario.heal()

    assert scenario.deleted == scenario.gone
    known = dict(scenario.syncing.rows("select customer_id::text, surname from syrve.customer"))
    assert {one: known[one] for one in scenario.surnames if one not in scenario.gone} == {
        one: surname for one, surname in scenario.surnames.items() if one not in scenario.gone
    }
    assert scenario.syncing.value("select count(*) from sync.held_back") == 0
    assert scenario.syncing.value("select count(*) from sync.breaker where decision is null") == 0
