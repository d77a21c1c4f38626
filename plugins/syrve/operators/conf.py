"""Refuses a run whose configuration has keys that its DAG does not know: a misspelt one would otherwise widen what the run does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from syrve.errors import SyrveProviderError

_NAME = re.compile(r"[A-Za-z_]{1,60}")


class UnknownConf(SyrveProviderError):
    """The run's configuration has a key that the DAG does not know; start another run."""


def refuse_unknown_conf(context: Any) -> None:
    """Raise `UnknownConf` before any task of a run with such a key."""
    check_conf(getattr(context.get("dag_run"), "conf", None) or {}, context["dag"].params.keys())


def check_conf(conf: Iterable[str], known: Iterable[str]) -> None:
    """Raise `UnknownConf` that names the unknown keys and those that were perhaps meant; no value is named.

    A key that can be no key of a DAG, such as a phone, is not repeated.
    """
    names = sorted(known)
    unknown = sorted(set(conf) - set(names))
    if not unknown:
        return
    meant = [found for each in unknown for found in get_close_matches(each, names, n=1)]
    shown = dict.fromkeys(each if _NAME.fullmatch(each) else "one that is not a name" for each in unknown)
    hint = f"; did you mean {', '.join(meant)}?" if meant else ""
    raise UnknownConf(
        f"the run's configuration has unknown keys: {', '.join(shown)}{hint} It may have {', '.join(names) or 'none'}"
    )
