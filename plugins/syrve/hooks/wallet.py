"""Opens the ledger and what moves money through it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from syrve.hooks.fence import fence_of
from syrve.hooks.setting import setting
from syrve.hooks.syrve import SyrveHook
from syrve.hooks.warehouse import DEFAULT_WAREHOUSE_CONN_ID, open_budget, open_warehouse

if TYPE_CHECKING:
    from syrve.wallet.money import Money
    from syrve.wallet.money_settings import PaymentPolicy, WalletSettings
    from syrve.wallet.operations import Kind, OperationState
    from syrve.wallet.payment import Payment, PaymentRequest


class SyrveWalletHook(BaseHook):
    """Moves money through the ledger: each method records the operation, sends it at most once, and returns what is known of it.

    `source` and `key` make a call repeatable: the same with the same content is the same operation. Raises `LedgerConflict`,
    `UnusableOperation`, and where nothing was sent a `SyrveError` or `WarehouseError`; a refusal and an unknown outcome are states, not
    errors.
    """

    def __init__(
        self,
        syrve_conn_id: str = SyrveHook.default_conn_name,
        warehouse_conn_id: str = DEFAULT_WAREHOUSE_CONN_ID,
        *,
        settings: WalletSettings | None = None,
    ) -> None:
        from syrve.wallet.money_settings import WalletSettings

        super().__init__()
        self.syrve_conn_id = syrve_conn_id
        self.warehouse_conn_id = warehouse_conn_id
        self._settings = settings or WalletSettings(
            amount_scale=int(setting("SYRVE_WALLET_SCALE", "2")), spool_path=setting("SYRVE_WALLET_SPOOL", "none")
        )

    @contextmanager
    def money(self) -> Iterator[Money]:
        """Open what carries operations out, within the call budget and within the fence (`syrve.wallet.fence`).

        Raises `LedgerFenced` if the ledger may be older than the world.
        """
        from syrve.wallet.ledger import Ledger
        from syrve.wallet.money import Money

        hook = SyrveHook(self.syrve_conn_id)
        warehouse = open_warehouse(self.warehouse_conn_id)
        settings = self._settings
        fence = fence_of(warehouse)
        fence.check()
        with (
            open_budget(warehouse, hook.config(), bulk=False) as budget,
            hook.get_conn(budget, keeps_connection=False) as client,
        ):
            yield Money(
                Ledger(warehouse, amount_scale=settings.amount_scale), client, settings=settings, before_call=fence.mark
            )

    @contextmanager
    def payment(
        self, request: PaymentRequest, *, policy: PaymentPolicy = "charge_off_then_cancel_hold"
    ) -> Iterator[Payment]:
        """Hold, run the block, settle; see `syrve.wallet.payment.Payment`."""
        from syrve.wallet.payment import Payment

        with self.money() as money, Payment(money, request, policy=policy) as payment:
            yield payment

    def move(self, kind: Kind, *, amount: Decimal | None, source: str, key: str, **fields: Any) -> OperationState:
        """Record an operation and carry it out; `fields` are those of `syrve.wallet.operations.Operation`. Raises `MoneyNotSent` too."""
        from syrve.wallet.attempts import carry_out
        from syrve.wallet.operations import Operation

        with self.money() as money:
            return carry_out(money, Operation(kind=kind, amount=amount, source=source, key=key, **fields))

    def hold(self, *, amount: Decimal, source: str, key: str, **fields: Any) -> OperationState:
        """Set money aside."""
        return self.move("hold", amount=amount, source=source, key=key, **fields)

    def cancel_hold(self, *, hold_id: str, source: str, key: str) -> OperationState:
        """Cancel a hold of the ledger, given by its operation's id or Syrve's."""
        with open_warehouse(self.warehouse_conn_id).transaction("look for a hold") as cursor:
            cursor.execute(
                "select organization_id::text, customer_id::text, wallet_id::text, amount, order_id, hold_id::text "
                "from wallet.hold where hold_id = %(id)s or transaction_id = %(id)s",
                {"id": hold_id},
            )
            row = cursor.fetchone()
        if row is None:
            from syrve.wallet.errors import WalletError

            raise WalletError(f"the ledger has no hold {hold_id}; import it first")
        names = ("organization_id", "customer_id", "wallet_id", "amount", "order_id", "hold_id")
        return self.move("cancel_hold", source=source, key=key, **dict(zip(names, row, strict=True)))

    def topup(self, *, amount: Decimal, source: str, key: str, **fields: Any) -> OperationState:
        """Add money to a wallet."""
        return self.move("topup", amount=amount, source=source, key=key, **fields)

    def chargeoff(self, *, amount: Decimal, source: str, key: str, **fields: Any) -> OperationState:
        """Take money from a wallet."""
        return self.move("chargeoff", amount=amount, source=source, key=key, **fields)
