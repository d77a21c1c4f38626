"""What the stack's `init` does before the rest may start."""

import base64
import json
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType

import psycopg2
import pytest
from cryptography.fernet import Fernet

from devstack.postgres import PostgresServer

SYRVE = json.dumps({"conn_type": "syrve", "host": "https://syrve.example", "password": "login-canary"})


@pytest.fixture
def environment() -> dict[str, str]:
    """Settings that are in order; every secret is recognisable."""
    return {
        "AIRFLOW_ADMIN_EMAIL": "admin@example.com",
        "AIRFLOW_ADMIN_PASSWORD": "canary-admin-password",
        "AIRFLOW_ADMIN_USER": "admin",
        "AIRFLOW_API_SECRET_KEY": "canary-api-" + "a" * 32,
        "AIRFLOW_CONN_SYRVE_DEFAULT": SYRVE,
        "AIRFLOW_CONN_SYRVE_WAREHOUSE": "postgresql://syrve_airflow:canary-loader@warehouse-db/warehouse",
        "AIRFLOW_FERNET_KEY": base64.urlsafe_b64encode(b"canary-fernet-key-of-32-bytes-..").decode(),
        "AIRFLOW_JWT_SECRET": "canary-jwt-" + "b" * 64,
        "METADATA_DB_PASSWORD": "canary-metadata",
        "REDIS_PASSWORD": "canary-redis",
        "SYRVE_POOL_SLOTS": "8",
        "SYRVE_WAREHOUSE_DSN": "postgresql://syrve_owner:canary-owner@warehouse-db/warehouse",
        "WAREHOUSE_LOADER_PASSWORD": "canary-loader",
        "WAREHOUSE_OWNER_PASSWORD": "canary-owner",
        "WAREHOUSE_SOURCE_PASSWORD": "canary-source",
    }


class Steps:
    """Stands in for the commands that init runs."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.environments: list[dict[str, str]] = []
        self.inputs: list[str] = []

    def run(self, title: str, command: list[str], environment: Mapping[str, str], standard_input: str = "") -> None:
        """Note the command instead of running it."""
        self.commands.append(command)
        self.environments.append(dict(environment))
        self.inputs.append(standard_input)

    def index(self, *words: str) -> int:
        """Position of the one command that has these words."""
        (found,) = [i for i, command in enumerate(self.commands) if set(words) <= set(command)]
        return found


@pytest.fixture
def steps(init: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Steps:
    noted = Steps()
    monkeypatch.setattr(init, "run_step", noted.run)
    monkeypatch.setattr(init, "ensure_loader_login", lambda dsn, password: noted.commands.append(["loader login"]))
    monkeypatch.setattr(init, "ensure_source_login", lambda dsn, password: noted.commands.append(["source login"]))
    return noted


def test_settings_in_order_are_accepted(init: ModuleType, environment: dict[str, str]) -> None:
    assert init.find_problems(environment) == []


def test_key_made_by_fernet_itself_is_accepted(init: ModuleType, environment: dict[str, str]) -> None:
    assert init.find_problems(environment | {"AIRFLOW_FERNET_KEY": Fernet.generate_key().decode()}) == []


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("REDIS_PASSWORD", "canary@redis/0", "REDIS_PASSWORD holds a character other than"),
        ("METADATA_DB_PASSWORD", "canary word", "METADATA_DB_PASSWORD holds a character other than"),
        ("WAREHOUSE_OWNER_PASSWORD", "short", "WAREHOUSE_OWNER_PASSWORD is shorter than 8"),
        ("AIRFLOW_JWT_SECRET", "canary", "AIRFLOW_JWT_SECRET is shorter than 64"),
        ("AIRFLOW_ADMIN_PASSWORD", "", "AIRFLOW_ADMIN_PASSWORD is shorter than 8"),
        ("AIRFLOW_FERNET_KEY", "canary-canary-canary-canary-canary", "AIRFLOW_FERNET_KEY is not 32 bytes"),
        ("AIRFLOW_FERNET_KEY", "ключ", "AIRFLOW_FERNET_KEY is not 32 bytes"),
        ("SYRVE_POOL_SLOTS", "0", "SYRVE_POOL_SLOTS is not a whole number above 0"),
        ("SYRVE_POOL_SLOTS", "many", "SYRVE_POOL_SLOTS is not a whole number above 0"),
        ("AIRFLOW_CONN_SYRVE_DEFAULT", "{conn_type: canary}", "is not valid JSON"),
        ("AIRFLOW_CONN_SYRVE_DEFAULT", '{"conn_type": "http", "host": "canary", "password": "canary"}', "type syrve"),
        ("AIRFLOW_CONN_SYRVE_DEFAULT", '{"conn_type": "syrve", "password": "canary"}', "names no host"),
        ("AIRFLOW_CONN_SYRVE_DEFAULT", '{"conn_type": "syrve", "host": "canary"}', "holds no api login"),
        ("AIRFLOW_CONN_SYRVE_DEFAULT", "syrve://canary.example", "holds no api login"),
        ("AIRFLOW_CONN_SYRVE_DEFAULT", "[]", "type syrve"),
    ],
)
def test_wrong_setting_is_named_without_its_value(
    init: ModuleType,
    environment: dict[str, str],
    capfd: pytest.CaptureFixture[str],
    name: str,
    value: str,
    complaint: str,
) -> None:
    assert init.main(environment | {name: value}) == 2

    errors = capfd.readouterr().err
    assert name in errors
    assert complaint in errors
    assert "canary" not in errors


def test_account_may_be_given_as_a_uri(init: ModuleType, environment: dict[str, str]) -> None:
    uri = "syrve://:login-canary@https%3A%2F%2Fsyrve.example"

    assert init.find_problems(environment | {"AIRFLOW_CONN_SYRVE_DEFAULT": uri}) == []


def test_all_wrong_settings_are_named_at_once(init: ModuleType) -> None:
    problems = "\n".join(init.find_problems({}))

    for name in (*init.URL_SAFE, *init.MINIMUM_LENGTHS, "AIRFLOW_FERNET_KEY", "AIRFLOW_CONN_SYRVE_DEFAULT"):
        assert name in problems


def test_no_secret_is_on_a_command_line(init: ModuleType, environment: dict[str, str], steps: Steps) -> None:
    init.prepare(environment)

    assert len(steps.commands) == 6
    assert "canary" not in json.dumps(steps.commands)


def test_administrator_password_is_typed_twice_on_standard_input(
    init: ModuleType, environment: dict[str, str], steps: Steps
) -> None:
    init.prepare(environment)

    given = steps.inputs[steps.index("users", "create")]
    assert given == "canary-admin-password\ncanary-admin-password\n"
    assert [text for text in steps.inputs if text] == [given]


def test_warehouse_migrations_run_as_the_owner_alone(
    init: ModuleType, environment: dict[str, str], steps: Steps
) -> None:
    init.prepare(environment)

    given = steps.environments[steps.index("syrve.warehouse", "migrate")]
    assert "canary-owner" in given["SYRVE_WAREHOUSE_DSN"]
    assert "AIRFLOW_CONN_SYRVE_WAREHOUSE" not in given


def test_roles_exist_before_the_login_that_needs_them(
    init: ModuleType, environment: dict[str, str], steps: Steps
) -> None:
    init.prepare(environment)

    assert steps.commands[-3:] == [
        [sys.executable, "-m", "syrve.warehouse", "migrate"],
        ["loader login"],
        ["source login"],
    ]


def test_pool_gets_its_slots_from_the_environment(init: ModuleType, environment: dict[str, str], steps: Steps) -> None:
    init.prepare(environment | {"SYRVE_POOL_SLOTS": "3"})

    command = steps.commands[steps.index("pools", "set")]
    assert command[command.index("syrve_api") + 1] == "3"


def test_failed_step_stops_the_rest_and_is_named(
    init: ModuleType, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(title: str, *_: object) -> None:
        real(title, [sys.executable, "-c", "import sys; sys.exit('the disk is full')"], {})

    real = init.run_step
    monkeypatch.setattr(init, "run_step", fail)

    assert init.main(environment) == 1

    output = capfd.readouterr()
    assert "the disk is full" in output.err
    assert "init: failed: metadata migrations: exit code 1" in output.err
    assert "first administrator" not in output.out


def test_prompt_without_a_terminal_reads_standard_input(init: ModuleType) -> None:
    typed_twice = "import getpass; assert [getpass.getpass(), getpass.getpass()] == ['one', 'one']"

    init.run_step("a prompt", [sys.executable, "-c", typed_twice], {}, "one\none\n")


class TestLoaderLogin:
    """On a real server. Roles belong to the whole of it, so what a test adds goes again."""

    PASSWORD = "canary-loader-password"

    @pytest.fixture
    def owner_dsn(self, init: ModuleType, warehouse_dsn: str) -> Iterator[str]:
        yield warehouse_dsn
        execute(warehouse_dsn, f"drop role if exists {init.LOADER_LOGIN}")

    def test_login_is_a_member_of_the_loader_role_and_nothing_more(self, init: ModuleType, owner_dsn: str) -> None:
        init.ensure_loader_login(owner_dsn, self.PASSWORD)

        assert self.attributes(owner_dsn) == (True, True, False, False, False, False, False)
        assert execute(owner_dsn, f"select rolname from {MEMBERSHIPS}") == [(init.LOADER_ROLE,)]

    def test_login_may_load_and_may_not_change_tables(self, init: ModuleType, owner_dsn: str) -> None:
        init.ensure_loader_login(owner_dsn, self.PASSWORD)

        rights = "has_table_privilege('syrve_airflow', 'syrve.customer', %s)"
        assert execute(owner_dsn, f"select {rights}", ["insert"]) == [(True,)]
        assert execute(owner_dsn, "select has_schema_privilege('syrve_airflow', 'syrve', 'create')") == [(False,)]

    def test_second_start_sets_a_new_password_and_takes_added_rights_away(
        self, init: ModuleType, owner_dsn: str
    ) -> None:
        init.ensure_loader_login(owner_dsn, self.PASSWORD)
        before = self.verifier(owner_dsn)
        execute(owner_dsn, "alter role syrve_airflow createdb superuser")

        init.ensure_loader_login(owner_dsn, "canary-other-password")

        assert self.verifier(owner_dsn) != before
        assert self.attributes(owner_dsn) == (True, True, False, False, False, False, False)

    def test_server_never_sees_the_password(
        self, init: ModuleType, owner_dsn: str, postgres_server: PostgresServer
    ) -> None:
        init.ensure_loader_login(f"{owner_dsn}&options=-c%20log_statement%3Dall", self.PASSWORD)

        log = postgres_server.log.read_text(encoding="utf-8", errors="replace")
        assert 'alter role "syrve_airflow"' in log
        assert self.PASSWORD not in log
        assert self.verifier(owner_dsn).startswith("SCRAM-SHA-256$")

    def test_missing_loader_role_is_said(
        self, init: ModuleType, owner_dsn: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(init, "LOADER_ROLE", "syrve_loader_of_nobody")

        with pytest.raises(init.StepFailedError, match="no role syrve_loader_of_nobody"):
            init.ensure_loader_login(owner_dsn, self.PASSWORD)

        assert execute(owner_dsn, "select 1 from pg_roles where rolname = 'syrve_airflow'") == []

    @staticmethod
    def attributes(dsn: str) -> tuple[bool, ...]:
        """Login, inherit, superuser, createdb, createrole, replication, bypassrls."""
        columns = "rolcanlogin, rolinherit, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls"
        (row,) = execute(dsn, f"select {columns} from pg_roles where rolname = 'syrve_airflow'")
        return row

    @staticmethod
    def verifier(dsn: str) -> str:
        """What the server keeps of the password."""
        ((kept,),) = execute(dsn, "select rolpassword from pg_authid where rolname = 'syrve_airflow'")
        return str(kept)


MEMBERSHIPS = (
    "pg_auth_members join pg_roles on pg_roles.oid = roleid where member = 'syrve_airflow'::regrole order by rolname"
)


def execute(dsn: str, statement: str, parameters: list[str] | None = None) -> list[tuple[bool, ...]]:
    """Run one statement and return its rows."""
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()
