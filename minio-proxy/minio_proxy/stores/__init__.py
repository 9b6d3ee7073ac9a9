"""Stores of bytes behind the port: a local folder and S3."""
