"""Which texts an erasure looks at: few of those of other people, and every one that names the person."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.persons import ERASURE, Persons
from privacy.test_neighbours import add_customer, erase

OTHERS = 300
PHONE, EMAIL, TRACK, NUMBER = "+79161234567", "Odd_100%@example.com", "Tr\\ck_7%A", "7700441199"
PLANT = """
    insert into syrve.coupon (organization_id, number, series_id, activated_by, verdict, checked_at)
    select %(o)s, place::text, gen_random_uuid(), '+7999' || 1000000 + place, 'used', now() from generate_series(1, %(others)s) as place;
    insert into sync.signal (content_key, organization_id, kind, event_type, channel, order_number)
    select sha256(place::text::bytea), %(o)s, 'other', 'Odd', 'webhook', '+7999' || 1000000 + place
    from generate_series(1, %(others)s) as place;
    insert into sync.reject (run_id, entity, organization_id, identity, stage, reason)
    select 'r', 'roster', %(o)s, 'phone +7999' || 1000000 + place, 'import', 'r' from generate_series(1, %(others)s) as place;
    update syrve.coupon set activated_by = %(p)s where number = '1';
    update sync.signal set order_number = %(p)s where content_key = sha256('1');
    update sync.reject set identity = 'phone ' || %(p)s where identity = 'phone +79991000001'
"""
CALLS = "select pg_stat_get_xact_function_calls('privacy.names_erased(uuid,text)'::regprocedure)"


def test_erasure_asks_about_few_texts_of_others(persons: Persons) -> None:
    customer_id = add_customer(persons, PHONE)
    persons.execute(PLANT, {"o": persons.organization_id, "others": OTHERS, "p": PHONE})
    persons.plan(id=customer_id)
    persons.approve()

    with persons.warehouse.transaction("test") as cursor:
        cursor.execute("set local track_functions = 'all'")
        cursor.execute("select privacy.erase(erasure_id) from privacy.erasure where run_id = %s", (ERASURE.run_id,))
        ((done,),) = cursor.fetchall()
        cursor.execute(CALLS)
        ((calls,),) = cursor.fetchall()

    assert [done[table] for table in ("syrve.coupon", "sync.signal", "sync.reject")] == [1, 1, 1]
    assert persons.traces(PHONE) == {}
    assert 3 <= calls < 20, "one call for each text with a sign of the person, not for those of others"


def written(customer_id: str) -> st.SearchStrategy[str]:
    """Texts of what people and programs write of a person, whole, spoilt and beside other things."""
    ways = (
        *(
            PHONE,
            PHONE[1:],
            PHONE[2:],
            "8 (916) 123-45-67",
            "007 916 123-45-67",
            "７９１６１２３４５６７",
            "+७ ९१६ १२३-४५-६७",
        ),
        *(EMAIL, EMAIL.upper(), EMAIL.lower() + ".", f"<mailto:{EMAIL}>", customer_id, customer_id.upper()),
        *(
            TRACK,
            f'{{"card": "{TRACK}"}}',
            f"card {TRACK}",
            NUMBER,
            "7700 4411-99",
            f"card_number {NUMBER}",
            f"{TRACK}!",
        ),
    )
    noise = st.sampled_from(
        ("", " ", ";", ",", "-", ".", '"', "12", "no. 5 ", "a@b", "é", "İ", "Σ", "٣", "(", "|", "\\")
    )
    return st.lists(st.sampled_from(ways) | noise, min_size=1, max_size=5).map("".join)


def test_text_that_names_a_person_holds_a_sign(persons: Persons) -> None:
    customer_id = add_customer(persons, PHONE, email=EMAIL)
    persons.execute(
        "insert into syrve.card (organization_id, customer_id, card_id, track, number, changed_at) "
        "values (%s, %s, gen_random_uuid(), %s, %s, now())",
        persons.organization_id,
        customer_id,
        TRACK,
        NUMBER,
    )
    ((signs,),) = persons.rows(
        "select privacy.signs_of(privacy.who_is(%s, %s, null))", persons.organization_id, customer_id
    )
    assert len(signs) == 5
    erase(persons, customer_id)
    named: set[str] = set()

    @settings(max_examples=40, deadline=None, database=None)
    @given(st.lists(written(customer_id), min_size=5, max_size=30))
    def search(texts: Sequence[str]) -> None:
        found = persons.rows(
            "select text, privacy.may_hold(privacy.with_plain_digits(text), %s) from unnest(%s) as text "
            "where privacy.names_erased(%s, text)",
            signs,
            list(texts),
            persons.organization_id,
        )
        named.update(text for text, _ in found)
        assert [text for text, may_hold in found if not may_hold] == []

    search()
    assert len(named) > 20
