"""Indexes of objects behind their port: LanceDB and Elasticsearch."""
