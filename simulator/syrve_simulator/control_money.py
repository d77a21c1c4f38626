"""Holds and transactions on the control path: what there is, and what happens at the till."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, get_args

import msgspec

from syrve_simulator.application import Simulator
from syrve_simulator.bank import TYPE_NAMES, Movement
from syrve_simulator.control_refusals import ControlRefusedError, all_known, customer_of, organization_of, page_of
from syrve_simulator.http_message import Request
from syrve_simulator.jsontext import exact
from syrve_simulator.ledger import Hold, HoldState, Transaction
from syrve_simulator.model import Organization

_Arguments = Mapping[str, str]


class _HoldChange(msgspec.Struct, forbid_unknown_fields=True):
    state: str


class _NewTransaction(msgspec.Struct, forbid_unknown_fields=True):
    customer_id: str
    wallet_id: str
    sum: str
    type: Annotated[int, msgspec.Meta(ge=0, le=60)] = 8
    type_name: str | None = None
    comment: str | None = None
    api_client_login: str | None = None
    order_number: int | None = None
    order_sum: str | None = None


class MoneyPaths:
    """Answers the control path's questions about the money of one simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._organizations = simulator.service.world.population.organizations

    def holds(self, _request: Request, arguments: _Arguments) -> object:
        """Return a page of the holds ever made: in one state, of one organization or customer if so asked."""
        offset, limit = page_of(arguments)
        position, state = self._chosen(arguments), arguments.get("state")
        all_known("state", [state] if state else [], dict.fromkeys(get_args(HoldState)))
        customer_id = arguments.get("customer_id")
        found = [
            hold
            for hold in self._simulator.service.bank.ledger.holds()
            if position in (None, hold.account.organization)
            and state in (None, hold.state)
            and customer_id in (None, hold.customer_id)
        ]
        return {"holds": [self._hold(one) for one in found[offset : offset + limit]], "total": len(found)}

    def consume_hold(self, request: Request, arguments: _Arguments) -> object:
        """Let an order at the till consume an open hold."""
        change = msgspec.json.decode(request.body, type=_HoldChange)
        if change.state != "consumed":
            raise ControlRefusedError(400, 'state: only "consumed" can be set here; the API cancels, time expires')
        organization = organization_of(self._simulator, arguments)
        bank = self._simulator.service.bank
        bank.consume(organization, arguments["transaction_id"])
        (hold, *_) = bank.ledger.find(organization.position, arguments["transaction_id"])
        return self._hold(hold)

    def refund_hold(self, _request: Request, arguments: _Arguments) -> object:
        """Let a till give back what it took from a hold, as often as the switch `till_refunds` says."""
        organization = organization_of(self._simulator, arguments)
        bank = self._simulator.service.bank
        hold, made = bank.refund(organization, arguments["transaction_id"])
        return {
            "at": _moment(bank.till_now()),
            "hold": self._hold(hold),
            "transactions": [self._transaction(one) for one in made],
        }

    def transactions(self, _request: Request, arguments: _Arguments) -> object:
        """Return a page of all transactions by revision, of one organization or customer if so asked, hidden ones included."""
        offset, limit = page_of(arguments)
        position, customer_id = self._chosen(arguments), arguments.get("customer_id")
        found = [
            one
            for one in self._simulator.service.bank.ledger.transactions()
            if position in (None, one.account.organization) and customer_id in (None, one.customer_id)
        ]
        return {"transactions": [self._transaction(one) for one in found[offset : offset + limit]], "total": len(found)}

    def add_transaction(self, request: Request, arguments: _Arguments) -> object:
        """Move a balance by a signed sum as something other than this API would: a payment at the till, a bonus, a correction."""
        given = msgspec.json.decode(request.body, type=_NewTransaction)
        organization, ordinal = customer_of(self._simulator, {**arguments, "customer_id": given.customer_id})
        movement = Movement(
            sum=exact(given.sum),
            type=given.type,
            type_name=given.type_name or TYPE_NAMES.get(given.type, f"Type{given.type}"),
            comment=given.comment,
            made_by=given.api_client_login,
            order_number=given.order_number,
            order_sum=None if given.order_sum is None else exact(given.order_sum),
        )
        return self._transaction(self._simulator.service.bank.move(organization, ordinal, given.wallet_id, movement))

    def _chosen(self, arguments: _Arguments) -> int | None:
        if "organization_id" not in arguments:
            return None
        return organization_of(self._simulator, arguments).position

    def _organization(self, position: int) -> Organization:
        return self._organizations[position]

    def _hold(self, hold: Hold) -> dict[str, object]:
        return {
            "transaction_id": hold.hold_id,
            "organization_id": self._organization(hold.account.organization).organization_id,
            "customer_id": hold.customer_id,
            "wallet_id": hold.account.wallet_id,
            "sum": format(hold.sum, "f"),
            "comment": hold.comment,
            "state": hold.state,
            "created_at": _moment(hold.created_at),
            "ended_at": None if hold.ended_at is None else _moment(hold.ended_at),
        }

    def _transaction(self, one: Transaction) -> dict[str, object]:
        return {
            "transaction_id": one.transaction_id,
            "revision": one.revision,
            "organization_id": self._organization(one.account.organization).organization_id,
            "customer_id": one.customer_id,
            "wallet_id": one.account.wallet_id,
            "type": one.type,
            "type_name": one.type_name,
            "sum": format(one.sum, "f"),
            "balance_before": format(one.balance_before, "f"),
            "balance_after": format(one.balance_after, "f"),
            "comment": one.comment,
            "api_client_login": one.made_by,
            "created_at": _moment(one.created_at),
        }


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
