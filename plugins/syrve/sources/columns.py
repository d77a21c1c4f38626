"""Which columns an import reads, and by which headings they are known in Russian and English."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from syrve.sources.errors import UnusableSource
from syrve.sources.formulas import as_it_was, as_they_were

_HEADINGS: dict[str, str] = {
    "organization_id": "organization_id, organization, organisation, organisation_id, id организации, ид организации, организация",
    "customer_id": "customer_id, guest_id, id гостя, ид гостя, id клиента, ид клиента, guid, гость id",
    "phone": "phone, phone_number, mobile, mobile_phone, tel, telephone, телефон, номер телефона, телефон гостя, телефон клиента, "
    "мобильный, мобильный телефон, моб телефон, тел, сотовый",
    "name": "name, first_name, имя, имя гостя, имя клиента",
    "surname": "surname, last_name, family_name, фамилия",
    "middle_name": "middle_name, patronymic, отчество",
    "email": "email, e_mail, mail, почта, эл почта, электронная почта, емейл, имейл, адрес электронной почты",
    "birthday": "birthday, birth_date, birthdate, date_of_birth, дата рождения, день рождения, др",
    "sex": "sex, gender, пол",
    "receives_order_status": "receives_order_status, статус заказа по sms, уведомления о заказах",
    "receives_promo": "receives_promo, promo, рассылка, получает рассылку, согласие на рассылку, согласие на рекламу, реклама",
    "clear": "clear, очистить",
    "category_id": "category_id, id категории, ид категории",
    "card_track": "card_track, track, card, трек, трек карты, карта",
    "card_number": "card_number, номер карты, № карты",
    "program_id": "program_id, id программы, ид программы",
    "wanted": "wanted, нужно",
    "priority": "priority, приоритет",
    "wallet_id": "wallet_id, id кошелька, ид кошелька",
    "amount": "amount, sum, сумма",
    "key": "key, row_id, ключ",
    "order_id": "order_id, order, заказ, номер заказа, id заказа, ид заказа",
    "hold_id": "hold_id, transaction_id, id холда, id блокировки",
    "record": "record, kind, вид записи, вид операции",
    "state": "state, status, состояние, статус",
    "occurred_at": "occurred_at, state_at, время, дата и время",
    "consumes_hold": "consumes_hold, списывает холд",
    "crm_id": "crm_id",
}
PERSONAL = frozenset(
    (
        *("phone", "email", "card_track", "card_number", "name", "surname", "middle_name", "birthday", "sex"),
        *("receives_order_status", "receives_promo"),
    )
)
"""Columns by which a person can be guessed, or that say something of one that a count of changes would confirm; Syrve's ids are random."""
IDS = frozenset(("customer_id", "id", "crm_id", "wallet_id"))
"""Columns that name a customer: beside a personal column, the answer would tell whether the two belong together."""
CONSENTS = frozenset(("receives_order_status", "receives_promo"))
"""What a person has agreed to: no other column of a source becomes one by a mapping."""
AS_NAMED = CONSENTS | {"clear", "wanted"}
"""Columns that a query of a form does not rename another one to."""


def plain_heading(heading: Any) -> str:
    """Return a heading as it is compared: case, spaces, dots, dashes, the letter ё and an apostrophe of ours make no difference."""
    text = re.sub(r"[\s\u200b-\u200f\ufeff]+", " ", str(as_it_was(heading))).strip().casefold().replace("ё", "е")
    return re.sub(r"[ _.\-–]+", "_", text).strip("_:*")


KNOWN_HEADINGS = {
    plain_heading(heading): column for column, headings in _HEADINGS.items() for heading in headings.split(",")
}


@dataclass(frozen=True, slots=True)
class Matched:
    """Which column each place of the headings is: the one reading of them, which is checked and then used.

    `headings` are as they were before a spreadsheet; `unknown` are the places, from 1, of those that nothing reads.
    """

    headings: Sequence[Any]
    places: Mapping[int, str]
    unknown: Sequence[int] = ()

    @property
    def names(self) -> set[str]:
        """The columns that the source has."""
        return set(self.places.values())


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one import: `any_of` and `needed` are those that it cannot do without.

    `aliases` maps columns as `KNOWN_HEADINGS` names them to those of this import. `listed` are those of which a query of a form takes the
    values as a table or view has them; unless said, they are those about a person. Rows that `are_facts` are taken for true: of these a
    query of a form leaves nothing out either, and no form renames anything.
    """

    names: Sequence[str]
    aliases: Mapping[str, str] = field(default_factory=dict)
    any_of: Sequence[str] = ()
    needed: Sequence[str] = ()
    listed: frozenset[str] | None = None
    are_facts: bool = False

    def to_be_listed(self, places: Mapping[int, str]) -> dict[int, str]:
        """Return those of the places that the user of a form may not type into a query; beside a personal one, ids are among them."""
        chosen = self.listed if self.listed is not None else {each for each in self.names if self._is_personal(each)}
        if any(name in chosen and self._is_personal(name) for name in places.values()):
            chosen = chosen | IDS
        return {place: name for place, name in places.items() if name in chosen}

    def _is_personal(self, name: str) -> bool:
        return name in PERSONAL or any(each in PERSONAL for each, alias in self.aliases.items() if alias == name)

    def of_organization(self, organization_id: str | None) -> Columns:
        """Return the columns with `organization_id` among the needed ones unless the form names the organization."""
        return self if organization_id else replace(self, needed=(*self.needed, "organization_id"))

    def match(self, headings: Sequence[Any], mapping: Mapping[str, str | None]) -> Matched:
        """Find the columns of a row of headings; the mapping of the form counts before what is known.

        Raises `UnusableSource` if two headings name one column, if the mapping names what is not there, or maps what it may not.
        """
        if self.are_facts and mapping:
            raise UnusableSource(
                "the form's columns must be empty for records that are taken for facts: "
                "give the source the headings that docs/wallet.md has"
            )
        headings = as_they_were(headings)
        places: dict[int, str] = {}
        mapped, left_out = self._mapped(headings, mapping)
        places.update(mapped)
        for place, heading in enumerate(headings):
            column = self.known(heading)
            if column is None or place in places or place in left_out or column in mapped.values():
                continue
            if column in places.values():
                first = next(known for known, name in places.items() if name == column)
                raise UnusableSource(
                    f"columns {first + 1} and {place + 1} are both {column}; rename one of them, or map it in the form's columns"
                )
            places[place] = column
        rest = [
            place
            for place, each in enumerate(headings, start=1)
            if place - 1 not in places and each is not None and str(each).strip()
        ]
        return Matched(headings, places, rest)

    def recognized(self, headings: Sequence[Any], mapping: Mapping[str, str | None]) -> int:
        """Count the headings that are columns of this import: how likely a row is the one that names the columns."""
        wanted = {plain_heading(each) for each in mapping}
        return sum(
            plain_heading(each) in wanted or self.known(each) is not None for each in headings if each is not None
        )

    def check(self, names: set[str]) -> None:
        """Raise `UnusableSource` unless these columns are enough."""
        if self.any_of and not names.intersection(self.any_of):
            raise UnusableSource(f"the source needs at least one of the columns {', '.join(self.any_of)}")
        for name in self.needed:
            if name in names:
                continue
            if name == "organization_id":
                raise UnusableSource("the source has no column organization_id; name the organization in the form")
            raise UnusableSource(f"the source has no column {name}; it reads {', '.join(self.names)}")

    def known(self, heading: Any) -> str | None:
        """Return the column that a heading names without a mapping."""
        column = KNOWN_HEADINGS.get(plain_heading(heading)) if heading is not None else None
        column = plain_heading(heading) if column is None and heading is not None else column
        column = self.aliases.get(column, column) if column else None
        return column if column in self.names else None

    def _mapped(self, headings: Sequence[Any], mapping: Mapping[str, str | None]) -> tuple[dict[int, str], set[int]]:
        plain = [plain_heading(each) if each is not None else "" for each in headings]
        places: dict[int, str] = {}
        left_out: set[int] = set()
        for heading, column in mapping.items():
            found = [place for place, each in enumerate(plain) if each and each == plain_heading(heading)]
            if len(found) != 1:
                problem = "has several times" if found else "does not have"
                raise UnusableSource(f"the form's columns map a heading that the source {problem}")
            if column is None:
                left_out.add(found[0])
                continue
            name = self.aliases.get(column, column)
            if name not in self.names:
                raise UnusableSource(f"the form's columns map to a column that is none of {', '.join(self.names)}")
            if name in CONSENTS:
                raise UnusableSource(f"the form's columns map no heading to {name}: name it so in the source itself")
            if name in places.values():
                raise UnusableSource(f"the form's columns map two headings to {name}")
            places[found[0]] = name
        return places, left_out
