"""The state: after any sequence of changes every identity leads to whoever holds it, and only to them."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syrve_simulator import world as world_module
from syrve_simulator.jsontext import decode, encode, exact
from syrve_simulator.model import Customer, IdentityKind, canonical
from syrve_simulator.population import Population
from syrve_simulator.wire.reference import encode_customer
from syrve_simulator.world import IdentityTakenError, UnknownCustomerError, World

BORN = 6


def new_world() -> Any:
    return World(Population(seed=3, customers=BORN, organizations=1), encode_customer)


_POPULATION = Population(seed=3, customers=BORN, organizations=1)
_EVERYBODY = [_POPULATION.customer(ordinal, _POPULATION.organizations[0]) for ordinal in range(BORN)]
PHONES = [one.phone for one in _EVERYBODY if one.phone] + [f"+7999000000{digit}" for digit in range(4)]
TRACKS = [card.track for one in _EVERYBODY for card in one.cards] + ["new-1", "new-2"]
IDS = [one.customer_id for one in _EVERYBODY]
KEYS: list[tuple[IdentityKind, list[str]]] = [("phone", PHONES), ("card", TRACKS), ("id", IDS)]
phones, tracks, ids = st.sampled_from(PHONES), st.sampled_from(TRACKS), st.sampled_from(IDS)
upserts = st.fixed_dictionaries(
    {
        "customer_id": st.none() | ids,
        "phone": st.none() | phones,
        "track": st.none() | tracks,
        "name": st.text(max_size=5),
    }
)


@given(steps=st.lists(upserts | st.just("remove"), max_size=12))
@settings(max_examples=150, deadline=None)
def test_every_identity_leads_to_its_one_holder_after_any_changes(steps: Any) -> None:
    world = new_world()
    (organization,) = world.organizations.values()
    for step in steps:
        if step == "remove":
            present = world.page(organization, 0, 100)
            if present:
                world.remove(organization, world.resolve(organization, "id", present[0].customer_id))
            continue
        changes = {"name": step["name"]} | ({"phone": step["phone"]} if step["phone"] else {})
        card = (step["track"], step["track"]) if step["track"] else None
        try:
            customer_id = world.upsert(organization, changes, customer_id=step["customer_id"], card=card)
        except (IdentityTakenError, UnknownCustomerError):
            continue
        ordinal = world.resolve(organization, "id", customer_id)
        assert world.customer(organization, ordinal).name == step["name"]

    holders = {}
    for customer in world.page(organization, 0, 100):
        for identity in customer.identities():
            assert identity not in holders, "two customers hold one identity"
            holders[identity] = customer.customer_id
        ordinal = world.resolve(organization, "id", customer.customer_id)
        assert decode(world.answer(organization, ordinal))["id"] == customer.customer_id
    assert len(world.page(organization, 0, 100)) == world.count(organization)
    for kind, values in KEYS:
        for value in values:
            ordinal = world.resolve(organization, kind, value)
            found = None if ordinal is None else world.customer(organization, ordinal).customer_id
            assert found == holders.get((kind, canonical(kind, value)))


def test_answer_follows_a_change_though_it_was_kept() -> None:
    world = new_world()
    (organization,) = world.organizations.values()
    before = world.answer(organization, 0)

    world.upsert(organization, {"name": "Changed"}, customer_id=_EVERYBODY[0].customer_id, card=None)

    assert decode(world.answer(organization, 0))["name"] == "Changed"
    assert decode(before)["name"] == _EVERYBODY[0].name


def test_kept_answers_are_bounded_and_the_oldest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world_module, "CACHED_ANSWERS", 2)
    encoded: list[str] = []

    def encode_and_note(customer: Customer) -> bytes:
        encoded.append(customer.customer_id)
        return b"{}"

    world = World(_POPULATION, encode_and_note)
    (organization,) = world.organizations.values()

    for ordinal in (0, 1, 2, 2, 1, 0):
        world.answer(organization, ordinal)

    assert encoded == [_EVERYBODY[ordinal].customer_id for ordinal in (0, 1, 2, 0)]


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=6))
def test_decimals_pass_through_json_digit_by_digit(number: Any) -> None:
    written = encode([exact(str(number))])

    assert b"E" not in written.upper()
    assert Decimal(decode(written)[0]) == number


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e400", "", "1,5", True, None, [], {}])
def test_what_is_no_exact_number_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="number"):
        exact(value)
