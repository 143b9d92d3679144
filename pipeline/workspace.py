"""A workspace: the settings and the database that every command opens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import StoreError
from pipeline.installation import check_packages
from pipeline.settings import Settings
from pipeline.store.database import Database, missing_store

if TYPE_CHECKING:
    from pipeline.label_studio.client import LabelStudio
    from pipeline.store.pool import Pool


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """The settings of an installation and its open database: the first argument of every step."""

    settings: Settings
    database: Database

    @property
    def data_dir(self) -> Path:
        """The folder of crops, model versions, caches and generated secrets."""
        return self.settings.data_dir

    def label_studio(self) -> LabelStudio:
        """A client of the Label Studio that the settings name. Raises LabelStudioError without an API key."""
        from pipeline.label_studio.client import LabelStudio

        return LabelStudio(self.settings.label_studio_url, self.settings.label_studio_api_key)

    def pool(self, embedder_id: str) -> Pool:
        """Every embedding of `embedder_id`, as `store.pool.open_pool` returns them."""
        from pipeline.store.pool import open_pool

        return open_pool(self.database, self.data_dir, embedder_id)


def existing_workspace(settings: Settings | None = None) -> Workspace:
    """The workspace that the settings name, as `open_workspace` opens it; it creates none.

    Raises StoreError, with the place where it looked, if there is none.
    """
    settings = settings or Settings.from_environ()
    missing = missing_store(settings.database_url)
    if missing is not None:
        raise StoreError(
            f"there is no Wildloop store at {missing}",
            remedy="start in the folder that holds wildloop-data, or set WILDLOOP_DATA_DIR to the data "
            "folder; `wildloop import` and `wildloop project create` make a new one",
        )
    return open_workspace(settings)


def open_workspace(settings: Settings | None = None, *, on_first_use: bool = False) -> Workspace:
    """The workspace that the settings name, by default those of the environment; created if need be.

    Migrates its database to the newest schema; with `on_first_use` when it is first read or written, so
    that a source that cannot be read leaves nothing behind. Raises InstallationError if another package
    hides one of Wildloop's, SettingsError, and StoreError if the database cannot be opened.
    """
    check_packages()
    settings = settings or Settings.from_environ()
    database = Database(settings.database_url, migrate_on_first_use=on_first_use)
    if not on_first_use:
        database.migrate()
    return Workspace(settings=settings, database=database)
