# Two stages: what builds the package is not in what runs it.
FROM python:3.11-slim AS build
WORKDIR /build
COPY requirements.txt requirements-build.txt pyproject.toml README.md LICENSE ./
RUN python -m venv /opt/gatepost \
 && /opt/gatepost/bin/pip install --no-cache-dir -r requirements.txt -r requirements-build.txt
COPY src src
RUN /opt/gatepost/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
 && /opt/gatepost/bin/pip uninstall --yes hatchling editables

FROM python:3.11-slim
RUN useradd --system --uid 2525 --home-dir /var/lib/gatepost --shell /usr/sbin/nologin gatepost \
 && install -d -m 0700 -o gatepost -g gatepost /var/lib/gatepost
COPY --from=build /opt/gatepost /opt/gatepost
ENV PATH=/opt/gatepost/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GATEPOST_DATA_DIR=/var/lib/gatepost \
    GATEPOST_SMTP_LISTEN=0.0.0.0:2525
# The admin centre stays inside until it is opened: with a certificate, or as packaging/compose.yaml does.
USER gatepost
VOLUME /var/lib/gatepost
EXPOSE 2525
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8025/healthz', timeout=4)"]
ENTRYPOINT ["gatepost"]
CMD ["serve"]
