# The backend, the worker and the `wildloop` command in one image.
#
#   docker build --tag wildloop .                                                            CPU
#   docker build --tag wildloop --build-arg TORCH_BACKEND=cu128 --build-arg EXTRAS="weights megadetector" .
FROM python:3.12-slim AS build

# The build of torch, as `uv pip install --torch-backend` names it: cpu, or a release of CUDA such as cu128.
ARG TORCH_BACKEND=cpu
# Extras of pyproject.toml, separated by spaces. `weights` are pretrained embeddings without a download.
ARG EXTRAS=weights

ENV VIRTUAL_ENV=/opt/wildloop UV_TORCH_BACKEND=$TORCH_BACKEND UV_PYTHON_DOWNLOADS=never \
    UV_NO_CACHE=1 UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
RUN pip install --no-cache-dir uv && uv venv $VIRTUAL_ENV
WORKDIR /src
# The dependencies have a layer of their own: a change of the sources below does not install them again.
# uv, not pip: pyproject.toml overrides the web stack of 2021 that label-studio-ml pins.
COPY pyproject.toml ./
RUN set --; for extra in $EXTRAS; do set -- "$@" --extra "$extra"; done; \
    uv pip install --requirements pyproject.toml "$@"
COPY README.md LICENSE label_config.xml hatch_build.py ./
COPY backend backend
COPY importers importers
COPY pipeline pipeline
COPY wildloop wildloop
RUN uv pip install --no-deps .

FROM python:3.12-slim

RUN useradd --uid 1000 --create-home wildloop \
    && install -d -o wildloop -g wildloop /srv/wildloop/data
COPY --from=build /opt/wildloop /opt/wildloop
ENV PATH=/opt/wildloop/bin:$PATH PYTHONUNBUFFERED=1 WILDLOOP_DATA_DIR=/srv/wildloop/data
USER wildloop
WORKDIR /srv/wildloop
VOLUME /srv/wildloop/data
EXPOSE 9090
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9090/health', timeout=4)"]
ENTRYPOINT ["wildloop"]
CMD ["serve", "--host", "0.0.0.0", "--port", "9090"]
