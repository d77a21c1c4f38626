"""Tools that know nothing of this project read docker-compose.yml: the specification's schema, and podman-compose."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from compose.compose_rules import secrets
from compose.stack_files import ROOT, StackFiles

FILES = StackFiles.read()
SECRETS = sorted(secrets(FILES))
BINARIES = Path(sys.executable).parent


def run_schema_check(compose_text: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Hold a compose file to the Compose Specification's JSON schema, which check-jsonschema brings along."""
    path = directory / "docker-compose.yml"
    path.write_text(compose_text, encoding="utf-8")
    command = [str(BINARIES / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def run_podman_compose(variables: dict[str, str], directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Have podman-compose read and print the file, with these variables in an .env and none of this process's."""
    env_file = directory / ".env"
    env_file.write_text("".join(f"{name}='{value}'\n" for name, value in variables.items()), encoding="utf-8")
    arguments = [
        "--dry-run",
        "--file",
        str(ROOT / "docker-compose.yml"),
        "--env-file",
        str(env_file),
        *options,
        "config",
    ]
    command = [str(BINARIES / "podman-compose"), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=directory, env={"PATH": "/usr/bin:/bin"}
    )


def complete_variables() -> dict[str, str]:
    """The example's settings, with a value of its own for every secret."""
    return FILES.example | {name: f"value-of-{name.lower()}" for name in SECRETS}


def parsed(result: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What podman-compose understood."""
    assert result.returncode == 0, result.stderr
    document: dict[str, Any] = yaml.safe_load(result.stdout)
    return document


def test_compose_file_is_valid_by_the_specification(tmp_path: Path) -> None:
    result = run_schema_check(FILES.compose_text, tmp_path)

    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("restart: unless-stopped", "restarts: unless-stopped"),
        ("condition: service_healthy", "condition: service_is_healthy"),
        ("cap_drop: [ALL]", "cap_drop: ALL"),
        ("internal: true", "internal: 7"),
    ],
)
def test_schema_refuses_what_compose_does_not_know(old: str, new: str, tmp_path: Path) -> None:
    result = run_schema_check(FILES.spoilt("compose_text", old, new).compose_text, tmp_path)

    assert result.returncode != 0
    assert "docker-compose.yml" in result.stdout


def test_stack_is_understood_once_every_secret_is_set(tmp_path: Path) -> None:
    result = run_podman_compose(complete_variables(), tmp_path, "--profile", "demo")

    services = parsed(result)["services"]
    assert set(services) == set(FILES.services)
    assert "${" not in result.stdout
    worker = services["worker"]["environment"]
    assert worker["AIRFLOW__CELERY__BROKER_URL"] == "redis://:value-of-redis_password@redis:6379/0"
    assert worker["AIRFLOW_CONN_SYRVE_DEFAULT"] == "value-of-airflow_conn_syrve_default"
    assert services["warehouse-db"]["environment"]["POSTGRES_PASSWORD"] == "value-of-warehouse_owner_password"


def test_settings_of_the_example_change_nothing(tmp_path: Path) -> None:
    only_secrets = {name: value for name, value in complete_variables().items() if name in SECRETS}
    (tmp_path / "bare").mkdir()
    (tmp_path / "full").mkdir()

    bare = parsed(run_podman_compose(only_secrets, tmp_path / "bare", "--profile", "demo"))
    full = parsed(run_podman_compose(complete_variables(), tmp_path / "full", "--profile", "demo"))

    assert bare == full


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("given", ["absent", "empty"])
def test_missing_secret_is_refused_by_name_with_words_on_how_to_make_it(
    secret: str, given: str, tmp_path: Path
) -> None:
    variables = complete_variables()
    del variables[secret]
    if given == "empty":
        variables[secret] = ""

    result = run_podman_compose(variables, tmp_path)

    assert result.returncode != 0
    refusal = result.stderr.strip().splitlines()[-1]
    assert f"required variable {secret} is missing a value" in refusal
    assert "put it into .env" in refusal


def test_example_as_it_stands_is_refused(tmp_path: Path) -> None:
    assert run_podman_compose(FILES.example, tmp_path).returncode != 0


def test_interface_port_follows_its_variables(tmp_path: Path) -> None:
    variables = complete_variables() | {"AIRFLOW_UI_BIND": "192.0.2.7", "AIRFLOW_UI_PORT": "9090"}

    services = parsed(run_podman_compose(variables, tmp_path))["services"]

    assert services["api-server"]["ports"] == ["192.0.2.7:9090:8080"]
    assert services["api-server"]["environment"]["AIRFLOW__API__BASE_URL"] == "http://localhost:9090"
