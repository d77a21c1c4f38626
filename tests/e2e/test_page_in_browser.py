"""The Syrve page as people use it: a real browser on a real stack, at the widths of a desk and of a phone, light and dark."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from devstack import environments, names
from e2e.test_release_under_airflow import releasing  # noqa: F401 - a fixture
from e2e_support import wait_until
from fixtures import long_values as long_texts
from fixtures.browser import Browser
from fixtures.releases import Releasing

VIEWS = (
    "",
    "inbox",
    "rejects",
    "push",
    "holds",
    f"holds/{long_texts.HELD}",
    "backfill",
    "freshness",
    "runs",
    "customer",
)
LOOKS = [(1280, False), (1280, True), (390, False), (390, True)]


@pytest.fixture
def page(browser: Browser) -> Iterator[Browser]:
    yield browser
    assert browser.complaints() == []


def last_run(airflow: Any, dag_id: str) -> Any:
    """Wait for the newest run of a DAG to end; returns its row of the page's API."""
    found: list[Any] = []

    def ended() -> bool:
        query = "select run_id, state from dag_run where dag_id = %s order by id desc limit 1"
        rows = airflow.rows(query, dag_id, database=names.METADATA_DATABASE)
        found[:] = rows
        return bool(rows) and rows[0][1] in ("success", "failed")

    wait_until(ended, f"the run of {dag_id} has ended", timeout_seconds=180)
    assert found[0][1] == "success", found
    return found[0][0]


def guests_file(airflow: Any, name: str, number: int, *bad: str) -> list[Any]:
    """Put a file of customers and bad phones into the inbox, with an empty warehouse behind it."""
    people: list[Any] = airflow.fresh(customers=number)
    airflow.rows("truncate sync.roster, sync.held_back")
    lines = [f"{each['organization_id']},{each['phone']}" for each in people]
    lines += [f"{people[0]['organization_id']},{each}" for each in bad]
    (airflow.stack.paths.inbox / name).write_text("organization_id,phone\n" + "\n".join(lines) + "\n")
    return people


def test_three_bad_guests_are_found_and_explained_in_one_click(airflow: Any, page: Browser) -> None:
    guests_file(airflow, "twenty.csv", 17, "12345", "call the office", "n/a")
    outcome, _ = airflow.run(names.ROSTER_IMPORT_DAG, source="file", path="twenty.csv", dry_run=False)
    assert outcome == "success"

    page.open("")
    page.follow("Open rejects")

    assert page.driver.current_url.endswith("/syrve/rejects")
    assert "phone is not a possible number" in page.text()
    ticks = page.driver.find_elements(By.NAME, "reject_ids")
    assert len(ticks) == 3
    lines = page.driver.find_elements(By.CSS_SELECTOR, "td[data-label=Line]")
    assert sorted(each.text for each in lines) == ["19", "20", "21"]
    assert "twenty.csv" in page.text()
    page.shoot("rejects-of-an-import")
    ticks[0].click()
    page.press("Resolve what is ticked")
    assert len(page.driver.find_elements(By.NAME, "reject_ids")) == 2


@pytest.fixture
def many_rejects(airflow: Any) -> Iterator[None]:
    """Three hundred rejects of one reason, of the longest texts that an import keeps, and two of another."""
    airflow.rows("truncate sync.reject")
    columns = "run_id, entity, stage, identity, reason, payload"
    airflow.rows(
        f"insert into sync.reject ({columns}) select 'manual__' || repeat('r', 240), 'roster', 'import', repeat('i', 200) || number, %s,"
        " jsonb_build_object('received', jsonb_build_object('line', number, 'place', repeat('p', 200) || '.csv'))"
        " from generate_series(1, 300) as number",
        "phone has letters. " + "Correct it where it was typed" * 30,
    )
    airflow.rows(
        f"insert into sync.reject ({columns}) select 'r', 'roster', 'import', 'k' || number, 'column phone is empty', '{{}}'"
        " from generate_series(1, 2) as number"
    )
    yield
    airflow.rows("truncate sync.reject")


@pytest.mark.usefixtures("many_rejects")
def test_rejects_of_one_reason_are_shown_and_resolved_alone(airflow: Any, page: Browser) -> None:
    page.open("rejects")
    assert len(page.driver.find_elements(By.NAME, "reject_ids")) == 200
    assert "more are in the CSV" in page.text()

    page.follow("column phone is empty")

    assert "Only: column phone is empty" in page.text()
    assert len(page.driver.find_elements(By.NAME, "reject_ids")) == 2
    assert "phone" not in page.driver.current_url
    listed = page.driver.find_element(By.LINK_TEXT, "CSV").get_attribute("href")
    assert listed
    assert "reason_key=" in listed
    page.shoot("rejects-of-one-reason")
    for box in page.driver.find_elements(By.NAME, "reject_ids"):
        box.click()
    of_the_reason = page.driver.current_url
    page.press("Resolve what is ticked")
    open_ones = "select count(*) from sync.reject where resolved_at is null"
    assert airflow.rows(open_ones) == [(300,)]
    page.driver.get(of_the_reason)
    assert "None of these is open any more" in page.text()
    page.shoot("rejects-none-of-a-reason")


@pytest.mark.usefixtures("many_rejects")
@pytest.mark.parametrize("width", [390, 1280])
def test_long_list_of_long_texts_fits(page: Browser, width: int) -> None:
    page.look(width, dark=False)
    page.open("rejects")
    page.shoot(f"rejects-long-{width}")

    assert page.width_beyond_the_window() == 0
    assert page.barriers() == []


def test_twenty_guests_are_pulled_again_by_a_file(airflow: Any, page: Browser) -> None:
    guests_file(airflow, "again.csv", 20)
    page.open("backfill")
    page.driver.find_element(By.NAME, "path").send_keys("again.csv")
    page.press("Preview")
    assert "The run was started" in page.text()
    last_run(airflow, names.BACKFILL_DAG)
    assert airflow.rows("select count(*) from sync.roster") == [(0,)], "a preview writes nothing"

    page.driver.find_element(By.NAME, "path").send_keys("again.csv")
    page.press("Start")
    last_run(airflow, names.BACKFILL_DAG)

    page.open("backfill")
    assert "20 of 20" in page.text()
    assert "done" in page.text()
    page.shoot("backfill-done")
    assert airflow.rows("select count(*) from syrve.customer") == [(20,)]


def test_push_is_previewed_and_then_sent_with_its_number(airflow: Any, page: Browser) -> None:
    people = airflow.fresh(customers=10)
    assert airflow.run(names.CUSTOMERS_DAG)[0] == "success"
    for person in people[:2]:
        airflow.rows(
            "insert into crm.customer (organization_id, customer_id, surname) values (%s, %s, 'Canarypushed')",
            person["organization_id"],
            person["customer_id"],
        )
    airflow.simulator.reset_calls()
    page.open("push")
    page.press("Preview: plan, send nothing")
    last_run(airflow, names.CRM_PUSH_DAG)
    page.open("push")
    assert "surname: *** → ***" in page.text()
    assert "Canarypushed" not in page.driver.page_source

    page.driver.find_element(By.NAME, "number").send_keys("3")
    page.press("Send")
    assert "The number is not the one of the plan" in page.text()
    assert "create_or_update" not in airflow.simulator.calls()["operations"]

    runs = "select count(*) from dag_run where dag_id = %s"
    [(before,)] = airflow.rows(runs, names.CRM_PUSH_DAG, database=names.METADATA_DATABASE)
    page.open("push")
    airflow.api.set_paused(names.CRM_PUSH_DAG, paused=True)  # so that nothing is sent yet when the form comes back
    try:
        for again in (False, True):
            if again:
                page.go_back()
            page.driver.find_element(By.NAME, "number").clear()  # the browser may have kept what was typed
            page.driver.find_element(By.NAME, "number").send_keys("2")
            page.press("Send")
            assert "The run was started. It waits to start." in page.text()
    finally:
        airflow.api.set_paused(names.CRM_PUSH_DAG, paused=False)
    last_run(airflow, names.CRM_PUSH_DAG)
    assert airflow.rows(runs, names.CRM_PUSH_DAG, database=names.METADATA_DATABASE) == [(before + 1,)]
    page.open("push")
    assert page.text().count("pushed") >= 2
    page.shoot("push-sent")
    assert airflow.simulator.calls()["operations"]["create_or_update"]["received"] == 2


def test_hold_is_released_by_two_people_on_the_page(airflow: Any, page: Browser, releasing: Releasing) -> None:  # noqa: F811
    hold_id = releasing.dangling("12.34")
    finding_id = str(airflow.rows("select finding_id from wallet.finding where hold_id = %s", hold_id)[0][0])
    page.open("holds")
    chosen = f"input[name='finding:{finding_id}'][value=release]"
    page.driver.find_element(By.CSS_SELECTOR, chosen).click()
    page.press("Do what is chosen")
    assert "another person answers it" in page.text()
    run_id = airflow.rows(
        "select run_id from dag_run where dag_id = %s order by id desc limit 1",
        names.RELEASE_HOLDS_DAG,
        database=names.METADATA_DATABASE,
    )[0][0]
    airflow.wait_for_question(type("Run", (), {"dag_id": names.RELEASE_HOLDS_DAG, "run_id": run_id}), "approve")

    page.log_in(environments.APPROVER_USER, airflow.stack.secrets.approver_password)
    page.open("inbox")
    assert "12.34" in page.text()
    page.shoot("inbox-with-a-question")
    label = f"//fieldset//label[contains(., {hold_id!r})]"
    assert "by Syrve: release holds, a run that admin started" in page.text()
    page.driver.find_element(By.XPATH, f"{label}/input").click()
    stale = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    page.open("inbox")
    page.driver.find_element(By.XPATH, f"{label}/input").click()
    page.leave(f"{label}/ancestor::form//button")
    assert "Your answer was sent." in page.text()
    page.driver.close()
    page.driver.switch_to.window(stale)
    page.leave(f"{label}/ancestor::form//button")
    assert "This question waits no more" in page.text()
    page.shoot("inbox-stale-window")
    noted = "select count(*) from sync.audit where action = 'answer a question' and subject->>'run_id' = %s"
    assert airflow.rows(noted, run_id) == [(1,)]
    last_run(airflow, names.RELEASE_HOLDS_DAG)

    assert releasing.finding(hold_id) == ("released", True)
    assert releasing.cancels == 1
    decided = airflow.rows("select decided_by from wallet.release_state where run_id = %s", run_id)
    assert decided == [("approver",)]
    page.open(f"holds/{finding_id}")
    assert "Release approved by approver" in page.text()
    page.shoot("finding-released")


def test_outage_and_wrong_input_are_told_in_words(airflow: Any, page: Browser) -> None:
    airflow.simulator.set_faults([{"operation": "organizations", "fault": "status", "status": 503}])
    page.open("")
    page.press("Test the connection")
    assert "Syrve was reached, but did not answer as expected" in page.text()
    airflow.simulator.clear_faults()
    page.press("Test the connection")
    assert "sees 2 organizations" in page.text()

    page.open("customer")
    page.driver.find_element(By.NAME, "key").send_keys("Ivan Canary")
    page.press("Show")
    assert "This is neither an id nor a phone" in page.text()
    assert "Canary" not in page.driver.page_source


def test_phone_that_is_looked_for_stays_in_no_address_and_store(airflow: Any, page: Browser) -> None:
    people = airflow.fresh(customers=3)
    assert airflow.run(names.CUSTOMERS_DAG)[0] == "success"
    digits = people[0]["phone"][2:]
    page.requested()

    page.open("customer")
    page.driver.find_element(By.NAME, "key").send_keys(people[0]["phone"])
    page.press("Show")

    assert people[0]["customer_id"] in page.text()
    assert digits not in page.driver.page_source
    assert digits not in page.stored() + page.driver.current_url + " ".join(page.requested())


@pytest.fixture
def long_values(airflow: Any) -> Iterator[None]:
    """Names, reasons and figures as long as they may be, on every view."""
    airflow.rows(long_texts.REMOVE + long_texts.PLANT)
    yield
    airflow.rows(long_texts.REMOVE)


@pytest.mark.usefixtures("long_values")
@pytest.mark.parametrize(("width", "dark"), LOOKS, ids=["desk", "desk-dark", "phone", "phone-dark"])
def test_every_view_fits_and_keeps_nobody_out(airflow: Any, page: Browser, width: int, dark: bool) -> None:
    page.requested()
    problems = []
    for view in VIEWS:
        page.look(width, dark=dark)
        page.open(view)
        page.shoot(f"{(view or 'overview').replace('/', '-')}-{width}-{'dark' if dark else 'light'}")
        if page.width_beyond_the_window():
            problems.append(f"{view} is {page.width_beyond_the_window()} px too wide")
        problems += [f"{view}: text leaves its box: {each}" for each in page.spilled()]
        shown = page.driver.find_element(By.CSS_SELECTOR, "nav [aria-current=page]")
        if not 0 <= shown.location["x"] - page.driver.execute_script("return arguments[0].scrollLeft", shown) < width:
            problems.append(f"{view}: its entry of the menu is out of sight")
        problems += [f"{view}: {each}" for each in page.barriers()]
    assert problems == []
    assert {urlsplit(each).netloc for each in page.requested() if each.startswith("http")} == {
        urlsplit(page.base_url).netloc
    }


def test_keyboard_reaches_the_content_and_presses_buttons(page: Browser) -> None:
    page.open("")
    page.driver.switch_to.active_element.send_keys(Keys.TAB)
    assert page.driver.switch_to.active_element.text == "Skip to the content"
    page.driver.switch_to.active_element.send_keys(Keys.ENTER)
    for _ in range(80):
        page.driver.switch_to.active_element.send_keys(Keys.TAB)
        if page.driver.switch_to.active_element.text == "Test the connection":
            break
    page.enter()
    assert "sees 2 organizations" in page.text()
