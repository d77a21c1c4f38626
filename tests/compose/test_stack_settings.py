"""Every setting that the stack hands to Airflow, to the DAGs and to the image exists in what is installed."""

import re
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest
from docker.product_requirements import read_extras, requirements
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from compose.compose_rules import environment_entries
from compose.stack_files import ROOT, StackFiles

FILES = StackFiles.read()


READ_BUT_NOT_LISTED = {("scheduler", "num_stuck_in_queued_retries")}
"""Airflow's scheduler reads it and documents it nowhere; a test looks whether it still does."""


def airflow_settings(files: StackFiles) -> dict[str, str]:
    """AIRFLOW__SECTION__KEY entries of all services, with their values."""
    return {key: value for _, key, value in environment_entries(files) if key.startswith("AIRFLOW__")}


def unknown_settings(files: StackFiles) -> list[str]:
    """Those that neither Airflow nor an installed provider declares, or that are deprecated."""
    from airflow.configuration import AirflowConfigParser, conf

    description: dict[str, Any] = conf.configuration_description
    deprecated = {old for olds in AirflowConfigParser.deprecated_options.values() for old in [olds[:2]]}
    unknown = []
    for name in airflow_settings(files):
        _, section, key = (part.lower() for part in name.split("__", 2))
        options = description.get(section, {}).get("options", {})
        if (section, key) in READ_BUT_NOT_LISTED:
            continue
        if key not in options or (section, key) in deprecated or options[key].get("deprecated"):
            unknown.append(name)
    return unknown


def test_every_airflow_setting_exists_in_this_version() -> None:
    assert airflow_settings(FILES)
    assert unknown_settings(FILES) == []


def test_settings_that_airflow_does_not_list_are_read() -> None:
    from airflow.jobs import scheduler_job_runner

    read = Path(scheduler_job_runner.__file__).read_text(encoding="utf-8")
    assert {key for _, key in READ_BUT_NOT_LISTED if f'key="{key}"' not in read} == set()


@pytest.mark.parametrize(
    ("real", "wrong"),
    [
        ("AIRFLOW__CORE__AUTH_MANAGER", "AIRFLOW__CORE__AUTHENTICATION_MANAGER"),
        ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__CORE__SQL_ALCHEMY_CONN"),
        ("AIRFLOW__API__SECRET_KEY", "AIRFLOW__WEBSERVER__SECRET_KEY"),
        ("AIRFLOW__CELERY__BROKER_URL", "AIRFLOW__CELLERY__BROKER_URL"),
    ],
)
def test_setting_of_another_version_is_noticed(real: str, wrong: str) -> None:
    assert unknown_settings(FILES.spoilt("compose_text", real, wrong)) == [wrong]


def test_classes_named_in_settings_can_be_imported() -> None:
    from airflow.executors.executor_loader import ExecutorLoader

    settings = airflow_settings(FILES)
    resolve_name(settings["AIRFLOW__CORE__AUTH_MANAGER"])
    assert callable(resolve_name(settings["AIRFLOW__CORE__HOSTNAME_CALLABLE"]))
    # The locked Celery and the locked provider once disagreed, which only this import shows.
    resolve_name(ExecutorLoader.executors[settings["AIRFLOW__CORE__EXECUTOR"]])


def test_broker_waits_longer_than_any_task() -> None:
    assert int(airflow_settings(FILES)["AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"]) >= 24 * 3600


def test_dag_settings_are_passed_on_with_the_defaults_that_they_document() -> None:
    from syrve.operators import settings

    documented = dict(re.findall(r"^\| `(SYRVE_\w+)` \|.*\| `([^`]*)` \|$", settings.__doc__ or "", re.MULTILINE))
    # The pool is made by init under its one name.
    assert documented.pop("SYRVE_POOL") == "syrve_api"
    documented["SYRVE_INBOX"] = "file:///opt/airflow/inbox"  # a volume of the stack
    shared = FILES.compose["x-airflow-environment"]
    assert {name: shared.get(name) for name in documented} == {
        name: f"${{{name}:-{default}}}" for name, default in documented.items()
    }


def locked_versions() -> dict[str, str]:
    """What requirements.txt pins, by package."""
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", lock, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pins}


def requirements_in(*lines: str) -> list[Requirement]:
    """Requirements of these lines, without what is only said."""
    texts = [line.partition("#")[0].strip() for line in lines]
    return [Requirement(text) for text in texts if text]


def unmet(requirements: list[Requirement], locked: dict[str, str]) -> list[str]:
    """Those that the lock does not hold, or holds in a version that does not do."""
    return [
        str(requirement)
        for requirement in requirements
        if (version := locked.get(canonicalize_name(requirement.name))) is None
        or not requirement.specifier.contains(version, prereleases=True)
    ]


def test_lock_holds_all_that_the_image_asks_for() -> None:
    product = [each for name in ("", "simulator") for each in requirements(ROOT / name / "pyproject.toml")]
    added = (ROOT / "docker" / "requirements.in").read_text(encoding="utf-8").splitlines()

    assert unmet(requirements_in(*product, *added, "hatchling"), locked_versions()) == []


def test_image_holds_the_extras_that_are_asked_for() -> None:
    product = ROOT / "pyproject.toml"
    least, some, all_of_them = (
        set(requirements(product, read_extras(text, product))) for text in ("", "s3, excel", "all")
    )

    assert {Requirement(each).name for each in some - least} == {"apache-airflow-providers-amazon", "s3fs", "openpyxl"}
    assert some < all_of_them == set(requirements(product))


def test_unknown_extra_fails_the_build_by_its_name() -> None:
    with pytest.raises(SystemExit, match="unknown exel; there are all, excel"):
        read_extras("s3,exel", ROOT / "pyproject.toml")


def test_both_databases_are_made_as_utf8() -> None:
    for name in ("metadata-db", "warehouse-db"):
        assert "--encoding=UTF8" in FILES.services[name]["environment"]["POSTGRES_INITDB_ARGS"]


def test_lock_meets_its_source() -> None:
    source = (ROOT / "requirements.in").read_text(encoding="utf-8").splitlines()

    assert unmet(requirements_in(*source), locked_versions()) == []


def test_missing_or_too_new_package_is_noticed() -> None:
    wanted = requirements_in("celery<5.7  # why", "", "# a remark", "redis", "pandas>=3")

    assert unmet(wanted, {"celery": "5.7.0", "pandas": "3.0.1"}) == ["celery<5.7", "redis"]


def test_pip_of_the_image_takes_hashes_from_a_constraints_file() -> None:
    lines = (ROOT / "docker" / "pip.txt").read_text(encoding="utf-8").splitlines()
    (pin,) = [line for line in lines if not line.startswith("#")]
    match = re.fullmatch(r"pip==(\d+)\.\d+(\.\d+)? --hash=sha256:[0-9a-f]{64}", pin)

    assert match is not None
    assert int(match[1]) >= 26
