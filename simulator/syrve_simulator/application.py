"""What a call goes through: counted, struck by a fault, authorized, carried out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_never

from syrve_simulator.access import Access, Application
from syrve_simulator.bank import Bank
from syrve_simulator.behaviour import Behaviour
from syrve_simulator.clock import Clock
from syrve_simulator.faults import (
    AllowanceFault,
    AnyCallFault,
    ErrorInBodyFault,
    FaultPlan,
    MaintenanceFault,
    NotJsonFault,
    RateLimitFault,
    ResetAfterFault,
    ResetBeforeFault,
    StallFault,
    StatusFault,
    TruncateFault,
    TwiceFault,
)
from syrve_simulator.http_message import HTML_TYPE, Ending, Reply, Request
from syrve_simulator.jsontext import NotJsonError, decode_object, decode_object_in_text, encode
from syrve_simulator.ledger import Ledger
from syrve_simulator.options import Options
from syrve_simulator.orders import OrderBook
from syrve_simulator.population import Population
from syrve_simulator.record import CallLog, LookupLog, RequestLog
from syrve_simulator.signals import SignalSender
from syrve_simulator.wire import DIALECTS
from syrve_simulator.wire.contract import Answer, BadRequestError, Lookup, Operation, Service
from syrve_simulator.wire.errors import error_in_body, right_missing, transport_error
from syrve_simulator.world import World

CONTROL_PREFIX = "/_control/"
UNKNOWN_OPERATION = "unknown"
_WEB_PAGE = (
    "<!DOCTYPE html><html><head><title>Just a moment</title></head><body><h1>Checking your browser</h1></body></html>"
)

_MAINTENANCE_PAGE = (
    "<!DOCTYPE html><html><head><title>Maintenance</title></head><body><h1>We will be back soon</h1></body></html>"
)


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer prepared on the control path: sent byte for byte."""

    status: int
    body: bytes


class Simulator:
    """The simulated service: state, access, faults and counts, with no connection in sight."""

    def __init__(self, settings: Options) -> None:
        self.settings = settings
        self.dialect = DIALECTS[settings.dialect]
        self.operations = {operation.name: operation for operation in self.dialect.operations}
        population = Population(
            seed=settings.seed,
            customers=settings.customers,
            organizations=settings.organizations,
            with_history=self.dialect.with_history,
        )
        self.clock = Clock()
        world = World(population, self.dialect.encode_customer, clock=self.clock.seconds)
        behaviour = Behaviour()
        bank = Bank(world, Ledger(self.clock), behaviour)
        world.as_seen = bank.as_seen
        application = Application(settings.api_key, settings.app_id, settings.client_secret)
        access = Access(settings.api_login, application, settings.token_lifetime_seconds)
        self.service = Service(world, access, bank, behaviour, OrderBook(self.clock), SignalSender())
        self.faults = FaultPlan(settings.seed)
        self.service.signals.strike = lambda operation: self.faults.strike_signal(operation)
        self.calls = CallLog()
        self.lookups = LookupLog(enabled=settings.lookup_log)
        self.requests = RequestLog(enabled=settings.record_requests)
        self.raw_answers: dict[tuple[str, str, str], RawAnswer] = {}
        self.latency_ms = settings.latency_ms
        self._routes = {path: operation for operation in self.dialect.operations for path in operation.paths}

    def answer_call(self, request: Request) -> Reply:
        """Answer one call to the API."""
        operation = self._routes.get(request.path)
        name = operation.name if operation else UNKNOWN_OPERATION
        self.calls.received(name)
        received_at = self.clock.now()
        fault = self.faults.strike(name)
        delay_seconds = self.latency_ms / 1000
        if fault is not None:
            self.calls.struck(name, fault.name)
            reply = self._strike(fault, operation, request, delay_seconds)
        else:
            answer = self._carry_out(operation, request)
            reply = Reply(answer.status, answer.body, name, answer.lookup, delay_seconds=delay_seconds)
        if operation is not None and operation.needs_token:  # what asks for a token holds secrets
            status = None if reply.ending is Ending.RESET else reply.status
            if isinstance(fault, ErrorInBodyFault):
                status = fault.own_status
            struck_by = None if fault is None else fault.name
            self.requests.received(name, request.path, request.body, received_at, struck_by, status)
        return reply

    def delivered(self, reply: Reply) -> None:
        """Count a reply that was written."""
        if reply.operation is not None:
            self.calls.answered(reply.operation, reply.status)
            if reply.lookup is not None:
                self.lookups.answered(*reply.lookup)

    def _carry_out(self, operation: Operation | None, request: Request) -> Answer:
        if operation is None:
            return transport_error(404, "There is no such method")
        if request.method != "POST":
            return transport_error(405, "Every method is called by POST")
        access = self.service.access
        if operation.needs_token:
            if not access.allows(request.authorization):
                return transport_error(401, "The token is missing, unknown or expired")
            if operation.name in access.removed_rights:
                return right_missing(request.path)
        try:
            body = decode_object(request.body) if operation.needs_token else decode_object_in_text(request.body)
            if self.raw_answers:
                prepared = self._prepared(operation, body)
                if prepared is not None:
                    return prepared
            if self.service.bank.ledger.next_expiry is not None:
                self.service.bank.settle()
            return operation.answer(self.service, body)
        except NotJsonError as error:
            return transport_error(400, str(error))
        except BadRequestError as error:
            return error.answer

    def _prepared(self, operation: Operation, body: dict[str, Any]) -> Answer | None:
        organization_id, subject = body.get("organizationId"), operation.subject(body)
        if not isinstance(organization_id, str) or not isinstance(subject, str):
            return None
        raw = self.raw_answers.get((operation.name, organization_id, subject))
        if raw is None:
            return None
        if operation.name != "customer_info":
            return Answer(raw.status, raw.body)
        kind, _ = self.dialect.lookup_fields[body["type"]]
        return Answer(raw.status, raw.body, Lookup(organization_id, kind, subject))

    def _strike(
        self, fault: AnyCallFault, operation: Operation | None, request: Request, delay_seconds: float
    ) -> Reply:
        name = operation.name if operation else UNKNOWN_OPERATION
        if isinstance(fault, StallFault):
            answer = self._carry_out(operation, request)
            return Reply(
                answer.status, answer.body, name, answer.lookup, delay_seconds=delay_seconds + fault.stall_seconds
            )
        if isinstance(fault, TruncateFault | ResetAfterFault | TwiceFault) or (
            isinstance(fault, StatusFault | NotJsonFault | ErrorInBodyFault) and fault.applied
        ):
            answer = self._carry_out(operation, request)
        else:
            answer = Answer(500, b"")
        if isinstance(fault, TwiceFault):
            self._carry_out(operation, request)
        match fault:
            case StatusFault():
                body = _fault_body(fault.body, fault.status, "The service failed")
                return Reply(fault.status, body, name, delay_seconds=delay_seconds)
            case RateLimitFault() | AllowanceFault():
                own = fault.body if isinstance(fault, RateLimitFault) else None
                body = _fault_body(own, 429, "Too many requests")
                return Reply(
                    429, body, name, retry_after_seconds=fault.retry_after_seconds, delay_seconds=delay_seconds
                )
            case NotJsonFault():
                page = (_WEB_PAGE if fault.body is None else fault.body).encode()
                return Reply(200, page, name, content_type=HTML_TYPE, delay_seconds=delay_seconds)
            case MaintenanceFault():
                page = _MAINTENANCE_PAGE.encode()
                return Reply(fault.status, page, name, content_type=HTML_TYPE, delay_seconds=delay_seconds)
            case ErrorInBodyFault():
                body = error_in_body(fault.own_status, fault.error_code)
                return Reply(200, body, name, delay_seconds=delay_seconds)
            case TwiceFault():
                return Reply(answer.status, answer.body, name, answer.lookup, delay_seconds=delay_seconds)
            case TruncateFault():
                return Reply(answer.status, answer.body, name, delay_seconds=delay_seconds, ending=Ending.TRUNCATED)
            case ResetBeforeFault() | ResetAfterFault():
                return Reply(answer.status, b"", name, delay_seconds=delay_seconds, ending=Ending.RESET)
        assert_never(fault)


def _fault_body(body: object, status: int, description: str) -> bytes:
    if body is None:
        return transport_error(status, description).body
    return body.encode() if isinstance(body, str) else encode(body)
