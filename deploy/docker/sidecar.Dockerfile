# The supervisor, the simulator and the filter before the Docker socket: everything but Freqtrade.
FROM python:3.11-slim-bookworm AS packages
RUN python -m venv /opt/freqfleet
COPY requirements/sidecar.txt /tmp/sidecar.txt
RUN /opt/freqfleet/bin/python -m pip install --no-cache-dir --require-hashes -r /tmp/sidecar.txt

FROM python:3.11-slim-bookworm
RUN useradd --uid 1000 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin freqfleet
COPY --from=packages /opt/freqfleet /opt/freqfleet
COPY deploy/docker/freqfleet /usr/local/bin/freqfleet
COPY LICENSE /freqfleet/LICENSE
COPY automation /freqfleet/automation
COPY strategies /freqfleet/strategies
COPY configs /freqfleet/configs
ENV PYTHONPATH=/freqfleet:/freqfleet/strategies \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    FREQFLEET_PYTHON=/opt/freqfleet/bin/python
WORKDIR /freqfleet
USER 1000:1000
ENTRYPOINT ["freqfleet"]
CMD ["--help"]
