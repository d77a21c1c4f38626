"""Modules of at most 350 lines and functions of at most 50, tests too, without an exception."""

import ast
import subprocess
from pathlib import Path

import pytest

from devstack.cli import REPOSITORY

MOST_LINES, MOST_LINES_OF_A_FUNCTION = 350, 50


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """The Python files that git knows, by their path."""
    listed = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.split()
    return {path: (REPOSITORY / path).read_text() for path in listed if Path(REPOSITORY / path).exists()}


def test_no_module_is_long(texts: dict[str, str]) -> None:
    long = {path for path, text in texts.items() if len(text.splitlines()) > MOST_LINES}

    assert long == set()


def test_no_function_is_long(texts: dict[str, str]) -> None:
    long = {
        f"{path}::{node.name}"
        for path, text in texts.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > MOST_LINES_OF_A_FUNCTION
    }

    assert long == set()
