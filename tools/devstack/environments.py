"""The environment of every component, built from plain values: no file is read and nothing is started here."""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from devstack import names
from devstack.secret_store import Secrets

ADMIN_USER = "admin"
APPROVER_USER = "approver"
"""Money takes two people: this user approves what the admin has started."""
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class StackPaths:
    """Where one stack keeps what; stacks with different directories share nothing."""

    repository: Path
    directory: Path
    dags: Path

    @property
    def lock(self) -> Path:
        """Held by a process that changes the stack."""
        return self.directory / "lock"

    @property
    def state(self) -> Path:
        """What runs, by pid and start time."""
        return self.directory / "state.json"

    @property
    def secrets(self) -> Path:
        """The keys and the password made for this stack."""
        return self.directory / "secrets.json"

    @property
    def passwords(self) -> Path:
        """The password file of Airflow's simple auth manager."""
        return self.directory / "passwords.json"

    @property
    def airflow_home(self) -> Path:
        """Airflow's home: task logs and an empty configuration file."""
        return self.directory / "airflow"

    @property
    def airflow_config(self) -> Path:
        """Airflow's configuration file, empty: it keeps Airflow from writing one with other settings."""
        return self.airflow_home / "airflow.cfg"

    @property
    def postgres(self) -> Path:
        """The home of the embedded Postgres."""
        return self.directory / "postgres"

    @property
    def inbox(self) -> Path:
        """The inbox of the files that the stack itself makes."""
        return self.directory / "inbox"

    @property
    def roster(self) -> Path:
        """The roster of the simulator's customers, which the demo and `make up SEED=1` import."""
        return self.inbox / "roster.csv"

    @property
    def simulator_port(self) -> Path:
        """Where the simulator writes its port."""
        return self.directory / "simulator.port"

    @property
    def live_service_port(self) -> Path:
        """Where the simulator of the live service writes its port."""
        return self.directory / "live-service.port"

    @property
    def api_port(self) -> Path:
        """The port that Airflow's UI had last, so that a bookmark stays good."""
        return self.directory / "api.port"

    def log(self, component: str) -> Path:
        """Return the log of a component."""
        return self.directory / "logs" / f"{component}.log"


@dataclass(frozen=True)
class AirflowOptions:
    """What differs between the stacks: the demo polls eagerly and starts nothing by schedule; `more` is by section, and wins."""

    idle_sleep_seconds: float
    follow_schedules: bool
    more: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def inherited_environment(environ: Mapping[str, str], *, with_own_connections: bool) -> dict[str, str]:
    """Return the caller's environment without what would steer Airflow or the warehouse elsewhere.

    Other connections and variables (`AIRFLOW_CONN_...`, `AIRFLOW_VAR_...`) stay: the user's own DAGs may need them.
    """
    own = (names.SYRVE_CONNECTION_VARIABLE, names.WAREHOUSE_CONNECTION_VARIABLE)
    dropped = {"AIRFLOW_HOME", "AIRFLOW_CONFIG", names.WAREHOUSE_DSN_VARIABLE}
    dropped |= {name for name in own if not with_own_connections or not environ.get(name)}
    kept = {name: value for name, value in environ.items() if name not in dropped and not name.startswith("AIRFLOW__")}
    for name in ("NO_PROXY", "no_proxy"):
        # A proxy of the caller's would otherwise get the calls between our own components.
        kept[name] = ",".join(filter(None, [environ.get(name, ""), LOOPBACK, "localhost"]))
    return kept


def inbox_setting(paths: StackPaths, environ: Mapping[str, str]) -> str:
    """Return SYRVE_INBOX: the caller's where it is set, else `inbox` of the checkout; and that of the stack itself, for files it makes."""
    own = environ.get(names.INBOX_VARIABLE) or f"file://{paths.repository / 'inbox'}"
    return f"{own},file://{paths.inbox}"


def airflow_environment(
    paths: StackPaths, secrets: Secrets, metadata_dsn: str, api_port: int, options: AirflowOptions
) -> dict[str, str]:
    """Return every Airflow setting of the stack as environment variables."""
    api_url = f"http://{LOOPBACK}:{api_port}"
    sections = _work_settings(options) | {
        "core": _CORE_SETTINGS
        | {
            "dags_folder": str(paths.dags),
            "plugins_folder": str(paths.repository / "plugins"),
            "fernet_key": secrets.fernet_key,
            "execution_api_server_url": f"{api_url}/execution/",
            "simple_auth_manager_passwords_file": str(paths.passwords),
        },
        "database": {"sql_alchemy_conn": metadata_dsn.replace("postgresql://", "postgresql+psycopg2://", 1)},
        "api": {
            "host": LOOPBACK,
            "port": str(api_port),
            "base_url": api_url,
            "secret_key": secrets.api_secret_key,
            "workers": "1",
        },
        "api_auth": {"jwt_secret": secrets.jwt_secret},
        "logging": {"base_log_folder": str(paths.airflow_home / "logs"), "colored_console_log": "False"},
    }
    variables = {
        f"AIRFLOW__{section.upper()}__{option.upper()}": value
        for part in (sections, options.more)
        for section, settings in part.items()
        for option, value in settings.items()
    }
    return variables | {
        "AIRFLOW_HOME": str(paths.airflow_home),
        "AIRFLOW_CONFIG": str(paths.airflow_config),
        "NO_COLOR": "1",
        "PYTHONUNBUFFERED": "1",
    }


_CORE_SETTINGS = {
    "load_examples": "False",
    "executor": "LocalExecutor",
    "parallelism": "4",
    "auth_manager": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
    "simple_auth_manager_users": f"{ADMIN_USER}:admin,{APPROVER_USER}:user",
    "test_connection": "Enabled",
    # Airflow's audit log keeps the form of a run even where it is refused: a phone pasted here by mistake is masked there.
    "sensitive_var_conn_names": "customer_ids",
    # A full domain name may cost a slow DNS query at every task.
    "hostname_callable": "socket.gethostname",
    "min_serialized_dag_update_interval": "0",
}


def _work_settings(options: AirflowOptions) -> dict[str, dict[str, str]]:
    """Return how eagerly the components look for work: Airflow's defaults are for clusters, not for a person waiting."""
    return {
        "scheduler": {
            "scheduler_idle_sleep_time": str(options.idle_sleep_seconds),
            "use_job_schedule": str(options.follow_schedules),
            # A task that went down with the stack is noticed soon after the next start, not after five minutes.
            "task_instance_heartbeat_timeout": "60",
        },
        # A changed file is parsed at once anyway; these are for new files and unchanged ones.
        "dag_processor": {"refresh_interval": "5", "min_file_process_interval": "60", "print_stats_interval": "300"},
        # Airflow may miss the end of a task until the next heartbeat: seconds of waiting for nothing.
        "workers": {"min_heartbeat_interval": "1"},
    }


def live_service_environment(url: str) -> dict[str, str]:
    """Return the connection to the simulated live service, and the settings by which its signals are followed."""
    return {
        names.LIVE_CONNECTION_VARIABLE: simulator_connection(url, "cloud"),
        names.SIGNALS_CONNECTION_VARIABLE: names.LIVE_CONNECTION,
        names.LISTEN_SECONDS_VARIABLE: str(names.LISTEN_SECONDS),
    }


def simulator_connection(simulator_url: str, dialect: str = "reference") -> str:
    """Return the Airflow connection (JSON) to a simulator."""
    extra = {
        "dialect": dialect,
        "default_region": names.REGION,
        "budgets": names.SIMULATOR_BUDGETS_PER_MINUTE,
    }
    return json.dumps({"conn_type": "syrve", "host": simulator_url, "password": names.API_LOGIN, "extra": extra})


def warehouse_connection(socket_directory: Path, user: str, port: int) -> str:
    """Return the Airflow connection (JSON) to the embedded warehouse."""
    fields = {"login": user, "host": str(socket_directory), "port": port, "schema": names.WAREHOUSE_DATABASE}
    return json.dumps({"conn_type": "postgres", **fields})


def airflow_api_connection(api_url: str, password: str) -> str:
    """Return the Airflow connection (JSON) by which tasks write on the notes of their runs."""
    return json.dumps({"conn_type": "http", "host": api_url, "login": ADMIN_USER, "password": password})


def connections_fingerprint(environ: Mapping[str, str], secrets: Secrets) -> str:
    """Return what tells two settings of the user's own connections apart and reveals neither."""
    own = [environ.get(name, "") for name in (names.SYRVE_CONNECTION_VARIABLE, names.WAREHOUSE_CONNECTION_VARIABLE)]
    return hmac.new(secrets.jwt_secret.encode(), json.dumps(own).encode(), sha256).hexdigest()
