"""The control path (`/_control/...`): what a test, the demo or a person turns while the simulator runs."""

from __future__ import annotations

import base64
import binascii
import os
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import parse_qs, unquote

import msgspec

from syrve_simulator.application import CONTROL_PREFIX, RawAnswer, Simulator
from syrve_simulator.control_money import MoneyPaths
from syrve_simulator.control_refusals import ControlRefusedError, all_known, customer_of, organization_of, page_of
from syrve_simulator.control_signals import SignalPaths
from syrve_simulator.control_switches import SwitchPaths
from syrve_simulator.faults import FaultPlan, FaultScriptError, read_script
from syrve_simulator.http_message import Reply, Request
from syrve_simulator.jsontext import NotJsonError, decode, decode_object, encode, exact
from syrve_simulator.model import Coupon, Customer, Organization
from syrve_simulator.world import UnknownCustomerError, WorldError

_Arguments = Mapping[str, str]


class _PreparedAnswer(msgspec.Struct, forbid_unknown_fields=True):
    operation: str
    organization_id: str
    value: str
    body_base64: str
    status: Annotated[int, msgspec.Meta(ge=200, le=599)] = 200


class _Moment(msgspec.Struct, forbid_unknown_fields=True):
    now: Annotated[datetime, msgspec.Meta(tz=True)]
    stands_still: bool = False


class _PreparedCoupon(msgspec.Struct, forbid_unknown_fields=True):
    number: str
    series_id: str
    is_used: bool = False
    is_deleted: bool = False
    not_after: str | None = None


class ControlPaths:
    """Answers the control path of one simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._started = time.monotonic()
        self._switches = SwitchPaths(simulator)
        self._money = MoneyPaths(simulator)
        self._signals = SignalPaths(simulator)
        self._routes: dict[str, dict[str, Callable[[Request, _Arguments], object]]] = {
            "health": {"GET": self._health},
            "calls": {"GET": self._calls, "DELETE": self._reset_calls},
            "lookups": {"GET": self._lookups},
            "faults": {"GET": self._faults, "PUT": self._put_faults, "DELETE": self._clear_faults},
            "requests": {"GET": self._requests},
            "clock": {"GET": self._clock, "PUT": self._set_clock, "DELETE": self._reset_clock},
            "switches": {"GET": self._switches.show, "PUT": self._switches.change, "DELETE": self._switches.reset},
            "tokens": {"DELETE": self._expire_tokens},
            "raw_answers": {"PUT": self._put_raw_answers, "DELETE": self._clear_raw_answers},
            "organizations": {"GET": self._organizations},
            "customers": {"GET": self._customers},
            "customers/{organization_id}": {"PUT": self._add_customer},
            "customers/{organization_id}/{customer_id}": {
                "PATCH": self._change_customer,
                "DELETE": self._remove_customer,
            },
            "coupons": {"GET": self._coupons},
            "coupons/{organization_id}": {"PUT": self._put_coupons},
            "coupon_series/{organization_id}": {"PUT": self._put_coupon_series},
            "holds": {"GET": self._money.holds},
            "holds/{organization_id}/{transaction_id}": {"PATCH": self._money.consume_hold},
            "holds/{organization_id}/{transaction_id}/refund": {"PUT": self._money.refund_hold},
            "transactions": {"GET": self._money.transactions},
            "transactions/{organization_id}": {"PUT": self._money.add_transaction},
            "orders/{organization_id}": {"GET": self._signals.orders, "PUT": self._signals.put_order},
            "signals": {"GET": self._signals.counts},
            "signals/{organization_id}": {"PUT": self._signals.subscribe, "DELETE": self._signals.unsubscribe},
        }

    def answer(self, request: Request) -> Reply:
        """Answer a control request: JSON, or `{"error": why}` with 400, 404 or 405."""
        try:
            arguments, methods = self._route(request.path.removeprefix(CONTROL_PREFIX))
            if request.method not in methods:
                raise ControlRefusedError(405, f"Only {' and '.join(methods)} work here")
            self._simulator.service.bank.settle()
            query = {name: values[-1] for name, values in parse_qs(request.query, keep_blank_values=True).items()}
            return Reply(200, encode(methods[request.method](request, query | arguments)))
        except ControlRefusedError as error:
            return _refusal(error.status, error)
        except UnknownCustomerError as error:
            return _refusal(404, error)
        except (NotJsonError, FaultScriptError, WorldError, msgspec.MsgspecError, ValueError) as error:
            return _refusal(400, error)

    def _route(self, path: str) -> tuple[dict[str, str], dict[str, Callable[[Request, _Arguments], object]]]:
        given = path.split("/")
        for pattern, methods in self._routes.items():
            wanted = pattern.split("/")
            if len(wanted) == len(given) and all(
                ours.startswith("{") or ours == theirs for ours, theirs in zip(wanted, given, strict=True)
            ):
                pairs = zip(wanted, given, strict=True)
                return {ours[1:-1]: unquote(theirs) for ours, theirs in pairs if ours.startswith("{")}, methods
        raise ControlRefusedError(404, f"There is no such control path; there are: {', '.join(sorted(self._routes))}")

    # calls and faults

    def _health(self, _request: Request, _arguments: _Arguments) -> object:
        settings = self._simulator.settings
        return {
            "status": "ok",
            "dialect": settings.dialect,
            "customers": settings.customers,
            "organizations": settings.organizations,
            "seed": settings.seed,
            "process_id": os.getpid(),
            "uptime_seconds": round(time.monotonic() - self._started, 3),
        }

    def _calls(self, _request: Request, _arguments: _Arguments) -> object:
        return self._simulator.calls.describe()

    def _reset_calls(self, _request: Request, _arguments: _Arguments) -> object:
        self._simulator.calls.clear()
        self._simulator.lookups.clear()
        self._simulator.requests.clear()
        return {}

    def _lookups(self, _request: Request, _arguments: _Arguments) -> object:
        return self._simulator.lookups.describe()

    def _requests(self, _request: Request, arguments: _Arguments) -> object:
        operation = arguments.get("operation")
        all_known("operation", [operation] if operation else [], self._simulator.operations)
        return self._simulator.requests.describe(operation)

    def _clock(self, _request: Request, _arguments: _Arguments) -> object:
        clock = self._simulator.clock
        return {
            "now": clock.now().isoformat(timespec="milliseconds"),
            "ahead_seconds": clock.ahead_seconds,
            "stands_still": clock.stands_still,
        }

    def _set_clock(self, request: Request, arguments: _Arguments) -> object:
        moment = msgspec.json.decode(request.body, type=_Moment)
        self._simulator.clock.set(moment.now, stands_still=moment.stands_still)
        self._simulator.service.bank.settle()
        return self._clock(request, arguments)

    def _reset_clock(self, request: Request, arguments: _Arguments) -> object:
        self._simulator.clock.reset()
        return self._clock(request, arguments)

    def _faults(self, _request: Request, _arguments: _Arguments) -> object:
        return {"rules": self._simulator.faults.describe()}

    def _put_faults(self, request: Request, _arguments: _Arguments) -> object:
        simulator = self._simulator
        simulator.faults = FaultPlan(simulator.settings.seed, read_script(request.body, simulator.operations))
        return {"rules": simulator.faults.describe()}

    def _clear_faults(self, _request: Request, _arguments: _Arguments) -> object:
        self._simulator.faults = FaultPlan(self._simulator.settings.seed)
        return {"rules": []}

    # tokens, prepared answers

    def _expire_tokens(self, _request: Request, _arguments: _Arguments) -> object:
        return {"expired": self._simulator.service.access.expire_all()}

    def _put_raw_answers(self, request: Request, _arguments: _Arguments) -> object:
        prepared: dict[tuple[str, str, str], RawAnswer] = {}
        for item in msgspec.json.decode(request.body, type=list[_PreparedAnswer]):
            all_known("operation", [item.operation], self._simulator.operations)
            try:
                body = base64.b64decode(item.body_base64, validate=True)
            except binascii.Error as error:
                raise ControlRefusedError(400, f"body_base64 is not base64: {error}") from None
            prepared[item.operation, item.organization_id, item.value] = RawAnswer(item.status, body)
        self._simulator.raw_answers.update(prepared)
        return {"prepared": len(self._simulator.raw_answers)}

    def _clear_raw_answers(self, _request: Request, _arguments: _Arguments) -> object:
        self._simulator.raw_answers.clear()
        return {"prepared": 0}

    # organizations, customers, coupons

    def _organizations(self, _request: Request, _arguments: _Arguments) -> object:
        world = self._simulator.service.world
        return {
            "organizations": [
                {"organization_id": one.organization_id, "name": one.name, "customers": world.count(one)}
                for one in world.organizations.values()
            ]
        }

    def _customers(self, _request: Request, arguments: _Arguments) -> object:
        organization, offset, limit = self._organization(arguments), *page_of(arguments)
        world = self._simulator.service.world
        end = offset + limit
        return {
            "customers": [_identities(organization, one) for one in world.page(organization, offset, limit)],
            "total": world.count(organization),
            "next_offset": end if end < world.places(organization) else None,
        }

    def _add_customer(self, request: Request, arguments: _Arguments) -> object:
        organization = self._organization(arguments)
        answer = decode_object(request.body)
        customer_id = answer.get("id", str(uuid.uuid4()))
        if not isinstance(customer_id, str):
            raise ControlRefusedError(400, "The id of a customer is a text, as in the answer")
        customer = Customer(customer_id=customer_id)
        self._simulator.dialect.apply_fields(customer, answer)
        self._simulator.service.world.add(organization, customer)
        return _identities(organization, customer)

    def _change_customer(self, request: Request, arguments: _Arguments) -> object:
        organization, ordinal = self._customer(arguments)
        fields, balances = _customer_change(request.body)
        if "id" in fields:
            raise ControlRefusedError(400, "The id of a customer cannot be changed")
        world = self._simulator.service.world
        customer = world.customer(organization, ordinal).copy()
        self._simulator.dialect.apply_fields(customer, fields)
        _set_balances(customer, balances)
        world.put(organization, ordinal, customer)
        return _identities(organization, customer)

    def _remove_customer(self, _request: Request, arguments: _Arguments) -> object:
        organization, ordinal = self._customer(arguments)
        self._simulator.service.world.remove(organization, ordinal)
        return {"removed": 1}

    def _coupons(self, _request: Request, arguments: _Arguments) -> object:
        organization, offset, limit = self._organization(arguments), *page_of(arguments)
        known = self._simulator.service.world.coupons(organization).values()
        coupons = [one for same_number in known for one in same_number]
        return {"coupons": [_coupon(one) for one in coupons[offset : offset + limit]], "total": len(coupons)}

    def _put_coupons(self, request: Request, arguments: _Arguments) -> object:
        organization, world = self._organization(arguments), self._simulator.service.world
        series = {one.series_id: one for one in world.coupon_series(organization)}
        items = msgspec.json.decode(request.body, type=list[_PreparedCoupon])
        all_known("series_id", [one.series_id for one in items], series)
        for one in items:
            world.put_coupon(organization, _new_coupon(one, series[one.series_id].name))
        return {"coupons": len(items)}

    def _put_coupon_series(self, request: Request, arguments: _Arguments) -> object:
        organization = self._organization(arguments)
        items = decode(request.body)
        if not isinstance(items, list):
            raise ControlRefusedError(400, "A list of coupon series is needed")
        series = [self._simulator.dialect.read_coupon_series(item) for item in items]
        self._simulator.service.world.put_coupon_series(organization, series)
        return {"coupon_series": len(series)}

    def _organization(self, arguments: _Arguments) -> Organization:
        return organization_of(self._simulator, arguments)

    def _customer(self, arguments: _Arguments) -> tuple[Organization, int]:
        return customer_of(self._simulator, arguments)


def _refusal(status: int, error: Exception) -> Reply:
    return Reply(status, encode({"error": str(error)}))


def _identities(organization: Organization, customer: Customer) -> dict[str, object]:
    return {
        "organization_id": organization.organization_id,
        "customer_id": customer.customer_id,
        "phone": customer.phone,
        "card_tracks": [card.track for card in customer.cards],
        "wallets": [{"id": one.wallet_id, "balance": format(one.balance, "f")} for one in customer.wallets],
    }


def _customer_change(body: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    change = decode_object(body)
    fields, wallets = change.pop("fields", {}), change.pop("wallets", {})
    if change or not isinstance(fields, dict) or not isinstance(wallets, dict):
        raise ControlRefusedError(
            400, 'A change is {"wallets": {wallet id: balance}, "fields": {name: value}}, both optional'
        )
    return fields, wallets


def _set_balances(customer: Customer, balances: Mapping[str, object]) -> None:
    unknown = balances.keys() - {wallet.wallet_id for wallet in customer.wallets}
    if unknown:
        raise ControlRefusedError(400, f"The customer has no wallet {', '.join(sorted(unknown))}")
    customer.wallets = tuple(
        replace(wallet, balance=exact(balances[wallet.wallet_id])) if wallet.wallet_id in balances else wallet
        for wallet in customer.wallets
    )


def _coupon(coupon: Coupon) -> dict[str, object]:
    return {
        "number": coupon.number,
        "series_id": coupon.series_id,
        "is_used": coupon.is_used,
        "not_after": coupon.not_after,
        "is_deleted": coupon.is_deleted,
    }


def _new_coupon(given: _PreparedCoupon, series_name: str) -> Coupon:
    return Coupon(
        coupon_id=str(uuid.uuid4()),
        number=given.number,
        series_id=given.series_id,
        series_name=series_name,
        is_used=given.is_used,
        activated_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S") if given.is_used else None,
        activated_by="control path" if given.is_used else None,
        not_after=given.not_after,
        is_deleted=given.is_deleted,
    )
