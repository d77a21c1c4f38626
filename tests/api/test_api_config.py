"""A connection's settings are checked once, and each wrong one is named."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syrve.api.config import SyrveConfig
from syrve.api.dialects import dialect_named
from syrve.api.errors import ConfigurationError, UnsupportedByDialect
from syrve.api.extras import DEFAULT_BUDGETS

HOST = "https://api-ru.iiko.services"


def config(**extra: Any) -> SyrveConfig:
    return SyrveConfig.from_parts(HOST, "login", extra)


def test_host_and_api_login_are_all_that_a_connection_needs() -> None:
    assert SyrveConfig.from_parts(HOST, "login", {}) == SyrveConfig(base_url=HOST, api_login="login")


def test_empty_extras_of_the_form_mean_the_defaults() -> None:
    assert config(dialect="", organization_ids=[], budgets={}, timeout_seconds=None) == config()


@pytest.mark.parametrize(
    ("host", "base_url"),
    [
        ("api-ru.iiko.services", "https://api-ru.iiko.services"),
        ("https://api-ru.iiko.services/", "https://api-ru.iiko.services"),
        (" https://api-ru.iiko.services ", "https://api-ru.iiko.services"),
        ("http://127.0.0.1:8090", "http://127.0.0.1:8090"),
        ("http://[::1]:8090", "http://[::1]:8090"),
        ("http://127.8.0.1", "http://127.8.0.1"),
        ("http://localhost:8090", "http://localhost:8090"),
        ("http://simulator:8080", "http://simulator:8080"),
    ],
)
def test_host_becomes_the_base_url(host: str, base_url: str) -> None:
    assert SyrveConfig.from_parts(host, "login", {}).base_url == base_url


@pytest.mark.parametrize(
    ("host", "problem"),
    [
        (None, "is missing"),
        ("", "is missing"),
        ("ftp://example.test", "not an http or https URL"),
        ("https://", "not an http or https URL"),
        ("http://[::1", "not an http or https URL"),
        ("http://example.test:99999", "not an http or https URL"),
        ("http://example.test:port", "not an http or https URL"),
        ("http://exa mple.test", "not an http or https URL"),
        ("https://user:canary@example.test", "without a user"),
        ("https://example.test?a=b", "without a user, a query"),
        ("https://example.test/api/1", "leave the path out"),
        ("http://api-ru.iiko.services", "give an https URL"),
        ("http://10.0.0.7", "give an https URL"),
        ("http://simulator.example.test", "give an https URL"),
        ("http://127.0.0.1.example.test", "give an https URL"),
    ],
)
def test_unusable_host_is_told_with_what_to_do(host: str | None, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem) as caught:
        SyrveConfig.from_parts(host, "login", {})

    assert str(caught.value).startswith("connection: host: ")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("password", [None, ""])
def test_missing_api_login_is_told_with_the_field_to_put_it_into(password: str | None) -> None:
    with pytest.raises(ConfigurationError, match="password: the api login is missing"):
        SyrveConfig.from_parts(HOST, password, {})


WRONG: list[tuple[str, Any, str]] = [
    ("dialect", "legacy", "dialect: must be one of reference, cloud"),
    ("path_segment", "loyalty", "path_segment: must be one of iiko, syrve"),
    ("organization_ids", 7, "organization_ids: must be a list"),
    ("organization_ids", '["a1", ', "organization_ids: is JSON that cannot be read"),
    ("organization_ids", "[7]", "organization_ids: must be a list"),
    ("organization_ids", "Tverskaya", "organization_ids: must be a list"),
    ("organization_ids", [7], "organization_ids: must be a list"),
    ("organization_ids", {"a": 1}, "organization_ids: must be a list"),
    ("time_zone", "Mars/Olympus", "time_zone: not a name"),
    ("time_zone", "../etc/passwd", "time_zone: not a name"),
    ("time_zone", "Europe", "time_zone: not a name"),
    ("default_region", "Russia", "default_region: must be a two-letter"),
    ("default_region", "77", "default_region: must be a two-letter"),
    ("budgets", 100, "budgets: must be an object"),
    ("budgets", [100], "budgets: must be an object"),
    ("budgets", {"guests": 1}, "budgets: unknown family"),
    ("budgets", {"customer": "many"}, "budgets.customer: must be a number"),
    ("budgets", {"customer": 0}, "budgets.customer: must be greater than zero"),
    ("budgets", {"customer": 1_000_001}, "budgets.customer: must be at most 1,000,000 calls per minute"),
    ("budgets", {"coupon": "auto:1000001"}, "budgets.coupon: must be at most 1,000,000 calls per minute"),
    ("budgets", {"customer": "auto:"}, 'budgets.customer: must be a number, "auto", or "auto:600"'),
    ("budgets", {"customer": "auto:-5"}, 'budgets.customer: must be a number, "auto", or "auto:600"'),
    ("budgets", {"customer": "automatic"}, 'budgets.customer: must be a number, "auto", or "auto:600"'),
    ("budgets", {"customer": "auto:0"}, "budgets.customer: must be greater than zero"),
    ("max_in_flight", 5, "max_in_flight: must be an object"),
    ("max_in_flight", {"guests": 1}, "max_in_flight: unknown family"),
    ("max_in_flight", {"customer": "few"}, "max_in_flight.customer: must be a number"),
    ("timeout_seconds", "long", "timeout_seconds: must be a number"),
    ("timeout_seconds", [1], "timeout_seconds: must be a number"),
    ("timeout_seconds", -1, "timeout_seconds: must be greater than zero"),
    ("timeout_seconds", "nan", "timeout_seconds: must be greater than zero"),
    ("timeout_seconds", 10**400, "timeout_seconds: must be a number"),
    ("token_lifetime_seconds", 0, "token_lifetime_seconds: must be greater than zero"),
    ("call_deadline_seconds", "x", "call_deadline_seconds: must be a number"),
    ("max_concurrency", -3, "max_concurrency: must be greater than zero"),
    ("time_out", 5, "extra: unknown setting 'time_out'; known ones are"),
]


@pytest.mark.parametrize(("name", "value", "problem"), WRONG)
def test_wrong_setting_is_named(name: str, value: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        config(**{name: value})

    assert problem in str(caught.value)
    assert caught.value.retry_after_seconds is None


def test_settings_are_read_tolerantly() -> None:
    read = config(
        dialect=" Cloud ",
        path_segment="SYRVE",
        default_region="kz",
        timeout_seconds="7.5",
        max_concurrency="0.5",
        budgets={"customer": "30", "coupon": 0.2},
    )

    assert (read.dialect, read.path_segment, read.default_region) == ("cloud", "syrve", "KZ")
    assert (read.timeout_seconds, read.max_concurrency) == (7.5, 1)
    assert read.budgets == DEFAULT_BUDGETS | {"customer": 30, "coupon": 1}


@pytest.mark.parametrize(
    "value", ["A1, b2  A1", ["A1", " b2", "a1", ""], ("a1", "b2"), '["A1", "{b2}"]', "{A1};{b2}".replace(";", ",")]
)
def test_organization_ids_are_a_list_or_a_line_and_each_counts_once(value: Any) -> None:
    assert config(organization_ids=value).organization_ids == ("a1", "b2")


def test_api_login_shows_neither_in_the_text_nor_in_the_fingerprint() -> None:
    read = SyrveConfig.from_parts(HOST, "canary-login", {})

    assert "canary" not in repr(read) + str(read)
    assert len(read.login_fingerprint) == 12


def test_fingerprint_names_the_account() -> None:
    same, other_login = SyrveConfig(HOST, "one"), SyrveConfig(HOST, "two")
    other_host = SyrveConfig("https://api-eu.iiko.services", "one")

    assert same.login_fingerprint == SyrveConfig(HOST, "one", dialect="cloud").login_fingerprint
    assert len({same.login_fingerprint, other_login.login_fingerprint, other_host.login_fingerprint}) == 3


ANY_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=3,
)


@given(
    host=st.none() | st.text(max_size=30), name=st.sampled_from(sorted({name for name, _, _ in WRONG})), value=ANY_VALUE
)
def test_no_setting_whatever_gives_anything_but_a_config_or_a_configuration_error(
    host: str | None, name: str, value: Any
) -> None:
    with suppress(ConfigurationError):
        read = SyrveConfig.from_parts(host, "login", {name: value})

        assert read.timeout_seconds > 0
        assert min(read.budgets.values()) >= 1


def test_dialect_of_another_version_is_told_with_those_that_this_one_speaks() -> None:
    with pytest.raises(UnsupportedByDialect, match="set dialect to one of reference"):
        dialect_named("klingon")


def test_automatic_budget_has_a_cap_given_or_not() -> None:
    read = config(budgets={"customer": " Auto ", "wallet": "auto:90", "coupon": 4}, max_in_flight={"customer": "5"})

    assert read.auto_budgets == {"customer", "wallet"}
    assert (read.budgets["customer"], read.budgets["wallet"], read.budgets["coupon"]) == (2_000, 90, 4)
    assert read.max_in_flight == {"customer": 5}
