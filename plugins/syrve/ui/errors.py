"""What the page answers where it cannot do what was asked; none holds a value that a person typed."""

from __future__ import annotations

from syrve.errors import SyrveProviderError


class PageError(SyrveProviderError):
    """The page cannot do what was asked: `status` is that of HTTP, `advice` says what to do."""

    def __init__(self, status: int, title: str, advice: str) -> None:
        super().__init__(f"{title}. {advice}")
        self.status = status
        self.title = title
        self.advice = advice


class AirflowRefused(PageError):
    """Airflow's API did not do what the page asked in the person's name."""
