"""Chooses the implementations that the settings ask for; nothing else does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.settings import Settings
from pipeline.store.database import Database

if TYPE_CHECKING:
    from pipeline.label_studio.client import LabelStudio


@dataclass(frozen=True, kw_only=True)
class House:
    """The settings and the open store that every command begins with."""

    settings: Settings
    database: Database


def open_house(settings: Settings | None = None) -> House:
    """The store that the settings name, at its newest schema."""
    settings = settings or Settings.from_environ()
    database = Database(settings.database_url)
    database.migrate()
    return House(settings=settings, database=database)


def label_studio(settings: Settings) -> LabelStudio:
    """A client of the Label Studio that the settings name. Raises LabelStudioError without a key."""
    from pipeline.label_studio.client import LabelStudio

    return LabelStudio(settings.label_studio_url, settings.label_studio_api_key)
