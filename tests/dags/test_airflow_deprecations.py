"""What we import of Airflow is none of what it has announced to remove, in functions either."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
WATCH = """
import sys, warnings

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for line in sys.stdin.read().splitlines():
        try:
            exec(compile(line, "<ours>", "exec"), {})
        except ImportError:
            print("MISSING", line)
for warning in caught:
    if warning.filename == "<ours>" and issubclass(warning.category, (DeprecationWarning, PendingDeprecationWarning, FutureWarning)):
        print(warning.category.__name__, warning.message)
"""


def imports_of_airflow() -> list[str]:
    """Every statement of the product that imports from Airflow, wherever in a file it stands."""
    found = set()
    for folder in ("plugins", "dags"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                names += [each.name for each in node.names] if isinstance(node, ast.Import) else []
                if any(name.split(".")[0] == "airflow" for name in names):
                    found.add(ast.unparse(node))
    return sorted(found)


def announced(statements: list[str]) -> list[str]:
    """What Airflow says of these imports, in a process of their own: a warning comes at the first import only."""
    done = subprocess.run(
        [sys.executable, "-c", WATCH], input="\n".join(statements), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_nothing_we_import_is_to_be_removed() -> None:
    statements = imports_of_airflow()

    assert len(statements) > 30
    # A name that only the process of a task has.
    assert announced(statements) == ["MISSING from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS"]


def test_import_that_is_to_be_removed_is_noticed() -> None:
    assert "deprecated" in "".join(announced(["from airflow.hooks.base import BaseHook"]))
