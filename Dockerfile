# The backend, the worker and the `wildloop` command in one image.
FROM python:3.12-slim AS build

RUN pip install --no-cache-dir uv
WORKDIR /src
COPY pyproject.toml README.md LICENSE label_config.xml ./
COPY backend backend
COPY importers importers
COPY pipeline pipeline
COPY wildloop wildloop
# uv, not pip: pyproject.toml lifts the web stack of 2021 that label-studio-ml pins.
ENV UV_PROJECT_ENVIRONMENT=/opt/wildloop UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
RUN uv sync --no-dev --no-editable

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
