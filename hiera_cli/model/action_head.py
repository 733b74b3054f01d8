"""What people in a video do: a classifier looking at boxes instead of at the whole picture.

The head of SlowFast's AVA models: the last map's mean over time, RoIAlign of 7 x 7, the maximum
over its places, dropout and a linear layer, of which every output is a yes or no. Tokens are
normalised before they are averaged, as MViT's detector does; Hiera's classifier does it after.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torchvision.ops import roi_align

from hiera_cli.errors import UsageError
from hiera_cli.model.config import HieraConfig
from hiera_cli.model.hiera import Hiera
from hiera_cli.model.window_positions import tile_positions, with_size

ROI_SIZE = 7


def action_logits(model: Hiera, clips: Tensor, boxes: Sequence[Tensor]) -> Tensor:
    """Logits of every action for every box: (sum N, K), float.

    Args:
        model: a video network; its head has one output an action.
        clips: (B, 3, T, H, W), normalised float.
        boxes: for each clip, (N, 4) corners in pixels of it.
    """
    tokens = model.forward_tokens(clips).mean(1).permute(0, 3, 1, 2)
    scale = tokens.shape[-1] / clips.shape[-1]
    pooled = roi_align(tokens, list(boxes), ROI_SIZE, scale, sampling_ratio=0, aligned=True)
    return model.forward_head(pooled.amax((2, 3)))


class ActionDetector(Hiera):
    """A network that is called with clips and boxes, and answers with `action_logits`."""

    def forward(self, x: Tensor, boxes: Sequence[Tensor] = ()) -> Tensor:
        """As `action_logits`: (B, 3, T, H, W) and boxes of each clip to (sum N, K), float."""
        return action_logits(self, x, boxes)


def with_stride(config: HieraConfig, stride: int) -> HieraConfig:
    """The configuration whose last map has a position every `stride` pixels: it pools less.

    SlowFast's detectors halve the stride of their last map in the same way, by a dilated stage.

    Raises:
        UsageError: no number of poolings gives that stride.
    """
    strides = [config.patch_stride[-1] * config.q_stride[-1] ** n for n in range(config.q_pool + 1)]
    if stride not in strides:
        raise UsageError(
            f"--stride {stride}: the last map has a position every "
            f"{' or '.join(map(str, strides))} pixels"
        )
    return replace(config, q_pool=strides.index(stride))


def at_size(model: Hiera, height: int, width: int) -> Hiera:
    """A copy of a trained network for frames of another size, in eval mode; shares no weights.

    Raises:
        WeightsError: mask units do not fill that size.
    """
    config = with_size(model.config, height, width)
    with torch.device("meta"):
        copy = Hiera(config)
    state = tile_positions(model.state_dict(), model.config, config)
    copy.load_state_dict({name: tensor.clone() for name, tensor in state.items()}, assign=True)
    return copy.eval()


def action_targets(actions: Sequence[Sequence[int]], action_ids: Sequence[int]) -> Tensor:
    """One where a box has an action: (N, K) float; ids that are not listed are passed over."""
    index_of = {action: index for index, action in enumerate(action_ids)}
    targets = torch.zeros(len(actions), len(action_ids))
    for row, labels in zip(targets, actions, strict=True):
        for label in labels:
            if label in index_of:
                row[index_of[label]] = 1
    return targets
