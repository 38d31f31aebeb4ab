"""Settings of the service, each read from the environment variable ``SEMCORE_<NAME>``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What an operator can set."""

    model_config = SettingsConfigDict(env_prefix="SEMCORE_", extra="ignore", populate_by_name=True)

    bundle: Path = Field(default=Path("bundle"), description="folder of the index bundle")
    model: Path | None = Field(
        default=None, description="folder of the model, if not where the bundle says"
    )
    journal: Path | None = Field(
        default=None,
        description="folder for items added and deleted later; beside the bundle if left out",
    )
    pictures: Path | None = Field(
        default=None,
        description="folder for the pictures of added items, the same one for all replicas; left "
        "out: beside the bundle where there is Redis, else in the journal's",
    )
    image_root: str | Path | None = Field(
        default=None,
        description="folder of the pictures, or its URL such as s3://bucket/photos, if not where "
        "the bundle says",
    )
    report: Path | None = Field(
        default=None,
        description="folder that 'semcore evaluate --out' has written, for the page /evaluate",
    )
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8080, ge=0, le=65535, description="port to listen on; 0: any free")
    admin_key: SecretStr | None = Field(
        default=None, description="a key for administration, beside those of the file"
    )
    keys: Path | None = Field(
        default=None,
        description="file of API keys (see 'semcore key'); without one everybody may search, and "
        "without any key nobody administers",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="of the logs; info says a line a request"
    )
    log_format: Literal["json", "plain"] = Field(default="json", description="of the logs")
    otlp_endpoint: str | None = Field(
        default=None, description="OTLP collector for traces, http://host:4318/v1/traces"
    )
    drain_seconds: float = Field(
        default=5.0,
        ge=0,
        description="after SIGTERM, how long searches are served while /readyz says no",
    )
    redis_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("SEMCORE_REDIS_URL", "REDIS_URL"),
        description="Redis as cache, redis://host:port/db (REDIS_URL works too); else in-process",
    )
    cache_size: int = Field(default=10_000, ge=0, description="answers kept in-process")
    cache_bytes: int = Field(
        default=100_000_000, ge=0, description="bytes of the answers kept in-process"
    )
    cache_seconds: int = Field(
        default=3600, ge=1, description="seconds that an answer is kept at most"
    )
    beam_width: int = Field(default=20, ge=1, le=100, description="beams unless a query says")
    max_beam_width: int = Field(default=100, ge=1, le=500, description="most beams of a query")
    leaf_limit: int | None = Field(
        default=None,
        ge=0,
        le=1000,
        description="identifiers that are scored at once, and exactly, as soon as no more are in "
        "reach of the beams; twice the beams unless set; 0: the beams spell to the end",
    )
    max_top_k: int = Field(default=100, ge=1, le=500, description="most items of an answer")
    verified: int = Field(
        default=10,
        ge=2,
        le=100,
        description="candidates that verification judges; in a list ten at most",
    )
    gsv: Literal["auto", "pointwise", "listwise"] = Field(
        default="auto",
        description="how verification asks the model: as it has learned; an index whose model has "
        "learned another form than this is not served",
    )
    guide: Literal["auto", "none", "only"] = Field(
        default="auto",
        description="what the guide's cosine is good for, unless a query says: evidence where the "
        "index has a guide, nothing, or all there is",
    )
    max_query_words: int = Field(default=256, ge=1, description="longest text query, in words")
    max_query_characters: int = Field(
        default=4_000, ge=1, description="longest text query, in characters"
    )
    max_body_bytes: int = Field(
        default=300_000,
        ge=1_000,
        description="largest body of a request without pictures, in bytes",
    )
    bodies_bytes: int = Field(
        default=256_000_000,
        ge=1,
        description="bytes of all larger bodies in the service at a time; further ones get 429",
    )
    body_seconds: float = Field(
        default=30.0,
        gt=0,
        description="how long a client may take to send a request, beside a second for each 100 kB",
    )
    max_image_bytes: int = Field(default=20_000_000, ge=1, description="largest upload, in bytes")
    max_image_pixels: int = Field(
        default=50_000_000, ge=1, description="largest upload, in pixels, checked before decoding"
    )
    picture_cache_bytes: int = Field(
        default=256_000_000,
        ge=0,
        description="bytes of the decoded pictures that are kept for verification",
    )
    thumbnail_bytes: int = Field(
        default=256_000_000, ge=0, description="bytes of the thumbnails that are kept on disk"
    )
    concurrent_searches: int = Field(
        default=8, ge=1, description="searches in the engine at a time; others wait"
    )
    filter_bytes: int = Field(
        default=100_000_000,
        ge=0,
        description="bytes of what filters leave of an index, as far as that is kept; facets may "
        "keep half as much beside it",
    )
    watch_seconds: float = Field(
        default=0.0,
        ge=0,
        description="how often the bundle's folder is looked at, to reload when it has changed; "
        "0: never",
    )
    canary_margin: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="by how much recall of the canary queries may fall with a new index",
    )
    queued_searches: int = Field(
        default=256, ge=0, description="searches that wait for a turn; further ones get 429"
    )
    timeout_ms: int = Field(
        default=30_000, ge=0, description="deadline of searches that name none; 0: there is none"
    )
    stall_seconds: float = Field(
        default=60.0,
        gt=0,
        description="after which an engine that owes an answer is asked once more, and after which "
        "again it counts as stalled",
    )
    exit_when_lost: bool = Field(
        default=False, description="end the service where the engine has died or stalled"
    )
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = Field(
        default="auto", description="number format of the engine"
    )
    max_batch: int = Field(
        default=512, ge=1, description="beams, of all searches, in the engine at a time"
    )
    max_model_len: int = Field(default=0, ge=0, description="longest prompt, in tokens; 0: model's")
    gpu_memory_utilization: float = Field(
        default=0.9, gt=0, le=1, description="share of GPU memory for vLLM"
    )
    cpu_kvcache_gib: int = Field(default=1, ge=1, description="GiB of KV cache on CPU")
    one_process: bool = Field(
        default=False,
        description="on a CPU, the model in the engine's own process: faster for small models",
    )
    engine_arguments: dict[str, Any] = Field(
        default={},
        description="more of vLLM's engine arguments, as JSON, such as "
        '{"tensor_parallel_size": 2}; ours otherwise',
    )
    enforce_eager: bool = Field(default=False, description="no compilation: starts sooner, slower")

    @property
    def journal_folder(self) -> Path:
        """Where the journal lies, or will."""
        return self.journal or self.bundle.with_name(f"{self.bundle.name}.journal")

    @property
    def picture_folder(self) -> Path:
        """Where the pictures of added items lie, or will."""
        if self.pictures is not None:
            return self.pictures
        if self.redis_url is not None:
            return self.bundle.absolute().with_name(f"{self.bundle.name}.pictures")
        return self.journal_folder / "pictures"

    @model_validator(mode="after")
    def _beams_are_allowed(self) -> Self:
        if "beam_width" not in self.model_fields_set:
            self.beam_width = min(self.beam_width, self.max_beam_width)
        if self.beam_width > self.max_beam_width:
            raise ValueError(
                f"SEMCORE_BEAM_WIDTH ({self.beam_width}) may be at most SEMCORE_MAX_BEAM_WIDTH "
                f"({self.max_beam_width})"
            )
        return self

    @model_validator(mode="after")
    def _beams_fit_into_a_batch(self) -> Self:
        if self.max_beam_width > self.max_batch:
            raise ValueError(
                f"SEMCORE_MAX_BEAM_WIDTH ({self.max_beam_width}) may be at most SEMCORE_MAX_BATCH "
                f"({self.max_batch}), since all beams of a search run at the same time"
            )
        return self
