"""Label Studio behind a redirect or a certificate of one's own: every error names the setting to change."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import LabelStudioError, SettingsError
from pipeline.label_studio.client import LabelStudio
from tests.helpers.proxies import Certificate, below_path, certificate, redirecting

TOKEN = "0123456789abcdef"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("certificate"))


def test_a_redirected_write_is_an_error_that_names_the_right_address() -> None:
    with redirecting("https://labels.example.org/label") as url:
        client = LabelStudio(url, TOKEN)
        for write in (
            lambda: client.create_project(title="Park"),
            lambda: client.import_tasks(3, [{"crop": "a"}]),
            lambda: client.update_project(3, title="Park"),
            lambda: client.delete_webhook(3),
        ):
            with pytest.raises(LabelStudioError) as told:
                write()
            assert told.value.remedy == "set LABEL_STUDIO_URL to https://labels.example.org/label"


def test_a_redirected_read_to_another_address_is_the_same_error() -> None:
    with redirecting("https://labels.example.org") as url:
        with pytest.raises(LabelStudioError) as told:
            LabelStudio(url, TOKEN).version()
        assert told.value.remedy == "set LABEL_STUDIO_URL to https://labels.example.org"
        with pytest.raises(LabelStudioError) as told:
            LabelStudio(url, TOKEN).projects("Park")  # an address with a query
        assert told.value.remedy == "set LABEL_STUDIO_URL to https://labels.example.org"


def test_a_refresh_token_is_not_sent_after_a_redirect() -> None:
    token = "e30.eyJleHAiOjk5OTk5OTk5OTl9.x"  # expires in 2286
    with (
        redirecting("https://labels.example.org") as url,
        pytest.raises(LabelStudioError, match=r"set LABEL_STUDIO_URL to https://labels\.example\.org"),
    ):
        LabelStudio(url, token).whoami()


def test_an_own_certificate_is_refused_with_the_variable_that_admits_it(
    own: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with redirecting("http://nowhere.example") as plain, below_path(plain, "/label", own) as url:
        with pytest.raises(LabelStudioError) as told:
            LabelStudio(url, TOKEN).version()
        assert "set SSL_CERT_FILE to its file" in str(told.value.remedy)
        monkeypatch.setenv("SSL_CERT_FILE", str(own.file))
        with pytest.raises(LabelStudioError, match="redirects"):  # it answers now
            LabelStudio(url, TOKEN).version()


def test_a_certificate_of_another_host_and_a_server_without_tls_have_remedies_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = certificate(tmp_path, host="labels.example.org")
    monkeypatch.setenv("SSL_CERT_FILE", str(other.file))
    with redirecting("http://nowhere.example") as plain, below_path(plain, "/label", other) as url:
        with pytest.raises(LabelStudioError) as told:
            LabelStudio(url, TOKEN).version()
        assert told.value.remedy == "set LABEL_STUDIO_URL to a name that the certificate is made out to"
        with pytest.raises(LabelStudioError) as told:
            LabelStudio(plain.replace("http:", "https:"), TOKEN).version()
        assert "http://" in str(told.value.remedy)


def test_an_unreadable_file_of_certificates_is_an_error_that_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    with pytest.raises(SettingsError, match=r"SSL_CERT_FILE=.*missing\.pem"):
        LabelStudio("https://labels.example.org", TOKEN)
