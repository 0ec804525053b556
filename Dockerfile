# A worker (and the command line) of fusionq. The layer with torch comes first: it changes seldom.
FROM python:3.12-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/fusionq
ENV PATH=/opt/fusionq/bin:$PATH
ARG TORCH="torch torchvision"
RUN --mount=type=cache,target=/root/.cache/pip pip install $TORCH
COPY pyproject.toml README.md LICENSE /src/
COPY fusionq /src/fusionq
RUN --mount=type=cache,target=/root/.cache/pip pip install '/src[worker]'

FROM python:3.12-slim
RUN useradd --create-home --uid 1000 fusionq \
    && install -d -o fusionq -g fusionq /runs /data /work
COPY --from=build /opt/fusionq /opt/fusionq
COPY --chown=fusionq jobs /work/jobs
ENV PATH=/opt/fusionq/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    FUSIONQ_RUNS=/runs \
    FUSIONQ_DATA=/data
USER 1000:1000
WORKDIR /work
# SIGTERM lets running jobs save their state and go back to the queue.
STOPSIGNAL SIGTERM
ENTRYPOINT ["fusionq"]
CMD ["worker"]
