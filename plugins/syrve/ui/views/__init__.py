"""The views of the page, one module each."""

from __future__ import annotations

from fastapi import APIRouter


def routers() -> tuple[APIRouter, ...]:
    """Return the routes of every view."""
    from syrve.ui.views import backfill, customer, freshness, holds, inbox, overview, push, rejects, runs

    views = (overview, inbox, rejects, push, holds, backfill, freshness, runs, customer)
    return tuple(each.router for each in views)
