"""A pool may give a session to another job, with the temporary tables of the one before: no two jobs may mean different ones by a name."""

import re
from collections import Counter

from devstack.cli import REPOSITORY

MADE = re.compile(r"create temp(?:orary)? table (?:if not exists )?(\w+)", re.IGNORECASE)


def test_every_temporary_table_is_made_in_one_place() -> None:
    files = [*(REPOSITORY / "sql").rglob("*.sql"), *(REPOSITORY / "plugins").rglob("*.py")]
    made = Counter(name for file in files for name in MADE.findall(file.read_text(encoding="utf-8")))

    assert len(made) > 10
    assert {name for name, places in made.items() if places > 1} == set()
