"""Opening the store that a command works on, and naming it."""

from __future__ import annotations

import sys

import click

from pipeline.settings import Settings
from pipeline.store.database import place
from pipeline.workspace import Workspace, existing_workspace, open_workspace


def opened(settings: Settings | None = None) -> Workspace:
    """The workspace of these settings, by default those of the environment.

    Raises StoreError, with the place, if there is none: a command that reads must create nothing. On a
    terminal, standard error names the store.
    """
    return _named(existing_workspace(settings))


def opened_or_created(settings: Settings | None = None) -> Workspace:
    """As `opened`, for a command with which people begin; the store is created when it is first used."""
    return _named(open_workspace(settings, on_first_use=True))


def _named(workspace: Workspace) -> Workspace:
    if sys.stderr.isatty():
        click.secho(f"store: {place(workspace.settings.database_url)}", err=True, dim=True)
    return workspace
