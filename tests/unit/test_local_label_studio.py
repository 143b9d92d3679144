"""`wildloop label-studio`: what it keeps in the data folder, and what other commands take from it."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline import local_label_studio
from pipeline.cli.label_studio import label_studio as command
from pipeline.errors import SettingsError
from pipeline.local_label_studio import FILE, LocalLabelStudio, fresh_account
from pipeline.servers import label_studio
from pipeline.servers.processes import ServerError, free_port
from pipeline.servers.stack import StackOptions, prepared
from pipeline.settings import Settings

SERVER = LocalLabelStudio(
    url="http://localhost:8080",
    backend_url="http://localhost:9090",
    files_root=Path("/srv"),
    account=fresh_account("a@example.org"),
)


def settings(folder: Path, **environ: str) -> Settings:
    return Settings.from_environ({"WILDLOOP_DATA_DIR": str(folder), **environ})


def test_it_comes_back_as_it_was_written_and_is_private(tmp_path: Path) -> None:
    assert local_label_studio.read(tmp_path) is None
    local_label_studio.write(tmp_path, SERVER)
    assert local_label_studio.read(tmp_path) == SERVER
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_commands_find_the_server_without_variables(tmp_path: Path) -> None:
    local_label_studio.write(tmp_path, SERVER)
    found = settings(tmp_path)
    assert (found.label_studio_url, found.label_studio_api_key) == (SERVER.url, SERVER.account.token)
    assert (found.backend_url, found.files_root) == (SERVER.backend_url, SERVER.files_root)
    given = settings(tmp_path, LABEL_STUDIO_URL=SERVER.url + "/", LABEL_STUDIO_API_KEY="mine")
    assert (given.label_studio_api_key, given.backend_url) == ("mine", SERVER.backend_url)


def test_the_token_is_never_sent_to_another_server(tmp_path: Path) -> None:
    local_label_studio.write(tmp_path, SERVER)
    other = settings(tmp_path, LABEL_STUDIO_URL="https://labels.example.org")
    assert other.label_studio_url == "https://labels.example.org"
    assert other.label_studio_api_key is None


@pytest.mark.parametrize("content", [b"[]", b"", b'{"url": "http://loc', b"\xff\xfe"])
def test_a_file_of_something_else_is_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(SettingsError, match=str(tmp_path / FILE)):
        settings(tmp_path)


def test_a_second_start_keeps_the_account_and_moves_to_free_ports(tmp_path: Path) -> None:
    first = prepared(settings(tmp_path), StackOptions(port=free_port()))
    assert prepared(settings(tmp_path), StackOptions()) == first
    other = prepared(settings(tmp_path), StackOptions(port=(port := free_port())))
    assert other == replace(first, url=f"http://localhost:{port}")
    assert settings(tmp_path).label_studio_url == other.url


def test_a_port_that_is_taken_is_an_error_with_its_remedy(tmp_path: Path) -> None:
    port = free_port()
    code = (
        f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); print(1, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as taker:
        assert taker.stdout is not None
        taker.stdout.readline()
        with pytest.raises(ServerError, match=f"port {port} is taken"):
            prepared(settings(tmp_path), StackOptions(port=port))
        taker.kill()


def test_it_serves_what_the_settings_serve(tmp_path: Path) -> None:
    environ = label_studio.environ(
        SERVER.account, url=SERVER.url, data_dir=tmp_path / "label-studio", served_dir=tmp_path
    )
    assert prepared(settings(tmp_path / "data"), StackOptions()).files_root == tmp_path
    assert environ["LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"] == str(tmp_path)
    assert environ["LABEL_STUDIO_USER_TOKEN"] == SERVER.account.token
    assert "false" in (environ["ML_BLOCK_LOCAL_IP"], environ["SSRF_PROTECTION_ENABLED"])


def test_without_label_studio_the_command_says_how_to_install_it_and_creates_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str, remedy: str) -> str:
        raise ServerError(f"the command `{name}` is not installed", remedy=remedy)

    monkeypatch.setattr("pipeline.servers.label_studio.executable", missing)
    monkeypatch.setenv("WILDLOOP_DATA_DIR", str(tmp_path / "data"))
    told = CliRunner().invoke(command)
    assert "uv pip install '.[demo]'" in str(told.exception)
    assert list(tmp_path.iterdir()) == []


def test_the_space_bar_submits_unless_the_operator_chose_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    def keymap() -> str:
        folder = Path("/srv")
        environ = label_studio.environ(SERVER.account, url=SERVER.url, data_dir=folder, served_dir=folder)
        return environ["EDITOR_KEYMAP"]

    monkeypatch.delenv("EDITOR_KEYMAP", raising=False)
    assert json.loads(keymap())["annotation:submit"]["key"] == "space,ctrl+enter"
    monkeypatch.setenv("EDITOR_KEYMAP", '{"annotation:submit": {"key": "enter"}}')
    assert json.loads(keymap())["annotation:submit"]["key"] == "enter"
