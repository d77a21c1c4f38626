"""What the text of a query says, read as databases read it: which parts are quoted or comments, and that it is one SELECT."""

from __future__ import annotations

import re
from collections.abc import Iterator

from syrve.sources.errors import UnusableSource

_TOKEN = re.compile(
    r"""
      (?P<obeyed>/\*M?!|/\*\+)
    | (?P<comment>--[^\n\r]*|/\*)
    | (?P<hash>\#)
    | (?P<dollar>\$)
    | (?P<quote>[eE]?'|"|`)
    | (?P<semicolon>;)
    | (?P<paren>[()])
    | (?P<word>\w+)
    """,
    re.VERBOSE,
)
_OBEYED = re.compile(r"/\*(?:M?!|\+)")
_NO_OBEYED = "the query has a comment that the database obeys (/*+ or /*!): leave it out"
_HASH_COMMENTS = ("mysql", "mariadb")
_BEGINNINGS = ("select", "with", "values", "table")
_EMPTYING = frozenset({"group", "grouping", "rollup", "cube", "join", "union", "intersect", "except", "lateral"})
_NAME_BYTES = 63
"""Postgres cuts longer names."""
_READ_IN_TWO_WAYS = re.compile(r"""\\['"]|`|\bu&["']""", re.IGNORECASE)
_USE = re.compile(r'(?P<word>\w+)|"(?P<quoted>(?:[^"]|"")*)"')


def one_select(query: str, dialect: str = "postgresql") -> str:
    """Return the query without semicolons at its end; raise `UnusableSource` unless it is one statement that reads.

    Comments that a database obeys are refused (`/*+ MAX_EXECUTION_TIME(0) */`, `/*! ... */`), and so is `#` where it begins a comment.
    Its parentheses are closed, so that it can stand in those of another statement.
    """
    first, depth = "", 0
    for kind, start, end in _tokens(query):
        if kind == "semicolon":
            if query[end:].strip("; \t\r\n"):
                raise UnusableSource("the query must be one statement: there is more after a semicolon")
            query = query[:start]
            break
        if kind == "word":
            first = first or query[start:end].lower()
        elif kind == "paren":
            depth += 1 if query[start] == "(" else -1
            if depth < 0:
                break
        elif kind == "dollar":
            raise UnusableSource(
                "the query has a $ outside of a quoted text, where databases differ in what it begins; write texts in single quotes"
            )
        elif kind == "hash" and dialect in _HASH_COMMENTS:
            raise UnusableSource("the query has a # outside of a quoted text; write comments with -- ")
    if depth:
        raise UnusableSource("the query has a parenthesis that is not closed, or closes none")
    if first not in _BEGINNINGS:
        raise UnusableSource(f"the query must begin with one of {', '.join(_BEGINNINGS)}: it may only read")
    return query


def check_whole_rows(query: str) -> None:
    """Refuse a query that can give rows of a list with some of their columns empty, or rows that the list does not have."""
    for kind, start, end in _tokens(query):
        if kind == "word" and query[start:end].lower() in _EMPTYING:
            raise UnusableSource(
                f"a query for facts may have no {query[start:end].upper()}: it may give rows that its list does not have; "
                "put what needs it into the view"
            )


def code_of(query: str) -> str:
    """Return the query of a form without its comments, each of its texts empty; one whose code can be read in two ways is refused."""
    if _READ_IN_TWO_WAYS.search(query):
        raise UnusableSource(
            'a query of a form may have no backslash before a quote, no ` and no U&" : '
            "it must be plain what it reads and calls; put what needs them into the view"
        )
    parts, place = [], 0
    for kind, start, end in _tokens(query):
        if kind == "comment" or (kind == "quote" and query[start] != '"'):
            parts += [query[place:start], " " if kind == "comment" else " '' "]
            place = end
    return "".join([*parts, query[place:]])


def check_used_once(query: str, relation: str) -> None:
    """Refuse a query of Postgres that may read a table or view twice: it could pair values of two of its rows."""
    text, uses = code_of(query), 0
    for found in _USE.finditer(text):
        name = (found["word"] or "").lower() or (found["quoted"] or "").replace('""', '"')
        if found["word"] and name == "with":
            raise UnusableSource(
                "a query of a form may have no WITH (nor WITH TIME ZONE); put what needs it into the view"
            )
        name = name.encode()[:_NAME_BYTES].decode(errors="ignore")
        is_qualifier = text[found.end() :].lstrip().startswith(".")  # a column of it, or a schema of that name
        uses += name.lower() == relation.lower() and not is_qualifier
    if uses != 1:
        raise UnusableSource(
            "the query must name the table or view of its columns once: give no column or alias that name, "
            "and join it with itself in a view if that is wanted"
        )


def _tokens(query: str) -> Iterator[tuple[str, int, int]]:
    """Give what a query consists of, with where each begins and ends; a comment that databases obey is refused, and so is an open quote."""
    place = 0
    while token := _TOKEN.search(query, place):
        kind, place = str(token.lastgroup), token.end()
        if kind == "obeyed":
            raise UnusableSource(_NO_OBEYED)
        if token.group() == "/*" or kind == "quote":
            place = _end_of(query, token)
        elif kind == "comment" and query[place : place + 1] == "\r" and query[place : place + 2] != "\r\n":
            raise UnusableSource("a comment of the query ends in a carriage return, which is not a line end everywhere")
        yield kind, token.start(), place


def _end_of(query: str, token: re.Match[str]) -> int:
    """Return where a quoted text or a comment ends; a text that databases end in different places is refused."""
    mark, start = token.group(), token.end()
    if mark == "/*":
        depth = 1
        for each in re.finditer(r"/\*|\*/", query[start:]):
            depth += 1 if each.group() == "/*" else -1
            if not depth:
                if _OBEYED.search(query, start, start + each.end()):
                    raise UnusableSource(_NO_OBEYED)
                return start + each.end()
        raise UnusableSource("a comment of the query is not closed")
    closing = re.compile(re.escape(mark[-1]) + "(?:" + re.escape(mark[-1]) + ")?")
    place, end = start, -1
    while found := closing.search(query, place):
        place = found.end()
        if len(found.group()) == 1:
            end = place
            break
    if end > 0 and ";" in query and "\\" + mark[-1] in query[start:end]:
        raise UnusableSource("the query has a backslash before a quote and a semicolon; write it without one of them")
    if end < 0:
        raise UnusableSource("a quoted text of the query is not closed")
    return end
