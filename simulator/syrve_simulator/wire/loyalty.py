"""Loyalty operations as rows of a table: their two paths, their refusals, and the look-up that both dialects share."""

from __future__ import annotations

from collections.abc import Callable

from syrve_simulator.wire.contract import Answer, Body, Envelope, Lookup, LookupFields, Operation, Service
from syrve_simulator.wire.errors import customer_not_found, refusal, transport_error
from syrve_simulator.wire.reading import is_hidden, organization_with_loyalty, required_text
from syrve_simulator.world import WorldError

Handler = Callable[[Service, Body], dict[str, object]]
"""Carries an operation out and returns the fields of its answer, or raises BadRequestError or WorldError."""


def loyalty_paths(path: str) -> tuple[str, ...]:
    """Return a loyalty path under both brands."""
    return tuple(f"/api/1/loyalty/{segment}/{path}" for segment in ("iiko", "syrve"))


def loyalty_operation(
    name: str,
    path: str,
    handler: Handler,
    envelope: Envelope,
    subject: Callable[[Body], str | None] = lambda body: body.get("customerId"),
) -> Operation:
    """Make a row of the table: answers what `handler` returns in the dialect's envelope, or why the world refuses."""

    def answer(service: Service, body: Body) -> Answer:
        return Answer(200, envelope(handler(service, body)))

    return Operation(name=name, paths=loyalty_paths(path), answer=refusing(answer), subject=subject)


def refusing(answer: Callable[[Service, Body], Answer]) -> Callable[[Service, Body], Answer]:
    """Answer what the world refuses with a 400 in the loyalty shape."""

    def answer_or_refuse(service: Service, body: Body) -> Answer:
        try:
            return answer(service, body)
        except WorldError as error:
            return refusal(error)

    return answer_or_refuse


def lookup_operation(fields: LookupFields) -> Operation:
    """Make the row of customer_info: one customer by one of the kinds of identity in `fields`."""

    def answer(service: Service, body: Body) -> Answer:
        organization = organization_with_loyalty(service, required_text(body, "organizationId"))
        kind_word = required_text(body, "type")
        if kind_word not in fields:
            return transport_error(400, f"Field 'type' must be one of {', '.join(fields)}")
        kind, field = fields[kind_word]
        value = required_text(body, field)
        lookup = Lookup(organization.organization_id, kind, value)
        world = service.world
        ordinal = world.resolve(organization, kind, value)
        if (
            ordinal is None
            or service.behaviour.look_ups_find_nobody
            or not world.seen(organization, ordinal)
            or is_hidden(service, organization, ordinal)
        ):
            return customer_not_found(kind, value)._replace(lookup=lookup)
        found = Answer(200, world.answer(organization, ordinal), lookup)
        if service.behaviour.second_writer is not None:
            customer = world.customer(organization, ordinal).copy()
            for name, written in service.behaviour.second_writer.fields().items():
                setattr(customer, name, written)
            world.put(organization, ordinal, customer)
        return found

    def subject(body: Body) -> str | None:
        _, field = fields.get(body.get("type") or "", (None, ""))
        value = body.get(field)
        return value if isinstance(value, str) else None

    return Operation(name="customer_info", paths=loyalty_paths("customer/info"), answer=answer, subject=subject)
