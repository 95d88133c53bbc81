# One image for every role: `docker run IMAGE --role=worker`.
# The minor version and the distribution are pinned; a rebuild takes in their security fixes.
ARG BASE=python:3.13-slim-trixie

FROM ${BASE} AS build
WORKDIR /src
RUN python -m venv /opt/myapp
ENV PATH=/opt/myapp/bin:$PATH
# First what seldom changes: a change of the code leaves this layer as it is.
COPY requirements.lock .
RUN pip install --no-cache-dir --require-hashes --no-deps --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY myapp myapp
COPY migrations migrations
RUN pip install --no-cache-dir --no-deps --no-build-isolation . \
    && pip uninstall --yes pip hatchling editables

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="myapp" \
      org.opencontainers.image.description="HTTP API with live events, workers, scheduler and gRPC" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# By numbers, so that Kubernetes can tell that it is not root.
RUN groupadd --system --gid 10001 myapp \
    && useradd --system --uid 10001 --gid 10001 --create-home --home-dir /data myapp
COPY --from=build /opt/myapp /opt/myapp
ENV PATH=/opt/myapp/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    APP_ENV=production \
    DATA_DIR=/data \
    HEALTH_PORT=8081
USER 10001:10001
WORKDIR /data
# All that is ever written is here and in /tmp: `docker run --read-only --tmpfs /tmp IMAGE`.
VOLUME /data
EXPOSE 8000 8081 50051
# Every role answers on HEALTH_PORT, also those without HTTP. Kubernetes has probes instead.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD \
    ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:%s/health' % os.environ['HEALTH_PORT'], timeout=2)"]
ENTRYPOINT ["myapp"]
