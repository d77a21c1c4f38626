"""The roster file that the demo imports."""

import csv
import io
from pathlib import Path

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstack.names import REGION
from devstack.roster import COLUMNS, JUNK_PHONES, Known, build_roster, import_conf, to_csv

known = st.builds(
    Known,
    organization_id=st.sampled_from(["org-1", "org-2"]),
    customer_id=st.uuids().map(str),
    phone=st.none() | st.integers(0, 9_999_999).map("+7975{:07}".format),
    card_tracks=st.lists(st.text("0123456789", min_size=4, max_size=8), max_size=2),
)


def parsed(customers: list[Known]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(to_csv(build_roster(customers).rows))))


@given(customers=st.lists(known, min_size=1, max_size=60))
def test_every_row_names_an_organization_and_exactly_one_identity(customers: list[Known]) -> None:
    for row in parsed(customers):
        assert list(row) == list(COLUMNS)
        assert row["organization_id"]
        assert len([name for name in ("phone", "id", "card") if row[name]]) == 1


@given(customers=st.lists(known, min_size=1, max_size=60))
def test_every_customer_is_in_it_once_in_order_and_as_one_of_their_own_identities(customers: list[Known]) -> None:
    roster = build_roster(customers)
    assert roster.known == len(customers)
    assert len(roster.rows) == roster.known + roster.unknown + roster.junk
    for customer, row in zip(customers, parsed(customers), strict=False):
        if row["phone"]:
            number = phonenumbers.parse(row["phone"], REGION)
            assert phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) == customer.phone
        else:
            assert row["id"] == customer.customer_id or row["card"] in customer.card_tracks


@given(customers=st.lists(known, min_size=1, max_size=60))
def test_strangers_are_valid_phones_that_no_customer_has(customers: list[Known]) -> None:
    roster = build_roster(customers)
    strangers = [row["phone"] for row in roster.rows[roster.known : roster.known + roster.unknown]]
    assert len(set(strangers)) == roster.unknown > 0
    assert set(strangers).isdisjoint({customer.phone for customer in customers})
    assert all(phonenumbers.is_valid_number(phonenumbers.parse(phone)) for phone in strangers)


@pytest.mark.parametrize("text", JUNK_PHONES)
def test_rubbish_is_no_phone_in_the_region_of_the_demo(text: str) -> None:
    assert not is_possible_phone(text)


def is_possible_phone(text: str) -> bool:
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(text, REGION))
    except phonenumbers.NumberParseException:
        return False


def test_all_three_kinds_of_identity_occur() -> None:
    customers = [Known("org", f"id-{n}", f"+7975{n:07}", ["1234"]) for n in range(60)]
    rows = parsed(customers)
    assert all(any(row[kind] for row in rows) for kind in ("phone", "id", "card"))
    assert any(row["phone"].startswith("8 (") for row in rows)


def test_the_file_is_named_as_airflows_object_storage_reads_it() -> None:
    assert import_conf(Path("/a b/roster.csv")) == {"source": "file", "path": "roster.csv", "dry_run": False}
