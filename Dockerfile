# Targets: light (no TensorFlow), train, and worker (what Apache Beam's runners start). See docs/pipelines.md.
FROM python:3.12.12-slim-bookworm AS wheel
WORKDIR /source
COPY . .
RUN pip wheel --no-cache-dir --no-deps --constraint constraints.txt --wheel-dir /wheel .

FROM python:3.12.12-slim-bookworm AS base
ENV PYTHONUNBUFFERED=1
RUN useradd --create-home --uid 1000 tfrec
COPY constraints.txt /opt/tfrec/constraints.txt
COPY --from=wheel /wheel /opt/tfrec/wheel
WORKDIR /data

FROM base AS light
RUN pip install --no-cache-dir --constraint /opt/tfrec/constraints.txt /opt/tfrec/wheel/*.whl
USER 1000
ENTRYPOINT ["tfrec"]

FROM base AS train
RUN pip install --no-cache-dir --constraint /opt/tfrec/constraints.txt \
    "tfrec-tools[train,onnx] @ file://$(echo /opt/tfrec/wheel/*.whl)"
USER 1000
ENTRYPOINT ["tfrec"]

FROM base AS worker
RUN pip install --no-cache-dir --constraint /opt/tfrec/constraints.txt \
    "tfrec-tools[beam] @ file://$(echo /opt/tfrec/wheel/*.whl)"
COPY --from=apache/beam_python3.12_sdk:2.77.0 /opt/apache/beam /opt/apache/beam
USER 1000
ENTRYPOINT ["/opt/apache/beam/boot"]
