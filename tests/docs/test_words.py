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
SUFFIXES = {".py", ".sql", ".md", ".yml", ".html", ".j2", ".toml", ".example"}
ALLOWED = {"CHANGELOG.md", "tests/docs/test_words.py"}


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """The texts that git knows, by their path."""
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    paths = [each for each in listed.split("\n") if Path(each).suffix in SUFFIXES and each not in ALLOWED]
    return {each: (REPOSITORY / each).read_text() for each in paths if (REPOSITORY / each).exists()}


@pytest.mark.parametrize("word", FORBIDDEN)
def test_replaced_word_is_not_used(texts: dict[str, str], word: str) -> None:
    pattern = re.compile(rf"\b{word}\b", re.IGNORECASE)
    found = [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()}"
        for path, text in texts.items()
        for match in pattern.finditer(text)
    ]

    assert found == [], f"say {FORBIDDEN[word]}"
