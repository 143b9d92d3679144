"""What Dockerfile, compose file and the package name is there, and they agree with each other."""

from __future__ import annotations

import fnmatch
import importlib.util
import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path, PurePosixPath
from typing import Any

import click
import yaml
from packaging.requirements import Requirement

from pipeline.cli import COMMANDS, wildloop
from pipeline.servers.label_studio import KEYMAP
from pipeline.settings import VARIABLES
from tests.conftest import unavailable

ROOT = Path(__file__).parents[2]


def instructions(name: str) -> list[str]:
    """The arguments of each instruction of that name in the Dockerfile, its lines joined."""
    text = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text())
    return [line.split(maxsplit=1)[1] for line in text.splitlines() if line.startswith(f"{name} ")]


def position(instruction: str) -> int:
    """Where an instruction of the Dockerfile stands in its text."""
    return (ROOT / "Dockerfile").read_text().index(f"\n{instruction}")


def project() -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def parsed(arguments: list[str]) -> click.Context:
    """The context of a `wildloop` command line; click raises for what it does not know."""
    name, *rest = arguments
    command = wildloop.get_command(click.Context(wildloop), name)
    assert command is not None, f"{name} is no command"
    return command.make_context(name, rest)


def read_by_settings() -> set[str]:
    return {variable.name for variable in VARIABLES.values()}


def test_the_dockerfile_copies_what_is_there_and_reaches_the_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    admitted = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    copied = []
    for arguments in instructions("COPY"):
        if not arguments.startswith("--from"):
            copied += shlex.split(arguments)[:-1]
    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert any(fnmatch.fnmatch(source, pattern) for pattern in admitted), f"{source} is kept out"


def test_the_image_has_all_that_the_project_is_built_from() -> None:
    metadata = project()["project"]
    build = project()["tool"]["hatch"]["build"]
    wheel = build["targets"]["wheel"]
    needed = [*wheel["packages"], *wheel["force-include"], *metadata["license-files"]]
    needed += [metadata["readme"], "pyproject.toml"]
    needed += [build["hooks"]["custom"].get("path", "hatch_build.py")]
    copied = " ".join(instructions("COPY")).split()
    assert [name for name in needed if name not in copied] == []


def test_the_image_installs_dependencies_before_it_copies_sources() -> None:
    """So that a changed source leaves the layer of the dependencies, gigabytes, as it is."""
    dependencies = position("RUN set --; for extra in $EXTRAS")
    assert position("COPY pyproject.toml ./") < dependencies
    sources = list(project()["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    for copied in ["README.md", *sources]:
        assert dependencies < position(f"COPY {copied}")
    assert position("COPY pipeline") < position("RUN uv pip install --no-deps .")
    assert instructions("COPY")[0].split() == ["pyproject.toml", "./"]


def test_the_image_is_for_the_cpu_unless_told_otherwise_and_takes_any_extra() -> None:
    arguments = dict(argument.split("=") for argument in instructions("ARG"))
    extras = project()["project"]["optional-dependencies"]
    assert arguments["TORCH_BACKEND"] == "cpu"
    assert set(arguments["EXTRAS"].split()) <= extras.keys()
    assert "UV_TORCH_BACKEND=$TORCH_BACKEND" in " ".join(instructions("ENV")).split()
    (install,) = [command for command in instructions("RUN") if "--requirements" in command]
    echo = install.replace("uv pip install", "echo")
    for chosen, options in (("", ""), ("weights", "--extra weights"), ("a b", "--extra a --extra b")):
        done = subprocess.run(
            ["sh", "-c", echo], env={"EXTRAS": chosen}, capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == ["--requirements", "pyproject.toml", *options.split()]
    built = compose()["services"]["backend"]["build"]
    assert built["args"] == {name: f"${{{name}:-{default}}}" for name, default in arguments.items()}


def test_no_development_tool_is_installed_in_the_image() -> None:
    for command in instructions("RUN"):
        assert "--group" not in command
        assert "uv sync" not in command


def test_label_studios_packages_have_an_upper_bound() -> None:
    metadata = project()["project"]
    stated = [*metadata["dependencies"], *metadata["optional-dependencies"]["demo"]]
    bounds = {
        requirement.name: [each.operator for each in requirement.specifier]
        for requirement in map(Requirement, stated)
    }
    for name in ("label-studio", "label-studio-sdk", "label-studio-ml"):
        assert "<" in bounds[name], name
    image = compose()["services"]["label-studio"]["image"]
    (server,) = [text for text in stated if text.startswith("label-studio>")]
    assert Requirement(server).specifier.contains(image.partition(":")[2])


def test_the_same_key_submits_under_docker_and_on_one_machine() -> None:
    assert compose()["services"]["label-studio"]["environment"]["EDITOR_KEYMAP"] == KEYMAP


def test_every_package_whose_pins_uv_overrides_is_required_in_its_current_release() -> None:
    """So that an installer that cannot override refuses, and `wildloop doctor` notices old releases."""
    overridden = {Requirement(text).name: text for text in project()["tool"]["uv"]["override-dependencies"]}
    required = {Requirement(text).name: text for text in project()["project"]["dependencies"]}
    for name in ("flask", "werkzeug", "jinja2"):
        assert required[name] == overridden[name]


def test_no_registry_is_named_in_the_project_file() -> None:
    assert not re.search(r"https?://", (ROOT / "pyproject.toml").read_text())


def test_the_image_runs_a_real_command_on_the_port_it_exposes_and_checks() -> None:
    entry, command = json.loads(instructions("ENTRYPOINT")[0]), json.loads(instructions("CMD")[0])
    assert entry == ["wildloop"]
    port = parsed(command).params["port"]
    assert instructions("EXPOSE") == [str(port)]
    assert f"http://127.0.0.1:{port}/health" in instructions("HEALTHCHECK")[0]
    assert instructions("USER") == ["wildloop"]


def test_the_image_keeps_its_data_where_the_settings_look() -> None:
    (volume,) = instructions("VOLUME")
    assert f"WILDLOOP_DATA_DIR={volume}" in " ".join(instructions("ENV")).split()
    for name in re.findall(r"\b(WILDLOOP_[A-Z_]+)=", " ".join(instructions("ENV"))):
        assert name in read_by_settings()


def test_compose_runs_real_commands_with_variables_that_settings_read() -> None:
    services = compose()["services"]
    for name in ("backend", "worker"):
        parsed(services[name]["command"])
        assert set(services[name]["environment"]) <= read_by_settings()


def test_compose_needs_every_secret_and_has_no_default_for_one() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    variables = re.findall(r"\$\{([A-Z_]+)(:?[-?])?", text)
    assert variables
    for name, operator in variables:
        if re.search("PASSWORD|SECRET|KEY|TOKEN", name):
            assert operator == ":?", name
    for service in compose()["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|API_KEY|USER_TOKEN|AUTH$", name):
                assert value.startswith("${"), name


def test_compose_addresses_point_at_services_and_their_ports() -> None:
    services = compose()["services"]
    environ = services["backend"]["environment"]
    port = parsed(services["backend"]["command"]).params["port"]
    assert environ["WILDLOOP_BACKEND_URL"] == f"http://backend:{port}"
    assert services["backend"]["expose"] == [str(port)]
    label_studio = services["label-studio"]
    listens = label_studio["command"][label_studio["command"].index("--port") + 1]
    assert environ["LABEL_STUDIO_URL"] == f"http://label-studio:{listens}"
    assert all(mapping.endswith(f":{listens}") for mapping in label_studio["ports"])
    assert f":{listens}/health" in " ".join(label_studio["healthcheck"]["test"])
    assert "@postgres:5432/" in environ["WILDLOOP_DATABASE_URL"]
    assert "@redis:6379/" in environ["REDIS_URL"]
    for service in services.values():
        for needed, how in service.get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}
            assert "test" in services[needed]["healthcheck"]


def test_compose_mounts_declared_volumes_where_they_are_read() -> None:
    loaded = compose()
    services = loaded["services"]
    for service in services.values():
        for mount in service.get("volumes", []):
            source = re.sub(r"\$\{[^}]*\}", "$", mount).split(":")[0]
            assert source == "$" or source in loaded["volumes"], mount
        for config in service.get("configs", []):
            assert config["source"] in loaded["configs"]
    data = services["backend"]["environment"]["WILDLOOP_DATA_DIR"]
    assert f"data:{data}" in services["backend"]["volumes"]
    assert f"data:{data}:ro" in services["label-studio"]["volumes"]
    root = services["label-studio"]["environment"]["LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"]
    assert PurePosixPath(root) in PurePosixPath(data).parents  # never the folder itself


def test_label_studio_reads_every_variable_that_we_set_for_it() -> None:
    from pipeline.local_label_studio import fresh_account
    from pipeline.servers import label_studio

    spec = importlib.util.find_spec("label_studio")
    if spec is None or spec.origin is None:
        unavailable("label-studio is not installed", "run the tests with `uv run --extra demo pytest`")
    source = "\n".join(
        path.read_text(errors="replace")
        for path in Path(spec.origin).parent.rglob("*.py")
        if "/migrations/" not in path.as_posix() and "/tests/" not in path.as_posix()
    )
    demo = label_studio.environ(
        fresh_account("a@example.org"), url="http://localhost:1", data_dir=ROOT, served_dir=ROOT
    )
    ours = {
        name
        for name in demo
        if re.match(
            "LABEL_STUDIO_|POSTGRE_|DJANGO_|ML_|SSRF_|fflag|SENTRY|FRONTEND_SENTRY|COLLECT|LATEST", name
        )
    }
    ours |= set(compose()["services"]["label-studio"]["environment"])
    unread = {
        name
        for name in ours
        if not re.search(rf"['\"](LABEL_STUDIO_)?{name.removeprefix('LABEL_STUDIO_')}['\"]", source)
    }
    assert unread == set()


def test_help_loads_no_heavy_library() -> None:
    heavy = "torch torchvision sklearn skimage onnxruntime label_studio_sdk numpy sqlalchemy flask PIL"
    code = (
        "import sys; from click.testing import CliRunner; from pipeline.cli import wildloop;"
        "result = CliRunner().invoke(wildloop, ['--help']); assert result.exit_code == 0, result;"
        f"print([name for name in '{heavy}'.split() if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_of_every_command_loads_no_torch() -> None:
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from pipeline.cli import wildloop\n"
        f"for name in {list(COMMANDS)}:\n"
        "    result = CliRunner().invoke(wildloop, [name, '--help'])\n"
        "    print(name, result.exit_code, *({'torch', 'sklearn'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{name} 0" for name in COMMANDS]
