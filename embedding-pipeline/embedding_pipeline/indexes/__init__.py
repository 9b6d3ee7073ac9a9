"""Indexes of objects behind their port: LanceDB and Elasticsearch."""

import os

# LanceDB prints warnings of its own about commits that are repeated here; they reach nobody
# who could act on them. It reads this when it is imported.
os.environ.setdefault("LANCEDB_LOG", "error")
