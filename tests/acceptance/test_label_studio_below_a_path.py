"""Label Studio as people run it: below a path, with TLS and a certificate of their own, behind a redirect."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.servers.processes import free_port
from pipeline.store import projects
from tests.acceptance.conftest import (
    Installation,
    LabelStudioServer,
    install,
    label_studio_server,
    logged_in,
)
from tests.helpers.label_stream import Stream
from tests.helpers.proxies import Certificate, below_path, certificate, redirecting

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PATH = "/label"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def secured(
    label_studio: LabelStudioServer, own: Certificate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LabelStudioServer]:
    """A Label Studio at https://localhost:PORT/label, whose proxy has a certificate that signs itself."""
    port, folder = free_port(), tmp_path_factory.mktemp("secured")
    with below_path(f"http://localhost:{port}", PATH, own) as url:
        trusted = url.removesuffix(PATH)
        with label_studio_server(
            folder, like=label_studio, port=str(port), host=url, CSRF_TRUSTED_ORIGINS=trusted
        ) as server:
            yield replace(server, url=url)


@pytest.fixture(scope="module")
def below(secured: LabelStudioServer, own: Certificate) -> Iterator[Installation]:
    """Twelve photographs, published in a project of `secured`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(own.file))
        installed = install(secured, SSL_CERT_FILE=str(own.file))
    run = installed.wildloop
    run("import", "folder", str(installed.photographs(12)), "--detector", "whole-frame")
    run("embed")
    species = str(installed.species("red fox", "roe deer"))
    title = installed.folder.name
    run("project", "create", "--title", title, "--species", species, "--no-backend")
    run("publish")
    yield installed
    installed.workspace.database.dispose()


def test_pictures_are_shown_below_a_path_and_labelled_there(
    below: Installation, secured: LabelStudioServer, browser: Browser
) -> None:
    with logged_in(browser, secured) as page:
        stream = Stream(page, secured.url, project_of(below))
        shown = stream.open()
        assert min(stream.pictures()) > 0
        page.keyboard.press("1")
        assert stream.submit() != shown
    assert "1 change recorded" in below.wildloop("sync")


def test_tasks_of_before_the_path_are_named_by_doctor_and_asked_anew_by_publish(
    below: Installation, secured: LabelStudioServer, browser: Browser
) -> None:
    run, client = below.wildloop, below.client
    project = project_of(below)
    former = sorted(client.tasks_in_stream(project))
    for number in former:  # as if they had been asked while Label Studio was at the root of its host
        text = json.dumps(client.task(number)["data"]).replace(f"{PATH}/data/", "/data/")
        below.api.send("moving", "PATCH", f"api/tasks/{number}/", {"data": json.loads(text)})
    with below.workspace.database.write() as conn:
        projects.mend_tasks(conn)
    findings = {each["check"]: each for each in json.loads(run("doctor", "--json", status=1))}
    assert findings["crops"]["state"] == "fail"
    assert "wildloop publish" in findings["crops"]["remedy"]
    assert f"{len(former)}  new tasks" in run("publish")
    assert client.tasks_in_stream(project).isdisjoint(former)
    findings = {each["check"]: each for each in json.loads(run("doctor", "--json"))}
    assert findings["crops"]["state"] == "ok"
    with logged_in(browser, secured) as page:
        stream = Stream(page, secured.url, project)
        stream.open()
        assert min(stream.pictures()) > 0


def test_the_certificate_is_named_where_nothing_trusts_it(
    secured: LabelStudioServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    installed = install(secured)
    for command in (
        ("project", "create", "--title", "Untrusted", "--species", str(installed.species("fox"))),
        ("doctor",),
    ):
        told = installed.wildloop(*command, status=1)
        assert "set SSL_CERT_FILE to its file" in told
        assert "Traceback" not in told
    installed.workspace.database.dispose()


def test_every_command_behind_a_redirect_names_the_address_to_set(
    below: Installation, secured: LabelStudioServer
) -> None:
    remedy = f"set LABEL_STUDIO_URL to {secured.url}"
    with redirecting(secured.url) as plain:
        behind = replace(below, environ=below.environ | {"LABEL_STUDIO_URL": plain})
        species = str(below.species("red fox"))
        for command in (
            ("project", "create", "--title", "Another", "--species", species, "--no-backend"),
            ("project", "species", "add", "badger"),
            ("publish",),
            ("sync",),
            ("doctor",),
        ):
            told = behind.wildloop(*command, status=1)
            assert remedy in told, command
            assert "Traceback" not in told


def project_of(installed: Installation) -> int:
    with installed.workspace.database.read() as conn:
        return projects.choose(conn, None).id
