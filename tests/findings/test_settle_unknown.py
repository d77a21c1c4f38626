"""What is unknown is looked for before findings are evaluated; who can't be asked holds up nobody."""

from datetime import UTC, datetime, timedelta

import pytest

from fixtures.books import GUEST, ORGANIZATION, WALLET, Book
from fixtures.pulls import IMPATIENT, Syncing
from syrve.api.client import SyrveClient
from syrve.api.errors import ServiceUnavailable
from syrve.wallet.ledger import Ledger
from syrve.wallet.money import Money
from syrve.wallet.settle import Settlement, Settler
from syrve.wallet.settle_unknown import settle_unknown


def unknown_topup(book: Book, minutes: float, **whose: str) -> str:
    at = datetime.now(UTC) - timedelta(minutes=minutes)
    operation = book.topup(at, state="planned", source="dag", **whose)
    book.event(operation, "sent", at, balance_before="1.00")
    return operation


@pytest.fixture
def settler(syncing: Syncing) -> Settler:
    client = SyrveClient(syncing.config, backoff=IMPATIENT, keeps_connection=False)
    return Settler(Money(Ledger(syncing.warehouse), client))


def test_organization_that_cannot_be_asked_holds_up_nobody(
    syncing: Syncing, settler: Settler, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    (customer,) = syncing.customers(1)
    cut_off = [unknown_topup(book, minutes) for minutes in (3, 3.3, 3.6, 4)]
    seen = {"guest": customer["customer_id"], "wallet": customer["wallets"][0]["id"]}
    later = unknown_topup(book, 5, organization=syncing.organization_id, **seen)
    reach = settler.settle

    def settle(operation_id: str) -> Settlement:
        if operation_id in cut_off:
            raise ServiceUnavailable("no answer", operation="customer_info")
        return reach(operation_id)

    monkeypatch.setattr(settler, "settle", settle)

    result = settle_unknown(settler, syncing.warehouse, [], operations=10)

    assert list(result.failed) == [ORGANIZATION]
    assert isinstance(result.failed[ORGANIZATION], ServiceUnavailable)
    assert (result.asked, result.settled, result.unknown) == (4, 0, 1), "three in a row, and the other organization's"
    assert book.rows("select state from wallet.unsettled_operation where operation_id = %s", later) == [("unknown",)]
    assert "wallet_topup" not in syncing.simulator.control.calls()["operations"], "nothing is sent again"


def test_operation_that_may_still_be_on_its_way_is_left_alone(syncing: Syncing, settler: Settler, book: Book) -> None:
    unknown_topup(book, 1)
    unknown_topup(book, 5, guest=GUEST, wallet=WALLET)

    assert settle_unknown(settler, syncing.warehouse, [ORGANIZATION], operations=10).asked == 1
