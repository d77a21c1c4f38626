"""Bodies become values the same, whichever of the two parsers takes them."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from syrve.api.decode import RepeatedKey, parse_json


def as_defined(body: bytes) -> Any:
    """What `parse_json` promises, said with the standard library alone."""

    def or_text(kind: type) -> Any:
        def convert(text: str) -> Any:
            try:
                return kind(text)
            except (ValueError, InvalidOperation):
                return text

        return convert

    def refuse(_: str) -> Any:
        raise ValueError("not a JSON number")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if found.setdefault(key, value) != value:
                raise RepeatedKey
            found[key] = value
        return found

    return json.loads(
        body, parse_int=or_text(int), parse_float=or_text(Decimal), parse_constant=refuse, object_pairs_hook=once
    )


def outcome(parse: Any, body: bytes) -> str:
    try:
        return repr(parse(body))  # tells 1 from 1.0 and from Decimal("1.00"), and -0.0 from 0
    except RepeatedKey:
        return "two things under one key"
    except ValueError:
        return "not JSON"


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=5)
NUMBERS = st.from_regex(r"-?[0-9]{1,25}(\.[0-9]{0,20})?([eE][+-]?[0-9]{0,4})?", fullmatch=True)
TEXTS = ANY_TEXT.map(lambda text: json.dumps(text, ensure_ascii=False)) | ANY_TEXT.map(json.dumps)
SCALARS = (
    NUMBERS
    | TEXTS
    | st.sampled_from(["null", "true", "false", "NaN", "Infinity", "-Infinity", "1e99999999999999999999"])
)
SPACE = st.sampled_from(["", "", " ", "\n", "\t", "\x0b", "\u00a0"])


def _listed(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")


def _keyed(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Objects, keys repeated often."""
    pairs = st.tuples(st.sampled_from(['"a"', '"b"']) | TEXTS, SPACE, inner).map(
        lambda each: f"{each[0]}:{each[1]}{each[2]}"
    )
    return st.lists(pairs, max_size=4).map(lambda items: f"{{{','.join(items)}}}")


DOCUMENTS = st.recursive(SCALARS, lambda inner: _listed(inner) | _keyed(inner), max_leaves=8)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """JSON, nearly JSON, and JSON in other encodings."""
    body = f"{draw(SPACE)}{draw(DOCUMENTS)}{draw(SPACE)}".encode(
        draw(st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le"])),
        "surrogatepass",
    )
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(body)))
        cut = draw(st.integers(0, 2))
        body = (
            body[:place]
            + draw(st.binary(max_size=2) | st.sampled_from([b"\\", b'"', b",", b"\x00", b"0"]))
            + body[place + cut :]
        )
    return body


@settings(max_examples=700)
@given(body=bodies() | st.binary(max_size=20))
@example(body=b'"\\ud83d"')
@example(body=b'"\xed\xa0\x80"')
@example(body=b'{"a": 1, "b": 2, "a": 3}')
@example(body=b'{"a": 1, "b": 2, "a": 1}')
@example(body=b'{"a": NaN, "a": 1}')
@example(body=b"18446744073709551616")
@example(body=b"-0")
@example(body=b"-0.0")
@example(body=b"1E400")
@example(body=b"9" * 5_000)
@example(body=b'"\x01"')
@example(body=b"[1,]")
@example(body=b"01")
def test_any_body_whatever_is_the_value_or_the_refusal_that_is_promised(body: bytes) -> None:
    assert outcome(parse_json, body) == outcome(as_defined, body)


@pytest.mark.parametrize(
    "body",
    [
        '{"isDeleted": false, "isDeleted": true}',
        '{"phone": "+79001234567", "name": "a", "phone": "+79001234568"}',
        '{"id": 1, "\\u0069d": 2}',
        '[{"a": {"b": [{"c": 1, "c": null}]}}]',
        '{"name": "\\u0022", "\\u0022": "\\u0022", "a": 0, "a": 1}',
        '{"name": "\\u0022\\u0022", "a": 0, "a": 1}',
        '{"": 0, "": 1}',
        '{"a": 1.5, "a": 2.5, "b": "1.5"}',
    ],
)
def test_key_with_two_values_is_refused_however_it_is_written(body: str) -> None:
    with pytest.raises(RepeatedKey):
        parse_json(body.encode())


@pytest.mark.parametrize("body", ['{"a": 1, "a": 1}', '{"name": "\\u0022", "a": 1}', '{"\\"": "\\"", "b": "c"}'])
def test_key_that_says_the_same_twice_is_no_problem(body: str) -> None:
    assert parse_json(body.encode()) == json.loads(body)


@pytest.mark.parametrize("depth", [1, 100, 500])
def test_nested_body_is_read(depth: int) -> None:
    body = b"[" * depth + b"]" * depth

    assert outcome(parse_json, body) == outcome(as_defined, body)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_body_that_is_nested_beyond_measure_is_no_json(opening: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_json(opening * 100_000)


def test_ordinary_body_is_parsed_once_and_not_by_the_tolerant_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(json, "loads")

    assert parse_json('{"name": "Глеб", "balance": 696.30}'.encode()) == {"name": "Глеб", "balance": Decimal("696.30")}
