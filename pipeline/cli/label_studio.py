"""`wildloop label-studio`"""

from __future__ import annotations

import click

from pipeline.settings import Settings


@click.command("label-studio")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Port of Label Studio. [default: that of the last start, else 8080, or a free one]",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address on which Label Studio listens; 0.0.0.0 opens it to other machines.",
)
@click.option("--alone", is_flag=True, help="Start neither the ML backend nor a worker.")
def label_studio(port: int | None, host: str, alone: bool) -> None:
    """Run Label Studio on this machine, with the ML backend and a worker, until Ctrl-C.

    It has every setting that Wildloop needs, serves the crops of the data folder, and keeps its own data
    there. Other commands with the same data folder find its address and token by themselves. Needs the
    extra `demo`.
    """
    from pipeline.servers import interrupt
    from pipeline.servers.stack import StackOptions, run

    settings = Settings.from_environ()
    interrupt.listen()
    try:
        run(settings, StackOptions(port=port, host=host, alone=alone), say=click.echo)
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
