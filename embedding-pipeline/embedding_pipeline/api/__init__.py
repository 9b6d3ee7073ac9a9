"""The /v1 HTTP service."""
