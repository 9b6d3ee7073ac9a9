"""Answering a query: what is searched, ranked, grouped, frozen and paged."""
