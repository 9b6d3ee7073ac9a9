"""Originals and their records: the truth everything else is made from."""

from minio_proxy.originals.addresses import is_image_key, validate_image_key
from minio_proxy.originals.originals import Added, Originals

__all__ = ["Added", "Originals", "is_image_key", "validate_image_key"]
