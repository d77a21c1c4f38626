"""What is known about a running stack, kept in a file so that other commands, and the next one, find it."""

import fcntl
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from devstack.errors import StackError
from devstack.processes import POLL_SECONDS, ProcessRecord
from devstack.secret_store import write_private

PATIENCE_SECONDS = 1.0


@dataclass
class StackState:
    """A stack that is up, coming up, or was left behind.

    `purpose` says who keeps it (`demo`, `up` or `run`); `users` are the `make run` commands at work on it, and
    `unpaused` says for which of them a paused DAG was switched on.
    """

    purpose: str
    starter: ProcessRecord
    status: str = "starting"
    components: list[ProcessRecord] = field(default_factory=list)
    api_url: str = ""
    simulator_url: str | None = None
    live_service_url: str | None = None
    warehouse_dsn: str | None = None
    connections_fingerprint: str = ""
    users: list[ProcessRecord] = field(default_factory=list)
    unpaused: dict[str, list[ProcessRecord]] = field(default_factory=dict)

    def forget_dead_users(self) -> None:
        """Drop the users that ended without saying so."""
        self.users = [user for user in self.users if user.is_alive()]

    def dead_components(self) -> list[str]:
        """Name the components that no longer run."""
        return [component.name for component in self.components if not component.is_alive()]

    def is_whole(self) -> bool:
        """Tell whether the stack came up and everything of it still runs."""
        return self.status == "up" and bool(self.components) and not self.dead_components()

    def save(self, path: Path) -> None:
        """Write the state, whole or not at all."""
        write_private(path, json.dumps(asdict(self), indent=2))

    @classmethod
    def load(cls, path: Path) -> "StackState | None":
        """Read the state; None when there is no stack. Raises StackError for a file that can't be read."""
        try:
            return cls.from_json(json.loads(path.read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            raise StackError(
                f"{path} can't be read ({type(error).__name__}): end what still runs and remove it"
            ) from error

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "StackState":
        """Build the state from what `save` wrote."""
        records = {name: [ProcessRecord(**item) for item in fields[name]] for name in ("components", "users")}
        unpaused = {dag: [ProcessRecord(**item) for item in users] for dag, users in fields["unpaused"].items()}
        return cls(**{**fields, **records, "unpaused": unpaused, "starter": ProcessRecord(**fields["starter"])})


@contextmanager
def locked(path: Path, when_busy: Callable[[], None]) -> Iterator[None]:
    """Hold a stack's lock; when another command keeps it for long, call `when_busy` (which may raise) and wait on.

    The system frees the lock when its holder dies, however it dies.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        patience_ends = time.monotonic() + PATIENCE_SECONDS
        while not _try_lock(file):
            if time.monotonic() > patience_ends:
                when_busy()
                fcntl.flock(file, fcntl.LOCK_EX)
                break
            time.sleep(POLL_SECONDS)
        yield


def _try_lock(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
