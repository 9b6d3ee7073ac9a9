# Originals and thumbnails alone: no torch, no models.
FROM python:3.11-slim-bookworm
WORKDIR /app
COPY infra/constraints.txt infra/
COPY minio-proxy minio-proxy
RUN pip install --no-cache-dir -c infra/constraints.txt ./minio-proxy \
 && useradd --create-home --uid 10001 boxseek && mkdir /data && chown boxseek /data
USER 10001
ENV BOXSEEK_DATA_DIR=/data BOXSEEK_HOST=0.0.0.0 BOXSEEK_PROXY_PORT=8001
EXPOSE 8001
CMD ["python", "-m", "minio_proxy"]
