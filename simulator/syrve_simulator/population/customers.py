"""What a customer is like: names, dates, wallets, cards and categories drawn from the seed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal

from syrve_simulator.model import Card, Category, Customer, Organization, Sex, Wallet
from syrve_simulator.population import names
from syrve_simulator.population.identity import Draw, Identities
from syrve_simulator.population.organizations import BONUS

_Take = Callable[[], int]
_SEXES: tuple[Sex, ...] = ("male", "female", "not_specified")
_FIRST_BIRTHDAY = date(1940, 1, 1).toordinal()
_BIRTHDAYS = date(2008, 1, 1).toordinal() - _FIRST_BIRTHDAY
_EXPONENTS = (0, -1, -2, -2, -2, -2, -3, -4)
_CARD_COUNTS = (0, 1, 2, 2)
_WALLET_COUNTS = (1, 2, 3, 3)
SHORT_NUMBER_DIGITS = 6
"""Of the printed number of a card, where that is not its track."""
_EMAIL = re.compile(r"guest-(\d{7})-\d{3}@")


class CustomerBuilder:
    """Builds customers by ordinal; what a person is does not depend on the organization, what they own there does."""

    def __init__(self, draw: Draw, identities: Identities, *, with_history: bool) -> None:
        self._with_history = with_history
        self._draw = draw
        self._identities = identities

    def customer(self, ordinal: int, organization: Organization) -> Customer:
        """Return the customer as the organization sees them."""
        take = self._draw.words(b"person", ordinal).__next__
        sex = _SEXES[take() % 3]
        name, surname, middle_name = _full_name(take, sex)
        has_program = take() % 5 != 0
        consent_year = 2019 + take() % 7
        consents = take() % 3 != 0
        customer = Customer(
            customer_id=self._identities.customer_id(ordinal),
            referrer_id=self._identities.customer_id(ordinal // 2) if take() % 8 == 0 else None,
            name=name,
            surname=surname,
            middle_name=middle_name,
            phone=self._identities.phone(ordinal),
            email=_email(take, ordinal),
            birthday=date.fromordinal(_FIRST_BIRTHDAY + take() % _BIRTHDAYS).isoformat() if take() % 3 else None,
            sex=sex,
            wallets=self._wallets(ordinal, organization),
            cards=self._cards(ordinal),
            categories=_categories(take, organization),
            program_id=organization.program.program_id if has_program else None,
            program_name=organization.program.name if has_program else None,
            receives_order_status=take() % 4 != 0,
            receives_promo=take() % 2 == 0,
            consent_from=f"{consent_year}{_time_of_year(take)}" if consents else None,
            consent_to=f"{consent_year + 5}-12-31T23:59:59" if consents and take() % 2 else None,
        )
        if self._with_history:
            _add_history(customer, self._draw.words(b"history", ordinal).__next__, organization)
        return customer

    def card_count(self, ordinal: int) -> int:
        """Return how many cards a customer has, 0 to 2."""
        return _CARD_COUNTS[self._draw.digest(b"cards", ordinal)[0] % 4]

    def _cards(self, ordinal: int) -> tuple[Card, ...]:
        bits = self._draw.digest(b"cards", ordinal)
        cards = []
        for slot in range(_CARD_COUNTS[bits[0] % 4]):
            track = self._identities.track(ordinal, slot)
            has_own_number, is_dated, year, month = bits[4 * slot + 1 : 4 * slot + 5]
            cards.append(
                Card(
                    card_id=self._draw.uuid(b"card", ordinal, slot),
                    track=track,
                    # the track, as in the reference document, for most; a shorter printed number for the rest
                    number=track[-SHORT_NUMBER_DIGITS:] if has_own_number % 3 == 0 else track,
                    valid_to=f"{2026 + year % 6}-{1 + month % 12:02d}-28" if is_dated % 2 else None,
                )
            )
        return tuple(cards)

    def _wallets(self, ordinal: int, organization: Organization) -> tuple[Wallet, ...]:
        take = self._draw.words(b"wallets", ordinal, organization.position).__next__
        wallets = []
        first = take() % 5
        for place in range(_WALLET_COUNTS[take() % 4]):
            kind = (first + place) % 5
            # the programme's own wallet has one id for all its guests: ids need not be unique across customers
            wallet_id = (
                organization.program.wallet_id
                if kind == BONUS
                else self._draw.uuid(b"wallet", ordinal, organization.position * 5 + kind)
            )
            wallets.append(Wallet(wallet_id, names.WALLET_NAMES[kind], kind, _balance(take)))
        return tuple(wallets)


def _balance(take: _Take) -> Decimal:
    amount = take() * (1 + take() % 40)
    exponent = _EXPONENTS[take() % len(_EXPONENTS)]
    return Decimal(amount).scaleb(exponent) if take() % 6 else Decimal(0)


def _full_name(take: _Take, sex: Sex) -> tuple[str | None, str | None, str | None]:
    picks = take(), take(), take()
    is_cyrillic, nulls = take() % 3 != 0, take()
    if is_cyrillic:
        lists = names.CYRILLIC_NAMES[sex], names.CYRILLIC_SURNAMES[sex], names.CYRILLIC_MIDDLE_NAMES[sex]
    else:
        lists = names.LATIN_NAMES[sex], names.LATIN_SURNAMES, names.LATIN_MIDDLE_NAMES
    name, surname, middle_name = (choices[pick % len(choices)] for choices, pick in zip(lists, picks, strict=True))
    return (
        name if nulls % 16 else None,
        surname if nulls // 16 % 5 else None,
        middle_name if nulls // 128 % 2 else None,
    )


def _email(take: _Take, ordinal: int) -> str | None:
    host = ("example.com", "example.org", None)[take() % 3]
    return f"guest-{ordinal:07d}-{take() % 1000:03d}@{host}" if host else None


def ordinal_in_email(email: str) -> int | None:
    """Return whose e-mail this could be."""
    found = _EMAIL.match(email)
    return int(found[1]) if found else None


def _add_history(customer: Customer, take: _Take, organization: Organization) -> None:
    if customer.consent_from is not None:
        customer.consent_status = 2 if customer.consent_to and take() % 4 == 0 else 1
        customer.processing_from, customer.processing_to = customer.consent_from, customer.consent_to
    customer.receives_loyalty = (True, False, None)[take() % 3]
    customer.comment = "Предпочитает столик у окна" if take() % 6 == 0 else None
    customer.culture_name = ("ru-RU", "en-GB", None)[take() % 3]
    customer.user_data = '{"source":"kiosk"}' if take() % 9 == 0 else None
    year = 2018 + take() % 6
    customer.registered_at = f"{year}{_time_of_year(take)}"
    customer.registered_in = organization.organization_id
    if take() % 5:
        customer.first_order_at = f"{year + 1}{_time_of_year(take)}"
        customer.last_order_at = f"{year + 2}{_time_of_year(take)}"
        customer.last_visited = organization.organization_id


def _categories(take: _Take, organization: Organization) -> tuple[Category, ...]:
    count, first = take() % 4, take()
    known = organization.categories
    return tuple(known[(first + place) % len(known)] for place in range(count))


def _time_of_year(take: _Take) -> str:
    return f"-{1 + take() % 12:02d}-{1 + take() % 28:02d}T{take() % 24:02d}:{take() % 60:02d}:{take() % 60:02d}"
