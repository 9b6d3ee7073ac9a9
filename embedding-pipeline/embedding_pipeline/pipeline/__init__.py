"""Pictures to objects and vectors: decode, detect, crop, embed, normalize."""
