"""Desired states from files and queries: what lands, what is kept with a reason, and what a second import does."""

import io
from typing import Any

import pandas as pd
import pytest

from fixtures.pushes import NEW_PHONES, Pushing
from syrve.crm.imports import CrmImport
from syrve.sources.errors import UnusableSource
from syrve.sources.files import FileSource
from syrve.sources.values import SEXES, YES_NO
from syrve.warehouse.runs import Counts

CATEGORY = "5f4e0006-0000-4000-8000-000000000001"


def take(pushing: Pushing, *rows: dict[str, Any], organization_id: str | None = "own") -> Counts:
    own = pushing.organization_id if organization_id == "own" else organization_id
    job = CrmImport(pushing.warehouse, key=pushing.key("import"), region="RU", organization_id=own)
    return job.run([pd.DataFrame(rows, dtype="object")])


def desired_states(pushing: Pushing, columns: str) -> list[tuple[Any, ...]]:
    return pushing.rows(f"select {columns} from crm.customer order by crm_id")


def rejects(pushing: Pushing) -> list[str]:
    return [
        reason for (reason,) in pushing.rows("select reason from sync.reject where stage = 'import' order by reject_id")
    ]


def test_rows_of_a_file_become_desired_states_and_are_pushed(pushing: Pushing) -> None:
    phone = next(NEW_PHONES)
    content = f"phone;name;birthday;sex;receives_promo\n8{phone[2:]};Иван;1990-05-15;m;no\n".encode()
    job = CrmImport(pushing.warehouse, key=pushing.key("import"), region="RU", organization_id=pushing.organization_id)

    counts = job.run(FileSource(io.BytesIO(content), "desired_states.csv"))

    assert (counts.requested, counts.changed, counts.rejected) == (1, 1, 0)
    assert pushing.push().changed == 1
    assert pushing.sent() == [
        {
            "phone": phone,
            "name": "Иван",
            "birthday": "1990-05-15",
            "sex": "Male",
            "shouldReceivePromoActionsInfo": False,
        }
    ]


def test_second_import_of_the_same_changes_nothing(pushing: Pushing) -> None:
    rows = [{"phone": next(NEW_PHONES), "name": "Иван", "card_track": "T1", "category_id": CATEGORY}]
    take(pushing, *rows)
    before = pushing.rows("select edited_at, memberships_edited_at, xmin::text from crm.customer")

    counts = take(pushing, *rows)

    assert (counts.changed, counts.unchanged) == (0, 1)
    assert pushing.rows("select edited_at, memberships_edited_at, xmin::text from crm.customer") == before


def test_empty_cell_leaves_the_field_and_a_row_is_found_by_any_of_its_keys(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    crm_id = pushing.set_desired_of(person, name="Было", surname="Осталась", phone="8 975 000-00-77")
    pushing.plan()

    take(pushing, {"phone": "+79750000077", "name": "Стало", "surname": ""})
    assert desired_states(pushing, "crm_id, name, surname, phone") == [(crm_id, "Стало", "Осталась", "+79750000077")]
    take(pushing, {"id": person["customer_id"], "email": "a@example.com"})
    take(pushing, {"crm_id": crm_id, "middle_name": "Ивановна"})
    assert desired_states(pushing, "name, email, middle_name") == [("Стало", "a@example.com", "Ивановна")]


def test_lines_about_one_new_customer_make_one_row(pushing: Pushing) -> None:
    phone = next(NEW_PHONES)

    take(
        pushing,
        {"phone": phone, "name": "Анна", "card_track": "A"},
        {"phone": phone, "surname": "Ли", "name": "Анна", "card_track": "B", "card_number": "7"},
    )

    assert desired_states(pushing, "name, surname") == [("Анна", "Ли")]
    assert pushing.rows("select track, number, wanted from crm.customer_card order by track") == [
        ("A", None, True),
        ("B", "7", True),
    ]


OTHERWISE = "says something else than an earlier line about the same customer: "


def test_lines_that_contradict_each_other_make_no_mixture(pushing: Pushing) -> None:
    """A family with one phone: a person of the name of one and the birthday of another must not reach Syrve."""
    phone = next(NEW_PHONES)

    counts = take(
        pushing,
        {"phone": phone, "name": "Анна", "birthday": "1990-05-15", "receives_promo": "нет"},
        {"phone": phone, "name": "Борис", "email": "boris@example.com", "receives_promo": "да"},
        {"phone": phone, "category_id": CATEGORY, "wanted": "да"},
        {"phone": phone, "category_id": CATEGORY, "wanted": "нет"},
    )

    assert (counts.rejected, counts.found) == (2, 2)
    assert desired_states(pushing, "name, birthday::text, email, receives_promo") == [
        ("Анна", "1990-05-15", None, False)
    ]
    assert pushing.rows("select wanted from crm.customer_category") == [(True,)]
    reasons = [reason for (reason,) in pushing.rows("select reason from sync.reject order by reject_id")]
    assert reasons == [f"{OTHERWISE}name, receives_promo", f"{OTHERWISE}wanted"]


def test_contradiction_is_seen_across_parts_of_a_source(pushing: Pushing) -> None:
    phone = next(NEW_PHONES)
    pushing.set_desired(phone=phone, name="Анна", email="anna@example.com")
    parts = [
        [{"phone": phone, "name": "Анна"}],
        [{"phone": phone, "email": "new@example.com"}, {"phone": phone, "name": "Борис"}],
        [{"phone": phone, "email": "other@example.com"}],
    ]

    key = pushing.key("import")
    job = CrmImport(pushing.warehouse, key=key, region="RU", organization_id=pushing.organization_id)
    counts = job.run([pd.DataFrame(part, dtype="object") for part in parts])

    assert (counts.found, counts.rejected) == (2, 2)
    assert desired_states(pushing, "name, email") == [("Анна", "new@example.com")]
    take(pushing, {"phone": phone, "name": "Борис"})
    assert desired_states(pushing, "name") == [("Борис",)], "a later import is a new word"


def test_lines_far_apart_contradict_each_other_as_neighbours_do(pushing: Pushing) -> None:
    """Whatever the size of the parts: a phone and memberships too."""
    (person,) = pushing.people(1)
    said = {"customer_id": person["customer_id"]}
    lines = [
        said | {"phone": next(NEW_PHONES), "category_id": CATEGORY, "wanted": "да"},
        said | {"card_track": "7700771", "wanted": "да"},
        said | {"category_id": CATEGORY, "wanted": "нет"},
        said | {"card_track": "7700771", "wanted": "нет"},
        said | {"phone": next(NEW_PHONES)},
        said | {"category_id": CATEGORY, "wanted": "да"},
    ]

    counts = []
    for parts in ([lines], [[line] for line in lines]):
        pushing.execute("delete from crm.customer")
        job = CrmImport(
            pushing.warehouse, key=pushing.key("import"), region="RU", organization_id=pushing.organization_id
        )
        done = job.run([pd.DataFrame(part, dtype="object") for part in parts])
        counts.append((done.found, done.rejected))

    assert counts == [(3, 3), (3, 3)]
    assert pushing.rows("select wanted from crm.customer_category union all select wanted from crm.customer_card") == [
        (True,),
        (True,),
    ]


def test_preview_judges_lines_far_apart_as_the_import_does(pushing: Pushing) -> None:
    """New customers, known ones, phones that an earlier line gave, and memberships; and it writes nothing."""
    (person,) = pushing.people(1)
    known, new = {"customer_id": person["customer_id"]}, {"phone": next(NEW_PHONES)}
    moved = next(NEW_PHONES)
    take(pushing, known | {"name": "Анна"})
    lines: list[dict[str, Any]] = [
        new | {"name": "Борис", "category_id": CATEGORY, "wanted": "да"},
        known | {"name": "Мария", "phone": moved},
        new | {"name": "Глеб"},
        new | {"email": "b@example.com", "category_id": CATEGORY, "wanted": "да"},
        known | {"name": "Жанна"},
        {"phone": moved, "email": "m@example.com"},
        new | {"category_id": CATEGORY, "wanted": "нет"},
    ]
    before = desired_states(pushing, "phone, name, email")

    done = []
    for is_trial in (True, False):
        job = CrmImport(
            pushing.warehouse,
            key=pushing.key("import"),
            region="RU",
            organization_id=pushing.organization_id,
            dry_run=is_trial,
        )
        counts = job.run([pd.DataFrame([line], dtype="object") for line in lines])
        done.append((job.created, counts.found, counts.changed, counts.unchanged, counts.rejected))
        if is_trial:
            assert desired_states(pushing, "phone, name, email") == before
            assert rejects(pushing) == []

    assert done[0] == done[1]
    assert done[1][0] == 1
    assert done[1][4] == 3
    assert desired_states(pushing, "name, email") == [("Мария", "m@example.com"), ("Борис", "b@example.com")]


def test_membership_is_taken_away_and_a_field_emptied_by_words(pushing: Pushing) -> None:
    phone = next(NEW_PHONES)
    take(pushing, {"phone": phone, "email": "a@example.com", "category_id": CATEGORY})

    take(pushing, {"phone": phone, "clear": "email", "category_id": CATEGORY, "wanted": "no"})

    assert desired_states(pushing, "email, clear") == [(None, ["email"])]
    assert pushing.rows("select wanted from crm.customer_category") == [(False,)]
    take(pushing, {"phone": phone, "email": "b@example.com"})
    assert desired_states(pushing, "email, clear") == [("b@example.com", [])], "a value takes the clearing back"


BAD: list[tuple[dict[str, Any], str]] = [
    ({"name": "Иван"}, "has no crm_id, customer_id or phone"),
    ({"phone": "nobody"}, "phone is not a possible number in region RU"),
    ({"customer_id": "7"}, "customer_id is not a uuid"),
    ({"phone": "+79750000001", "birthday": "yesterday"}, "birthday is not a date such as 1990-05-15 or 15.05.1990"),
    ({"phone": "+79750000001", "sex": "x"}, f"sex must be one of {', '.join(SEXES)}"),
    (
        {"phone": "+79750000001", "receives_promo": "perhaps"},
        f"receives_promo must be one of {', '.join(YES_NO)}",
    ),
    ({"phone": "+79750000001", "clear": "phone"}, "clear may name email, middle_name, name, surname"),
    ({"phone": "+79750000001", "clear": "name", "name": "x"}, "name is both set and to be emptied"),
    ({"phone": "+79750000001", "name": "x" * 1001}, "name is longer than 1,000 characters"),
    ({"crm_id": "77"}, "no row of crm.customer has this crm_id in its organization"),
    ({"crm_id": "many"}, "crm_id is not a whole number"),
    ({"phone": "+79750000001", "organization_id": "x"}, "organization_id is not a uuid"),
]


@pytest.mark.parametrize(("row", "reason"), BAD)
def test_bad_row_is_kept_with_the_reason_and_the_others_land(
    pushing: Pushing, row: dict[str, Any], reason: str
) -> None:
    good = {"phone": next(NEW_PHONES), "name": "Хорошая\x00"}

    counts = take(pushing, row, good)

    assert (counts.rejected, counts.changed) == (1, 1)
    assert rejects(pushing) == [reason]
    assert desired_states(pushing, "name") == [("Хорошая",)]


def test_source_that_names_no_customer_or_no_organization_is_unusable(pushing: Pushing) -> None:
    with pytest.raises(UnusableSource, match="at least one of the columns"):
        take(pushing, {"name": "Иван"})
    with pytest.raises(UnusableSource, match="no column organization_id"):
        take(pushing, {"phone": "+79750000001"}, organization_id=None)
