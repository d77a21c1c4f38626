"""The Back button, and two windows of the Syrve page: what is done in one leaves the other one stale."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By

from devstack import environments, names
from devstack.dag_runs import DagRun
from e2e.test_page_in_browser import guests_file, last_run, page  # noqa: F401 - a fixture
from e2e.test_release_under_airflow import releasing  # noqa: F401 - a fixture
from e2e_support import wait_until
from fixtures.browser import Browser
from fixtures.releases import Releasing


@pytest.fixture
def other(live_airflow: Any, screenshots: Path, page: Browser) -> Iterator[Browser]:  # noqa: F811
    """A window of the second person."""
    window = Browser(str(live_airflow.state.api_url), screenshots)
    try:
        window.log_in(environments.APPROVER_USER, live_airflow.stack.secrets.approver_password)
        yield window
    finally:
        window.driver.quit()


def page_says(window: Browser, words: str) -> bool:
    return words in window.text()


def runs_of(airflow: Any, dag_id: str) -> int:
    query = "select count(*) from dag_run where dag_id = %s"
    return int(airflow.rows(query, dag_id, database=names.METADATA_DATABASE)[0][0])


def test_back_and_send_again_sends_a_plan_once(airflow: Any, page: Browser) -> None:  # noqa: F811
    (person,) = airflow.fresh(customers=1)
    assert airflow.run(names.CUSTOMERS_DAG)[0] == "success"
    airflow.rows(
        "insert into crm.customer (organization_id, customer_id, surname) values (%s, %s, 'Planted')",
        person["organization_id"],
        person["customer_id"],
    )
    page.open("push")
    page.press("Preview: plan, send nothing")
    last_run(airflow, names.CRM_PUSH_DAG)
    before = runs_of(airflow, names.CRM_PUSH_DAG)
    airflow.api.set_paused(
        names.CRM_PUSH_DAG, paused=True
    )  # so that the first run has not planned when the form comes back
    try:
        page.open("push")
        for _ in range(2):
            page.driver.find_element(By.NAME, "number").clear()
            page.driver.find_element(By.NAME, "number").send_keys("1")
            page.press("Send")
            assert "The run was started" in page.text()
            page.driver.back()
            page.wait_for(By.NAME, "number")
        assert runs_of(airflow, names.CRM_PUSH_DAG) == before + 1
    finally:
        airflow.api.set_paused(names.CRM_PUSH_DAG, paused=False)
    last_run(airflow, names.CRM_PUSH_DAG)


def test_stale_stop_leaves_an_ended_backfill_as_it_is(airflow: Any, page: Browser) -> None:  # noqa: F811
    guests_file(airflow, "ended.csv", 3)
    page.open("backfill")
    airflow.api.set_paused(names.BACKFILL_DAG, paused=True)
    try:
        page.driver.find_element(By.NAME, "path").send_keys("ended.csv")
        page.press("Preview")
    finally:
        airflow.api.set_paused(names.BACKFILL_DAG, paused=False)
    run_id = last_run(airflow, names.BACKFILL_DAG)
    stop = (
        "const form = document.querySelector('form[action$=\"/backfill/start\"]'); const run = document.createElement('input');"
        "run.type = 'hidden'; run.name = 'run_id'; run.value = arguments[0]; form.append(run);"
        "form.action = form.action.replace('start', arguments[1]); form.enctype = 'application/x-www-form-urlencoded'; form.submit();"
    )
    for action, words in (("stop", "This backfill has already ended"), ("continue", "This backfill is not stopped")):
        page.open("backfill")
        page.driver.execute_script(stop, run_id, action)
        wait_until(partial(page_says, page, words), f"the page says {words}", timeout_seconds=60)
        assert last_run(airflow, names.BACKFILL_DAG) == run_id
    page.shoot("backfill-stale-window")


def test_stale_answer_is_refused_in_words(
    airflow: Any,
    page: Browser,  # noqa: F811
    other: Browser,
    releasing: Releasing,  # noqa: F811
) -> None:
    hold_id = releasing.dangling("7.77")
    [(finding_id,)] = airflow.rows("select finding_id::text from wallet.finding where hold_id = %s", hold_id)
    page.open("holds")
    page.driver.find_element(By.CSS_SELECTOR, f"input[name='finding:{finding_id}'][value=release]").click()
    page.press("Do what is chosen")
    newest = "select run_id from dag_run where dag_id = %s order by id desc limit 1"
    [(run_id,)] = airflow.rows(newest, names.RELEASE_HOLDS_DAG, database=names.METADATA_DATABASE)
    run = DagRun(names.RELEASE_HOLDS_DAG, run_id)
    airflow.wait_for_question(run, "approve")
    page.open("inbox")
    other.open("inbox")
    label = f"//fieldset//label[contains(., {hold_id!r})]"
    noted = "select count(*) from sync.audit where action = 'answer a question' and subject->>'run_id' = %s"
    for window in (other, page):
        window.driver.find_element(By.XPATH, f"{label}/input").click()
    other.leave(f"{label}/ancestor::form//button")
    assert "Your answer was sent." in other.text()

    page.leave(f"{label}/ancestor::form//button")

    assert "This question is already answered" in page.text()
    page.shoot("inbox-stale-window")
    assert airflow.rows(noted, run_id) == [(1,)]
    last_run(airflow, names.RELEASE_HOLDS_DAG)
    assert releasing.finding(hold_id) == ("released", True)
    assert releasing.cancels == 1
