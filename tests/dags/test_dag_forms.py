"""What the forms ask, refuse and hand to the tasks."""

import json
from pathlib import Path

import jsonschema
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG

from fixtures.dag_files import DAGS, argument_of
from syrve.operators import settings
from syrve.operators.conf import refuse_unknown_conf
from syrve.operators.rendered import as_flag


def test_form_has_a_title_for_every_parameter_and_defaults_that_are_valid(dag: DAG) -> None:
    for name in dag.params:
        param = dag.params.get_param(name)
        assert param.schema.get("title"), name
        jsonschema.Draft7Validator.check_schema(param.schema)
        param.resolve()


def test_every_parameter_of_the_form_reaches_a_task(dag: DAG) -> None:
    from syrve.operators import forms

    text = Path(dag.fileloc).read_text()
    if "**forms.SOURCE_ARGUMENTS" in text:
        text += str(forms.SOURCE_ARGUMENTS)

    for name in dag.params:
        assert f"{{{{ params.{name} }}}}" in text


@pytest.mark.parametrize("value", [1e308, 10**30, -(10**30)])
def test_form_refuses_numbers_that_no_task_can_take(dag: DAG, value: float) -> None:
    """Airflow ends the task before it begins, without a log, and tries it 24 times."""
    from airflow.sdk.exceptions import ParamValidationError

    for name in dag.params:
        param = dag.params.get_param(name)
        if {"integer", "number"} & set(
            [param.schema["type"]] if isinstance(param.schema["type"], str) else param.schema["type"]
        ):
            with pytest.raises(ParamValidationError):
                param.resolve(value)


@pytest.mark.parametrize("value", ["not an id", "5f4e0009-0000-4000-8000-00000000000", 7])
def test_form_refuses_what_is_no_organization(dagbag: DagBag, value: object) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    for dag_id in ("syrve_customers", "syrve_coupons", "syrve_backfill", "syrve_crm_push", "syrve_release_holds"):
        with pytest.raises(ParamValidationError):
            dagbag.dags[dag_id].params.get_param("organization_ids").resolve([value])


@pytest.mark.parametrize("value", ["+79750000001", "8 (975) 000-00-01", "79750000001", "A1234567", "", 7])
def test_form_refuses_to_take_anything_but_ids_of_customers(dagbag: DagBag, value: object) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    ids = dagbag.dags["syrve_backfill"].params.get_param("customer_ids")
    assert ids.resolve(["5f4e0009-0000-4000-8000-00000000000A"])
    with pytest.raises(ParamValidationError):
        ids.resolve(["5f4e0009-0000-4000-8000-000000000001", value])


@pytest.mark.parametrize(
    "value", ["2026-09-01", "2026-09-01T10:00", "2026-09-01T10:00:00.000Z", "2026-09-01 10:00:00+03:00"]
)
def test_form_takes_dates_and_times(dagbag: DagBag, value: str) -> None:
    since = dagbag.dags["syrve_backfill"].params.get_param("not_refreshed_since")
    assert since.resolve(value) == value


def test_forms_refuse_in_words_and_not_by_a_pattern(dag: DAG) -> None:
    """Airflow shows a pattern as it is; operators say what is wrong and what to write."""
    for name in dag.params:
        assert "pattern" not in json.dumps(dag.params.get_param(name).schema), name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("finding_ids", ["+79750000001"]),
        ("rules", ["cancel_outcome_unknown"]),
        ("rules", []),
        ("min_severity", "mild"),
        ("max_holds", 0),
        ("max_amount", 1.5),
        ("answer_hours", 0),
    ],
)
def test_form_of_the_release_refuses_what_makes_no_sense(dagbag: DagBag, name: str, value: object) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    with pytest.raises(ParamValidationError):
        dagbag.dags["syrve_release_holds"].params.get_param(name).resolve(value)


ACTS = {
    "syrve_backfill": "Start",
    "syrve_bulk_topup": "Send",
    "syrve_crm_import": "Import",
    "syrve_crm_push": "Send",
    "syrve_erase_customer": "Send",
    "syrve_release_holds": "Send",
    "syrve_roster_import": "Import",
    "syrve_wallet_import": "Import",
    "syrve_webhooks": "Send",
}
"""What a form may do other than look."""


def test_every_form_that_may_only_look_is_known(dagbag: DagBag) -> None:
    assert {dag_id for dag_id, dag in dagbag.dags.items() if "dry_run" in dag.params} == set(ACTS)


@pytest.mark.parametrize(("dag_id", "act"), ACTS.items())
def test_form_asks_to_preview_or_to_act(dagbag: DagBag, dag_id: str, act: str) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    choice = dagbag.dags[dag_id].params.get_param("dry_run")

    assert choice.value == "Preview"
    assert (choice.schema["title"], choice.schema["enum"]) == (f"Preview or {act.lower()}", ["Preview", act])
    assert choice.schema["type"][0] == "string", "Airflow makes a dropdown of an enum of texts, and of no other"
    for value in (True, False, act, "Preview"):
        assert choice.resolve(value) is value
    for wrong in (None, "", "yes", 1, 0, "Change"):
        with pytest.raises(ParamValidationError):
            choice.resolve(wrong)


@pytest.mark.parametrize("act", sorted({*ACTS.values()}))
def test_act_of_a_form_is_no_preview(act: str) -> None:
    assert as_flag("Preview") is True
    assert as_flag(act) is False


def test_form_says_whether_the_schedule_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYRVE_CRM_PUSH_SCHEDULE", "37 * * * *")
    monkeypatch.setenv("SYRVE_RELEASE_HOLDS_SCHEDULE", "none")

    assert "is ON (SYRVE_CRM_PUSH_SCHEDULE): it also sends by itself at 37 * * * *" in settings.armed("crm_push")
    assert "is off: nothing is sent by itself" in settings.armed("release_holds")
    bag = DagBag(dag_folder=DAGS, bundle_name="dags")
    assert settings.armed("crm_push") in str(bag.dags["syrve_crm_push"].params.get_param("dry_run").description)


def test_every_task_refuses_unknown_conf_before_it_begins(dag: DAG) -> None:
    assert {argument_of(task, "pre_execute") for task in dag.tasks} == {refuse_unknown_conf}
