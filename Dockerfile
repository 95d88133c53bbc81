# One image for every role: `docker run IMAGE --role=worker`.

FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/myapp
ENV PATH=/opt/myapp/bin:$PATH
COPY requirements.lock .
RUN pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md ./
COPY myapp myapp
COPY migrations migrations
RUN pip install --no-cache-dir --no-deps --no-build-isolation . \
    && pip uninstall --yes pip hatchling editables

FROM python:3.13-slim
RUN useradd --system --uid 10001 --create-home --home-dir /data myapp
COPY --from=build /opt/myapp /opt/myapp
ENV PATH=/opt/myapp/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    APP_ENV=production \
    DATA_DIR=/data \
    HEALTH_PORT=8081
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8000 8081 50051
# Every role answers on HEALTH_PORT, also those without HTTP.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD \
    ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:%s/health' % os.environ['HEALTH_PORT'], timeout=2)"]
ENTRYPOINT ["myapp"]
