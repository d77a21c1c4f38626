"""`make up`, `make down` and their companions: a stack that stays until it is told to go."""

import shutil
import time
from functools import partial
from pathlib import Path

from devstack import environments, names
from devstack.console import Teller
from devstack.errors import StackError
from devstack.postgres import installed_binaries
from devstack.purposes import UP
from devstack.stack import Stack
from devstack.state import StackState


def up(stack: Stack, teller: Teller) -> int:
    """Bring the stack up, unless it is; waits for `make run` commands that brought up their own stack."""
    waiting = False
    while True:
        with stack.locked():
            state = stack.load()
            if state is not None and state.is_whole() and state.purpose == UP.name:
                teller.plain("It is up already.")
                _introduce(stack, state, teller)
                return 0
            if state is not None:
                state.forget_dead_users()
            if state is None or not state.users or not state.is_whole():
                stack.remove_leftovers()
                state = stack.bring_up(UP)
                _introduce(stack, state, teller)
                return 0
        if not waiting:
            teller.say("a `make run` uses its own stack here: waiting for it to end")
            waiting = True
        time.sleep(1)


def down(stacks: list[Stack], teller: Teller) -> int:
    """Stop what is up, half-started or left behind; a demo that is at work is left to stop by itself."""
    stopped = False
    for stack in filter(_exists, stacks):
        state = stack.load()
        if state is not None and state.purpose == "demo" and state.starter.is_alive():
            teller.say(f"a demo is at work (pid {state.starter.pid}): it stops by itself, or with Ctrl-C")
            continue
        with stack.locked():
            state = stack.load()
            if state is None:
                continue
            state.forget_dead_users()
            if state.users:
                teller.say(f"`make run` commands that lose their stack: {len(state.users)}")
            stack.pause_again(stack.api(state), state.unpaused)
            running = len([c for c in state.components if c.is_alive()])
            stack.take_down(state)
            teller.say(f"stopped {running} components of `{state.purpose}`; its data stay in {stack.paths.directory}")
            stopped = True
    if not stopped:
        teller.plain("Nothing is up.")
    return 0


def status(stacks: list[Stack], teller: Teller) -> int:
    """Say what is up; returns 0 when a whole stack is, else 3."""
    whole = False
    for stack in stacks:
        state = stack.load()
        if state is None:
            continue
        whole = whole or state.is_whole()
        teller.plain(f"{state.purpose}: {state.status} {state.api_url}")
        for component in state.components:
            alive = f"pid {component.pid}" if component.is_alive() else "ended"
            teller.plain(f"  {component.name:<14} {alive:<10} {component.log}")
    if not whole:
        teller.plain("No stack is up: `make up` starts one.")
    return 0 if whole else 3


def clean(stacks: list[Stack], teller: Teller) -> int:
    """Stop everything and delete all data of the stacks, those kept outside of the checkout included."""
    down(stacks, teller)
    for stack in filter(_exists, stacks):
        with stack.locked(when_busy=partial(_refuse_to_clean, stack)):
            stack.postgres(durable=True).remove()
            shutil.rmtree(stack.paths.directory, ignore_errors=True)
            teller.say(f"removed {stack.paths.directory}")
    return 0


def _exists(stack: Stack) -> bool:
    return stack.exists


def _refuse_to_clean(stack: Stack) -> None:
    raise StackError(f"{stack.paths.directory} is in use: clean up when that has ended")


def _introduce(stack: Stack, state: StackState, teller: Teller) -> None:
    syrve = f"the simulator at {state.simulator_url}" if state.simulator_url else f"{names.SYRVE_CONNECTION_VARIABLE}"
    teller.plain()
    teller.plain(f"Airflow    {state.api_url}")
    teller.plain(f"user       {environments.ADMIN_USER}")
    teller.plain(f"password   {stack.secrets.admin_password}")
    teller.plain(f"approver   {environments.APPROVER_USER}, password {stack.secrets.approver_password}")
    teller.plain(f"Syrve      {syrve}")
    if state.warehouse_dsn:
        teller.plain(f'warehouse  {_psql()} "{state.warehouse_dsn}"')
    else:
        teller.plain(f"warehouse  {names.WAREHOUSE_CONNECTION_VARIABLE}")
    teller.plain(f"logs       {stack.paths.log('x').parent}")
    teller.plain()
    teller.plain(f"Next: make run DAG={names.COUPONS_DAG}, or unpause DAGs in the UI; make down stops everything.")


def _psql() -> Path:
    return installed_binaries() / "psql"
