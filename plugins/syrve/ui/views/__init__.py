"""The views of the page, one module each."""

from __future__ import annotations

from fastapi import APIRouter


def routers() -> tuple[APIRouter, ...]:
    """Return the routes of every view."""
    from syrve.ui.views import customer, freshness, holds, overview, rejects, runs

    return (overview.router, rejects.router, runs.router, customer.router, freshness.router, holds.router)
