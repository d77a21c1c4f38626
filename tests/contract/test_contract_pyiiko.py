"""A client in long use (PyPI `pyiikocloudapi`), which encodes the bodies of its token calls twice, on the simulator."""

import itertools
from decimal import Decimal

import pytest
from pyiikocloudapi import IikoTransport
from pyiikocloudapi.models import CustomerInfoModel

from syrve_simulator.process import SimulatorProcess

_PHONES = itertools.count(79_998_000_001)
HOLD_ID = "dddddddd-0000-4000-8000-000000000001"


@pytest.fixture
def api(service: SimulatorProcess) -> IikoTransport:
    """The client, signed in by its own token call."""
    return IikoTransport("demo-login", base_url=service.url)


def info(api: IikoTransport, organization_id: str, identifier: str, kind: str) -> CustomerInfoModel:
    found = api.customer_info(organization_id, identifier, kind)
    assert isinstance(found, CustomerInfoModel)
    return found


def balance(api: IikoTransport, organization_id: str, customer_id: str) -> Decimal:
    [wallet] = info(api, organization_id, customer_id, "id").wallet_balances or []
    return Decimal(str(wallet.balance))


@pytest.fixture
def customer_id(api: IikoTransport, organization_id: str) -> str:
    return str(api.customer_create_or_update(organization_id, phone=f"+{next(_PHONES)}", name="Марфа").id)


def test_client_signs_in_and_renews_its_token(service: SimulatorProcess, api: IikoTransport) -> None:
    assert len(api.organizations().organizations) == 2
    service.control.expire_tokens()

    assert len(api.organizations().organizations) == 2
    assert service.control.calls()["operations"]["access_token"]["statuses"] == {"200": 2}


@pytest.mark.parametrize(("kind", "field"), [("phone", "phone"), ("id", "customer_id")])
def test_client_looks_a_customer_up(
    service: SimulatorProcess, api: IikoTransport, organization_id: str, kind: str, field: str
) -> None:
    known = service.control.customers_page(organization_id, limit=1)[0]

    found = info(api, organization_id, known[field], kind)  # type: ignore[literal-required]

    assert (found.id, found.phone) == (known["customer_id"], known["phone"])
    assert {each.id for each in found.wallet_balances or ()} == {each["id"] for each in known["wallets"]}


def test_client_creates_and_changes_a_customer(api: IikoTransport, organization_id: str) -> None:
    phone = f"+{next(_PHONES)}"
    created = api.customer_create_or_update(organization_id, phone=phone, name="Марфа", sur_name="Крюкова")

    changed = api.customer_create_or_update(organization_id, id=created.id, sur_name="Петрова")

    assert changed.id == created.id
    found = info(api, organization_id, phone, "phone")
    assert (found.id, found.name, found.surname) == (created.id, "Марфа", "Петрова")


def test_client_moves_money_each_sum_once(api: IikoTransport, organization_id: str, customer_id: str) -> None:
    [wallet] = info(api, organization_id, customer_id, "id").wallet_balances or []
    where = {"customer_id": customer_id, "wallet_id": wallet.id, "organization_id": organization_id}
    before = balance(api, organization_id, customer_id)

    api.customer_wallet_topup(**where, sum=100, comment="start")
    held = api.customer_wallet_hold(**where, sum=30, transaction_id=HOLD_ID)
    assert held.transaction_id == HOLD_ID
    assert balance(api, organization_id, customer_id) == before + 70
    api.customer_wallet_cancel_hold(organization_id, HOLD_ID)
    api.customer_wallet_chargeoff(**where, sum=25.5, comment="fee")

    assert balance(api, organization_id, customer_id) == before + Decimal("74.5")


def test_client_reads_coupons_and_their_series(service: SimulatorProcess, organization_id: str) -> None:
    # As dictionaries: its model of a coupon wants `isDeleted` as text, which the service has never sent.
    api = IikoTransport("demo-login", base_url=service.url, return_dict=True)
    number = service.control.coupons(organization_id)[0]["number"]

    series = api.coupons_series(organization_id)["seriesWithNotActivatedCoupons"]
    coupons = api.coupons_info(organization_id, number)["couponInfo"]

    assert series
    assert {each["number"] for each in coupons} == {number}
