# Plixo's processes. The code runs from its checkout in /app, since templates and policies are read from it by path.
#
#   docker build --target plixo --tag plixo .        the worker and the commands
#   docker build --target web --tag plixo-web .      the console, with its healthcheck

FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/plixo
COPY requirements.lock /app/
RUN /opt/plixo/bin/python -m pip install --require-hashes -r /app/requirements.lock
COPY . /app
RUN /opt/plixo/bin/python -m pip install --no-deps --no-build-isolation --editable /app \
    && /opt/plixo/bin/python -m compileall -q /app

FROM python:3.11-slim AS plixo
# pg_dump and pg_restore, for `plixo backup` and `plixo restore`.
RUN apt-get update && apt-get install -y --no-install-recommends postgresql-client && rm -rf /var/lib/apt/lists/*
# An empty volume takes the owner of the folder it is mounted on, so the key folders are made here.
RUN useradd --system --uid 10001 --home-dir /var/lib/plixo --shell /usr/sbin/nologin plixo \
    && install -d -o plixo -g plixo -m 0700 /var/lib/plixo /var/lib/plixo/keys \
       /var/lib/plixo/public /var/lib/plixo/payload
COPY --from=build /opt/plixo /opt/plixo
COPY --from=build /app /app
ENV PATH=/opt/plixo/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PLIXO_DATA=/var/lib/plixo
WORKDIR /app
USER plixo
ENTRYPOINT ["plixo"]
CMD ["--help"]

FROM plixo AS web
# Without curl in the image, and without whatever proxy the environment names.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import http.client, sys; c = http.client.HTTPConnection('127.0.0.1', 8321, timeout=4); c.request('GET', '/readyz'); sys.exit(c.getresponse().status != 200)"]
EXPOSE 8321
CMD ["web", "--host", "0.0.0.0", "--port", "8321"]
