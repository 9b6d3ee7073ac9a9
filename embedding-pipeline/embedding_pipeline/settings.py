"""Settings of the whole product; those of the proxy come from minio_proxy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, SecretStr, model_validator

from minio_proxy.settings import MEBIBYTE, ProxySettings

QUALITIES: Final[dict[str, dict[str, Any]]] = {
    "plain": {
        "detector_input_size": 736,
        "score_floor": 0.25,
        "nms_iou": 0.7,
        "pooling": "own",
    },
    "default": {},
    "best": {
        "detector_input_size": 736,
        "further_sizes": "960,1280",
        "detector_tiles": 16,
        "score_floor": 0.055,
        "nms_iou": 0.7,
        "flip_average": True,
    },
}
"""What each quality sets where the settings do not say otherwise (docs/quality.md has figures)."""


class Settings(ProxySettings):
    """Models, index, search and ingest, beside what the proxy needs."""

    models: Literal["auto", "hub", "packaged"] = Field(
        "auto",
        description="Where default weights come from when an index is created: the hubs, the packages, or whichever can be reached.",
    )
    detector: str = Field("", description="Ultralytics model name or path; empty: yolo11n.")
    embedder: str = Field(
        "",
        description="timm model name or path to a description; empty: vit_base_patch16_224 from the hub, tf_efficientnet_lite0 packaged.",
    )
    models_dir: Path | None = Field(
        None,
        description="Folder of weights, looked at first and filled by downloads; default: models in the data folder.",
    )
    hub_endpoint: str = Field(
        "",
        description="Base URL of the hub for timm weights; empty: the public one (HF_ENDPOINT is honoured).",
    )
    detector_release_url: str = Field(
        "", description="Base URL of the Ultralytics release files; empty: the public one."
    )
    hub_connect_timeout_s: Annotated[float, Field(gt=0)] = Field(
        3.0, description="How long to wait for a hub to answer at all, seconds."
    )
    trusted_sha256: str = Field(
        "",
        description="Further SHA-256 sums of pickled weights that may be loaded, comma separated.",
    )
    quality: Literal["plain", "default", "best"] = Field(
        "default",
        description="What is spent on finding things; sets those of the next settings that are not given, up to `pooling` (when an index is created).",
    )
    detector_input_size: Annotated[int, Field(ge=160, le=4096)] = Field(
        800, description="Longer side of the detector's input, pixels (when an index is created)."
    )
    score_floor: Annotated[float, Field(ge=0.001, lt=1)] = Field(
        0.1, description="Detections below this score are not kept (when an index is created)."
    )
    nms_iou: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.55,
        description="Boxes of one class that overlap more are one object (when an index is created).",
    )
    further_sizes: str = Field(
        "",
        pattern=r"^(\d{3,4}(,\d{3,4})*)?$",
        description="Longer sides of further detector runs on each picture, whose boxes are joined, comma separated (when an index is created).",
    )
    detector_flip: bool = Field(
        False,
        description="Repeat every detector run on the mirrored picture (when an index is created).",
    )
    detector_tiles: Annotated[int, Field(ge=0, le=64)] = Field(
        0,
        description="Most tiles of a large picture that are looked at one by one beside the whole, for small objects; 0: none (when an index is created).",
    )
    detector_input: Literal["auto", "rectangle", "square"] = Field(
        "auto",
        description="What a picture is padded to for the detector: the smallest rectangle (the least to compute), a square (pictures of any shape share a batch), or a square where the detector runs on a GPU (when an index is created).",
    )
    join_iou: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.6,
        description="Boxes of one class from different runs that overlap more are one object (when an index is created).",
    )
    flip_average: bool = Field(
        False,
        description="Average the vectors of a crop and its mirror image, at twice the embedder's time (when an index is created).",
    )
    pooling: Literal["own", "gem", "rmac"] = Field(
        "rmac",
        description="How a convolutional embedder's positions become one vector; others keep their own way (when an index is created).",
    )
    class_agnostic_iou: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0,
        description="Boxes of any classes that overlap more are one object; 0: two classes may share a box (when an index is created).",
    )
    min_side: Annotated[float, Field(ge=0)] = Field(
        0.0,
        description="Objects with a shorter side, pixels of the picture, are not kept (when an index is created).",
    )
    dimensions: Annotated[int, Field(ge=0, le=4096)] = Field(
        0,
        description="Length of a vector, by a projection learned on your own pictures; 0: the embedder's own (when an index is created).",
    )
    max_objects: Annotated[int, Field(ge=1, le=999)] = Field(
        100, description="Objects kept a picture (when an index is created)."
    )
    crop_rule: Literal["letterbox", "squash", "center"] = Field(
        "letterbox",
        description="How a box becomes the embedder's square input (when an index is created).",
    )
    runtime: Literal["auto", "native", "compiled", "openvino"] = Field(
        "auto",
        description="What computes the models: PyTorch and ONNX Runtime (`native`), the embedder through `torch.compile` (`compiled`, needs a C++ compiler), OpenVINO, or what a short measurement finds faster (when an index is created).",
    )
    precision: Literal["auto", "fp32", "bf16", "int8"] = Field(
        "auto",
        description="Arithmetic of the models; `auto`: the fastest that loses nothing, `int8`: calibrated on your own pictures (when an index is created).",
    )
    shrink_on_load: bool = Field(
        True,
        description="Decode a large JPEG at 1/2, 1/4 or 1/8 as long as its longer side keeps twice the detector's input (when an index is created).",
    )
    threads: Annotated[int, Field(ge=0)] = Field(
        0, description="CPU threads of the models; 0: all cores."
    )
    batch_pictures: Annotated[int, Field(ge=1, le=256)] = Field(
        8, description="Pictures in one batch of the pipeline."
    )
    index: Literal["lancedb", "elasticsearch"] = Field(
        "lancedb",
        description="Where entries lie: `lancedb` (below the data folder) or `elasticsearch`.",
    )
    index_memory_mb: Annotated[int, Field(ge=0)] = Field(
        256,
        description="Megabytes of vectors up to which the embedded index is held in memory once it is at rest, which makes searches several times quicker; 0: never.",
    )
    elasticsearch_url: str = Field(
        "http://127.0.0.1:9200", description="Elasticsearch 8 nodes as URLs, comma separated."
    )
    elasticsearch_api_key: SecretStr = Field(SecretStr(""), description="API key of Elasticsearch.")
    elasticsearch_username: str = Field("", description="User name for basic authentication.")
    elasticsearch_password: SecretStr = Field(
        SecretStr(""), description="Password for basic authentication."
    )
    elasticsearch_ca_file: str = Field("", description="CA certificate file of the cluster.")
    elasticsearch_index: str = Field(
        "boxseek", description="Alias and name prefix of the index versions."
    )
    elasticsearch_index_type: Literal["hnsw", "int8_hnsw", "bbq_hnsw"] = Field(
        "int8_hnsw", description="Vector index type of new versions."
    )
    elasticsearch_m: Annotated[int, Field(ge=4, le=128)] = Field(
        16, description="Neighbours of a vector in the graph of new versions."
    )
    elasticsearch_ef_construction: Annotated[int, Field(ge=16, le=3200)] = Field(
        256, description="Candidates for a vector's neighbours while a new version's graph is made."
    )
    elasticsearch_num_candidates: Annotated[int, Field(ge=10, le=10_000)] = Field(
        500, description="Candidates a shard collects for a kNN search."
    )
    elasticsearch_shards: Annotated[int, Field(ge=1)] = Field(
        1, description="Primary shards of new versions."
    )
    elasticsearch_replicas: Annotated[int, Field(ge=0)] = Field(
        0, description="Replicas of new versions."
    )
    elasticsearch_refresh_s: Annotated[float, Field(gt=0)] = Field(
        1.0, description="Refresh interval of the live version, seconds."
    )
    elasticsearch_timeout_s: Annotated[float, Field(gt=0)] = Field(
        10.0, description="Timeout of one request, seconds."
    )
    min_score: Annotated[float, Field(ge=-1, le=1)] = Field(
        -1.0, description="Score floor of a search that names none."
    )
    label_weight: Annotated[float, Field(ge=0, le=2)] = Field(
        0.7,
        description="How much an equal class adds to a score for the order of a search that names no weight; 0: looks alone.",
    )
    fold: bool = Field(
        False,
        description="Show one result for pictures that are nearly the same, in a search that does not say.",
    )
    max_results: Annotated[int, Field(ge=600, le=5000)] = Field(
        600, description="Images that one search can page through."
    )
    cursor_ttl_s: Annotated[int, Field(ge=60)] = Field(
        900, description="Life of a frozen ranking, seconds."
    )
    query_ttl_s: Annotated[int, Field(ge=60)] = Field(
        24 * 3600, description="Life of a stored query picture, seconds."
    )
    max_queries: Annotated[int, Field(ge=1)] = Field(
        1000, description="Stored query pictures; the oldest goes first."
    )
    max_query_bytes: Annotated[int, Field(ge=1)] = Field(
        1024 * MEBIBYTE,
        description="Bytes of all stored query pictures together; the oldest goes first.",
    )
    max_upload_files: Annotated[int, Field(ge=1, le=10_000)] = Field(
        1000, description="Most files in one upload."
    )
    max_upload_bytes: Annotated[int, Field(ge=1)] = Field(
        4096 * MEBIBYTE, description="Most bytes of one upload, all its files together."
    )
    allow_urls: bool = Field(
        False, description="Allow searches and sources by URL (never private addresses)."
    )
    delete_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.1,
        description="Largest share of a source's known pictures that `ingest --delete` removes without `--force-delete`.",
    )
    watch_reconcile_s: Annotated[int, Field(ge=1)] = Field(
        600,
        description="How often `ingest --watch` compares the whole source, seconds; events do the rest.",
    )
    demo_url: str = Field(
        "",
        description="Address of the zip of photographs that the demo tries first; empty: COCO128 of the Ultralytics release.",
    )
    front_dir: Path | None = Field(
        None,
        description="Folder of the built web page; default: search-front/dist beside the package, if there.",
    )

    @model_validator(mode="after")
    def _expand_quality(self) -> Self:
        """Give settings that are not given the values of the quality."""
        given = self.model_fields_set
        for name, value in QUALITIES[self.quality].items():
            if name not in given:
                object.__setattr__(self, name, value)
        return self
