"""Invented names. Surnames are put together from made-up stems, so that no list of real people is behind them."""

from __future__ import annotations

from syrve_simulator.model import Sex

_Names = tuple[str, ...]


def _words(text: str) -> _Names:
    return tuple(text.split())


_LATIN_STEMS = _words("Alder Bram Corv Dell Fenn Garr Hollen Ister Jarro Kest Lumm Marr Nolt Orsk Pell")
_LATIN_ENDINGS = _words("sen by well ström etti ová dóttir mann O'Shay -Vane")
LATIN_SURNAMES = tuple(stem + ending for stem in _LATIN_STEMS for ending in _LATIN_ENDINGS)
LATIN_NAMES: dict[Sex, _Names] = {
    "male": _words("Arlo Bruno Caspian Dario Emil Felix Gustav Hugo Jonas Leander Milo Theo"),
    "female": _words("Alma Beatrix Clara Dorothea Elodie Freya Greta Ines Linnea Mirela Renée Zoë"),
    "not_specified": _words("Robin Sasha Kim Noa Alex Charlie Jules Remy"),
}
LATIN_MIDDLE_NAMES: _Names = ("J.", "Marie", "Lee", "van", "T. R.")

_CYRILLIC_STEMS = _words(
    "Берёзк Ветров Грозн Дубров Еланск Журавушк Зорин Ивушк Камышев Лесовск Мятлев Незабудк Озерск Полянк Ромашк Снегов Тополин Чайк"
)
CYRILLIC_SURNAMES: dict[Sex, _Names] = {
    "male": tuple(stem + "ин" for stem in _CYRILLIC_STEMS),
    "female": tuple(stem + "ина" for stem in _CYRILLIC_STEMS),
    "not_specified": tuple(stem + "енко" for stem in _CYRILLIC_STEMS),
}
CYRILLIC_NAMES: dict[Sex, _Names] = {
    "male": _words("Алексей Богдан Виктор Глеб Даниил Егор Захар Илья Кирилл Лев Матвей Фёдор"),
    "female": _words("Алёна Варвара Галина Дарья Евдокия Жанна Зоя Ирина Ксения Любовь Мария Ульяна"),
    "not_specified": _words("Женя Саша Валя Слава Шура Паша"),
}
CYRILLIC_MIDDLE_NAMES: dict[Sex, _Names] = {
    "male": _words("Андреевич Борисович Ильич Олегович Семёнович"),
    "female": _words("Андреевна Борисовна Ильинична Олеговна Семёновна"),
    "not_specified": _words("Андреевич Олеговна"),
}

ORGANIZATION_NAMES: _Names = (
    "Кофейня «Синий чайник»",
    "Trattoria Piccola Luna",
    "Пельменная на Озёрной",
    "Bistro Quatre Vents",
    "Бургерная «Лось»",
    "Tea & Toast",
    "Шашлычный двор",
    "Noodle Wharf",
)
CATEGORY_NAMES: _Names = (
    "Новый гость",
    "VIP",
    "Сотрудники и друзья заведения",
    "Students and teachers",
    "Постоянный гость доставки",
)
PROGRAM_NAMES: _Names = ("Бонусная программа", "Guest Rewards", "Клуб постоянных гостей")
DEPOSIT_PROGRAM_NAME = "Питание сотрудников"
WALLET_NAMES: _Names = (
    "Депозитный счёт",
    "Бонусный счёт гостя",
    "Продуктовый счёт",
    "Personal discount",
    "Gift certificate",
)
"""By wallet type, 0 to 4."""
COUPON_SERIES_NAMES: _Names = (
    "New Year Promo",
    "Летний завтрак",
    "Happy Hour",
    "Приведи друга",
    "Birthday",
    "Обед −15 %",
    "Loyal 300",
    "Архив 2019",
)
