"""What ViT-B/16 spends on a crop, to set the index's share beside it."""

from __future__ import annotations

import statistics
import time

import timm
import torch

CROPS = 8
ROUNDS = 3


def embedding_cpu_ms() -> float:
    """Processor milliseconds of all threads for one crop, fp32, batches of 8; median of 3.

    The weights are random: only time is measured, which does not depend on them.
    """
    torch.manual_seed(0)
    model = timm.create_model("vit_base_patch16_224", pretrained=False, num_classes=0).eval()
    crops = torch.rand(CROPS, 3, 224, 224)
    times = []
    with torch.inference_mode():
        model(crops)
        for _ in range(ROUNDS):
            started = time.process_time()
            model(crops)
            times.append(1000 * (time.process_time() - started) / CROPS)
    return statistics.median(times)
