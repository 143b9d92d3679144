"""`wildloop serve`"""

from __future__ import annotations

import click

from pipeline.settings import Settings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=9090, show_default=True, help="Port to listen on."
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="Number of processes, each with 4 threads.",
)
def serve(host: str, port: int, workers: int) -> None:
    """Run the ML backend, which Label Studio asks for predictions.

    Every address but /health requires basic auth (WILDLOOP_BASIC_AUTH_USER, WILDLOOP_BASIC_AUTH_PASSWORD),
    and /webhook the secret WILDLOOP_WEBHOOK_SECRET. Those that are not set are generated once, in
    secrets.json of the data folder, where `wildloop project create` reads them.
    """
    from backend.server import serve as serve_backend

    serve_backend(Settings.from_environ(), host=host, port=port, workers=workers)
