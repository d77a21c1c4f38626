"""The documents say what the code does: links resolve, tables are those of their sources."""

import os
import re
from pathlib import Path

import pytest

import syrve.operators.settings as dag_settings
from devstack.cli import REPOSITORY
from syrve.api.config import SyrveConfig
from syrve.api.extras import extras_of

LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
FENCE = re.compile(r"```.*?```", re.DOTALL)
TOP_LEVEL = sorted(REPOSITORY.glob("*.md"))
SETTINGS_PAGE = REPOSITORY / "docs" / "settings.md"


def table_of_environment() -> str:
    found = re.search(r"^\| variable.*?(?=\n\n)", dag_settings.__doc__ or "", re.DOTALL | re.MULTILINE)
    assert found
    return found[0]


def table_of_connection() -> str:
    rows = [f"| `{each.name}` | {each.meaning} | {each.default_text} |" for each in extras_of(SyrveConfig).values()]
    return "\n".join(["| setting | meaning | default |", "| --- | --- | --- |", *rows])


TABLES = {"syrve.operators.settings": table_of_environment, "syrve.api.config": table_of_connection}


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", TOP_LEVEL, ids=lambda page: page.name)
def test_links_of_top_level_pages_resolve(page: Path) -> None:
    for path, anchor in LINK.findall(FENCE.sub("", page.read_text())):
        target = (page.parent / path) if path else page
        assert target.exists(), f"{page.name} links to {path}"
        assert not anchor or anchor in anchors(target), f"{page.name} links to {path}#{anchor}"


@pytest.mark.parametrize("source", TABLES)
def test_settings_page_has_the_table_of_the_code(source: str) -> None:
    """Set SYRVE_WRITE_SETTINGS_TABLE=1 to write the page."""
    table = re.compile(
        rf"(<!-- table: {re.escape(source)} -->\n)(.*?)((?:^|\n)<!-- end of table -->)", re.DOTALL | re.MULTILINE
    )
    page = SETTINGS_PAGE.read_text()
    if os.environ.get("SYRVE_WRITE_SETTINGS_TABLE"):
        SETTINGS_PAGE.write_text(
            table.sub(lambda match: match[1] + TABLES[source]() + "\n" + match[3].lstrip("\n"), page)
        )
        return
    written = table.search(page)
    assert written
    assert written[2] == TABLES[source]()


def test_readme_is_at_most_150_lines() -> None:
    assert len((REPOSITORY / "README.md").read_text().splitlines()) <= 150


def test_extending_guide_names_files_and_tests_that_exist() -> None:
    guide = (REPOSITORY / "docs" / "extending.md").read_text()
    tests = "".join(path.read_text() for path in (REPOSITORY / "tests").rglob("test_*.py"))
    code = re.findall(r"`([^`\n]+)`", guide)
    files = [
        each
        for each in code
        if "NNNN" not in each and re.fullmatch(r"(plugins|sql|dags|tests|tools|simulator|docs)/[\w./-]+", each)
    ]
    functions = [each for each in code if re.fullmatch(r"test_\w+", each)]

    assert len(files) > 40
    assert [each for each in files if not (REPOSITORY / each).exists()] == []
    assert len(functions) > 10
    assert [each for each in functions if f"def {each}(" not in tests] == []
