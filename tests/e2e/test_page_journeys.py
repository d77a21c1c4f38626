"""More of what people do on the Syrve page, in a real browser: their own files, past days, alerts, and things that are down."""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from devstack import names
from devstack.dag_runs import DagRun
from e2e.test_page_in_browser import last_run, page  # noqa: F401 - a fixture
from e2e.test_release_under_airflow import releasing  # noqa: F401 - a fixture
from e2e_support import wait_until
from fixtures.browser import Browser
from fixtures.releases import Releasing


def started_told(page: Browser, words: str) -> None:  # noqa: F811
    """Wait until the page says so of the run that was started, without being loaded again by anybody."""
    wait_until(lambda: words in page.text("//*[@id='run']"), f"the page says {words!r}", timeout_seconds=180)


def newest_state(airflow: Any, dag_id: str) -> str:
    query = "select state from dag_run where dag_id = %s order by id desc limit 1"
    return str(airflow.rows(query, dag_id, database=names.METADATA_DATABASE)[0][0])


class NewFiles(Collection[Path]):
    """Files of a folder that were not there before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.before = set(folder.glob("*"))

    def __iter__(self) -> Iterator[Path]:
        return iter(sorted(set(self.folder.glob("dropped-*")) - self.before))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __contains__(self, path: object) -> bool:
        return path in list(iter(self))


@pytest.fixture
def dropped_files(airflow: Any) -> Iterator[NewFiles]:
    """What the page puts into the first inbox of the stack while the test runs."""
    files = NewFiles(airflow.stack.paths.repository / "inbox")
    yield files
    for each in files:
        each.unlink()


def test_dropped_file_is_previewed_started_stopped_and_continued(
    airflow: Any,
    page: Browser,  # noqa: F811
    tmp_path: Path,
    dropped_files: Collection[Path],
) -> None:
    people = airflow.fresh(customers=20)
    airflow.rows("truncate sync.roster, sync.held_back")
    mine = tmp_path / "mine.csv"
    mine.write_text(
        "organization_id,phone\n" + "".join(f"{each['organization_id']},{each['phone']}\n" for each in people)
    )
    page.open("backfill")
    page.driver.find_element(By.NAME, "dropped").send_keys(str(mine))
    page.press("Preview")
    started_told(page, "20 look-ups")
    page.shoot("backfill-preview")
    last_run(airflow, names.BACKFILL_DAG)
    (kept,) = dropped_files

    page.driver.find_element(By.NAME, "path").send_keys(kept.name)
    page.driver.find_element(By.NAME, "cap_per_minute").send_keys("1")
    page.press("Start")
    wait_until(lambda: "running" in page.text() and "of 20" in page.text(), "the bar is shown", timeout_seconds=120)
    page.shoot("backfill-at-work")
    page.press("Stop")
    assert newest_state(airflow, names.BACKFILL_DAG) == "failed"
    assert "stopped or failed" in page.text()
    page.press("Go on")
    assert newest_state(airflow, names.BACKFILL_DAG) in ("queued", "running")
    page.driver.delete_all_cookies()
    wait_until(lambda: "Your login has ended: this is no longer kept" in page.text(), "the page says that it is old")
    page.press("Stop")
    assert "Nothing was changed. Your login has ended" in page.text()
    page.shoot("login-has-ended")
    page.driver.find_element(By.LINK_TEXT, "Log in").click()
    page.log_in_here("admin", airflow.stack.secrets.admin_password)
    wait_until(lambda: page.driver.current_url.endswith("/syrve/backfill"), "the login leads back to the view")
    page.press("Stop")

    subjects = airflow.rows("select action from sync.audit order by audit_id desc limit 5")
    assert [each for (each,) in subjects] == [
        "stop a backfill",
        "continue a backfill",
        "stop a backfill",
        "start a backfill: start",
        "start a backfill: preview",
    ]


def test_own_approval_is_said_not_to_count(airflow: Any, page: Browser, releasing: Releasing) -> None:  # noqa: F811
    hold_id = releasing.dangling("4.56")
    [(finding_id,)] = airflow.rows("select finding_id::text from wallet.finding where hold_id = %s", hold_id)
    page.open("holds")
    page.driver.find_element(By.CSS_SELECTOR, f"input[name='finding:{finding_id}'][value=release]").click()
    page.press("Do what is chosen")
    newest = "select run_id from dag_run where dag_id = %s order by id desc limit 1"
    [(run_id,)] = airflow.rows(newest, names.RELEASE_HOLDS_DAG, database=names.METADATA_DATABASE)
    run = DagRun(names.RELEASE_HOLDS_DAG, run_id)
    airflow.wait_for_question(run, "approve")
    try:
        page.open("inbox")
        assert "You started this run: another person has to approve it" in page.text()
        label = f"//fieldset//label[contains(., {hold_id!r})]"
        page.driver.find_element(By.XPATH, f"{label}/input").click()
        page.leave(f"{label}/ancestor::form//button")
        assert "Your answer was sent." in page.text()

        def comes_back() -> bool:
            page.open("inbox")
            return "did not count: the user started the run; another user must approve it" in page.text()

        wait_until(comes_back, "the question says why it is still there", timeout_seconds=180)
        page.shoot("inbox-with-an-answer-that-did-not-count")
        assert releasing.cancels == 0
    finally:
        path = f"/dags/{run.dag_id}/dagRuns/{run.run_id}"
        airflow.api.call("PATCH", path, "end the run", body={"state": "failed"})


def test_past_days_are_evaluated_from_the_page(airflow: Any, page: Browser, releasing: Releasing) -> None:  # noqa: F811
    releasing.dangling("3.21")
    today = datetime.now(UTC).date()
    page.open("holds")
    for name, day in (("first_day", today - timedelta(days=2)), ("last_day", today - timedelta(days=1))):
        field = page.driver.find_element(
            By.XPATH, f"//form[.//button[normalize-space()='Evaluate these days']]//input[@name={name!r}]"
        )
        field.send_keys(Keys.DELETE, f"{day:%m%d%Y}")
    page.press("Evaluate these days")
    assert "The evaluation was started" in page.text()
    page.shoot("holds-evaluating")

    def evaluated() -> bool:
        query = "select count(distinct as_of) from wallet.finding_evaluation where as_of in (%s, %s)"
        ends = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (today - timedelta(days=1), today)]
        return bool(airflow.rows(query, *ends) == [(2,)])

    wait_until(evaluated, "both days are evaluated", timeout_seconds=180)


def test_alert_and_breaker_wait_on_overview_and_inbox(airflow: Any, page: Browser) -> None:  # noqa: F811
    airflow.fresh(customers=1)
    airflow.rows(
        "insert into sync.alert (kind, subject, detail) values ('dag_failing', 'syrve_coupons', 'syrve_coupons failed as planted')"
    )
    [(breaker_id,)] = airflow.rows(
        "insert into sync.breaker (organization_id, kind, run_id, looked, affected, allowed)"
        " values (gen_random_uuid(), 'customers_gone', 'r', 100, 90, 20) returning breaker_id"
    )
    try:
        page.open("")
        assert "syrve_coupons failed as planted" in page.text()
        page.shoot("overview-with-an-alert")
        page.open("inbox")
        assert "syrve_coupons failed as planted" in page.text()
        assert "90 of 100" in page.text()
        page.shoot("inbox-with-a-breaker")
        page.press("Preview")
        assert "The decision about a breaker was started" in page.text()
        conf = airflow.rows(
            "select conf from dag_run where dag_id = 'syrve_decide_breaker' order by id desc limit 1",
            database=names.METADATA_DATABASE,
        )
        assert conf[0][0] | {} == {"breaker_id": breaker_id, "choice": "Preview"}
    finally:
        airflow.rows("delete from sync.alert where subject = 'syrve_coupons'")
        airflow.rows("delete from sync.breaker where breaker_id = %s", breaker_id)


def test_wrong_login_and_warehouse_down_are_told_in_words(airflow: Any, page: Browser) -> None:  # noqa: F811
    airflow.simulator.set_faults([{"operation": "access_token", "fault": "status", "status": 401}])
    page.open("")
    page.press("Test the connection")
    page.shoot("overview-with-a-wrong-login")
    assert "api login" in page.text()
    airflow.simulator.clear_faults()

    airflow.rows("alter database warehouse allow_connections false", database="postgres")
    try:
        page.open("inbox")
        assert "The warehouse does not answer" in page.text()
        page.shoot("warehouse-down")
    finally:
        airflow.rows("alter database warehouse allow_connections true", database="postgres")
    assert ["/syrve/inbox" in each for each in page.complaints()] == [True], "Chrome's own word on the status 503"
    page.open("inbox")
    assert "The warehouse does not answer" not in page.text()
