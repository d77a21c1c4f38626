"""Organizations, each with its programmes and its categories."""

from __future__ import annotations

from syrve_simulator.model import Category, Organization, Program
from syrve_simulator.population.identity import Draw
from syrve_simulator.population.names import (
    CATEGORY_NAMES,
    DEPOSIT_PROGRAM_NAME,
    ORGANIZATION_NAMES,
    PROGRAM_NAMES,
    WALLET_NAMES,
)

DEPOSIT, BONUS = 0, 1


def build_organization(draw: Draw, position: int) -> Organization:
    """Return the organization at `position` (0 is the first)."""
    number, turn = position % len(ORGANIZATION_NAMES), position // len(ORGANIZATION_NAMES)
    return Organization(
        position=position,
        organization_id=draw.uuid(b"organization", position),
        name=ORGANIZATION_NAMES[number] + (f" {turn + 1}" if turn else ""),
        code=str(1000 + position),
        programs=(
            Program(
                program_id=draw.uuid(b"program", position),
                name=PROGRAM_NAMES[position % len(PROGRAM_NAMES)],
                wallet_id=draw.uuid(b"program wallet", position),
                wallet_name=WALLET_NAMES[BONUS],
                type=BONUS,
            ),
            Program(
                program_id=draw.uuid(b"program", position, 1),
                name=DEPOSIT_PROGRAM_NAME,
                wallet_id=draw.uuid(b"program wallet", position, 1),
                wallet_name=WALLET_NAMES[DEPOSIT],
                type=DEPOSIT,
            ),
        ),
        categories=tuple(
            Category(
                category_id=draw.uuid(b"category", position, place),
                name=name,
                is_active=place != len(CATEGORY_NAMES) - 1,
                is_default_for_new_guests=place == 0,
            )
            for place, name in enumerate(CATEGORY_NAMES)
        ),
    )
