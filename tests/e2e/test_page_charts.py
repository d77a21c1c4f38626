"""The charts of the page in a real browser: they say what their tables say, in the theme's colours, under the page's policy."""

from datetime import UTC, datetime
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from devstack import names
from e2e.test_page_in_browser import page  # noqa: F401 - a fixture
from e2e.test_release_under_airflow import releasing  # noqa: F401 - a fixture
from e2e_support import wait_until
from fixtures.browser import Browser
from fixtures.releases import Releasing

DRAWN = """
const chart = window.Chart && Chart.getChart(arguments[0]);
return chart ? chart.data.datasets.map(each => each.data.map(point => point.y === undefined ? point : point.y)) : null
"""
COLOURS = "return Chart.getChart(arguments[0]).data.datasets.map(each => each.backgroundColor)"
RADIUS = "return Chart.getChart(arguments[0]).data.datasets[0].pointRadius"
SLIDE = "arguments[0].value = 0; arguments[0].dispatchEvent(new Event('input', {bubbles: true}))"


def canvases(page: Browser) -> list[WebElement]:  # noqa: F811
    found: list[WebElement] = page.driver.find_elements(By.CSS_SELECTOR, "canvas[data-chart]")
    assert found
    wait_until(
        lambda: all(page.driver.execute_script(DRAWN, each) for each in found),
        "the charts are drawn",
        timeout_seconds=60,
    )
    return found


def in_table(page: Browser, canvas: WebElement) -> list[list[float]]:  # noqa: F811
    """What the table of a chart says, by column."""
    table = str(canvas.get_attribute("data-table"))
    rows = page.driver.find_elements(By.CSS_SELECTOR, f"#{table} tbody tr")
    cells = [row.find_elements(By.CSS_SELECTOR, "th, td") for row in rows]
    columns = [int(each) for each in str(canvas.get_attribute("data-columns")).split()]
    return [[float(str(row[column].get_attribute("data-value"))) for row in cells] for column in columns]


def check_charts(page: Browser) -> list[list[list[float]]]:  # noqa: F811
    drawn = []
    for canvas in canvases(page):
        drawn.append(page.driver.execute_script(DRAWN, canvas))
        assert drawn[-1] == in_table(page, canvas)
        assert canvas.get_attribute("role") == "img"
        assert canvas.get_attribute("aria-label")
    return drawn


def test_charts_of_runs_show_what_was_counted(airflow: Any, page: Browser) -> None:  # noqa: F811
    airflow.fresh(customers=7)
    assert airflow.run(names.CUSTOMERS_DAG)[0] == "success"
    today = datetime.now(UTC).date()

    page.open("runs")

    looked_up = check_charts(page)[0][0]
    [(expected,)] = airflow.rows("select sum(requested) from sync.run where updated_at >= %s", today)
    assert len(looked_up) == 14
    assert looked_up[-1] == expected >= 7
    page.driver.find_element(By.XPATH, "//summary[contains(., 'as a table')]").click()
    assert f"{today:%d %B}" in page.text()


def test_chart_of_findings_shows_their_table(page: Browser, releasing: Releasing) -> None:  # noqa: F811
    releasing.dangling("7.77")
    page.open("holds")
    [ages] = check_charts(page)
    assert sum(map(sum, ages)) >= 1


def test_chart_of_budgets_follows_the_slider(airflow: Any, page: Browser) -> None:  # noqa: F811
    airflow.fresh(customers=5)
    assert airflow.run(names.CUSTOMERS_DAG)[0] == "success"
    page.open("freshness")
    check_charts(page)
    canvas = canvases(page)[0]
    before = page.driver.execute_script(RADIUS, canvas)
    slider = page.driver.find_element(By.CSS_SELECTOR, ".what-if input")

    page.driver.execute_script(SLIDE, slider)

    after = page.driver.execute_script(RADIUS, canvas)
    assert after.index(max(after)) == 0 != before.index(max(before))


@pytest.mark.parametrize("dark", [False, True])
def test_charts_follow_the_theme_while_they_are_open(airflow: Any, page: Browser, dark: bool) -> None:  # noqa: F811
    airflow.fresh(customers=3)
    assert airflow.run(names.CUSTOMERS_DAG)[0] == "success"
    page.look(1280, dark=dark)
    page.open("runs")
    first = page.driver.execute_script(COLOURS, canvases(page)[0])

    page.look(1280, dark=not dark)

    wait_until(
        lambda: page.driver.execute_script(COLOURS, canvases(page)[0]) != first,
        "the colours change",
        timeout_seconds=60,
    )


def test_library_of_charts_is_loaded_only_where_it_draws(page: Browser) -> None:  # noqa: F811
    page.open("rejects")
    assert page.driver.execute_script("return typeof window.Chart") == "undefined"
