"""The documents say what the code does: links resolve, tables are those of their sources."""

import os
import re
from pathlib import Path

import pytest

import syrve.operators.settings as dag_settings
from devstack.cli import REPOSITORY

LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
FENCE = re.compile(r"```.*?```", re.DOTALL)
TOP_LEVEL = sorted(REPOSITORY.glob("*.md"))
SETTINGS_PAGE = REPOSITORY / "docs" / "settings.md"
TABLE = re.compile(r"(<!-- table: syrve\.operators\.settings -->\n)(.*?)(\n<!-- end of table -->)", re.DOTALL)


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


def test_settings_page_has_the_table_of_the_code() -> None:
    """Set SYRVE_WRITE_SETTINGS_TABLE=1 to write the page."""
    found = re.search(r"^\| variable.*?(?=\n\n)", dag_settings.__doc__ or "", re.DOTALL | re.MULTILINE)
    assert found
    page = SETTINGS_PAGE.read_text()
    if os.environ.get("SYRVE_WRITE_SETTINGS_TABLE"):
        SETTINGS_PAGE.write_text(TABLE.sub(lambda match: match[1] + found[0] + match[3], page))
        return
    written = TABLE.search(page)
    assert written
    assert written[2] == found[0]


def test_readme_is_at_most_150_lines() -> None:
    assert len((REPOSITORY / "README.md").read_text().splitlines()) <= 150
