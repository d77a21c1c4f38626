"""Reads the checks of `sql/checks`.

A file begins with comment lines `-- check: name`, `-- meaning:`, `-- what to do:` and perhaps `-- blind to:`; a line that is indented
further goes on with the text above. Below stands one select that gives a row per failure: `subject`, an array of ids, and `detail`, a
text. Neither holds personal data.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from syrve.quality.errors import MalformedCheck
from syrve.warehouse.sql_files import sql_folder

_NEEDED = ("check", "meaning", "what to do")
_KNOWN = (*_NEEDED, "blind to")
_ENTRY = re.compile(r"^-- (\w[\w ]*): (.*)$")


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its name, what its head says, and its select."""

    name: str
    meaning: str
    what_to_do: str
    blind_to: str | None
    query: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found: how many failures, and the first of them as (ids, detail)."""

    check: Check
    failures: int
    examples: tuple[tuple[tuple[str, ...], str], ...]

    @property
    def is_passed(self) -> bool:
        """Whether nothing was found."""
        return self.failures == 0

    def text(self) -> str:
        """Say what failed, which rows, and what to do."""
        rows = "".join(f"\n  {' / '.join(ids)}: {detail}" for ids, detail in self.examples)
        more = self.failures - len(self.examples)
        rest = f"\n  and {more} more: run the select of sql/checks/{self.check.name}.sql" if more else ""
        return (
            f"{self.check.name}: {self.failures} failure(s). {self.check.meaning}{rows}{rest}\n"
            f"What to do: {self.check.what_to_do}"
        )


@cache
def all_checks() -> tuple[Check, ...]:
    """Return the checks by name. Raises `MalformedCheck`."""
    return tuple(parse_check(file.stem, file.read_text(encoding="utf-8")) for file in sorted(_folder().glob("*.sql")))


def check_named(name: str) -> Check:
    """Return one check. Raises `MalformedCheck` if there is none of that name."""
    for check in all_checks():
        if check.name == name:
            return check
    raise MalformedCheck(f"there is no check {name!r}; there are {', '.join(each.name for each in all_checks())}")


def parse_check(name: str, text: str) -> Check:
    """Read the text of the file `<name>.sql`. Raises `MalformedCheck`."""
    head: dict[str, str] = {}
    last = ""
    lines = text.splitlines()
    while lines and lines[0].startswith("--"):
        line = lines.pop(0)
        if entry := _ENTRY.match(line):
            last = entry[1]
            if last not in _KNOWN or last in head:
                raise MalformedCheck(f"{name}.sql: '-- {last}: ...' is not known, or there twice")
            head[last] = entry[2]
        elif last:
            head[last] += " " + line.removeprefix("--").strip()
    for needed in _NEEDED:
        if not head.get(needed):
            raise MalformedCheck(f"{name}.sql must begin with a line '-- {needed}: ...'")
    if head["check"] != name:
        raise MalformedCheck(f"{name}.sql calls itself {head['check']!r}; give file and check the same name")
    query = "\n".join(lines).strip().rstrip(";")
    return Check(name, head["meaning"], head["what to do"], head.get("blind to"), query)


def _folder() -> Path:
    return sql_folder() / "checks"
