"""Words that docs/glossary.md replaced do not come back, in code, SQL, docs, forms or tests."""

import re
import subprocess
from pathlib import Path

import pytest

from devstack.cli import REPOSITORY

FORBIDDEN = {
    r"\w*wish\w*": "desired state, or change; requested",
    r"what came of": "the outcome of",
    r"again and again": "repeatedly",
    r"(?<!for )(?<!assert )taken in(?! the order)": "imported",
    r"(write|writes|written) down": "record",
    r"work(s|ed)? out": "evaluate, compute",
    r"let go": "released",
    r"None where": "None if",
    r"raises? `?\w+`? where": "raises X if",
    r"(one|rows?|shards|bytes) an? (mapped task|task instance|organization|request|look-up)": "one per task",
    r"at most so many": "at most N",
    r"def _?told": "format_counts()",
}
NAMELESS = {
    r"nobody|somebody|everybody|anybody|whoever|whomever": "name the actor: the sender, another task, the approver",
    r"whatever|whichever": "any; even if; independent of",
    r"meanwhile|anew": "in between, since, at the same time; again",
    r"lest|thereby|amid|hitherto|therein": "plain words",
    r"of (its|their|one's|your) own(?=[.,;:)]|$| (and|that|which|each|for|by|with)\b)": "its own X, or a separate X",
}
"""Words of texts that name no actor, or that few readers of English as a second language know."""
SHIPPED = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "dags/", "docs/", "plugins/", "simulator/", "sql/", "tools/")
NAMES_A_ROLE = {"docs/airflow-roles.md", "sql/rights/given.sql"}
"""Where `nobody` and `everybody` stand for a request without a login and for Postgres's PUBLIC."""
SUFFIXES = {".py", ".sql", ".md", ".yml", ".html", ".j2", ".toml", ".example"}
ALLOWED = {"CHANGELOG.md", "tests/docs/test_words.py"}


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """The texts that git knows, by their path."""
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    paths = [each for each in listed.split("\n") if Path(each).suffix in SUFFIXES and each not in ALLOWED]
    return {each: (REPOSITORY / each).read_text() for each in paths if (REPOSITORY / each).exists()}


def places(texts: dict[str, str], pattern: str) -> list[str]:
    """Where a pattern occurs, by path and line."""
    return [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()}"
        for path, text in texts.items()
        for match in re.compile(pattern, re.IGNORECASE | re.MULTILINE).finditer(text)
    ]


@pytest.mark.parametrize("word", FORBIDDEN)
def test_replaced_word_is_not_used(texts: dict[str, str], word: str) -> None:
    assert places(texts, rf"\b{word}\b") == [], f"say {FORBIDDEN[word]}"


@pytest.mark.parametrize("words", NAMELESS)
def test_shipped_text_names_its_actors(texts: dict[str, str], words: str) -> None:
    shipped = {path: text for path, text in texts.items() if path.startswith(SHIPPED) and path not in NAMES_A_ROLE}

    assert places({path: without_names_of_tests(text) for path, text in shipped.items()}, rf"\b({words})") == [], (
        f"say {NAMELESS[words]}"
    )


def without_names_of_tests(text: str) -> str:
    """The text without what stands in backticks and begins with `test_`, such as the test behind a sentence."""
    return re.sub(r"\btest_\w+", "", text)
