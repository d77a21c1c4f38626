"""How money is handled, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PaymentPolicy = Literal["charge_off_then_cancel_hold", "pos_consumes_hold"]
POLICIES: tuple[PaymentPolicy, ...] = ("charge_off_then_cancel_hold", "pos_consumes_hold")


@dataclass(frozen=True, slots=True)
class WalletSettings:
    """Times are seconds.

    `amount_scale` is how many decimals the wallets' currency has; an amount with more is refused, never rounded. `reads_balance` looks the
    balance up before each call: an unknown outcome may later be settled by it. That nothing moved is believed `quiet_seconds` after the
    call (the service may still be at it), and a balance is evidence for `balance_window_seconds` at most (after that too much else may have
    happened). `lock_wait_seconds` is how long to wait for another process at the same wallet.
    """

    amount_scale: int = 2
    reads_balance: bool = True
    quiet_seconds: float = 120.0
    balance_window_seconds: float = 900.0
    lock_wait_seconds: float = 60.0
    clock_skew_seconds: float = 600.0
    """How far Syrve's clock may be from ours when transactions are looked for by time."""
    record_tries: int = 10
    """How often an outcome is tried to be written while the warehouse is away: for about 50 seconds in all."""
    spool_path: str | None = None
    """Folder that keeps outcomes until then; None: `SYRVE_WALLET_SPOOL`, else `syrve-outcomes` in `AIRFLOW_HOME`."""
