"""The extras of the distribution: parts of the package whose libraries may be left out, and what is said if one is used all the same."""

from __future__ import annotations

from importlib.util import find_spec

from syrve.errors import SyrveProviderError

EXTRAS: dict[str, tuple[str, ...]] = {
    "reports": ("matplotlib", "pandas"),
    "notifications": ("apprise", "airflow.providers.apprise"),
    "excel": ("openpyxl",),
    "parquet": ("pyarrow",),
    "s3": ("airflow.providers.amazon", "s3fs"),
}
"""The packages that each extra brings, by the names under which they are imported."""


class MissingExtra(SyrveProviderError):
    """Something needs a library that is not installed; the text names the extra to install."""


def require_extra(extra: str, what: str, error: type[SyrveProviderError] = MissingExtra) -> None:
    """Raise `error`, which names the extra, unless all its packages are installed; `what` is the part that needs them."""
    missing = [package for package in EXTRAS[extra] if not is_installed(package)]
    if missing:
        raise error(
            f"{what} needs {', '.join(missing)}, not installed here: pip install 'airflow-provider-syrve[{extra}]'"
        )


def is_installed(package: str) -> bool:
    """Return whether a package can be imported, without importing it."""
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # of a package above it
        return False
