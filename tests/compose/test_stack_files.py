"""The files of the production-like stack keep their rules, and each rule notices when they do not."""

from collections.abc import Callable

import pytest

from compose import compose_rules, image_rules
from compose.stack_files import StackFiles

Rule = Callable[[StackFiles], list[str]]

RULES: list[Rule] = [
    rule for module in (compose_rules, image_rules) for name, rule in vars(module).items() if name.startswith("check_")
]

# Rule, file, text to replace, what to put there instead, and what the rule must then say.
SPOILT: list[tuple[Rule, str, str, str, str]] = [
    (
        compose_rules.check_variables_match_example,
        "env_text",
        "REDIS_PASSWORD=\n",
        "",
        "REDIS_PASSWORD is used and missing",
    ),
    (
        compose_rules.check_variables_match_example,
        "env_text",
        "SYRVE_IMAGE=",
        "OTHER=1\nSYRVE_IMAGE=",
        "OTHER is in .env.example",
    ),
    (
        compose_rules.check_variables_match_example,
        "compose_text",
        "${AIRFLOW_ADMIN_USER:-admin}",
        "$USER",
        "$USER is written without",
    ),
    (
        compose_rules.check_defaults_match_example,
        "env_text",
        "SYRVE_POOL_SLOTS=8",
        "SYRVE_POOL_SLOTS=80",
        "SYRVE_POOL_SLOTS: .env",
    ),
    (
        compose_rules.check_secrets_are_required,
        "compose_text",
        "${REDIS_PASSWORD:?",
        "${REDIS_PASSWORD:-",
        "REDIS_PASSWORD is required 0",
    ),
    (
        compose_rules.check_secrets_are_required,
        "compose_text",
        "@redis:6379/0",
        "@redis:6379/0${A_KEY:-}",
        "A_KEY is required 0 times",
    ),
    (
        compose_rules.check_secrets_are_required,
        "compose_text",
        "'openssl rand -hex 64' and put it into .env",
        "it",
        "AIRFLOW_JWT_SECRET: its",
    ),
    (
        compose_rules.check_secrets_are_required,
        "env_text",
        "AIRFLOW_JWT_SECRET=",
        "AIRFLOW_JWT_SECRET=x",
        "AIRFLOW_JWT_SECRET has a value",
    ),
    (
        compose_rules.check_no_literal_secrets,
        "compose_text",
        "${AIRFLOW_JWT_SECRET:-}",
        "hunter2",
        "AIRFLOW__API_AUTH__JWT_SECRET is not",
    ),
    (
        compose_rules.check_no_literal_secrets,
        "compose_text",
        ":${REDIS_PASSWORD:-}@",
        ":hunter2@",
        "BROKER_URL has a password",
    ),
    (
        compose_rules.check_environment_values_are_text,
        "compose_text",
        '"86400"',
        "86400",
        "VISIBILITY_TIMEOUT is not text",
    ),
    (
        compose_rules.check_health,
        "compose_text",
        "docker/healthcheck.py, worker]",
        "x]\n    restart: always",
        "worker is not restarted",
    ),
    (
        compose_rules.check_health,
        "compose_text",
        "test: [CMD, python, docker/healthcheck.py, worker]",
        "retries: 1",
        "worker has no health",
    ),
    (compose_rules.check_health, "compose_text", 'restart: "no"', "restart: always", "init ends by itself"),
    (
        compose_rules.check_dependencies,
        "compose_text",
        "    redis: {condition",
        "    rediss: {condition",
        "depends on rediss, which does not",
    ),
    (
        compose_rules.check_dependencies,
        "compose_text",
        "init: {condition: service_completed_successfully}",
        "init: {condition: service_healthy}",
        "waits for init on another",
    ),
    (
        compose_rules.check_dependencies,
        "compose_text",
        "    init: {condition: service_completed_successfully}\n",
        "",
        "scheduler does not wait for init",
    ),
    (
        compose_rules.check_dependencies,
        "compose_text",
        "    profiles: [demo]",
        "    depends_on: {simulator: {condition: service_healthy}}",
        "simulator depends on itself",
    ),
    (
        compose_rules.check_secrets_are_held_where_used,
        "compose_text",
        "    environment: *task-environment\n",
        "",
        "worker lacks AIRFLOW_CONN_SYRVE_DEFAULT",
    ),
    (
        compose_rules.check_secrets_are_held_where_used,
        "compose_text",
        "  AIRFLOW__CORE__LOAD_EXAMPLES:",
        "  LEAK: ${AIRFLOW_JWT_SECRET:-}\n  AIRFLOW__CORE__LOAD_EXAMPLES:",
        "triggerer holds AIRFLOW_JWT_SECRET",
    ),
    (compose_rules.check_hardening, "compose_text", "user: redis", "user: root", "redis runs as root"),
    (compose_rules.check_hardening, "compose_text", "    user: postgres\n", "", "metadata-db runs as root"),
    (
        compose_rules.check_hardening,
        "compose_text",
        "    profiles: [demo]",
        "    cap_add: [CHOWN]",
        "simulator: cap_add is set",
    ),
    (compose_rules.check_hardening, "compose_text", "    mem_limit: 256m\n", "", "redis: no mem_limit"),
    (compose_rules.check_hardening, "compose_text", "max-size: 10m, ", "", "scheduler: its logs grow"),
    (
        compose_rules.check_publishing,
        "compose_text",
        "airflow, celery, worker]",
        "x]\n    container_name: w",
        "worker has a container_name",
    ),
    (
        compose_rules.check_publishing,
        "compose_text",
        "airflow, celery, worker]",
        'x]\n    ports: ["8793:8793"]',
        "worker publishes 8793",
    ),
    (compose_rules.check_publishing, "compose_text", "127.0.0.1}:", "0.0.0.0}:", "not published on loopback"),
    (
        compose_rules.check_references,
        "compose_text",
        "networks: [default, data]",
        "networks: [default, dta]",
        "no network dta",
    ),
    (
        compose_rules.check_references,
        "compose_text",
        '"warehouse-db:/var',
        '"./warehouse:/var',
        "./warehouse is not a declared",
    ),
    (
        compose_rules.check_references,
        "compose_text",
        "  airflow-logs:\n",
        "  airflow-logs:\n  spare:\n",
        "nothing uses the volume spare",
    ),
    (compose_rules.check_references, "compose_text", "context: .", "context: docs", "no Dockerfile in docs"),
    (
        compose_rules.check_same_settings_everywhere,
        "compose_text",
        "SYRVE_POOL_SLOTS: ",
        "AIRFLOW__CORE__EXECUTOR: LocalExecutor\n      SYRVE_POOL_SLOTS: ",
        "init: AIRFLOW__CORE__EXECUTOR differs",
    ),
    (
        image_rules.check_targets,
        "compose_text",
        "target: simulator",
        "target: simulation",
        "simulator: the Dockerfile has no stage",
    ),
    (
        image_rules.check_targets,
        "dockerfile_text",
        "ARG PYTHON_IMAGE=",
        "ARG PYTHON=",
        "the Dockerfile has no ARG PYTHON_IMAGE",
    ),
    (
        image_rules.check_targets,
        "dockerfile_text",
        "FROM base AS runtime",
        "FROM base AS production",
        "something else than the runtime",
    ),
    (
        image_rules.check_copies,
        "dockerfile_text",
        "COPY sql sql",
        "COPY squirrel sql",
        "builder copies squirrel, which does not exist",
    ),
    (image_rules.check_copies, "dockerfile_text", "--from=builder", "--from=bilder", "copies from bilder"),
    (image_rules.check_copies, "dockerignore_text", "!sql\n", "", "builder copies sql, which .dockerignore hides"),
    (image_rules.check_context_holds_no_secrets, "dockerignore_text", "*\n", "", ".env would reach the build"),
    (image_rules.check_context_holds_no_secrets, "dockerignore_text", "**/*.pyc", "", "would reach"),
    (
        image_rules.check_scripts_are_in_the_image,
        "dockerfile_text",
        "COPY docker/init.py",
        "COPY docker/healthcheck.py",
        "init runs docker/init.py",
    ),
    (
        image_rules.check_scripts_are_in_the_image,
        "dockerfile_text",
        "WORKDIR /opt/airflow",
        "WORKDIR /opt",
        "worker runs docker/healthcheck.py",
    ),
    (image_rules.check_final_stages, "dockerfile_text", "USER 50000:50000\n", "", "runtime runs as root"),
    (image_rules.check_final_stages, "dockerfile_text", "USER 50000:50000", "USER airflow", "runtime runs as airflow"),
    (
        image_rules.check_final_stages,
        "dockerfile_text",
        '["airflow", "version"]',
        "airflow version",
        "runtime: CMD is not in exec form",
    ),
    (
        image_rules.check_no_secrets_in_the_image,
        "dockerfile_text",
        "ARG PYTHON_IMAGE",
        "ARG DB_PASSWORD=x\nARG PYTHON_IMAGE",
        "ARG DB_PASSWORD=x looks",
    ),
    (
        image_rules.check_installs_are_hashed,
        "dockerfile_text",
        "install --require-hashes --constraint requirements.txt hatchling",
        "install hatchling",
        "not held to the lock",
    ),
]


@pytest.fixture(scope="module")
def files() -> StackFiles:
    return StackFiles.read()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__.removeprefix("check_"))
def test_stack_files_keep_the_rule(rule: Rule, files: StackFiles) -> None:
    assert rule(files) == []


@pytest.mark.parametrize(
    ("rule", "field", "old", "new", "complaint"),
    SPOILT,
    ids=[f"{rule.__name__.removeprefix('check_')}-{number}" for number, (rule, *_) in enumerate(SPOILT)],
)
def test_rule_notices_a_spoilt_file(
    rule: Rule, field: str, old: str, new: str, complaint: str, files: StackFiles
) -> None:
    assert complaint in "\n".join(rule(files.spoilt(field, old, new)))


def test_every_rule_has_been_seen_to_complain() -> None:
    assert {rule.__name__ for rule in RULES} == {rule.__name__ for rule, *_ in SPOILT}


def test_workers_can_be_scaled(files: StackFiles) -> None:
    assert not {"container_name", "ports", "hostname", "scale"} & set(files.services["worker"])
