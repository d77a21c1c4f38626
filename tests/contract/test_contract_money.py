"""Wallets and transactions through a stranger's client: each movement once, each told."""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from iikocloudapi import BadRequest, IikoNetworkError
from iikocloudapi.models.loyalty import GetCustomerInfoByIdRequest

_PHONES = itertools.count(79_997_000_001)
HOLD_ID = "cccccccc-0000-4000-8000-00000000000"


class Purse:
    """One customer's one wallet."""

    def __init__(self, stranger: Any, organization_id: Any, customer_id: Any, wallet_id: Any) -> None:
        self.stranger = stranger
        self.wallet = stranger.iiko.loyalty.customer.wallet
        self.reports = stranger.iiko.loyalty.customer.transactions
        self.organization_id = organization_id
        self.customer = {"organization_id": organization_id, "customer_id": customer_id}
        self.whose = self.customer | {"wallet_id": wallet_id}

    async def balance(self) -> Any:
        request = GetCustomerInfoByIdRequest(organization_id=self.organization_id, id=self.customer["customer_id"])
        (wallet,) = self.stranger.faithful(await self.stranger.iiko.loyalty.customer.info(body=request)).wallet_balances
        return wallet.balance

    async def by_date(self, **changes: Any) -> Any:
        now = datetime.now(UTC)
        period = {"date_from": now - timedelta(hours=1), "date_to": now + timedelta(hours=1)}
        body = self.customer | period | {"page_number": 0, "page_size": 100} | changes
        return self.stranger.faithful(await self.reports.by_date(**body))

    async def by_revision(self, **body: Any) -> Any:
        return self.stranger.faithful(await self.reports.by_revision(**self.customer, **body))


@pytest.fixture
async def purse(stranger: Any, organization_id: Any) -> Any:
    phone = f"+{next(_PHONES)}"
    created = await stranger.iiko.loyalty.customer.create_or_update(organization_id=organization_id, phone=phone)
    info = await stranger.iiko.loyalty.customer.info(
        body=GetCustomerInfoByIdRequest(organization_id=organization_id, id=created.id)
    )
    purse = Purse(stranger, organization_id, created.id, info.wallet_balances[0].id)
    await purse.wallet.topup(**purse.whose, sum=Decimal("100.50"), comment="start")
    return purse


async def test_topup_and_chargeoff_move_the_balance_exactly(stranger: Any, purse: Any) -> None:
    stranger.faithful(await purse.wallet.topup(**purse.whose, sum=Decimal("0.30"), comment="bonus"))
    stranger.faithful(await purse.wallet.chargeoff(**purse.whose, sum=Decimal("0.80"), comment="fee"))

    assert await purse.balance() == Decimal("100.00")


async def test_hold_with_the_callers_id_is_set_aside_and_given_back(stranger: Any, purse: Any) -> None:
    held = stranger.faithful(await purse.wallet.hold(**purse.whose, sum=Decimal("60.25"), transaction_id=HOLD_ID + "1"))

    assert held.transaction_id == HOLD_ID + "1"
    assert await purse.balance() == Decimal("40.25")
    cancel = {"organization_id": purse.organization_id, "transaction_id": held.transaction_id}
    stranger.faithful(await purse.wallet.cancel_hold(**cancel))
    assert await purse.balance() == Decimal("100.50")
    stranger.faithful(await purse.wallet.chargeoff(**purse.whose, sum=Decimal("100.50")))
    with pytest.raises(BadRequest, match="already"):
        await purse.wallet.cancel_hold(**cancel)


async def test_hold_without_an_id_gets_one(stranger: Any, purse: Any) -> None:
    held = stranger.faithful(await purse.wallet.hold(**purse.whose, sum=1, comment="Order 7"))

    assert len(held.transaction_id) == 36


async def test_more_than_there_is_cannot_be_taken_nor_held(purse: Any) -> None:
    for move in (purse.wallet.chargeoff, purse.wallet.hold):
        with pytest.raises(BadRequest, match="not enough money"):
            await move(**purse.whose, sum=101)
    assert await purse.balance() == Decimal("100.50")


async def test_topup_whose_answer_was_lost_has_happened_once_and_its_comment_shows_it(purse: Any, service: Any) -> None:
    service.control.set_faults([{"operation": "wallet_topup", "fault": "reset_after", "count": 1}])
    service.control.reset_calls()

    with pytest.raises(IikoNetworkError):
        await purse.wallet.topup(**purse.whose, sum=5, comment="marker-7")

    assert service.control.calls()["operations"]["wallet_topup"]["received"] == 1
    told = (await purse.by_date()).transactions
    assert [one.sum for one in told if one.comment == "marker-7"] == [5]


async def test_transactions_by_date_tell_each_movement(purse: Any) -> None:
    await purse.wallet.chargeoff(**purse.whose, sum=Decimal("0.50"), comment="fee")
    await purse.wallet.hold(**purse.whose, sum=60, transaction_id=HOLD_ID + "2")
    await purse.wallet.cancel_hold(organization_id=purse.organization_id, transaction_id=HOLD_ID + "2")

    report = await purse.by_date()

    told = [(one.type_name, one.sum, one.balance_before, one.balance_after, one.comment) for one in report.transactions]
    assert told == [
        ("RefillWalletFromApi", Decimal("100.50"), 0, Decimal("100.50"), "start"),
        ("WithdrawWalletFromApi", Decimal("-0.50"), Decimal("100.50"), 100, "fee"),
        ("HoldMoney", -60, 100, 40, None),
        ("CancelHoldMoney", 60, 40, 100, None),
    ]
    assert {one.organization_id for one in report.transactions} == {purse.organization_id}
    assert {one.wallet_id for one in report.transactions} == {purse.whose["wallet_id"]}
    assert all(
        abs(one.when_created.replace(tzinfo=UTC) - datetime.now(UTC)) < timedelta(hours=1)
        for one in report.transactions
    )
    assert (report.page_number, report.page_size) == (0, 100)


async def test_pages_by_date_and_by_revision_bring_the_same(purse: Any) -> None:
    for number in range(4):
        await purse.wallet.topup(**purse.whose, sum=1, comment=f"n{number}")

    by_date = [
        one for number in range(4) for one in (await purse.by_date(page_number=number, page_size=2)).transactions
    ]
    by_revision: list[Any] = []
    position: dict[str, Any] = {}
    while (page := await purse.by_revision(page_size=2, **position)).transactions:
        by_revision += page.transactions
        position = {"revision": page.last_revision, "last_transaction_id": page.last_transaction_id}

    assert len(by_date) == 5
    assert by_revision == by_date
    assert (await purse.by_revision(page_size=2, revision=by_date[2].revision)).transactions == by_date[3:]
