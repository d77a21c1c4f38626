"""What a customer belongs to and carries: programmes, cards and categories; the same in both dialects but for the paths."""

from __future__ import annotations

import uuid
from decimal import Decimal

from syrve_simulator.model import Card, Category, Organization, Program, Wallet
from syrve_simulator.wire.contract import BadRequestError, Body, Service
from syrve_simulator.wire.errors import loyalty_error
from syrve_simulator.wire.reading import member, required_text, required_uuid


def program_add(service: Service, body: Body) -> dict[str, object]:
    """Take a customer into a programme: they get a wallet of its type if they have none, with a separate id."""
    organization, ordinal = member(service, body)
    program = _program(organization, required_uuid(body, "programId"))
    customer = service.world.customer(organization, ordinal).copy()
    wallet = next((one for one in customer.wallets if one.type == program.type), None)
    if wallet is None:
        wallet = Wallet(str(uuid.uuid4()), program.wallet_name, program.type, Decimal(0))
        customer.wallets += (wallet,)
    customer.program_id, customer.program_name = program.program_id, program.name
    service.world.put(organization, ordinal, customer)
    return {"userWalletId": wallet.wallet_id, "walletId": program.wallet_id}


def card_add(service: Service, body: Body) -> dict[str, object]:
    """Give a customer a card; the track must not be another customer's, and one that they have already stays as it is."""
    organization, ordinal = member(service, body)
    track, number = required_text(body, "cardTrack"), required_text(body, "cardNumber")
    customer = service.world.customer(organization, ordinal).copy()
    if all(card.track != track for card in customer.cards):
        customer.cards += (Card(str(uuid.uuid4()), track, number, None),)
        service.world.put(organization, ordinal, customer)
    return {}


def card_remove(service: Service, body: Body) -> dict[str, object]:
    """Take a card from a customer who has it."""
    organization, ordinal = member(service, body)
    track = required_text(body, "cardTrack")
    customer = service.world.customer(organization, ordinal).copy()
    left = tuple(card for card in customer.cards if card.track != track)
    if len(left) == len(customer.cards):
        refused = loyalty_error("Transport_WrongCarTrack", "Card_CanNotFindByTrack", "The customer has no such card")
        raise BadRequestError(refused)
    customer.cards = left
    service.world.put(organization, ordinal, customer)
    return {}


def category_add(service: Service, body: Body) -> dict[str, object]:
    """Put a customer into a category of the organization; nothing changes when they are in it already."""
    organization, ordinal = member(service, body)
    category = _category(organization, required_uuid(body, "categoryId"))
    customer = service.world.customer(organization, ordinal).copy()
    if all(one.category_id != category.category_id for one in customer.categories):
        customer.categories += (category,)
        service.world.put(organization, ordinal, customer)
    return {}


def category_remove(service: Service, body: Body) -> dict[str, object]:
    """Take a customer out of a category of the organization; nothing changes when they are not in it."""
    organization, ordinal = member(service, body)
    category = _category(organization, required_uuid(body, "categoryId"))
    customer = service.world.customer(organization, ordinal).copy()
    customer.categories = tuple(one for one in customer.categories if one.category_id != category.category_id)
    service.world.put(organization, ordinal, customer)
    return {}


def _program(organization: Organization, program_id: str) -> Program:
    for program in organization.programs:
        if program.program_id == program_id:
            return program
    raise BadRequestError(
        loyalty_error(
            "Transport_WrongProgramId", "Program_ProgramNotFound", f"There is no program with id {program_id}"
        )
    )


def _category(organization: Organization, category_id: str) -> Category:
    for category in organization.categories:
        if category.category_id == category_id:
            return category
    raise BadRequestError(
        loyalty_error(
            "Transport_WrongCategoryId", "Category_CategoryNotFound", f"There is no category with id {category_id}"
        )
    )
