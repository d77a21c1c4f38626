"""A rule is a file: what its head must say, and how a malformed one is told."""

from dataclasses import fields
from pathlib import Path

import pytest

from syrve.findings import thresholds as thresholds_module
from syrve.findings.errors import MalformedRule, UnusableThresholds
from syrve.findings.rules import all_rules, parse_rule, read_rules
from syrve.findings.thresholds import Limits, Thresholds

DOCS = Path(__file__).parents[2] / "docs" / "findings.md"
HEAD = """-- rule: example
-- meaning: Something is
--   not as it should be.
-- severity: low
-- what to do: Look.
"""
QUERY = "select %(as_of)s, %(organization_id)s, %(hold_ttl_seconds)s, %(severity)s;\n"


def test_head_is_read_with_the_lines_that_go_on() -> None:
    rule = parse_rule("example", HEAD + "-- blind to: Much.\n" + QUERY)

    assert (rule.name, rule.meaning, rule.severity, rule.what_to_do, rule.blind_to) == (
        "example",
        "Something is not as it should be.",
        "low",
        "Look.",
        "Much.",
    )
    assert rule.query == QUERY.strip().rstrip(";")
    assert rule.threshold_names == ("hold_ttl_seconds",)


def test_adding_a_rule_is_adding_a_file(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.sql").write_text(HEAD.replace("example", name) + QUERY)

    assert [rule.name for rule in read_rules(tmp_path)] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (QUERY, "must have a line '-- rule: ...'"),
        (HEAD.replace("-- severity: low\n", "") + QUERY, "must have a line '-- severity: ...'"),
        (HEAD.replace("what to do", "advice") + QUERY, "'-- advice: ...' and may have"),
        (HEAD + "-- severity: high\n" + QUERY, "'-- severity: ...' twice"),
        (HEAD.replace("low", "dire") + QUERY, "severity must be one of low, medium, high, critical"),
        (HEAD.replace("example", "other") + QUERY, "names the rule 'other'"),
        ("-- A rule about holds.\n" + HEAD + QUERY, "line 1: not a line of a head"),
        (HEAD + "delete from wallet.finding;", "there must be one select"),
        (HEAD + "select 1; select 2;", "there must be one select"),
        (HEAD, "there must be one select"),
        (HEAD + "select %(as_of)s, 'of all organizations';", "must ask by %(as_of)s and %(organization_id)s"),
        (HEAD + QUERY.replace("hold_ttl", "holdttl"), "there is no threshold 'holdttl_seconds'"),
    ],
)
def test_malformed_rule_is_told_by_file_and_reason(text: str, said: str) -> None:
    with pytest.raises(MalformedRule) as caught:
        parse_rule("example", text)

    assert str(caught.value).startswith("sql/findings/example.sql")
    assert said in str(caught.value)


def test_every_rule_and_threshold_is_in_the_documentation() -> None:
    text = DOCS.read_text()

    for rule in all_rules():
        assert f"| `{rule.name}` | {rule.severity} |" in text, rule.name
    for limit in fields(Limits):
        assert f"| `{limit.name}` |" in text
        assert f"| `{limit.name}` |" in str(thresholds_module.__doc__)


def test_thresholds_of_an_organization_stand_on_the_default() -> None:
    one = "5F4E0009-0000-4000-8000-000000000001"
    found = Thresholds.read(
        {"default": {"hold_ttl_seconds": 60}, one: {"amount_tolerance": "0.10", "balance_shows_held_money": True}}
    )

    mine = found.of(one.lower())
    assert (mine.hold_ttl_seconds, str(mine.amount_tolerance), mine.balance_shows_held_money) == (60.0, "0.10", True)
    assert found.of("another") == Limits(hold_ttl_seconds=60.0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"default": {"hold_ttl_seconds": "soon"}}, "hold_ttl_seconds must be a number"),
        ({"default": {"hold_ttl_seconds": -1}}, "hold_ttl_seconds must be a number"),
        ({"default": {"hold_ttl_seconds": True}}, "hold_ttl_seconds must be a number"),
        ({"default": {"unknown_grace_seconds": 59}}, "unknown_grace_seconds must be 60 at least"),
        ({"default": {"balance_shows_held_money": "yes"}}, "must be true, false or null"),
        ({"default": {"rules_off": "stale_hold"}}, "rules_off must be a list"),
        ({"default": 7}, "must be an object"),
    ],
)
def test_thresholds_that_make_no_sense_are_told(given: dict[str, object], said: str) -> None:
    with pytest.raises(UnusableThresholds, match=said):
        Thresholds.read(given)
