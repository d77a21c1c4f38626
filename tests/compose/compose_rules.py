"""Rules that docker-compose.yml and .env.example must keep; each returns what breaks it, in words."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from compose.stack_files import StackFiles

Problems = list[str]

# `$$` is a literal dollar; a nested default, as in ${A:-x${B:-y}}, shows up as a match of its own.
_VARIABLE = re.compile(r"(?<!\$)(?:\$\$)*\$\{(?P<name>\w+)(?P<rest>[^}]*)")
_BARE_VARIABLE = re.compile(r"(?<!\$)(?:\$\$)*\$(?P<name>[A-Za-z_]\w*)")
_SECRET_NAME = re.compile(r"PASSWORD|SECRET|_KEY$|_CONN_")
_REQUIRED = re.compile(r":\?(?P<message>.*)")
_ONE_SHOT = ("init",)
_PUBLISHED = ("api-server",)


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def variables_used(files: StackFiles) -> set[str]:
    """Names of all variables that the compose file reads."""
    return {match["name"] for match in _VARIABLE.finditer(_without_comments(files.compose_text))}


def check_variables_match_example(files: StackFiles) -> Problems:
    """The compose file reads exactly the variables that .env.example explains."""
    used, explained = variables_used(files), set(files.example)
    problems = [f"{name} is used and missing from .env.example" for name in sorted(used - explained)]
    problems += [f"{name} is in .env.example and nothing reads it" for name in sorted(explained - used)]
    bare = {match["name"] for match in _BARE_VARIABLE.finditer(_without_comments(files.compose_text))}
    return problems + [f"${name} is written without braces" for name in sorted(bare)]


def check_defaults_match_example(files: StackFiles) -> Problems:
    """The values shown in .env.example are the defaults of the compose file."""
    defaults: dict[str, set[str]] = {}
    for match in _VARIABLE.finditer(_without_comments(files.compose_text)):
        if match["rest"].startswith(":-") and "${" not in match["rest"]:
            defaults.setdefault(match["name"], set()).add(match["rest"].removeprefix(":-"))
    return [
        f"{name}: .env.example shows {files.example[name]!r}, the compose file has {sorted(values)}"
        for name, values in sorted(defaults.items())
        if name in files.example and values != {files.example[name]}
    ]


def secrets(files: StackFiles) -> set[str]:
    """Variables whose name says that they are secret."""
    return {name for name in variables_used(files) if _SECRET_NAME.search(name)}


def check_secrets_are_required(files: StackFiles) -> Problems:
    """Every secret is empty in .env.example, and required exactly once, in a service, with words on how to make it.

    Once, so that a missing one is one line of the refusal; in a service, since only there every parser has to look.
    """
    services_text = _without_comments(files.compose_text).split("\nservices:\n", 1)[1]
    required = Counter[str]()
    problems: Problems = []
    for match in _VARIABLE.finditer(services_text):
        if message := _REQUIRED.fullmatch(match["rest"]):
            required[match["name"]] += 1
            if ".env" not in message["message"]:
                problems.append(f"{match['name']}: its message does not say what to do")
    for name in sorted(secrets(files)):
        if required[name] != 1:
            problems.append(f"{name} is required {required[name]} times, not once")
        if files.example.get(name):
            problems.append(f"{name} has a value in .env.example")
    problems += [
        f"{name} is required and does not look like a secret" for name in required if name not in secrets(files)
    ]
    return problems


def check_no_literal_secrets(files: StackFiles) -> Problems:
    """No environment entry with a secret's name, and no URL, holds a password as plain text."""
    problems: Problems = []
    for service, key, value in environment_entries(files):
        if re.search(r"PASSWORD|SECRET|_KEY$|AUTH$", key) and not re.fullmatch(r"\$\{.*\}", value):
            problems.append(f"{service}: {key} is not taken from the environment")
        if re.search(r"://[^/@\s:$]*:(?!\$\{)[^@\s]+@", value):
            problems.append(f"{service}: {key} has a password in its URL")
    return problems


_HELD_BY = {
    "AIRFLOW_JWT_SECRET": {"api-server", "init", "scheduler"},
    "AIRFLOW_CONN_SYRVE_DEFAULT": {"init", "worker"},
    "WAREHOUSE_LOADER_PASSWORD": {"init", "worker"},
    "WAREHOUSE_SOURCE_PASSWORD": {"init", "worker"},
    "WAREHOUSE_OWNER_PASSWORD": {"init", "warehouse-db"},
    "AIRFLOW_ADMIN_PASSWORD": {"init"},
}


def check_secrets_are_held_where_used(files: StackFiles) -> Problems:
    """Each of these secrets reaches the services that use it, and no other."""
    holders: dict[str, set[str]] = {name: set() for name in _HELD_BY}
    for service, _, value in environment_entries(files):
        for match in _VARIABLE.finditer(value):
            if match["name"] in holders:
                holders[match["name"]].add(service)
    problems: Problems = []
    for name, wanted in _HELD_BY.items():
        problems += [f"{service} holds {name} and has no use for it" for service in sorted(holders[name] - wanted)]
        problems += [f"{service} lacks {name}" for service in sorted(wanted - holders[name])]
    return problems


def environment_entries(files: StackFiles) -> Iterator[tuple[str, str, str]]:
    """Service, name and value of every environment entry."""
    for service, definition in files.services.items():
        for key, value in (definition.get("environment") or {}).items():
            yield service, key, str(value)


def check_environment_values_are_text(files: StackFiles) -> Problems:
    """YAML leaves every environment value a string: an unquoted True or 8 reads differently in each parser."""
    return [
        f"{service}: {key} is not text"
        for service, definition in files.services.items()
        for key, value in (definition.get("environment") or {}).items()
        if not isinstance(value, str)
    ]


def check_health(files: StackFiles) -> Problems:
    """Every service that stays up has a health check, and one that does not is waited for until it succeeded."""
    problems: Problems = []
    for name, definition in files.services.items():
        if name in _ONE_SHOT:
            if definition.get("restart") != "no":
                problems.append(f"{name} ends by itself and must not be restarted")
            continue
        test = definition.get("healthcheck", {}).get("test")
        if not test or test[0] not in ("CMD", "CMD-SHELL"):
            problems.append(f"{name} has no health check")
        if definition.get("restart") != "unless-stopped":
            problems.append(f"{name} is not restarted")
    return problems


def check_dependencies(files: StackFiles) -> Problems:
    """Every dependency exists, on a condition that it can meet, and none of them goes in a circle."""
    problems: Problems = []
    for name, definition in files.services.items():
        for target, rule in _dependencies(definition).items():
            if target not in files.services:
                problems.append(f"{name} depends on {target}, which does not exist")
                continue
            wanted = "service_completed_successfully" if target in _ONE_SHOT else "service_healthy"
            if rule.get("condition") != wanted:
                problems.append(f"{name} waits for {target} on another condition than {wanted}")
            if files.services[target].get("profiles"):
                problems.append(f"{name} depends on {target}, which belongs to a profile")
        if name in _reachable(files, name):
            problems.append(f"{name} depends on itself")
        if definition.get("image", "").startswith("${SYRVE_IMAGE") and name not in _ONE_SHOT:
            problems += [
                f"{name} does not wait for {one_shot}"
                for one_shot in _ONE_SHOT
                if one_shot not in _dependencies(definition)
            ]
    return problems


def _dependencies(definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    dependencies: dict[str, dict[str, Any]] = definition.get("depends_on") or {}
    return dependencies


def _reachable(files: StackFiles, start: str) -> set[str]:
    found: set[str] = set()
    waiting = list(_dependencies(files.services[start]))
    while waiting:
        name = waiting.pop()
        if name not in found and name in files.services:
            found.add(name)
            waiting += _dependencies(files.services[name])
    return found


def check_hardening(files: StackFiles) -> Problems:
    """Every service: no root, bounded memory, processes and logs; the rest of it compose-lint knows (test_linters.py)."""
    problems: Problems = []
    for name, definition in files.services.items():
        # What is built here runs as the Dockerfile says (its own rule); an image from elsewhere must be told.
        user = str(definition.get("user", "" if "build" not in definition else "from the Dockerfile"))
        if user.split(":")[0] in ("", "0", "root"):
            problems.append(f"{name} runs as root")
        problems += [f"{name}: no {key}" for key in ("mem_limit", "pids_limit") if not definition.get(key)]
        problems += [f"{name}: cap_add is set"] if "cap_add" in definition else []
        if "max-size" not in definition.get("logging", {}).get("options", {}):
            problems.append(f"{name}: its logs grow without end")
    return problems


def check_publishing(files: StackFiles) -> Problems:
    """Only the UI is published, on loopback unless told otherwise, and no service has a name that hinders --scale."""
    problems = [
        f"{name} has a container_name" for name, definition in files.services.items() if "container_name" in definition
    ]
    for name, definition in files.services.items():
        for port in definition.get("ports", []):
            if name not in _PUBLISHED:
                problems.append(f"{name} publishes {port}")
            elif not re.match(r"\$\{\w+:-127\.0\.0\.1\}:", str(port)):
                problems.append(f"{name} is not published on loopback by default")
    return problems


def check_references(files: StackFiles) -> Problems:
    """Every network, volume and folder that a service names exists."""
    problems: Problems = []
    used_volumes: set[str] = set()
    for name, definition in files.services.items():
        problems += [
            f"{name}: no network {network}"
            for network in definition.get("networks", [])
            if network not in files.compose.get("networks", {})
        ]
        for volume in definition.get("volumes", []):
            source = str(volume).split(":")[0]
            used_volumes.add(source)
            if source.startswith((".", "/", "~")) or source not in files.compose.get("volumes", {}):
                problems.append(f"{name}: {source} is not a declared volume")
        build = definition.get("build", {})
        if build and not (files.root / build.get("context", ".") / build.get("dockerfile", "Dockerfile")).is_file():
            problems.append(f"{name}: no Dockerfile in {build['context']}")
    return problems + [
        f"nothing uses the volume {volume}" for volume in files.compose["volumes"] if volume not in used_volumes
    ]


def check_same_settings_everywhere(files: StackFiles) -> Problems:
    """Every Airflow component gets the same settings: all of the shared ones, none changed; one may also require a variable."""
    shared = files.compose["x-airflow-environment"]
    return [
        f"{name}: {key} differs from the shared setting"
        for name, definition in files.services.items()
        if definition.get("image", "").startswith("${SYRVE_IMAGE")
        for key, value in shared.items()
        if _REQUIRED.sub(":-}", str((definition.get("environment") or {}).get(key))) != value
    ]
