"""Reads the rules: a file of `sql/findings` each, with its meaning in its head.

The head is the comment that the file begins with: a line `-- name: text` for each of `rule`, `meaning`, `severity` and `what to do`, and
for `blind to` where the rule can't see something; a line that is indented further goes on with the text above. Below stands one select that
gives `subject`, `organization_id`, `customer_id`, `wallet_id`, `hold_id`, `amount_at_risk`, `severity` and `evidence` (jsonb), each subject
once, from what was true by `%(as_of)s` in `%(organization_id)s`. It may use any threshold by its name, and `%(severity)s`, the head's. It
is evaluated with look-ups only (`sql/reconcile/look_up.sql`), so it must begin with what is open or new.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from syrve.findings.errors import MalformedRule
from syrve.findings.thresholds import LIMIT_NAMES
from syrve.severity import SEVERITIES, Severity
from syrve.warehouse.sql_files import sql_folder

COLUMNS = (
    "subject",
    "organization_id",
    "customer_id",
    "wallet_id",
    "hold_id",
    "amount_at_risk",
    "severity",
    "evidence",
)
_NEEDED = ("rule", "meaning", "severity", "what to do")
_KNOWN = (*_NEEDED, "blind to")
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")
_GIVEN = frozenset({"as_of", "organization_id", "severity", *LIMIT_NAMES})


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its name, what its head says, and its select without the closing semicolon."""

    name: str
    meaning: str
    severity: Severity
    what_to_do: str
    blind_to: str | None
    query: str

    @property
    def threshold_names(self) -> tuple[str, ...]:
        """Names of the thresholds that it uses, in order."""
        return tuple(sorted(set(_PLACEHOLDER.findall(self.query)) & set(LIMIT_NAMES)))


@cache
def all_rules() -> tuple[Rule, ...]:
    """Return the rules of `sql/findings` by name. Raises `MalformedRule`."""
    return read_rules(sql_folder() / "findings")


def read_rules(folder: Path) -> tuple[Rule, ...]:
    """Return the rules of a folder by name. Raises `MalformedRule`."""
    return tuple(parse_rule(file.stem, file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.sql")))


def parse_rule(name: str, text: str) -> Rule:
    """Read the text of the file `<name>.sql`. Raises `MalformedRule`."""
    head, query = _parted(name, text)
    for key in _NEEDED:
        if not head.get(key):
            raise MalformedRule(f"sql/findings/{name}.sql: its head must have a line '-- {key}: ...'")
    if head["rule"] != name:
        raise MalformedRule(f"sql/findings/{name}.sql: its head names the rule {head['rule']!r}, not that of the file")
    severity = next((each for each in SEVERITIES if each == head["severity"]), None)
    if severity is None:
        raise MalformedRule(f"sql/findings/{name}.sql: the severity must be one of {', '.join(SEVERITIES)}")
    unknown = sorted(set(_PLACEHOLDER.findall(query)) - _GIVEN)
    if unknown:
        raise MalformedRule(
            f"sql/findings/{name}.sql: there is no threshold {unknown[0]!r}; see findings/thresholds.py"
        )
    if not {"as_of", "organization_id"} <= set(_PLACEHOLDER.findall(query)):
        raise MalformedRule(f"sql/findings/{name}.sql: it must ask by %(as_of)s and %(organization_id)s")
    return Rule(
        name=name,
        meaning=head["meaning"],
        severity=severity,
        what_to_do=head["what to do"],
        blind_to=head.get("blind to"),
        query=query,
    )


def _parted(name: str, text: str) -> tuple[Mapping[str, str], str]:
    head: dict[str, str] = {}
    lines = text.splitlines()
    key = None
    place = 0
    for place, line in enumerate(lines):
        if not line.startswith("--"):
            break
        named = re.fullmatch(r"-- (\w[\w ]*): (.+)", line)
        if named:
            key = named[1]
            if key not in _KNOWN or key in head:
                problem = "twice" if key in head else f"and may have {', '.join(_KNOWN)} only"
                raise MalformedRule(f"sql/findings/{name}.sql: its head has the line '-- {key}: ...' {problem}")
            head[key] = named[2].strip()
        elif key is not None and re.match(r"--\s{2,}\S", line):
            head[key] += " " + line.removeprefix("--").strip()
        else:
            raise MalformedRule(
                f"sql/findings/{name}.sql, line {place + 1}: not a line of a head such as '-- rule: ...'"
            )
    query = "\n".join(lines[place:]).strip().removesuffix(";")
    if not re.match(r"(select|with)\b", query) or ";" in re.sub(r"--[^\n]*|'[^']*'", "", query):
        raise MalformedRule(f"sql/findings/{name}.sql: below its head there must be one select")
    return head, query
