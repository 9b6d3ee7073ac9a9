# The search API and the page.
FROM node:24-slim AS page
WORKDIR /page
COPY search-front/package.json search-front/package-lock.json search-front/.npmrc ./
RUN npm ci --no-audit --no-fund
COPY search-front .
RUN npm run build

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
COPY --from=page /page/dist /app/page
USER 10001
ENV BOXSEEK_DATA_DIR=/data BOXSEEK_HOST=0.0.0.0 BOXSEEK_PORT=8000 BOXSEEK_FRONT_DIR=/app/page
EXPOSE 8000
CMD ["boxseek", "serve"]
