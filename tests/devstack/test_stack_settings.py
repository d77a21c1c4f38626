"""The environment that the components get."""

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from devstack import environments
from devstack.environments import AirflowOptions, StackPaths
from devstack.secret_store import Secrets

PATHS = StackPaths(Path("/repo"), Path("/repo/.stack/up"), Path("/repo/dags"))
SECRETS = Secrets("fernet", "api", "jwt", "password")
METADATA = "postgresql://postgres@/airflow?host=%2Frun%2Fpg&port=5432"


def airflow(port: int = 1234, options: AirflowOptions | None = None) -> dict[str, str]:
    chosen = options or AirflowOptions(0.1, follow_schedules=False)
    return environments.airflow_environment(PATHS, SECRETS, METADATA, port, chosen)


def test_airflow_listens_on_loopback_only() -> None:
    assert airflow()["AIRFLOW__API__HOST"] == "127.0.0.1"


@given(port=st.integers(1, 65535))
def test_tasks_call_back_at_the_very_port_that_the_server_has(port: int) -> None:
    environment = airflow(port)
    assert environment["AIRFLOW__API__PORT"] == str(port)
    for name in ("AIRFLOW__CORE__EXECUTION_API_SERVER_URL", "AIRFLOW__API__BASE_URL"):
        assert urlsplit(environment[name]).port == port


def test_metadata_live_behind_the_socket_through_psycopg2() -> None:
    url = urlsplit(airflow()["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    assert url.scheme == "postgresql+psycopg2"
    assert parse_qs(url.query)["host"] == ["/run/pg"]


def test_every_secret_of_the_stack_reaches_airflow() -> None:
    environment = airflow()
    assert environment["AIRFLOW__CORE__FERNET_KEY"] == "fernet"
    assert environment["AIRFLOW__API__SECRET_KEY"] == "api"
    assert environment["AIRFLOW__API_AUTH__JWT_SECRET"] == "jwt"


def test_schedules_are_followed_only_where_the_stack_stays_up() -> None:
    name = "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE"
    assert airflow(options=AirflowOptions(0.5, follow_schedules=True))[name] == "True"
    assert airflow()[name] == "False"


def test_every_option_is_one_that_this_airflow_knows() -> None:
    import airflow as package
    import yaml

    known = yaml.safe_load((Path(package.__file__).parent / "config_templates" / "config.yml").read_text())
    for name in airflow():
        if name.startswith("AIRFLOW__"):
            _, section, option = name.lower().split("__")
            assert option in known[section]["options"], name


def test_settings_of_the_callers_shell_do_not_steer_the_stack() -> None:
    shell = {
        "PATH": "/bin",
        "AIRFLOW_HOME": "/elsewhere",
        "AIRFLOW_CONFIG": "/elsewhere/airflow.cfg",
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "SYRVE_WAREHOUSE_DSN": "postgresql://elsewhere",
    }
    inherited = environments.inherited_environment(shell, with_own_connections=True)
    assert "PATH" in inherited
    assert not [name for name in inherited if name.startswith("AIRFLOW") or name == "SYRVE_WAREHOUSE_DSN"]


def test_the_users_connections_are_kept_where_the_stack_may_use_them() -> None:
    shell = {"AIRFLOW_CONN_SYRVE_DEFAULT": "a", "AIRFLOW_CONN_SYRVE_WAREHOUSE": "b", "AIRFLOW_CONN_OTHER": "c"}
    assert shell.items() <= environments.inherited_environment(shell, with_own_connections=True).items()
    demo = environments.inherited_environment(shell, with_own_connections=False)
    assert {name for name in demo if name.startswith("AIRFLOW_CONN")} == {"AIRFLOW_CONN_OTHER"}


def test_a_connection_set_to_nothing_counts_as_not_set() -> None:
    inherited = environments.inherited_environment({"AIRFLOW_CONN_SYRVE_DEFAULT": ""}, with_own_connections=True)
    assert "AIRFLOW_CONN_SYRVE_DEFAULT" not in inherited


def test_a_proxy_of_the_user_is_not_asked_for_calls_between_our_own_components() -> None:
    shell = {"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "intranet"}
    inherited = environments.inherited_environment(shell, with_own_connections=True)
    assert inherited["NO_PROXY"].split(",") == ["intranet", "127.0.0.1", "localhost"]
    assert inherited["no_proxy"].split(",") == ["127.0.0.1", "localhost"]


def test_connections_are_what_the_product_reads() -> None:
    syrve = json.loads(environments.simulator_connection("http://127.0.0.1:5"))
    assert (syrve["conn_type"], syrve["host"], syrve["password"]) == ("syrve", "http://127.0.0.1:5", "demo-login")
    assert syrve["extra"]["dialect"] == "reference"
    warehouse = json.loads(environments.warehouse_connection(Path("/run/pg"), "postgres", 5432))
    assert (warehouse["conn_type"], warehouse["host"], warehouse["schema"]) == ("postgres", "/run/pg", "warehouse")


def test_tasks_may_write_on_the_notes_of_their_runs() -> None:
    made = json.loads(environments.airflow_api_connection("http://127.0.0.1:8080", "secret"))
    assert made == {"conn_type": "http", "host": "http://127.0.0.1:8080", "login": "admin", "password": "secret"}


def test_what_is_typed_where_customer_ids_belong_is_masked_in_the_audit_log() -> None:
    assert airflow()["AIRFLOW__CORE__SENSITIVE_VAR_CONN_NAMES"] == "customer_ids"


def test_a_changed_connection_is_noticed_and_not_revealed() -> None:
    def fingerprint(value: str) -> str:
        return environments.connections_fingerprint({"AIRFLOW_CONN_SYRVE_DEFAULT": value}, SECRETS)

    assert fingerprint("login-one") == fingerprint("login-one")
    assert fingerprint("login-one") != fingerprint("login-two")
    assert "login-one" not in fingerprint("login-one")
    assert environments.connections_fingerprint({}, SECRETS) == fingerprint("")


def test_inbox_is_that_of_the_checkout_unless_another_is_set() -> None:
    checkout = f"file://{PATHS.repository}/inbox"
    assert environments.inbox_setting(PATHS, {}) == f"{checkout},file://{PATHS.inbox}"
    assert environments.inbox_setting(PATHS, {"SYRVE_INBOX": "s3://b/in"}) == f"s3://b/in,file://{PATHS.inbox}"


def test_stacks_share_no_path() -> None:
    other = StackPaths(PATHS.repository, PATHS.directory.with_name("demo"), PATHS.dags)
    for name in (
        "lock",
        "state",
        "secrets",
        "passwords",
        "airflow_home",
        "airflow_config",
        "postgres",
        "inbox",
        "roster",
    ):
        assert getattr(PATHS, name).is_relative_to(PATHS.directory)
        assert getattr(PATHS, name) != getattr(other, name)
