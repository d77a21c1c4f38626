"""The same customers, pulled and written in both shapes of the API, over real HTTP into a real Postgres."""

import string
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures.pulls import Syncing
from syrve.api.client import SyrveClient
from syrve.api.config import SyrveConfig
from syrve.api.dialects import DIALECTS
from syrve.api.errors import AuthenticationFailed, MoneyRefused, NotFound, OutcomeUnknown, PermissionDenied, SyrveError
from syrve.api.models import Customer, CustomerChange
from syrve.api.tokens import MAX_TOKENS_REFUSED_UNUSED
from syrve.customers.ensure import ensure_customer
from syrve.customers.phones import to_e164
from syrve.warehouse.database import Warehouse
from syrve_simulator.process import SimulatorProcess, start_simulator

CUSTOMERS = 150
COLUMNS = (
    "phone_raw, email, name, surname, middle_name, birthday, sex, referrer_id::text, program_id::text, program_name, "
    "receives_order_status, receives_promo, consent_from, consent_to, is_deleted, extra"
)


@pytest.fixture(scope="module", params=DIALECTS)
def speaking(request: pytest.FixtureRequest) -> Iterator[SimulatorProcess]:
    with start_simulator(customers=CUSTOMERS, seed=23, dialect=request.param) as process:
        process.dialect = request.param  # type: ignore[attr-defined]
        yield process


@pytest.fixture
def both(speaking: SimulatorProcess, warehouse: Warehouse) -> Syncing:
    speaking.control.clear_faults()
    speaking.control.reset_switches()
    speaking.control.reset_calls()
    dialect: str = speaking.dialect  # type: ignore[attr-defined]
    return Syncing(speaking, warehouse, SyrveConfig(speaking.url, "demo-login", dialect=dialect))


def stored(syncing: Syncing, customer_id: str) -> dict[str, Any]:
    """What Postgres holds of a customer, in the terms of the model."""
    (row,) = syncing.rows(f"select {COLUMNS} from syrve.customer where customer_id = %s", customer_id)
    names = [name.strip().removesuffix("::text") for name in COLUMNS.split(",")]
    children = {
        "wallets": "select wallet_id::text, name, type, balance from syrve.wallet_balance",
        "cards": "select card_id::text, track, number, valid_to from syrve.card",
        "categories": "select category_id::text, name, is_active, is_default_for_new_guests from syrve.customer_category",
    }
    return dict(zip(names, row, strict=True)) | {
        name: sorted(syncing.rows(f"{query} where customer_id = %s", customer_id)) for name, query in children.items()
    }


def modelled(customer: Customer) -> dict[str, Any]:
    """The same of a decoded customer."""
    names = [name.strip().removesuffix("::text") for name in COLUMNS.split(",")]
    plain = {name: getattr(customer, "phone" if name == "phone_raw" else name) for name in names}
    return plain | {
        "extra": dict(customer.extra),
        "wallets": sorted((each.wallet_id, each.name, each.type, each.balance) for each in customer.wallets),
        "cards": sorted((each.card_id, each.track, each.number, each.valid_to) for each in customer.cards),
        "categories": sorted(
            (each.category_id, each.name, each.is_active, each.is_default_for_new_guests)
            for each in customer.categories
        ),
    }


def test_every_customer_reads_back_from_postgres_as_it_was_decoded(both: Syncing) -> None:
    customers = both.customers(CUSTOMERS)
    both.add(id=[each["customer_id"] for each in customers])

    counts = both.pull()

    assert (counts.found, counts.changed, counts.cleaned, counts.rejected) == (len(customers), len(customers), 0, 0)
    with both.client() as client:
        for each in customers:
            decoded = client.customer_by_id(both.organization_id, each["customer_id"])
            assert stored(both, each["customer_id"]) == modelled(decoded)
            assert {str(wallet.balance) for wallet in decoded.wallets} == {
                wallet["balance"] for wallet in each["wallets"]
            }
    both.make_due()
    assert both.pull().changed == 0


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=60).filter(
    lambda text: text == text.strip() and bool(text)
)
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "name": TEXT,
        "surname": TEXT,
        "middle_name": TEXT,
        "email": st.text(string.ascii_lowercase, min_size=1, max_size=20).map(lambda text: f"{text}@example.com"),
        "birthday": st.dates(date(1920, 1, 1), date(2020, 12, 31)),
        "sex": st.sampled_from(["male", "female", "not_specified"]),
        "receives_promo": st.booleans(),
    },
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=st.integers(0, 9_999_999), fields=CHANGES)
def test_whatever_is_written_comes_back_through_the_pull(both: Syncing, number: int, fields: dict[str, Any]) -> None:
    phone = f"+7976{number:07}"
    with both.client() as client:
        customer_id = client.create_or_update(both.organization_id, CustomerChange(phone=phone, **fields))
        assert client.create_or_update(both.organization_id, CustomerChange(phone=phone, **fields)) == customer_id
    both.add(phone=[phone])
    both.make_due()

    both.pull()

    found = stored(both, customer_id)
    assert {name: found[name] for name in fields} == fields
    assert found["phone_raw"] == to_e164(phone, "RU") == phone


def test_customer_is_created_on_a_real_not_found_only(both: Syncing) -> None:
    phone = "+79770000001"
    with both.client() as client:
        both.simulator.control.set_faults(
            [{"operation": "customer_info", "fault": "status", "status": 500, "probability": 1.0}]
        )
        hurried = SyrveClient(
            SyrveConfig(both.config.base_url, "demo-login", both.config.dialect, call_deadline_seconds=0.2)
        )
        with hurried, pytest.raises(SyrveError):
            ensure_customer(hurried, both.organization_id, phone, name="Фёкла")
        assert both.simulator.control.calls()["operations"].get("create_or_update") is None
        both.simulator.control.clear_faults()

        made = ensure_customer(client, both.organization_id, phone, name="Фёкла")
        again = ensure_customer(client, both.organization_id, phone)

    assert (made.created, again.created) == (True, False)
    assert made.customer_id == again.customer_id


def test_steady_401_costs_a_few_token_calls_and_no_more(both: Syncing) -> None:
    both.simulator.control.set_faults(
        [{"operation": "customer_info", "fault": "status", "status": 401, "probability": 1.0}]
    )

    with both.client() as client, pytest.raises((AuthenticationFailed, PermissionDenied)):
        client.customer_by_phone(both.organization_id, "+79770000002")

    received = {name: each["received"] for name, each in both.simulator.control.calls()["operations"].items()}
    assert received == {"access_token": MAX_TOKENS_REFUSED_UNUSED, "customer_info": MAX_TOKENS_REFUSED_UNUSED}


FAULTS = ("status", "rate_limit", "stall", "reset_before", "reset_after", "truncate", "not_json")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", ["wallet_hold", "wallet_topup", "wallet_chargeoff", "wallet_cancel_hold"])
def test_money_call_is_sent_once_under_every_fault(both: Syncing, operation: str, fault: str) -> None:
    customer = next(each for each in both.customers(CUSTOMERS) if each["wallets"])
    where = (both.organization_id, customer["customer_id"], customer["wallets"][0]["id"])
    impatient = SyrveConfig(both.config.base_url, "demo-login", both.config.dialect, timeout_seconds=0.5)
    with both.client() as client, SyrveClient(impatient) as hurried:
        client.topup(*where, Decimal("50.10"))
        hold_id = client.hold(*where, Decimal("1.10"))
        hurried.organizations()
        both.simulator.control.reset_calls()
        both.simulator.control.set_faults([{"operation": operation, "fault": fault, "probability": 1.0} | extra(fault)])
        calls: dict[str, Callable[[], object]] = {
            "wallet_hold": lambda: hurried.hold(*where, Decimal("0.30")),
            "wallet_topup": lambda: hurried.topup(*where, Decimal("0.30")),
            "wallet_chargeoff": lambda: hurried.chargeoff(*where, Decimal("0.30")),
            "wallet_cancel_hold": lambda: hurried.cancel_hold(both.organization_id, hold_id),
        }
        with pytest.raises(SyrveError) as raised:
            calls[operation]()

    assert both.simulator.control.calls()["operations"][operation]["received"] == 1
    if fault == "rate_limit":
        assert not isinstance(raised.value, OutcomeUnknown), "a refusal for rate moved nothing"
    else:
        assert type(raised.value) is OutcomeUnknown


def extra(fault: str) -> dict[str, object]:
    more: dict[str, dict[str, object]] = {"status": {"status": 500}, "stall": {"stall_seconds": 2}}
    return more.get(fault, {})


def test_money_that_syrve_refuses_is_a_refusal_and_says_which(both: Syncing) -> None:
    customer = next(each for each in both.customers(CUSTOMERS) if each["wallets"])
    where = (both.organization_id, customer["customer_id"], customer["wallets"][0]["id"])
    with both.client() as client:
        with pytest.raises(MoneyRefused) as too_much:
            client.chargeoff(*where, Decimal(10) ** 15)
        with pytest.raises(MoneyRefused) as unknown:
            client.cancel_hold(both.organization_id, "5f4e0009-0000-4000-8000-000000000009")
        with pytest.raises(NotFound):
            client.customer_by_id(both.organization_id, "5f4e0009-0000-4000-8000-000000000009")

    assert too_much.value.code == "Wallet_NotEnoughMoney"
    assert unknown.value.code == "Transaction_TransactionNotFound"
