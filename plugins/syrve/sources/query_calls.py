"""Which functions the query of a form may call: those that are known to change nothing, neither the session nor how others are read."""

from __future__ import annotations

import re

from syrve.sources.errors import UnusableSource

_SYNTAX = frozenset(
    re.findall(
        r"\w+",
        """
    select distinct from join lateral on using where by sets rollup cube having values as union intersect except all and or not in any
    some exists between like ilike is when then else case limit offset over filter row cast numeric decimal varchar char character varying
    time timestamp interval
""",
    )
)
_HARMLESS = frozenset(
    re.findall(
        r"\w+",
        """
    coalesce nullif greatest least lower upper trim btrim ltrim rtrim left right substring substr length char_length replace concat
    split_part position strpos starts_with abs round floor ceil ceiling trunc mod sign count sum min max avg bool_and bool_or row_number
    rank dense_rank lag lead first_value last_value date_trunc date_part extract to_date to_timestamp to_char to_number make_date age now
    md5
""",
    )
)
_CALL = re.compile(r'(?P<before>\w+\s+|\.\s*)?(?P<name>\w+|"(?:[^"]|"")*"|[\])`])\s*\(|(?P<of_value>[\])]\s*\.)')


def check_calls(code: str, *, of_facts: bool) -> None:
    """Refuse a query that calls a function other than a harmless one, and any at all where its rows are facts.

    `code` is the query without comments and texts. A name after AS is an alias. What stands before ( and is no such name, a name with a
    schema or in quotes included, is refused; so is (...).name, which may be a call.
    """
    allowed = _SYNTAX if of_facts else _SYNTAX | _HARMLESS
    for found in _CALL.finditer(code):
        if found["of_value"]:
            raise UnusableSource(
                "a query of a form may have no (...).name, which may call a function; name the column itself"
            )
        before = (found["before"] or "").strip().lower()
        if before != "as" and (before.startswith(".") or found["name"].lower() not in allowed):
            allows = "no function" if of_facts else "only functions that are known to be harmless, without a schema"
            raise UnusableSource(
                f"a query of a form may call {allows} (docs/files.md); put what needs another into the view, and write AS before an alias"
            )
