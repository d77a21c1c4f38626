"""Brings one stack up, finds it again and takes it down."""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property

from devstack import environments, names, ports, secret_store
from devstack.airflow_api import AirflowApi
from devstack.components import (
    airflow_command,
    live_service_command,
    metadata_migration_command,
    port_was_taken,
    schema_versions,
    simulator_command,
    wait_for_airflow,
    wait_for_simulator,
    warehouse_migration_command,
)
from devstack.environments import StackPaths
from devstack.errors import StackError
from devstack.postgres import PORT, SUPERUSER, PostgresServer
from devstack.processes import Command, ProcessRecord, blaming_ended, finish, spawn, stop
from devstack.purposes import RUN, UP, Purpose
from devstack.secret_store import Secrets
from devstack.signals import held_back
from devstack.state import StackState, locked

Say = Callable[[str], None]

PORTS_TO_TRY = 3
"""A port that was free may be taken before Airflow listens on it, half a minute later."""
# Stopped in this order: what starts tasks, what tasks talk to, and what both keep their data in.
STOP_ORDER = (("scheduler", "dag-processor", "triggerer"), ("api-server", "simulator", "live-service"), ("postgres",))
# Nothing talks to these any more when their turn comes, and Airflow's api-server lingers for seconds after its last word.
LINGERERS_GRACE_SECONDS = 1.0


class Stack:
    """One stack directory and what runs for it; a process that changes something holds its lock."""

    def __init__(self, paths: StackPaths, environ: Mapping[str, str], say: Say) -> None:
        self.paths = paths
        self.environ = environ
        self.say = say
        self.owed_pauses: list[str] = []

    @cached_property
    def secrets(self) -> Secrets:
        """The stack's keys and password; made at the first use."""
        self._make_directories()
        return secret_store.load_or_create(self.paths.secrets)

    @property
    def exists(self) -> bool:
        """Tell whether this stack has been up before, or is."""
        return self.paths.directory.exists()

    @contextmanager
    def locked(self, when_busy: Callable[[], None] | None = None) -> Iterator[None]:
        """Hold the stack's lock; by default one that is taken is waited for, and said to be."""
        with locked(self.paths.lock, when_busy or self._say_busy):
            yield

    def load(self) -> StackState | None:
        """Read what is known about this stack; None when it is down."""
        return StackState.load(self.paths.state)

    def api(self, state: StackState) -> AirflowApi:
        """Return a client of a running stack's Airflow, as its admin."""
        return AirflowApi(state.api_url, environments.ADMIN_USER, self.secrets.admin_password)

    def approver_api(self, state: StackState) -> AirflowApi:
        """Return a client of a running stack's Airflow, as the user who approves."""
        return AirflowApi(state.api_url, environments.APPROVER_USER, self.secrets.approver_password)

    def bring_up(self, purpose: Purpose) -> StackState:
        """Start everything and wait until it works; after a failure nothing keeps running. Raises StackError."""
        state = StackState(
            purpose=purpose.name,
            starter=ProcessRecord.of_this_process("devstack"),
            connections_fingerprint=environments.connections_fingerprint(self.environ, self.secrets),
        )
        self._set_old_logs_aside()
        try:
            _Start(self, state, purpose).run()
        except BaseException:
            self.take_down(state, purpose.stop_grace_seconds)
            raise
        return state

    def take_down(self, state: StackState, grace_seconds: float = 10.0) -> None:
        """Stop everything that belongs to this state, and forget it."""
        with held_back():
            groups = [[c for c in state.components if c.name in group] for group in STOP_ORDER]
            others = [c for c in state.components if not any(c in group for group in groups)]
            for group in (others, *groups):
                lingers = any(component.name == "api-server" for component in group)
                stop(group, LINGERERS_GRACE_SECONDS if lingers else grace_seconds)
            self.postgres(durable=True).forget_socket_directory()
            self.paths.state.unlink(missing_ok=True)

    def remove_leftovers(self) -> None:
        """Stop what an earlier command left running when it was killed."""
        state = self.load()
        if state is not None:
            alive = [component.name for component in state.components if component.is_alive()]
            if alive:
                self.say(f"ending what an interrupted `{state.purpose}` left behind: {', '.join(alive)}")
            self.owed_pauses += state.unpaused
            self.take_down(state)

    def pause_again(self, api: AirflowApi, dag_ids: Iterable[str]) -> None:
        """Pause DAGs that were unpaused for runs which can't do it themselves any more; as far as Airflow answers."""
        for dag_id in dag_ids:
            with suppress(StackError):
                api.set_paused(dag_id, paused=True)

    def environment_of(self, state: StackState) -> dict[str, str]:
        """Return the environment in which a command works on the stack that is up, as its components do."""
        server, purpose = self.postgres(durable=True), UP if state.purpose == UP.name else RUN
        environment = environments.inherited_environment(self.environ, with_own_connections=True)
        if state.simulator_url:
            environment[names.SYRVE_CONNECTION_VARIABLE] = environments.simulator_connection(state.simulator_url)
        if state.warehouse_dsn:
            directory = server.socket_directory
            environment[names.WAREHOUSE_CONNECTION_VARIABLE] = environments.warehouse_connection(
                directory, SUPERUSER, PORT
            )
            source = environments.warehouse_connection(directory, names.SOURCE_LOGIN, PORT)
            environment.setdefault(names.SOURCE_CONNECTION_VARIABLE, source)
        environment[names.INBOX_VARIABLE] = environments.inbox_setting(self.paths, self.environ)
        environment[names.AIRFLOW_API_CONNECTION_VARIABLE] = environments.airflow_api_connection(
            state.api_url, self.secrets.admin_password
        )
        port = int(state.api_url.rpartition(":")[2])
        dsn = server.dsn(names.METADATA_DATABASE)
        return environment | environments.airflow_environment(self.paths, self.secrets, dsn, port, purpose.airflow)

    def postgres(self, *, durable: bool) -> PostgresServer:
        """Return the server of this stack, not yet started."""
        return PostgresServer(self.paths.postgres, self.paths.log("postgres"), durable=durable)

    def _say_busy(self) -> None:
        state = self.load()
        who = (
            f"`{state.purpose}` (pid {state.starter.pid})" if state and state.starter.is_alive() else "another command"
        )
        self.say(f"{who} is at work on this stack: waiting for it")

    def _make_directories(self) -> None:
        # Passable for the server's system user when we are root; the secrets in there have stricter modes.
        for directory in (self.paths.directory.parent, self.paths.directory):
            directory.mkdir(parents=True, exist_ok=True)
            directory.chmod(0o711 if os.geteuid() == 0 else 0o700)
        self.paths.airflow_home.mkdir(mode=0o700, exist_ok=True)
        self.paths.airflow_config.touch()

    def _set_old_logs_aside(self) -> None:
        logs = self.paths.log("x").parent
        if logs.exists():
            previous = logs.with_name("logs.previous")
            shutil.rmtree(previous, ignore_errors=True)
            logs.rename(previous)
        logs.mkdir(mode=0o700)


class _Start:
    """One attempt to start a stack, step by step; every process is noted down the moment it exists."""

    def __init__(self, stack: Stack, state: StackState, purpose: Purpose) -> None:
        self.stack = stack
        self.paths = stack.paths
        self.state = state
        self.purpose = purpose
        self.server = stack.postgres(durable=purpose.durable)
        self.makes_source_login = False
        self.environment = environments.inherited_environment(
            stack.environ, with_own_connections=purpose.uses_own_connections
        )

    def run(self) -> None:
        simulator = self._start_simulator()
        live_service = self._start_live_service() if self.purpose.shows_live_service else None
        self._start_postgres()
        migration = self._start_warehouse_migration()
        if simulator:
            self._connect_to_simulator(simulator)
        if live_service:
            self._connect_to_live_service(live_service)
        components = self._spawn_airflow()
        finish(migration, "Applying the warehouse's migrations")
        self._forget(migration)
        if self.makes_source_login:
            self.server.ensure_reading_login(names.SOURCE_LOGIN, names.SOURCE_ROLE)
        self.stack.say("the warehouse has its tables")
        for left in reversed(range(PORTS_TO_TRY)):
            try:
                api = self._wait_for_airflow(components)
                break
            except StackError:
                if not left or not port_was_taken(components):
                    raise
            self.stack.say(f"another program has just taken the port of {self.state.api_url}: trying another port")
            stop(components)
            for component in components:
                self._forget(component)
            components = self._spawn_airflow()
        self.stack.pause_again(api, self.stack.owed_pauses)
        self.stack.say(f"Airflow works: {self.state.api_url}")
        self.state.status = "up"
        self._save()

    def _spawn_airflow(self) -> list[ProcessRecord]:
        self._configure_airflow(self._choose_port())
        self._migrate_metadata()
        self.stack.say(f"starting Airflow: {', '.join(self.purpose.components)}")
        return [self._spawn(airflow_command(self.paths, name, self.environment)) for name in self.purpose.components]

    def _wait_for_airflow(self, components: list[ProcessRecord]) -> AirflowApi:
        api = self.stack.api(self.state)
        with blaming_ended(self.state.components):
            wait_for_airflow(api, components)
            api.ensure_pool(names.POOL, names.POOL_SLOTS, "Every task that calls Syrve")
        return api

    def _start_simulator(self) -> ProcessRecord | None:
        if names.SYRVE_CONNECTION_VARIABLE in self.environment:
            self.stack.say(f"Syrve is the account in {names.SYRVE_CONNECTION_VARIABLE}")
            return None
        self.paths.simulator_port.unlink(missing_ok=True)
        return self._spawn(simulator_command(self.paths, self.environment))

    def _connect_to_simulator(self, simulator: ProcessRecord) -> None:
        url = wait_for_simulator(simulator, self.paths.simulator_port)
        self.state.simulator_url = url
        self.environment[names.SYRVE_CONNECTION_VARIABLE] = environments.simulator_connection(url)
        people, places = names.SIMULATOR_CUSTOMERS, names.SIMULATOR_ORGANIZATIONS
        self.stack.say(f"the simulator answers: {people:,} customers in {places} organizations")

    def _start_live_service(self) -> ProcessRecord:
        self.paths.live_service_port.unlink(missing_ok=True)
        return self._spawn(live_service_command(self.paths, self.environment))

    def _connect_to_live_service(self, live_service: ProcessRecord) -> None:
        url = wait_for_simulator(live_service, self.paths.live_service_port)
        self.state.live_service_url = url
        self.environment |= environments.live_service_environment(url)

    def _start_postgres(self) -> None:
        self.server.prepare()
        self.server.record = self._spawn(self.server.command())
        self.server.wait_until_ready()
        self.stack.say("Postgres answers on its private socket")
        if not self.server.has_database(names.METADATA_DATABASE):
            self.server.create_database(names.METADATA_DATABASE)
        if self.purpose.fresh_warehouse:
            self.server.drop_database(names.WAREHOUSE_DATABASE)
        if not self.server.has_database(names.WAREHOUSE_DATABASE):
            self.server.create_database(names.WAREHOUSE_DATABASE)

    def _start_warehouse_migration(self) -> ProcessRecord:
        extra: dict[str, str] = {}
        if names.WAREHOUSE_CONNECTION_VARIABLE in self.environment:
            self.stack.say(f"the warehouse is the one in {names.WAREHOUSE_CONNECTION_VARIABLE}")
        else:
            self.state.warehouse_dsn = extra[names.WAREHOUSE_DSN_VARIABLE] = self.server.dsn(names.WAREHOUSE_DATABASE)
            connection = environments.warehouse_connection(self.server.socket_directory, SUPERUSER, PORT)
            self.environment[names.WAREHOUSE_CONNECTION_VARIABLE] = connection
            source = environments.warehouse_connection(self.server.socket_directory, names.SOURCE_LOGIN, PORT)
            self.environment.setdefault(names.SOURCE_CONNECTION_VARIABLE, source)
            self.makes_source_login = True
        return self._spawn(warehouse_migration_command(self.paths, self.environment | extra))

    def _choose_port(self) -> int:
        requested = []
        if self.purpose.preferred_port:
            last = self.paths.api_port.read_text() if self.paths.api_port.exists() else ""
            requested = [int(last)] if last.isdigit() else [self.purpose.preferred_port]
        port = ports.free_port(requested)
        if requested:
            self.paths.api_port.write_text(str(port))
        return port

    def _configure_airflow(self, port: int) -> None:
        secrets = self.stack.secrets
        passwords = {
            environments.ADMIN_USER: secrets.admin_password,
            environments.APPROVER_USER: secrets.approver_password,
        }
        secret_store.write_private(self.paths.passwords, json.dumps(passwords))
        dsn = self.server.dsn(names.METADATA_DATABASE)
        airflow = environments.airflow_environment(self.paths, self.stack.secrets, dsn, port, self.purpose.airflow)
        self.environment |= airflow
        self.environment[names.INBOX_VARIABLE] = environments.inbox_setting(self.paths, self.stack.environ)
        self.paths.inbox.mkdir(parents=True, exist_ok=True)
        if self.purpose.uses_own_connections:
            (self.paths.repository / "inbox").mkdir(parents=True, exist_ok=True)
        self.environment[names.AIRFLOW_API_CONNECTION_VARIABLE] = environments.airflow_api_connection(
            airflow["AIRFLOW__API__BASE_URL"], self.stack.secrets.admin_password
        )
        self.state.api_url = airflow["AIRFLOW__API__BASE_URL"]
        self._save()

    def _migrate_metadata(self) -> None:
        if self.server.comment_of(names.METADATA_DATABASE) == schema_versions():
            return
        self.stack.say("making Airflow's own tables (once)")
        migration = self._spawn(metadata_migration_command(self.paths, self.environment))
        finish(migration, "Making Airflow's own tables")
        self._forget(migration)
        self.server.comment_on(names.METADATA_DATABASE, schema_versions())

    def _spawn(self, command: Command) -> ProcessRecord:
        with held_back():
            record = spawn(command)
            self.state.components.append(record)
            self._save()
        return record

    def _forget(self, record: ProcessRecord) -> None:
        self.state.components.remove(record)
        self._save()

    def _save(self) -> None:
        self.state.save(self.paths.state)
