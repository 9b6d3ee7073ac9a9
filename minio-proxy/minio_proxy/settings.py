"""Settings of the proxy, from the environment (``BOXSEEK_*``) and a ``.env`` file.

Variables in the environment win over the file. Every field's description is the text of
the table in docs/settings.md; a test holds the two together.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

MEBIBYTE = 1024 * 1024


class ProxySettings(BaseSettings):
    """What both services need: where to listen, where originals lie, who may see them."""

    model_config = SettingsConfigDict(env_prefix="BOXSEEK_", env_file=".env", extra="ignore")

    host: str = Field(
        "127.0.0.1", description="Address to listen on; anything but loopback needs API keys."
    )
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        8000, description="Port of the search API and page."
    )
    proxy_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        8001, description="Port of `boxseek proxy` when it runs alone."
    )
    allowed_hosts: str = Field(
        "",
        description="Further Host names that requests may carry, comma separated (loopback names and BOXSEEK_HOST always may).",
    )
    cors_origins: str = Field(
        "", description="Web origins allowed to call the services, comma separated; empty: none."
    )
    data_dir: Path = Field(
        Path("data"),
        description="Folder of everything Boxseek keeps: originals, index, models, queries.",
    )
    store: Literal["folder", "s3"] = Field(
        "folder", description="Where originals lie: `folder` (below the data folder) or `s3`."
    )
    s3_endpoint: str = Field("", description="S3 endpoint as URL, e.g. http://127.0.0.1:9000.")
    s3_bucket: str = Field("boxseek", description="Bucket of the originals; made on demand.")
    s3_prefix: str = Field("", description="Prefix of every key inside the bucket.")
    s3_region: str = Field("us-east-1", description="Region of the bucket.")
    s3_access_key: SecretStr = Field(SecretStr(""), description="Access key of the S3 store.")
    s3_secret_key: SecretStr = Field(SecretStr(""), description="Secret key of the S3 store.")
    s3_session_token: SecretStr = Field(
        SecretStr(""), description="Session token of temporary S3 credentials."
    )
    s3_ca_file: str = Field("", description="Own CA certificate file for an S3 endpoint with TLS.")
    s3_path_style: bool = Field(
        True, description="Address buckets by path (MinIO) instead of by host name."
    )
    s3_connect_timeout_s: Annotated[float, Field(gt=0)] = Field(
        5, description="Longest wait for a connection to the S3 store, seconds."
    )
    s3_read_timeout_s: Annotated[float, Field(gt=0)] = Field(
        60, description="Longest silence of the S3 store in mid-answer, seconds."
    )
    s3_connections: Annotated[int, Field(ge=1)] = Field(
        128, description="Idle connections to the S3 store that are kept for the next requests."
    )
    s3_public_endpoint: str = Field(
        "", description="Public URL of the S3 store, for redirects to presigned addresses."
    )
    offload: Literal["off", "redirect", "accel"] = Field(
        "off",
        description="Answer originals by streaming (`off`), a presigned redirect (`redirect`) or X-Accel-Redirect (`accel`).",
    )
    accel_prefix: str = Field("/_originals/", description="Internal nginx location for `accel`.")
    keys_file: Path | None = Field(
        None, description="File of the hashed API keys; default: keys.json in the data folder."
    )
    token_ttl_s: Annotated[int, Field(ge=60)] = Field(
        12 * 3600, description="Life of a login token, seconds."
    )
    link_ttl_s: Annotated[int, Field(ge=60)] = Field(
        6 * 3600, description="Life of a signed picture link, seconds."
    )
    rate_limit_per_minute: Annotated[int, Field(ge=0)] = Field(
        1200, description="Requests a minute and key; 0 or no keys: unlimited."
    )
    max_concurrent_decodes: Annotated[int, Field(ge=1)] = Field(
        4, description="Pictures decoded at once; more wait briefly, then get 429."
    )
    max_bytes: Annotated[int, Field(ge=1)] = Field(
        64 * MEBIBYTE, description="Largest accepted picture file, bytes."
    )
    max_pixels: Annotated[int, Field(ge=1)] = Field(
        50_000_000, description="Most pixels of an accepted picture, known from its header."
    )
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = Field(
        70, description="JPEG and WebP quality of thumbnails and crops."
    )
    thumbnail_memory_mb: Annotated[int, Field(ge=0)] = Field(
        64, description="Memory for thumbnails and crops given out lately, MiB; 0: none."
    )
    proxy_public_url: str = Field(
        "", description="Base of picture addresses in answers; empty: relative addresses."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log line that is written."
    )
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="Log lines as JSON or text; `auto`: text on a terminal."
    )
