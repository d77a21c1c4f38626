"""What Airflow learns of the package: valid by its own schema, and known to its own providers manager."""

import importlib
import inspect
import json
import subprocess
import sys
from functools import cache
from importlib.metadata import entry_points
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

from syrve.api.config import PATH_SEGMENTS, SyrveConfig
from syrve.api.dialects import DIALECTS
from syrve.api.errors import ConfigurationError
from syrve.api.extras import DEFAULT_BUDGETS
from syrve.hooks.syrve import SyrveHook
from syrve.provider import get_provider_info

ASK_AIRFLOW = """
import json
from airflow.providers_manager import ProvidersManager

manager = ProvidersManager()
hook = manager.hooks["syrve"]
prefix = "extra__syrve__"
fields = [name.removeprefix(prefix) for name in manager.connection_form_widgets if name.startswith(prefix)]
print(json.dumps({
    "package": hook.package_name,
    "hook_class": hook.hook_class_name,
    "hook_name": hook.hook_name,
    "connection_id_attribute": hook.connection_id_attribute_name,
    "testable": hook.connection_testable,
    "fields": sorted(fields),
    "behaviour": manager.field_behaviours["syrve"],
}))
"""


def connection_type() -> dict[str, Any]:
    (declared,) = get_provider_info()["connection-types"]
    return dict(declared)


def form() -> dict[str, Any]:
    return dict(connection_type()["conn-fields"])


@cache
def what_airflow_knows() -> dict[str, Any]:
    """Ask in a process of its own: the providers manager looks at every installed provider."""
    done = subprocess.run([sys.executable, "-c", ASK_AIRFLOW], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_provider_info_is_valid_by_the_schema_of_airflow() -> None:
    schema = json.loads(files("airflow").joinpath("provider_info.schema.json").read_text())

    jsonschema.validate(get_provider_info(), schema)


def test_installed_package_announces_itself() -> None:
    (entry,) = [each for each in entry_points(group="apache_airflow_provider") if each.value.startswith("syrve.")]

    assert entry.load()() == get_provider_info()
    assert entry.dist is not None
    assert (entry.dist.name, [entry.dist.version]) == (
        get_provider_info()["package-name"],
        get_provider_info()["versions"],
    )


def test_airflow_knows_the_connection_type_with_its_hook() -> None:
    known = what_airflow_knows()

    assert known["package"] == "airflow-provider-syrve"
    assert known["hook_class"] == f"{SyrveHook.__module__}.{SyrveHook.__qualname__}"
    assert known["hook_name"] == SyrveHook.hook_name == connection_type()["hook-name"]
    assert known["connection_id_attribute"] == SyrveHook.conn_name_attr
    assert known["testable"] is True


def test_airflow_shows_every_field_of_the_form() -> None:
    assert what_airflow_knows()["fields"] == sorted(form())


def test_airflow_labels_the_fields_and_hides_those_without_a_meaning() -> None:
    behaviour = what_airflow_knows()["behaviour"]

    assert {name: behaviour["relabeling"][name] for name in ("host", "password")} == {
        "host": "Base URL",
        "password": "API login",
    }
    assert "Test button" in behaviour["relabeling"]["port"]
    assert set(behaviour["hidden_fields"]) == {"schema", "login", "extra"}
    assert behaviour["placeholders"]["host"] == "https://api-ru.iiko.services"


def test_every_field_has_a_label_a_description_and_a_valid_schema_whose_default_is_valid() -> None:
    for name, field in form().items():
        assert field["label"], name
        assert field["description"], name
        jsonschema.Draft7Validator.check_schema(field["schema"])
        assert "null" in field["schema"]["type"], "every field may be left empty"
        if "default" in field["schema"]:
            jsonschema.validate(field["schema"]["default"], field["schema"])


def test_form_holds_no_secret_in_a_plain_field() -> None:
    words = ("token", "login", "password", "secret")
    texts = [name for name, field in form().items() if "number" not in field["schema"]["type"]]
    assert not [name for name in texts if any(word in name for word in words)]


@pytest.mark.parametrize("name", sorted(form()))
def test_every_field_of_the_form_is_a_setting_that_the_connection_takes(name: str) -> None:
    sample = {
        "app_id": "app",
        "budgets": DEFAULT_BUDGETS,
        "max_in_flight": {"customer": 5},
        "organization_ids": "5f4e0007-0000-4000-8000-000000000001",
    }
    value = form()[name]["schema"].get("default", sample.get(name))
    assert value is not None

    others = {"dialect": "cloud"} if name == "app_id" else {}
    SyrveConfig.from_parts("https://api.example.test", "API_KEY:CLIENT_SECRET", others | {name: value})


def test_form_has_a_field_for_every_setting_that_is_taken() -> None:
    with pytest.raises(ConfigurationError, match="known ones are") as caught:
        SyrveConfig.from_parts("https://api.example.test", "login", {"unheard_of": 1})

    assert str(caught.value).partition("known ones are ")[2].split(", ") == sorted(form())


def test_defaults_shown_in_the_form_are_those_of_the_connection() -> None:
    config = SyrveConfig.from_parts("https://api.example.test", "login", {})

    shown = {name: field["schema"]["default"] for name, field in form().items() if "default" in field["schema"]}

    assert {name: getattr(config, name) for name in shown} == shown
    assert form()["dialect"]["schema"]["enum"] == list(DIALECTS)
    assert form()["path_segment"]["schema"]["enum"] == list(PATH_SEGMENTS)
    assert all(family in form()["budgets"]["description"] for family in DEFAULT_BUDGETS)


def test_every_module_of_the_operators_is_listed() -> None:
    from airflow.sdk import BaseOperator

    listed = {name for each in get_provider_info()["operators"] for name in each["python-modules"]}
    package = files("syrve").joinpath("operators")
    modules = {
        f"syrve.operators.{entry.name.removesuffix('.py')}" for entry in package.iterdir() if entry.name.endswith(".py")
    }
    with_operators = {
        name
        for name in modules - {"syrve.operators.__init__"}
        for _, value in inspect.getmembers(importlib.import_module(name), inspect.isclass)
        if issubclass(value, BaseOperator) and value.__module__ == name
    }

    assert with_operators == listed
