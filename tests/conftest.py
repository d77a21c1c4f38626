"""Fixtures for every test, and how the workers of pytest-xdist share the tests out."""

import logging
import os
import sys

import pytest
from xdist.scheduler import LoadScopeScheduling

from fixtures.browser import MISSING

pytest_plugins = [
    "fixtures.kept_sessions",
    "fixtures.postgres",
    "fixtures.old_postgres",
    "fixtures.emptied_warehouse",
    "fixtures.pulls",
    "fixtures.targets",
    "fixtures.airflow",
    "fixtures.pushes",
    "fixtures.run_notes",
    "fixtures.api_servers",
    "fixtures.object_store",
    "fixtures.browser",
]


@pytest.fixture(autouse=True)
def warnings_are_heard() -> None:
    """Let our warnings through, whatever an Airflow of an earlier test has set up for logging in this process."""
    logging.disable(logging.NOTSET)
    if logging.root.level > logging.WARNING:
        logging.root.setLevel(logging.WARNING)
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and name.split(".")[0] == "syrve":
            logger.disabled, logger.propagate = False, True
            logger.setLevel(logging.NOTSET)


SHARING = {
    **dict.fromkeys(
        (
            "tests/e2e/test_page_actions",
            "tests/e2e/test_page_every",
            "tests/e2e/test_page_keeps",
            "tests/e2e/test_page_rights",
            "tests/e2e/test_roles_of_people",
        ),
        "the api-servers without runs",
    ),
    **{f"tests/e2e/test_{name}": name for name in ("demo", "installed_package", "late_runs", "signals_under_airflow")},
    "tests/e2e/": "one live Airflow",
}
"""Beginnings of the paths of files that need the same expensive thing, and so the same worker: the first that fits counts."""


MARKERS = {
    "tests/e2e/": "e2e",
    "tests/devstack/test_stack_for_real": "e2e",
    "tests/findings/test_simulation": "seeded",
    "tests/benchmarks/test_benchmarks_server": "slow",
    "tests/compose/test_image_healthcheck": "slow",
    "tests/crm/test_push_converges": "slow",
    "tests/crm/test_push_under_faults": "slow",
    "tests/customers/test_pull_interleavings": "slow",
    "tests/customers/test_pull_kills": "slow",
    "tests/simulator/test_simulator_distribution": "slow",
    "tests/supplychain/test_bill_of_materials": "slow",
    "tests/warehouse/test_call_budget": "slow",
    "tests/warehouse/test_warehouse_migration": "slow",
}
"""The marker of every test below a path; `make test-fast` leaves these out."""


class FileByFile(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Gives the tests of a file to one worker: they share servers and databases.

    (`--dist loadgroup` would do, but pytest-xdist 3.8 does not see the groups under pytest 9.)
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((shared for folder, shared in SHARING.items() if file.startswith(folder)), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> FileByFile:
    return FileByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for path, marker in MARKERS.items():
            if item.nodeid.startswith(path):
                item.add_marker(marker)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Name a failed test at once, on standard error: a run that is ended from outside never comes to its summary."""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        last = str(report.longrepr).strip().splitlines()[-1:]
        print(
            f"\nFAILED {report.nodeid} ({report.when}, {report.duration:.0f} s): {' '.join(last)[:300]}",
            file=sys.stderr,
        )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many browser tests did not run for want of a browser: a skip alone is easily overlooked."""
    skipped = [each for each in terminalreporter.stats.get("skipped", []) if MISSING in str(each.longrepr)]
    if skipped:
        terminalreporter.section("browser tests NOT RUN", red=True)
        terminalreporter.line(f"{len(skipped)} browser tests were not run: {MISSING}", red=True)
