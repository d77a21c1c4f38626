"""`make up SEED=1`: imports the simulator's customers into the roster and pulls them, by the product's own DAGs."""

import json

from devstack import names
from devstack.console import Teller
from devstack.errors import StackError
from devstack.roster import Known, build_roster, import_conf, to_csv
from devstack.run import run
from devstack.stack import Stack
from syrve_simulator.control import SimulatorControl


def seed(stack: Stack, teller: Teller) -> int:
    """Fill the warehouse of the stack that is up; returns 0, or the code of the run that failed. Raises StackError without a simulator."""
    state = stack.load()
    if state is None or not state.simulator_url:
        raise StackError(f"SEED=1 is for the simulator: {names.SYRVE_CONNECTION_VARIABLE} names your own account")
    simulator = SimulatorControl(state.simulator_url)
    customers = [
        Known(each["organization_id"], each["customer_id"], each["phone"], each["card_tracks"])
        for organization in simulator.organizations()
        for each in simulator.customers(organization["organization_id"])
    ]
    roster = build_roster(customers)
    stack.paths.roster.write_text(to_csv(roster.rows))
    teller.say(
        f"seeding: {roster.known:,} customers, {roster.unknown} unknown phones, {roster.junk} that are not phones"
    )
    for dag_id, conf in ((names.ROSTER_IMPORT_DAG, import_conf(stack.paths.roster)), (names.CUSTOMERS_DAG, {})):
        if code := run(stack, teller, dag_id, json.dumps(conf)):
            return code
    return 0
