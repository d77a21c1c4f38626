"""Every claim of SECURITY.md names a test, and every test that it names exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
CLAIMING = ("Who is trusted with what", "What holds, and the test of it", "What does not hold")
A_TEST = re.compile(r"`(test_\w+|tests/[\w/.]+\.py)`")


def claims() -> list[str]:
    """The rows of the tables and the points of the lists, each in one line."""
    sections = dict(re.findall(r"^## (.+)\n((?:(?!^## ).*\n?)*)", TEXT, re.MULTILINE))
    assert set(CLAIMING) < set(sections)
    found = []
    for name in CLAIMING:
        lines = re.sub(r"\n  +", " ", sections[name]).splitlines()
        rows = [line for line in lines if line.startswith("|")][2:]
        found += rows + [line for line in lines if line.startswith("- ")]
    return found


def test_every_claim_of_the_document_names_a_test() -> None:
    assert len(claims()) > 30
    assert [claim for claim in claims() if not A_TEST.search(claim)] == []


def test_every_test_that_the_document_names_exists() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(A_TEST.findall(TEXT))

    assert len(named) > 30
    assert [name for name in sorted(named) if not name.endswith(".py") and f"def {name}(" not in sources] == []
    assert [name for name in sorted(named) if name.endswith(".py") and not (ROOT / name).is_file()] == []
