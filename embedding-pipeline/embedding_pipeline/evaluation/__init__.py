"""How good the search is, measured on labelled pictures."""
