"""Settings: every field has a variable; invalid values and misspelt names are found."""

from __future__ import annotations

import json
import stat
from dataclasses import fields, replace
from pathlib import Path

import pytest

from pipeline.errors import SettingsError
from pipeline.settings import SECRETS_FILE, VARIABLES, Settings, unknown_variables


def test_every_field_has_a_variable_of_its_own() -> None:
    assert VARIABLES.keys() == {field.name for field in fields(Settings)}
    assert len({variable.name for variable in VARIABLES.values()}) == len(VARIABLES)
    assert all(variable.meaning and variable.default for variable in VARIABLES.values())


def test_variables_set_their_fields(tmp_path: Path) -> None:
    settings = Settings.from_environ(
        {
            "WILDLOOP_DATA_DIR": str(tmp_path / "data"),
            "LABEL_STUDIO_URL": "http://ls.example/",
            "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(tmp_path),
            "WILDLOOP_TOP_K": "7",
            "WILDLOOP_SYNC_SECONDS": "5",
            "WILDLOOP_EMBEDDER": "descriptor",
        }
    )
    assert settings.data_dir == tmp_path / "data"
    assert settings.database_url == f"sqlite:///{tmp_path}/data/wildloop.db"
    assert settings.label_studio_url == "http://ls.example"
    assert settings.files_root == tmp_path
    assert (settings.top_k, settings.sync_seconds, settings.embedder) == (7, 5.0, "descriptor")


def test_an_empty_variable_is_the_default() -> None:
    empty = dict.fromkeys((variable.name for variable in VARIABLES.values()), "")
    assert Settings.from_environ(empty) == Settings.from_environ({})
    assert Settings.from_environ({}).data_dir == Path.cwd() / "wildloop-data"


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many"])
def test_an_invalid_number_is_an_error_with_variable_and_default(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({"WILDLOOP_TOP_K": text})
    assert str(caught.value) == (
        f"WILDLOOP_TOP_K={text!r} is not a whole number above 0 (unset WILDLOOP_TOP_K for 100)"
    )


def test_unknown_variables_come_with_the_most_similar_setting() -> None:
    environ = {
        "WILDLOOP_EMBEDER": "auto",
        "WILDLOOP_PHOTOS": "/photos",
        "WILDLOOP_TOP_K": "9",
        "PATH": "/bin",
    }
    assert unknown_variables(environ) == [
        ("WILDLOOP_EMBEDER", "WILDLOOP_EMBEDDER"),
        ("WILDLOOP_PHOTOS", None),
    ]
    assert unknown_variables({variable.name: "" for variable in VARIABLES.values()}) == []


def test_missing_secrets_are_generated_once_and_readable_by_the_owner_only(tmp_path: Path) -> None:
    bare = Settings.from_environ({"WILDLOOP_DATA_DIR": str(tmp_path)})
    complete = bare.with_secrets()
    assert complete.basic_auth_user
    assert complete.basic_auth_password
    assert complete.webhook_secret
    assert bare.with_secrets() == complete
    assert complete.with_secrets() is complete
    assert stat.S_IMODE((tmp_path / SECRETS_FILE).stat().st_mode) == 0o600
    assert replace(bare, webhook_secret="own").with_secrets() == replace(complete, webhook_secret="own")


def test_a_damaged_secrets_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / SECRETS_FILE).write_text(json.dumps({"basic_auth_user": "wildloop"}))
    with pytest.raises(SettingsError, match=r"secrets\.json is not a secrets file .*delete it"):
        Settings.from_environ({"WILDLOOP_DATA_DIR": str(tmp_path)}).with_secrets()
