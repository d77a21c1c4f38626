"""What is recorded about a stack, and who may change it."""

import json
import os
import stat
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstack import secret_store
from devstack.errors import StackError
from devstack.processes import ProcessRecord
from devstack.secret_store import Secrets
from devstack.state import StackState, locked

ME = ProcessRecord.of_this_process("pytest")
GONE = ProcessRecord("gone", ME.pid, "another birth")

records = st.builds(
    ProcessRecord,
    st.text(),
    st.integers(1, 2**22),
    st.text(),
    st.floats(0, 2e9),
    log=st.text(),
    stop_signal=st.integers(1, 31),
)
states = st.builds(
    StackState,
    purpose=st.sampled_from(["demo", "up", "run"]),
    starter=records,
    status=st.sampled_from(["starting", "up"]),
    components=st.lists(records, max_size=3),
    api_url=st.text(),
    simulator_url=st.none() | st.text(),
    live_service_url=st.none() | st.text(),
    warehouse_dsn=st.none() | st.text(),
    users=st.lists(records, max_size=3),
    unpaused=st.dictionaries(st.text(), st.lists(records, max_size=2), max_size=2),
)


@given(state=states)
def test_a_state_is_read_back_as_it_was_written(state: StackState) -> None:
    assert StackState.from_json(json.loads(json.dumps(asdict(state)))) == state


def test_no_file_means_no_stack(tmp_path: Path) -> None:
    assert StackState.load(tmp_path / "state.json") is None


def test_a_state_that_cannot_be_read_is_not_taken_for_no_stack(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text('{"purpose": "up"}')
    with pytest.raises(StackError, match="can't be read"):
        StackState.load(path)


def test_a_stack_is_whole_only_if_it_came_up_and_everything_runs() -> None:
    assert StackState("up", ME, status="up", components=[ME]).is_whole()
    assert not StackState("up", ME, status="starting", components=[ME]).is_whole()
    assert not StackState("up", ME, status="up", components=[]).is_whole()
    broken = StackState("up", ME, status="up", components=[ME, GONE])
    assert not broken.is_whole()
    assert broken.dead_components() == ["gone"]


def test_users_that_were_killed_no_longer_count() -> None:
    state = StackState("run", ME, users=[GONE, ME])
    state.forget_dead_users()
    assert state.users == [ME]


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    made = secret_store.load_or_create(path)
    assert secret_store.load_or_create(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not list(tmp_path.glob(".secrets*"))


def test_secrets_differ_between_stacks_and_are_not_printed() -> None:
    one, other = Secrets.generate(), Secrets.generate()
    assert set(asdict(one).values()).isdisjoint(asdict(other).values())
    assert not any(secret in repr(one) for secret in asdict(one).values())


def test_the_fernet_key_is_one_that_airflow_takes() -> None:
    from cryptography.fernet import Fernet

    fernet = Fernet(Secrets.generate().fernet_key)
    assert fernet.decrypt(fernet.encrypt(b"x")) == b"x"


HOLD_LOCK = """
import fcntl, sys
file = open(sys.argv[1], "a")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_lock_that_is_taken_is_said_so_and_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    said: list[int] = []

    def when_busy() -> None:
        said.append(holder.pid)
        assert holder.stdin is not None
        holder.stdin.close()

    with locked(path, when_busy):
        assert said == [holder.pid]
    holder.wait()
    holder.stdout.close()


def test_the_lock_of_a_killed_holder_is_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    holder.stdout.readline()
    holder.kill()
    holder.wait()
    holder.stdout.close()
    holder.stdin.close()
    with locked(path, lambda: pytest.fail("nobody holds it")):
        assert os.path.exists(path)  # noqa: PTH110
