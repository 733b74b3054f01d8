"""What pretraining minimises: the error of the masked patches; and pictures of it."""

import math
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor, nn

from hiera_cli.checkpoints.folder import WEIGHTS_NAME, write_folder_config
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.files import write_bytes
from hiera_cli.model.config import HieraConfig
from hiera_cli.model.mae import MaskedAutoencoder
from hiera_cli.training.data.batches import TrainingBatch, at_once, normalised
from hiera_cli.training.distributed import Process, sum_over_processes
from hiera_cli.training.objectives.trivial import MeanPicture, trivial_losses
from hiera_cli.training.records import TrivialLosses, Validation

NUM_PREVIEWS = 4
NUM_PREVIEW_FRAMES = 8
MASKED_GRAY = 0.0  # of a normalised picture


class ReconstructionObjective:
    """The objective of pretraining.

    Args:
        config: of the classifier that the encoder is meant for.
        preprocessing: of the pixels.
        mask_ratio: share of mask units that the encoder never sees.
        tubes: hide the same places in all frames of a clip.
        previews: folder for pictures, one set an epoch; None: no pictures.
        process: where its model is.
    """

    def __init__(
        self,
        config: HieraConfig,
        preprocessing: Preprocessing,
        *,
        mask_ratio: float,
        tubes: bool = False,
        previews: Path | None = None,
        process: Process,
    ) -> None:
        self._config = config
        self._preprocessing = preprocessing
        axes = zip(config.grid_size, config.mask_unit_size, strict=True)
        units = [grid // unit for grid, unit in axes]
        self._times = units[0] if tubes and config.is_video else 1
        self._num_places = math.prod(units) // self._times
        self._num_visible = max(1, int(self._num_places * (1 - mask_ratio)))
        self._picture = MeanPicture()
        self._trivial = torch.zeros(4, device=process.device)  # sums: mean, copy, picture, clips
        self._previews = previews
        self._shown: TrainingBatch | None = None

    def visible(self, seeds: Tensor) -> Tensor:
        """The visible mask units of each clip, (B, n) int64 ascending, from the seeds (B,).

        Drawn on the CPU: a training step that is captured in a CUDA graph finds them ready.
        """
        places = np.empty((len(seeds), self._num_visible), dtype=np.int64)
        for row, seed in zip(places, seeds.tolist(), strict=True):
            order = np.random.default_rng(seed).permutation(self._num_places)
            row[:] = np.sort(order[: self._num_visible])
        at_times = self._num_places * np.arange(self._times)
        units = places[:, None] + at_times[:, None]
        return torch.from_numpy(units.reshape(len(seeds), -1))

    def loss(self, forward: nn.Module, batch: TrainingBatch) -> Tensor:
        """Mean squared error of the normalised masked patches, () float32."""
        if self._previews and self._shown is None:
            self._shown = TrainingBatch(
                batch.pixels[:NUM_PREVIEWS].clone(),
                batch.targets[:NUM_PREVIEWS],
                batch.seeds[:NUM_PREVIEWS],
                batch.places[:NUM_PREVIEWS],
            )
        pixels = normalised(batch.pixels, self._preprocessing)
        visible = at_once(self.visible(batch.seeds), pixels.device)
        loss: Tensor = forward(pixels, visible=visible)[0]
        model = cast(MaskedAutoencoder, getattr(forward, "module", forward))
        found = trivial_losses(model, pixels, visible, self._picture)
        self._trivial += torch.cat([found, torch.ones_like(found[:1])]) * len(batch)
        return loss

    def trivial(self) -> TrivialLosses | None:
        """What trivial answers lost since the last call, over all processes."""
        *sums, num_clips = sum_over_processes(self._trivial.clone()).tolist()
        self._trivial.zero_()
        return TrivialLosses(*(total / num_clips for total in sums)) if num_clips else None

    def visible_tokens(self, num_clips: int) -> int:
        """First-stage tokens of that many clips that the encoder works on."""
        visible = self._num_visible * self._times
        return num_clips * visible * math.prod(self._config.mask_unit_size)

    def validate(self, model: nn.Module) -> Validation | None:
        """Pretraining has no labels to check against; draws the previews where asked for."""
        if self._previews and self._shown is not None:
            self._previews.mkdir(parents=True, exist_ok=True)
            self._draw(cast(MaskedAutoencoder, model), self._shown, self._previews)
        return None

    @torch.no_grad()
    def _draw(self, model: MaskedAutoencoder, shown: TrainingBatch, folder: Path) -> None:
        """Rewrite a picture a clip: input, what is visible and the reconstruction."""
        pixels = normalised(shown.pixels, self._preprocessing)
        visible_units = self.visible(shown.seeds).to(pixels.device)
        was_training = model.training
        model.eval()
        _, predictions, _, mask = model(pixels, visible=visible_units)
        model.train(was_training)
        rebuilt = model.reconstruct(pixels, predictions.float(), mask)
        visible = self._visible(pixels, mask)
        if self._config.is_video:  # the decoder predicts one frame of each token
            pixels, visible = pixels[:, :, :: model.frame_step], visible[:, :, :: model.frame_step]
        for index in range(len(shown)):
            rows = [self._strip(clips[index]) for clips in (pixels, visible, rebuilt)]
            Image.fromarray(np.concatenate(rows)).save(folder / f"preview_{index}.png")

    def _visible(self, pixels: Tensor, mask: Tensor) -> Tensor:
        """The clips with masked units gray, same shape."""
        grid, unit = self._config.grid_size, self._config.mask_unit_size
        units = [g // u for g, u in zip(grid, unit, strict=True)]
        shown = mask.view(-1, 1, *units).float()
        shown = nn.functional.interpolate(shown, size=pixels.shape[2:])
        return pixels * shown + MASKED_GRAY * (1 - shown)

    def _strip(self, clip: Tensor) -> npt.NDArray[np.uint8]:
        """Up to eight frames of a normalised clip (3, T, S, S) side by side: (S, n·S, 3) uint8."""
        frames = clip[:, None] if clip.ndim == 3 else clip
        chosen = frames[:, :: max(1, frames.shape[1] // NUM_PREVIEW_FRAMES)][:, :NUM_PREVIEW_FRAMES]
        shape = (3, 1, 1, 1)
        mean = torch.tensor(self._preprocessing.mean, device=clip.device).view(shape)
        std = torch.tensor(self._preprocessing.std, device=clip.device).view(shape)
        colours = ((chosen * std + mean) * 255).round().clamp(0, 255).to(torch.uint8)
        return colours.permute(2, 1, 3, 0).flatten(1, 2).cpu().numpy()

    def save_result(self, folder: Path, model: nn.Module) -> None:
        """As `save`."""
        self.save(folder, model)

    def save(self, folder: Path, model: nn.Module) -> None:
        """Write config.json, that of the classifier, and model.safetensors, decoder included."""
        state = {name: value.detach().cpu() for name, value in model.state_dict().items()}
        write_bytes(folder / WEIGHTS_NAME, safetensors.torch.save(state, {"format": "pt"}))
        write_folder_config(
            folder, self._config, labels=(), preprocessing=self._preprocessing, extra={}
        )
