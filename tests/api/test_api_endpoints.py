"""The endpoint table, the dialects and the client say the same."""

import inspect
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from api.scripted_service import TOKEN_PATH, ScriptedService
from syrve.api.client import SyrveClient
from syrve.api.config import SyrveConfig
from syrve.api.dialects import DIALECTS, dialect_named
from syrve.api.endpoints import ENDPOINTS, Family, Safety
from syrve.api.errors import ConfigurationError, SyrveError, UnsupportedByDialect
from syrve.api.extras import DEFAULT_BUDGETS
from syrve.api.models import CustomerChange
from syrve_simulator.wire import DIALECTS as SIMULATED

ORG = "7bc05553-4b68-44e8-b7bc-37be63c6d9e9"
GUEST = "0a1b2c3d-0000-4000-8000-000000000001"
WALLET = "0a1b2c3d-0000-4000-8000-000000000002"
SINCE, UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)

CALLS: dict[str, tuple[str, Callable[[SyrveClient], Any]]] = {
    "organizations": ("organizations", lambda client: client.organizations()),
    "customer_by_phone": ("customer_info", lambda client: client.customer_by_phone(ORG, "+79990000000")),
    "customer_by_id": ("customer_info", lambda client: client.customer_by_id(ORG, GUEST)),
    "customer_by_card": ("customer_info", lambda client: client.customer_by_card(ORG, "777")),
    "customer_by_email": ("customer_info", lambda client: client.customer_by_email(ORG, "guest@example.com")),
    "create_or_update": (
        "create_or_update",
        lambda client: client.create_or_update(ORG, CustomerChange(phone="+7999")),
    ),
    "delete_customers": ("delete_customers", lambda client: client.delete_customers(ORG, [GUEST])),
    "restore_customers": ("restore_customers", lambda client: client.restore_customers(ORG, [GUEST])),
    "add_to_program": ("program_add", lambda client: client.add_to_program(ORG, GUEST, WALLET)),
    "add_card": ("card_add", lambda client: client.add_card(ORG, GUEST, "777", "777")),
    "remove_card": ("card_remove", lambda client: client.remove_card(ORG, GUEST, "777")),
    "add_to_category": ("category_add", lambda client: client.add_to_category(ORG, GUEST, WALLET)),
    "remove_from_category": ("category_remove", lambda client: client.remove_from_category(ORG, GUEST, WALLET)),
    "categories": ("category_list", lambda client: client.categories(ORG)),
    "programs": ("program_list", lambda client: client.programs(ORG)),
    "hold": ("wallet_hold", lambda client: client.hold(ORG, GUEST, WALLET, Decimal("1.10"))),
    "cancel_hold": ("wallet_cancel_hold", lambda client: client.cancel_hold(ORG, WALLET)),
    "topup": ("wallet_topup", lambda client: client.topup(ORG, GUEST, WALLET, Decimal("1.10"))),
    "chargeoff": ("wallet_chargeoff", lambda client: client.chargeoff(ORG, GUEST, WALLET, Decimal("1.10"))),
    "coupons": ("coupon_info", lambda client: client.coupons(ORG, "PROMO")),
    "coupon_series": ("coupon_series", lambda client: client.coupon_series(ORG)),
    "coupons_by_series": ("coupons_by_series", lambda client: list(client.coupons_by_series(ORG, "NY"))),
    "transactions_by_date": (
        "transactions_by_date",
        lambda client: list(client.transactions_by_date(ORG, GUEST, SINCE, UNTIL)),
    ),
    "transactions_by_revision": (
        "transactions_by_revision",
        lambda client: list(client.transactions_by_revision(ORG, GUEST)),
    ),
    "orders_by_revision": ("orders_by_revision", lambda client: client.orders_by_revision(ORG, 17)),
    "orders_by_date": ("orders_by_date", lambda client: client.orders_by_date(ORG, SINCE, UNTIL)),
    "webhook_settings": ("webhook_settings", lambda client: client.webhook_settings(ORG)),
    "update_webhook_settings": (
        "webhook_update",
        lambda client: client.update_webhook_settings(ORG, "https://example.com/x", None, {}),
    ),
}
TOKEN_OPERATIONS = {"access_token", "access_token_v2"}


def test_every_public_method_is_in_the_table_and_every_row_has_a_method() -> None:
    public = {name for name, _ in inspect.getmembers(SyrveClient, inspect.isfunction) if not name.startswith("_")}

    assert set(CALLS) == public - {"close"}
    assert {operation for operation, _ in CALLS.values()} == set(ENDPOINTS) - TOKEN_OPERATIONS


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("method", CALLS)
def test_method_calls_the_path_of_its_row_or_says_before_any_call_that_the_dialect_lacks_it(
    service: ScriptedService, config_for: Callable[..., SyrveConfig], method: str, dialect: str
) -> None:
    operation, call = CALLS[method]
    path = dialect_named(dialect).paths.get(operation)
    offered = path is not None and (dialect, method) != ("reference", "customer_by_email")

    with SyrveClient(config_for(service.url, dialect=dialect)) as client:
        if offered:
            with suppress(SyrveError):
                call(client)
        else:
            with pytest.raises(UnsupportedByDialect):
                call(client)

    paths = {request.path for request in service.received} - {TOKEN_PATH}
    assert paths == ({str(path).format(segment="iiko")} if offered else set())
    assert offered or not service.received


@pytest.mark.parametrize("dialect", DIALECTS)
def test_dialect_has_an_encoder_for_each_of_its_paths(dialect: str) -> None:
    spoken = dialect_named(dialect)

    assert set(spoken.encoders) == set(spoken.paths)
    assert set(spoken.paths) <= set(ENDPOINTS)


def test_every_operation_is_offered_by_a_dialect() -> None:
    assert {operation for name in DIALECTS for operation in dialect_named(name).paths} == set(ENDPOINTS)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_simulator_serves_every_path_of_the_dialect(dialect: str) -> None:
    served = {path for operation in SIMULATED[dialect].operations for path in operation.paths}

    assert {path.format(segment="iiko") for path in dialect_named(dialect).paths.values()} - served == set()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_capabilities_agree_with_the_operations_on_offer(dialect: str) -> None:
    spoken = dialect_named(dialect)

    assert spoken.capabilities.removes_category == ("category_remove" in spoken.paths)
    assert spoken.capabilities.reports_orders == ("orders_by_revision" in spoken.paths)
    assert spoken.capabilities.reports_transactions == ("transactions_by_revision" in spoken.paths)
    assert spoken.capabilities.takes_app_tokens == ("access_token_v2" in spoken.paths)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_rows_are_known_by_their_operation_and_no_two_share_a_path(dialect: str) -> None:
    real = list(dialect_named(dialect).paths.values())

    assert all(name == row.operation for name, row in ENDPOINTS.items())
    assert all(path.startswith(("/api/1/", "/api/v2/")) for path in real)
    assert len(set(real)) == len(real)


def test_whatever_moves_money_is_money_and_whatever_else_writes_may_be_repeated() -> None:
    by_safety = {safety: {name for name, row in ENDPOINTS.items() if row.safety is safety} for safety in Safety}

    assert by_safety[Safety.MONEY] == {"wallet_hold", "wallet_cancel_hold", "wallet_topup", "wallet_chargeoff"}
    assert by_safety[Safety.IDEMPOTENT] == {
        "create_or_update",
        "delete_customers",
        "restore_customers",
        "program_add",
        "card_add",
        "card_remove",
        "category_add",
        "category_remove",
        "webhook_update",
    }


@pytest.mark.parametrize("name", sorted(set(ENDPOINTS) - TOKEN_OPERATIONS))
def test_every_row_but_the_login_names_the_right_it_needs_and_has_a_budget(name: str) -> None:
    assert ENDPOINTS[name].right
    assert ENDPOINTS[name].family in DEFAULT_BUDGETS


def test_every_budget_is_of_a_family() -> None:
    assert set(DEFAULT_BUDGETS) == set(Family) - {Family.AUTH}


@pytest.mark.parametrize(
    ("dialect", "change"),
    [
        ("reference", CustomerChange(customer_id=GUEST, clear=("email",))),
        ("reference", CustomerChange(customer_id=GUEST, receives_loyalty=True)),
        ("reference", CustomerChange(customer_id=GUEST, comment="likes tea")),
        ("cloud", CustomerChange(customer_id=GUEST, receives_order_status=True)),
        ("cloud", CustomerChange(customer_id=GUEST, clear=("birthday",))),
    ],
)
def test_field_that_a_dialect_cannot_set_is_refused_before_any_call(
    service: ScriptedService, config_for: Callable[..., SyrveConfig], dialect: str, change: CustomerChange
) -> None:
    with SyrveClient(config_for(service.url, dialect=dialect)) as client, pytest.raises(UnsupportedByDialect):
        client.create_or_update(ORG, change)

    assert service.received == []


def test_hold_with_an_id_of_ones_own_is_the_live_services_alone(
    service: ScriptedService, config_for: Callable[..., SyrveConfig]
) -> None:
    with SyrveClient(config_for(service.url)) as client, pytest.raises(UnsupportedByDialect):
        client.hold(ORG, GUEST, WALLET, Decimal(1), hold_id=WALLET)

    assert service.received == []


@pytest.mark.parametrize("amount", [Decimal(0), Decimal("-1"), Decimal("NaN"), Decimal("Infinity"), 1.5, "2"])
@pytest.mark.parametrize("method", ["hold", "topup", "chargeoff"])
def test_amount_that_is_no_positive_decimal_is_refused_before_any_call(
    service: ScriptedService, config_for: Callable[..., SyrveConfig], method: str, amount: Any
) -> None:
    with SyrveClient(config_for(service.url)) as client, pytest.raises(ConfigurationError, match="greater than zero"):
        getattr(client, method)(ORG, GUEST, WALLET, amount)

    assert service.received == []
