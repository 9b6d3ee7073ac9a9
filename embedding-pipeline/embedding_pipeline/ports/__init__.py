"""What detectors, embedders and indexes must do; adapters live in models/ and indexes/."""
