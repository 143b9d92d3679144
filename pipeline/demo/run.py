"""The demo: all servers on this machine, and the whole loop from photographs to a queue that learns."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.demo.folder import DemoError, DemoState, occupied, read_state, write_state
from pipeline.demo.scenes import scene_set
from pipeline.demo.simulated_annotator import SimulatedAnnotator
from pipeline.demo.simulated_labelling import NewVersions, simulate_labels, wait_until_trained
from pipeline.demo.truth import Truth, read_truth
from pipeline.embedders import Embedder
from pipeline.identity import digest
from pipeline.label_studio.connection import Connection
from pipeline.label_studio.species import SpeciesList, read_species
from pipeline.render.embedding import embed_report
from pipeline.render.importing import import_report
from pipeline.render.labelling import stock_report
from pipeline.servers import label_studio
from pipeline.servers.processes import INSTALL, Servers, executable, free_port, port_is_free
from pipeline.settings import Settings, child_environ
from pipeline.steps.embedding.use import use_embedder
from pipeline.steps.labelling.project import create_project, known_project
from pipeline.steps.labelling.refresh import lacks_order, refresh
from pipeline.steps.labelling.stock import top_up
from pipeline.store import candidates, embeddings, projects
from pipeline.workspace import Workspace, open_workspace

START_SECONDS = 300.0  # longest start of a server; Label Studio takes 6 to 30 s on an idle machine
WATCH_SECONDS = 1.0
TITLE = "Wildloop demo"

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """The options of the command line; None means as in the last start in this folder, or the default."""

    folder: Path
    photos: Path | None = None
    detections: Path | None = None  # MegaDetector results for `photos`
    detector: str | None = None  # a specification
    species: Path | None = None
    truth: Path | None = None
    embedder: str | None = None  # a specification
    port: int | None = None  # of Label Studio
    labels: int | None = None  # from the simulated annotator; None: there is none
    leave: bool = False  # end when a version is trained on these labels


@dataclass(frozen=True, kw_only=True)
class _Source:
    """The photographs of this demo."""

    photos: Path
    detections: Path | None
    detector: str
    species: SpeciesList
    truth: Truth | None


def run(options: DemoOptions, say: Say) -> None:
    """Start everything and run until interrupted, or with `leave` until a version is trained on the labels.

    Raises WildloopError if a server cannot be started or ends, or a step fails or takes too long. All
    servers are stopped first.
    """
    folder = options.folder.expanduser().resolve()
    with occupied(folder):
        state = prepare_state(folder, options)
        with Servers(folder / "logs") as servers:
            _run(folder, state, options, servers, say)


def _run(folder: Path, state: DemoState, options: DemoOptions, servers: Servers, say: Say) -> None:
    url = f"http://localhost:{state.label_studio_port}"
    say(f"starting Label Studio in the background (logs in {folder / 'logs'})")
    servers.start(
        "label-studio",
        label_studio.command(state.label_studio_port or 0),
        label_studio.environ(state.account, url=url, data_dir=folder / "label-studio", served_dir=folder),
    )
    source = _source(folder, state, say)
    workspace = open_workspace(Settings.from_environ(_environ(folder, state)).with_secrets())
    embedder = _fill(workspace, source, options.embedder, say)
    state = state.updated(embedder=embedder.manifest["spec"])  # the next start keeps what `auto` chose
    write_state(folder, state)
    servers.check()

    environ = _environ(folder, state)
    program = executable("wildloop", remedy=INSTALL)
    serve = [program, "serve", "--port", str(state.backend_port), "--workers", "1"]
    say("waiting for the ML backend and Label Studio")
    servers.start("backend", serve, environ)
    servers.wait_until_up(f"{workspace.settings.backend_url}/health", seconds=START_SECONDS)
    servers.wait_until_up(f"{url}/health", seconds=START_SECONDS)
    project_id = _project(workspace, source, embedder, say)
    servers.start("worker", [program, "worker"], environ)
    say(
        f"\n  {url}/projects/{project_id}/data\n  log in as {state.user} with the password {state.password}\n"
    )
    watch = NewVersions(workspace, project_id, source.truth, say)
    if options.labels is not None:
        if source.truth is None:
            raise DemoError("the simulated annotator needs the true labels", remedy="give --truth FILE")
        connection = Connection(url, state.token)
        annotator = SimulatedAnnotator(workspace.database, connection, project_id, source.truth)
        simulate_labels(workspace, servers, annotator, project_id, options.labels, watch, say)
        wait_until_trained(workspace, servers, annotator, project_id, watch, say)
        if options.leave:
            return
    say("Ctrl-C stops everything; the same command continues here.")
    while True:
        servers.check()
        watch.look()
        time.sleep(WATCH_SECONDS)


def prepare_state(folder: Path, options: DemoOptions) -> DemoState:
    """The folder's state, changed by the options, with ports that are free now."""
    state = read_state(folder)
    if options.port is not None and not port_is_free(options.port):
        raise DemoError(f"port {options.port} is taken", remedy="choose another --port, or none")
    if options.photos is not None and _absolute(options.photos) != state.photos:  # the rest is of the others
        state = DemoState(user=state.user, password=state.password, token=state.token)
    state = state.updated(
        photos=_absolute(options.photos),
        detections=_absolute(options.detections),
        detector=options.detector,
        species=_absolute(options.species),
        truth=_absolute(options.truth),
        embedder=options.embedder,
        label_studio_port=options.port or free_port(state.label_studio_port),
    )
    state = state.updated(backend_port=free_port(state.backend_port))
    write_state(folder, state)
    return state


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.expanduser().resolve())


def _environ(folder: Path, state: DemoState) -> dict[str, str]:
    """The environment from which the backend, the worker and this process read their settings."""
    changes = {
        "WILDLOOP_DATA_DIR": str(folder / "data"),
        "WILDLOOP_REDIS_PREFIX": f"wildloop-demo-{digest(str(folder), size=4)}",
        "WILDLOOP_BACKEND_URL": f"http://localhost:{state.backend_port}",
        "LABEL_STUDIO_URL": f"http://localhost:{state.label_studio_port}",
        "LABEL_STUDIO_API_KEY": state.token,
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(folder),
    }
    if state.embedder is not None:
        changes["WILDLOOP_EMBEDDER"] = state.embedder
    return child_environ(changes)


def _source(folder: Path, state: DemoState, say: Say) -> _Source:
    truth = None if state.truth is None else read_truth(Path(state.truth))
    if state.photos is None:
        if not scene_set.is_rendered(folder / "scenes"):
            say("rendering photographs like those of a camera trap")
        scenes = scene_set.render(folder / "scenes")
        return _Source(
            photos=scenes.photos,
            detections=scenes.results,
            detector="",
            species=read_species(scenes.species),
            truth=truth or read_truth(scenes.truth),
        )
    if state.species is not None:
        species = read_species(Path(state.species))
    elif truth is not None:
        species = SpeciesList(names=truth.names)
    else:
        raise DemoError("no species list", remedy="give --species FILE, with one species a line")
    if state.detections is None and state.detector is None:
        say("no --detections and no --detector: each photograph is labelled as a whole")
    return _Source(
        photos=Path(state.photos),
        detections=None if state.detections is None else Path(state.detections),
        detector=state.detector or "whole-frame",
        species=species,
        truth=truth,
    )


def _fill(workspace: Workspace, source: _Source, spec: str | None, say: Say) -> Embedder:
    """Import and embed, with the embedder `spec` if this start names one; returns the embedder."""
    from importers.detectors import load_detector
    from importers.sources.folder import import_folder
    from importers.sources.megadetector import import_results
    from pipeline.steps.embedding.embed import embed

    if source.detections is not None:
        report = import_results(workspace, source.detections, source.photos, progress=True)
    else:
        detector = load_detector(source.detector)
        report = import_folder(workspace, source.photos, detector, progress=True)
    say(import_report(report))
    say("loading the embedder")
    embedder = _embedder(workspace, spec)
    embedded = embed(workspace, embedder, progress=True)
    say(embed_report(embedded))
    return embedder


def _embedder(workspace: Workspace, spec: str | None) -> Embedder:
    """The embedder that this start names, else the project's, which may differ from the last start's."""
    from pipeline.embedders import load, reload

    data_dir = workspace.data_dir
    with workspace.database.read() as conn:
        used = [embeddings.get_embedder(conn, project.embedder) for project in projects.all(conn)]
    if spec is None and used:
        return reload(used[0].id, used[0].manifest, data_dir=data_dir)
    return load(spec or workspace.settings.embedder, data_dir=data_dir)


def _project(workspace: Workspace, source: _Source, embedder: Embedder, say: Say) -> int:
    """Create or update the Label Studio project, and top its stock up; returns its id."""
    client = workspace.label_studio()
    known = known_project(workspace, client, TITLE, None)
    if known is not None:
        moved = use_embedder(workspace, embedder, known.id)
        if moved is not None:
            say(f"  embedder: {moved.embedder} instead of {moved.former}")
    say("creating the project in Label Studio" if known is None else "checking the project in Label Studio")
    project, changes = create_project(
        workspace, client, title=TITLE, species=source.species, embedder_id=embedder.id
    )
    for change in changes:
        say(f"  {change}")
    with workspace.database.read() as conn:
        if not candidates.count(conn):
            raise DemoError("there is nothing to label", remedy="use photographs with animals")
    if lacks_order(workspace, project.id):
        report = refresh(workspace, project.id).stock
    else:
        report = top_up(workspace, client, project.id)
    say(stock_report(report))
    return project.id
