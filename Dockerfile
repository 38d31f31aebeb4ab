# docker build --target cpu -t semcore:cpu .      docker build --target gpu -t semcore:gpu .

FROM python:3.11-slim-bookworm AS cpu
ENV PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1 SEMCORE_HOST=0.0.0.0 SEMCORE_BUNDLE=/data/bundle \
    SEMCORE_JOURNAL=/journal SEMCORE_EXIT_WHEN_LOST=1
# g++ compiles the kernels that torch generates; tcmalloc and OpenMP are what vLLM's CPU build uses.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++=4:12.* libgomp1=12.* libnuma1=2.0.* \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
# torch without a hash, because its wheel for CPUs is taken from different places.
RUN pip install --no-compile torch==2.13.0
COPY deploy/requirements/cpu.txt ./
RUN pip install --no-compile --no-deps --require-hashes --requirement cpu.txt \
    && useradd --create-home --uid 10001 semcore \
    && install --directory --owner semcore /journal /pictures
COPY pyproject.toml README.md ./
COPY cli cli
COPY offline offline
COPY semcore semcore
COPY service service
RUN pip install --no-compile --no-deps --no-build-isolation .
VOLUME ["/journal", "/pictures"]
USER semcore
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=180s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz')"]
CMD ["semcore", "serve"]

FROM vllm/vllm-openai:v0.32.0 AS gpu
ENV PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1 SEMCORE_HOST=0.0.0.0 SEMCORE_BUNDLE=/data/bundle \
    SEMCORE_JOURNAL=/journal SEMCORE_EXIT_WHEN_LOST=1
WORKDIR /app
COPY deploy/requirements/gpu.txt ./
RUN pip install --no-compile --no-deps --require-hashes --requirement gpu.txt \
    && useradd --create-home --uid 10001 semcore \
    && install --directory --owner semcore /journal /pictures
COPY pyproject.toml README.md ./
COPY cli cli
COPY offline offline
COPY semcore semcore
COPY service service
# vLLM's image has the rest; with their requirements, what it has too old is replaced.
RUN pip install --no-compile '.[offline,service,small]'
VOLUME ["/journal", "/pictures"]
USER semcore
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=600s --retries=3 \
    CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz')"]
ENTRYPOINT []
CMD ["semcore", "serve"]
