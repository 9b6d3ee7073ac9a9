# Keeps the index in step with the folder or bucket that BOXSEEK_INGEST_SRC names.
FROM python:3.11-slim-bookworm
WORKDIR /app
ARG TORCH_CPU_INDEX=https://download.pytorch.org/whl/cpu
COPY infra/constraints.txt infra/overrides.txt infra/
COPY minio-proxy minio-proxy
COPY embedding-pipeline embedding-pipeline
RUN pip install --no-cache-dir -c infra/constraints.txt uv \
 && uv pip install --system --no-cache --no-deps -c infra/constraints.txt \
      --index-url "$TORCH_CPU_INDEX" torch torchvision \
 && uv pip install --system --no-cache -c infra/constraints.txt --overrides infra/overrides.txt \
      ./minio-proxy ./embedding-pipeline \
 && useradd --create-home --uid 10001 boxseek && mkdir /data && chown boxseek /data
USER 10001
ENV BOXSEEK_DATA_DIR=/data BOXSEEK_INGEST_SRC=/pictures
ENTRYPOINT ["boxseek"]
CMD ["ingest", "/pictures"]
