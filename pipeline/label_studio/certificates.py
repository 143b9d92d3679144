"""Certificates of Label Studio under https: which are trusted, and what to do about one that is not."""

from __future__ import annotations

import os
import ssl

from pipeline.errors import SettingsError

VARIABLE = "SSL_CERT_FILE"  # read by OpenSSL's and Python's own tools, too
EXPIRED, NAMES_ANOTHER_HOST = 10, (62, 64)  # verification errors of OpenSSL: X509_V_ERR_...


def trusted() -> ssl.SSLContext:
    """The certificates of `SSL_CERT_FILE`, otherwise the public ones. Raises SettingsError for a bad file."""
    import httpx

    try:
        return httpx.create_ssl_context()
    except (OSError, ssl.SSLError) as exc:
        raise SettingsError(
            f"{VARIABLE}={os.environ.get(VARIABLE)!r} cannot be read: {exc.strerror or exc}",
            remedy="set it to a file of certificates in PEM format, or unset it",
        ) from exc


def problem(error: BaseException | None) -> str | None:
    """The remedy for an error of TLS; None for every other error."""
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    if error is None:
        return None
    if not isinstance(error, ssl.SSLCertVerificationError):
        return "if Label Studio is served without TLS, set LABEL_STUDIO_URL to http://..."
    if error.verify_code in NAMES_ANOTHER_HOST:
        return "set LABEL_STUDIO_URL to a name that the certificate is made out to"
    if error.verify_code == EXPIRED:
        return "renew the certificate of Label Studio"
    return (
        f"if the certificate is your own, set {VARIABLE} to its file, or to that of the authority that "
        "signed it"
    )
