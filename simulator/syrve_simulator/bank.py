"""Money moving: top-up, charge-off, hold, cancellation, expiry and payment at the till.

A wallet's balance in the world is all that its owner has, held money included; what is held is not there to be spent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from syrve_simulator.behaviour import Behaviour
from syrve_simulator.clock import moment_of
from syrve_simulator.ledger import Account, Hold, HoldState, Ledger, Transaction, new_id
from syrve_simulator.model import Customer, Organization, Wallet
from syrve_simulator.world import World, WorldError

API_CLIENT_NAME = "Simulated integration"
"""What transactions name as the api client: the login's name in the back office, not the secret that it signs in with."""

_TOP_UP, _CHARGE_OFF, _CANCELLATION, _PAYMENT, _REFUND, _BONUS = 30, 32, 37, 8, 10, 11
TYPE_NAMES = {
    5: "CloseOrder",
    _PAYMENT: "PayFromWallet",
    _REFUND: "RefillWalletFromOrder",
    _BONUS: "AutomaticRefillWallet",
    _TOP_UP: "RefillWalletFromApi",
    _CHARGE_OFF: "WithdrawWalletFromApi",
}
_HOLD_NAME, _CANCELLATION_NAME = "HoldMoney", "CancelHoldMoney"


class MoneyError(WorldError):
    """Money that does not move."""


class UnknownWalletError(MoneyError):
    """The customer has no such wallet."""


class NotEnoughMoneyError(MoneyError):
    """The wallet has less than that, held money set aside."""


class UnknownHoldError(MoneyError):
    """There is no such hold."""


class HoldIsOverError(MoneyError):
    """The hold was cancelled, expired or consumed."""

    def __init__(self, state: HoldState) -> None:
        super().__init__(f"The hold is {state} already")
        self.state = state


class TillRefusesError(MoneyError):
    """The till does not take held money, or gives none back (switches `till_answer` and `till_refunds`)."""


class RepeatedHoldError(MoneyError):
    """There is a hold with that id already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """What moves a balance and how a transaction tells it; `sum` is signed."""

    sum: Decimal
    type: int
    type_name: str
    comment: str | None = None
    made_by: str | None = API_CLIENT_NAME
    order_number: int | None = None
    order_sum: Decimal | None = None


class Bank:
    """Moves money between what the world says that people have and what the ledger says happened."""

    def __init__(self, world: World, ledger: Ledger, behaviour: Behaviour) -> None:
        self._world = world
        self._behaviour = behaviour
        self.ledger = ledger
        self.on_movement: Callable[[Organization, Transaction], None] | None = None
        """Told of every transaction that is recorded."""

    def top_up(
        self, organization: Organization, ordinal: int, wallet_id: str, sum_: Decimal, comment: str | None
    ) -> None:
        """Add to a wallet. Raises UnknownWalletError, UnknownCustomerError."""
        self.move(organization, ordinal, wallet_id, _movement(sum_, _TOP_UP, comment))

    def charge_off(
        self, organization: Organization, ordinal: int, wallet_id: str, sum_: Decimal, comment: str | None
    ) -> None:
        """Take from a wallet. Raises NotEnoughMoneyError, UnknownWalletError, UnknownCustomerError."""
        self._require(organization, ordinal, wallet_id, sum_)
        self.move(organization, ordinal, wallet_id, _movement(-sum_, _CHARGE_OFF, comment))
        self._add_bonus(organization, ordinal, wallet_id, sum_)

    def move(
        self,
        organization: Organization,
        ordinal: int,
        wallet_id: str,
        movement: Movement,
        *,
        created_at: datetime | None = None,
    ) -> Transaction:
        """Change a balance, below nothing too, and record it. Raises UnknownWalletError, UnknownCustomerError."""
        before = self._wallet(organization, ordinal, wallet_id).balance
        self._set_balance(organization, ordinal, wallet_id, before + movement.sum)
        held = self._hidden(Account(organization.position, ordinal, wallet_id))
        return self._record(organization, ordinal, wallet_id, movement, before - held, created_at=created_at)

    def hold(
        self,
        organization: Organization,
        ordinal: int,
        wallet_id: str,
        sum_: Decimal,
        *,
        comment: str | None,
        hold_id: str | None,
    ) -> str:
        """Set money aside and return the hold's id.

        Raises RepeatedHoldError (by the switch `repeated_hold_id`), NotEnoughMoneyError, UnknownWalletError, UnknownCustomerError.
        """
        account = Account(organization.position, ordinal, wallet_id)
        for former in self.ledger.find(organization.position, hold_id) if hold_id else ():
            if self._behaviour.repeated_hold_id == "same_answer" and (former.account, former.sum) == (account, sum_):
                return former.hold_id
            if self._behaviour.repeated_hold_id != "second_hold":
                raise RepeatedHoldError("There is a hold with this id already")
        wallet = self._require(organization, ordinal, wallet_id, sum_)
        shown = wallet.balance - self._hidden(account)
        hold = Hold(
            hold_id=hold_id or new_id(),
            account=account,
            customer_id=self._world.customer(organization, ordinal).customer_id,
            sum=sum_,
            comment=comment,
            created_at=self.ledger.clock.now(),
        )
        self.ledger.open(hold, self._behaviour.hold_lifetime_seconds)
        self._record_hold(hold, shown)
        return hold.hold_id

    def cancel(self, organization: Organization, hold_id: str) -> None:
        """Give held money back.

        Raises UnknownHoldError, and HoldIsOverError unless the switches `second_cancel` and `consumed_cancel` let it pass.
        """
        hold = self._find(organization, hold_id)
        if hold.state == "open":
            self._release(hold, "cancelled", API_CLIENT_NAME, self.ledger.clock.now())
            return
        wanted = self._behaviour.consumed_cancel if hold.state == "consumed" else self._behaviour.second_cancel
        if wanted == "error":
            raise HoldIsOverError(hold.state)

    def till_now(self) -> datetime:
        """Return what time it is by the clock of the tills."""
        return self._by_till(self.ledger.clock.now())

    def _by_till(self, moment: datetime) -> datetime:
        return moment + timedelta(seconds=self._behaviour.till_clock_off_seconds)

    def consume(self, organization: Organization, hold_id: str) -> Hold:
        """Pay an order at the till with held money.

        Raises UnknownHoldError, HoldIsOverError, UnknownCustomerError, and TillRefusesError by the switch `till_answer`.
        """
        hold = self._find(organization, hold_id)
        if self._behaviour.till_answer == "refuses":
            raise TillRefusesError("The till refuses to take held money (switch till_answer)")
        if hold.state != "open":
            raise HoldIsOverError(hold.state)
        account = hold.account
        before = self._wallet(organization, account.customer, account.wallet_id).balance
        shown = before - self._hidden(account)
        now = self.ledger.clock.now()
        self.ledger.close(hold, "consumed", now)
        self._set_balance(organization, account.customer, account.wallet_id, before - hold.sum)
        payment = Movement(sum=-hold.sum, type=_PAYMENT, type_name=TYPE_NAMES[_PAYMENT], made_by=None)
        self._record(organization, account.customer, account.wallet_id, payment, shown, created_at=self._by_till(now))
        self._add_bonus(organization, account.customer, account.wallet_id, hold.sum)
        return hold

    def refund(self, organization: Organization, hold_id: str) -> tuple[Hold, list[Transaction]]:
        """Give back at the till what it took from a hold: once, or twice by the switch `till_refunds`.

        Raises UnknownHoldError, UnknownCustomerError, and TillRefusesError where the hold was not consumed or the switch says never.
        """
        hold = self._find(organization, hold_id)
        if hold.state != "consumed" or self._behaviour.till_refunds == "never":
            raise TillRefusesError(f"The till gives nothing back: the hold is {hold.state}, or switch till_refunds")
        made = []
        for _ in range(2 if self._behaviour.till_refunds == "twice" else 1):
            refund = Movement(sum=hold.sum, type=_REFUND, type_name=TYPE_NAMES[_REFUND], made_by=None)
            made.append(
                self.move(
                    organization, hold.account.customer, hold.account.wallet_id, refund, created_at=self.till_now()
                )
            )
        return hold, made

    def settle(self) -> None:
        """End the holds whose time is over."""
        for hold in self.ledger.take_due():
            assert hold.expires_at is not None
            self._release(hold, "expired", None, moment_of(hold.expires_at))

    def as_seen(self, organization: int, ordinal: int, customer: Customer) -> Customer:
        """Return a customer with the balances that customer/info shows."""
        if self._behaviour.balance_shows_held_money or not self.ledger.holds_of(organization, ordinal):
            return customer
        return replace(
            customer,
            wallets=tuple(
                replace(one, balance=one.balance - self.ledger.held(Account(organization, ordinal, one.wallet_id)))
                for one in customer.wallets
            ),
        )

    def _add_bonus(self, organization: Organization, ordinal: int, wallet_id: str, paid: Decimal) -> None:
        """Credit the share of a payment that the programme gives back as a bonus at once (switch `bonus_share`)."""
        bonus = (paid * Decimal(str(self._behaviour.bonus_share))).quantize(Decimal("0.01"))
        if bonus > 0:
            movement = Movement(sum=bonus, type=_BONUS, type_name=TYPE_NAMES[_BONUS], made_by=None)
            self.move(organization, ordinal, wallet_id, movement)

    def _require(self, organization: Organization, ordinal: int, wallet_id: str, sum_: Decimal) -> Wallet:
        wallet = self._wallet(organization, ordinal, wallet_id)
        free = wallet.balance - self.ledger.held(Account(organization.position, ordinal, wallet_id))
        if free < sum_:
            raise NotEnoughMoneyError("There is not enough money in the wallet")
        return wallet

    def _wallet(self, organization: Organization, ordinal: int, wallet_id: str) -> Wallet:
        for wallet in self._world.customer(organization, ordinal).wallets:
            if wallet.wallet_id == wallet_id:
                return wallet
        raise UnknownWalletError(f"The customer has no wallet {wallet_id}")

    def _set_balance(self, organization: Organization, ordinal: int, wallet_id: str, balance: Decimal) -> None:
        customer = self._world.customer(organization, ordinal).copy()
        customer.wallets = tuple(
            replace(one, balance=balance) if one.wallet_id == wallet_id else one for one in customer.wallets
        )
        self._world.put(organization, ordinal, customer)

    def _hidden(self, account: Account) -> Decimal:
        return Decimal(0) if self._behaviour.balance_shows_held_money else self.ledger.held(account)

    def _find(self, organization: Organization, hold_id: str) -> Hold:
        found = self.ledger.find(organization.position, hold_id)
        if not found:
            raise UnknownHoldError("There is no hold with this id")
        return next((hold for hold in found if hold.state == "open"), found[-1])

    def _release(self, hold: Hold, state: HoldState, made_by: str | None, ended_at: datetime) -> None:
        organization = self._world.population.organizations[hold.account.organization]
        shown = self._shown(organization, hold.account)
        self.ledger.close(hold, state, ended_at)
        self._world.forget_answer(hold.account.organization, hold.account.customer)
        if shown is None or self._behaviour.hold_transaction_type is None:
            return
        movement = Movement(
            sum=hold.sum, type=_CANCELLATION, type_name=_CANCELLATION_NAME, comment=hold.comment, made_by=made_by
        )
        self._record(organization, hold.account.customer, hold.account.wallet_id, movement, shown, created_at=ended_at)

    def _shown(self, organization: Organization, account: Account) -> Decimal | None:
        try:
            balance = self._wallet(organization, account.customer, account.wallet_id).balance
        except WorldError:
            return None  # the customer was removed or lost the wallet; the hold ends all the same
        return balance - self._hidden(account)

    def _record_hold(self, hold: Hold, shown: Decimal) -> None:
        self._world.forget_answer(hold.account.organization, hold.account.customer)
        type_code = self._behaviour.hold_transaction_type
        if type_code is None:
            return
        organization = self._world.population.organizations[hold.account.organization]
        movement = Movement(sum=-hold.sum, type=type_code, type_name=_HOLD_NAME, comment=hold.comment)
        own_id = hold.hold_id if self._behaviour.hold_id_is_transaction_id else None
        account, made_at = hold.account, hold.created_at
        self._record(organization, account.customer, account.wallet_id, movement, shown, own_id, created_at=made_at)

    def _record(
        self,
        organization: Organization,
        ordinal: int,
        wallet_id: str,
        movement: Movement,
        shown_before: Decimal,
        transaction_id: str | None = None,
        created_at: datetime | None = None,
    ) -> Transaction:
        account = Account(organization.position, ordinal, wallet_id)
        customer = self._world.customer(organization, ordinal)
        shown_after = self._wallet(organization, ordinal, wallet_id).balance - self._hidden(account)
        programs = {program.wallet_id: program.program_id for program in organization.programs}
        transaction = Transaction(
            transaction_id=transaction_id or new_id(),
            revision=self.ledger.next_revision,
            account=account,
            customer_id=customer.customer_id,
            type=movement.type,
            type_name=movement.type_name,
            sum=movement.sum,
            balance_before=shown_before,
            balance_after=shown_after,
            comment=movement.comment,
            made_by=movement.made_by,
            created_at=created_at or self.ledger.clock.now(),
            visible_at=self.ledger.clock.seconds() + self._behaviour.transaction_delay_seconds,
            order_id=new_id() if movement.order_number is not None else None,
            order_number=movement.order_number,
            order_sum=movement.order_sum,
            program_id=programs.get(wallet_id),
        )
        self.ledger.record(transaction)
        if self.on_movement is not None:
            self.on_movement(organization, transaction)
        return transaction


def _movement(sum_: Decimal, type_code: int, comment: str | None) -> Movement:
    return Movement(sum=sum_, type=type_code, type_name=TYPE_NAMES[type_code], comment=comment)
