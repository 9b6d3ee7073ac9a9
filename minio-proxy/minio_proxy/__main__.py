"""``python -m minio_proxy`` serves originals and thumbnails alone."""

from minio_proxy.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
