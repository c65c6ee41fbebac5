# A bot, and whatever needs Freqtrade: its image, the strategy pack, and freqfleet beside it.
#
# `python` is Freqtrade's own, with its own packages: that is what trades. `freqfleet` has an
# environment of its own on top of it, with the versions that the tests ran with.
FROM freqtradeorg/freqtrade:2026.9 AS packages
USER 0
RUN python -m venv --system-site-packages /opt/freqfleet && chown -R 1000 /opt/freqfleet
USER 1000
COPY requirements/bot.txt /tmp/bot.txt
RUN /opt/freqfleet/bin/python -m pip install --no-cache-dir --require-hashes -r /tmp/bot.txt

FROM freqtradeorg/freqtrade:2026.9
USER 0
COPY --from=packages /opt/freqfleet /opt/freqfleet
COPY deploy/docker/freqfleet /usr/local/bin/freqfleet
COPY LICENSE /freqfleet/LICENSE
COPY automation /freqfleet/automation
COPY strategies /freqfleet/strategies
COPY hyperopts /freqfleet/hyperopts
COPY configs /freqfleet/configs
RUN mkdir /freqfleet/user_data && chown 1000 /freqfleet/user_data
ENV PYTHONPATH=/freqfleet/strategies:/freqfleet \
    PYTHONDONTWRITEBYTECODE=1 \
    FREQFLEET_PYTHON=/opt/freqfleet/bin/python
WORKDIR /freqfleet
USER 1000
# The supervisor names the command of each bot; this is for people.
ENTRYPOINT ["freqtrade"]
CMD ["--help"]
