"""Modules of at most 350 lines and functions of at most 50, tests too; the exceptions only get fewer."""

import ast
import subprocess
from pathlib import Path

import pytest

from devstack.cli import REPOSITORY

MOST_LINES, MOST_LINES_OF_A_FUNCTION = 350, 50
LONG_MODULES = {
    "tests/findings/test_order_rules.py",
    "tests/findings/test_rules.py",
    "tests/privacy/test_erasure.py",
    "tests/release/test_meanwhile.py",
    "tests/sources/forms_of_files.py",
    "tests/sources/test_queries.py",
    "tests/wallet/test_import.py",
    "tests/wallet/test_ledger.py",
    "tests/wallet/test_payment.py",
    "tests/wallet/test_payment_state.py",
    "tests/wallet/test_topup.py",
}
LONG_FUNCTIONS = {
    "tests/e2e/test_findings_under_airflow.py::test_backfilled_days_say_what_was_true_then",
    "tests/e2e/test_push_under_airflow.py::test_wishes_are_imported_shown_approved_pushed_and_read_back",
}


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """The Python files that git knows, by their path."""
    listed = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.split()
    return {path: (REPOSITORY / path).read_text() for path in listed if Path(REPOSITORY / path).exists()}


def test_no_other_module_is_long(texts: dict[str, str]) -> None:
    long = {path for path, text in texts.items() if len(text.splitlines()) > MOST_LINES}

    assert long - LONG_MODULES == set()


def test_no_other_function_is_long(texts: dict[str, str]) -> None:
    long = {
        f"{path}::{node.name}"
        for path, text in texts.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > MOST_LINES_OF_A_FUNCTION
    }

    assert long - LONG_FUNCTIONS == set()
