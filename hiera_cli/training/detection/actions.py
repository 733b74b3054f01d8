"""Training of action detection on videos with boxes at key frames."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hiera_cli.checkpoints.open import save_model
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.datasets.ava import ActionBox
from hiera_cli.datasets.keyframes import KeyFrame, KeyFrameDataset, read_keyframes
from hiera_cli.errors import Failure, MediaError, NoInputError, UsageError
from hiera_cli.model.action_head import action_logits, action_targets
from hiera_cli.model.device import choose_device
from hiera_cli.model.hiera import Hiera
from hiera_cli.training.data.order import Draw, Order, visit_rng
from hiera_cli.training.detection.loop import DetectorRun, train_detector
from hiera_cli.training.detection.options import ActionRecipe, changed
from hiera_cli.training.initial import (
    Initial,
    copy_weights,
    open_architecture,
    open_pretrained,
    seeded,
)
from hiera_cli.training.optim import lr_at, make_optimizer
from hiera_cli.training.options import ClipOptions, FinetuneOptions, RunOptions
from hiera_cli.training.recipe import RecipeChanges
from hiera_cli.training.records import Record
from hiera_cli.training.state import TrainingState
from hiera_cli.video.clips import ClipReader
from hiera_cli.video.info import Limits
from hiera_cli.video.keyframe_clips import clips_around

SHORT_SIDES = (256 / 224, 320 / 224)  # of the jitter, in crops


@dataclass(frozen=True, eq=False, slots=True)
class ActionSample:
    """A clip with boxes.

    Attributes:
        pixels: (3, T, S, S) uint8.
        boxes: (N, 4) float32, corners in pixels.
        targets: (N, K) float, one where a box has an action.
    """

    pixels: Tensor
    boxes: Tensor
    targets: Tensor


class ActionLessons:
    """Key frames with boxes, and the loss on them."""

    def __init__(
        self,
        data: KeyFrameDataset,
        preprocessing: Preprocessing,
        *,
        flip: bool,
        seed: int,
        device: torch.device,
        clips: ClipOptions,
    ) -> None:
        self.frames = [frame for frame in data.frames if training_boxes(frame)]
        self.data, self.preprocessing = data, preprocessing
        self.flip, self.seed, self.device = flip, seed, device
        self._reader = ClipReader(isolate=clips.isolate is not False, limits=Limits.of(clips))
        self.close = self._reader.close

    def __len__(self) -> int:
        return len(self.frames)

    def sample(self, draw: Draw) -> ActionSample | Failure:
        """The clip around a key frame, resized, cropped and mirrored at random."""
        frame, rng = self.frames[draw.sample_index], visit_rng(self.seed, draw, 0)
        pixels = self.preprocessing
        side = round(pixels.crop_size * rng.uniform(*SHORT_SIDES))
        clips = clips_around(
            self._reader,
            frame.path,
            [frame.timestamp],
            num_frames=pixels.num_frames,
            frame_stride=pixels.frame_stride,
            short_side=side,
        )
        try:
            with closing(clips):
                clip = next(clips)
        except MediaError as error:
            return Failure(frame.path, error.kind, error.message)
        return self._cropped(clip, training_boxes(frame), rng)

    def _cropped(
        self, clip: Tensor, boxes: tuple[ActionBox, ...], rng: np.random.Generator
    ) -> ActionSample:
        size = self.preprocessing.crop_size
        height, width = clip.shape[-2:]
        top, left = (int(rng.integers(side - size + 1)) for side in (height, width))
        clip = clip[..., top : top + size, left : left + size]
        corners = torch.tensor([box.corners for box in boxes]) * torch.tensor([width, height] * 2)
        corners -= torch.tensor([left, top] * 2)
        if self.flip and rng.random() < 0.5:
            clip = clip.flip(-1)
            corners[:, [0, 2]] = size - corners[:, [2, 0]]
        corners.clamp_(0, size - 1)  # SlowFast keeps boxes outside as lines at the border
        targets = action_targets([box.actions for box in boxes], self.data.action_ids)
        return ActionSample(clip, corners.float(), targets)

    def loss(self, model: nn.Module, samples: list[ActionSample]) -> Tensor:
        """Binary cross entropy, the mean over all boxes and actions."""
        pixels = self.preprocessing
        shape = (1, 3, 1, 1, 1)
        clips = torch.stack([sample.pixels for sample in samples]).to(self.device).float() / 255
        mean, std = (
            torch.tensor(v, device=self.device).view(shape) for v in (pixels.mean, pixels.std)
        )
        boxes = [sample.boxes.to(self.device) for sample in samples]
        targets = torch.cat([sample.targets for sample in samples]).to(self.device)
        logits = action_logits(cast(Hiera, model), (clips - mean) / std, boxes)
        return F.binary_cross_entropy_with_logits(logits, targets)

    def save(self, folder: Path, model: nn.Module) -> None:
        """Write the network as a model folder."""
        save_model(
            folder,
            cast(Hiera, model),
            labels=self.data.actions,
            preprocessing=self.preprocessing,
            extra={"task": "detection", "action_ids": list(self.data.action_ids)},
        )


def training_boxes(frame: KeyFrame) -> tuple[ActionBox, ...]:
    """True boxes, and detections: unlabelled ones are examples of doing none of the actions."""
    known = {box.corners for box in frame.truth}
    return frame.truth + tuple(box for box in frame.candidates if box.corners not in known)


def finetune_actions(
    options: FinetuneOptions, run: RunOptions, *, clips: ClipOptions, changes: RecipeChanges
) -> Iterator[Record]:
    """Train action detection; the run's folder is a model for `hiera eval --task detection`.

    Args:
        options: which video model, on what folder of AVA's shape.
        run: where the results go, and how the run is carried out.
        clips: which frames, and what reading a file may cost.
        changes: what is different from the paper's recipe.

    Yields:
        `Started`, then a `Step` for each optimizer step, an `Epoch` for each epoch and a
        `Skipped` for each unreadable video.

    Raises:
        HieraError: the data, the model or the settings do not work out; see its kinds.
    """
    recipe = changed(ActionRecipe(), changes)
    data = read_keyframes(options.data, split="train")
    initial = (open_architecture if options.from_scratch else open_pretrained)(options.model)
    device = choose_device(run.device)
    with seeded(run.seed):
        model = make_classifier(initial, recipe, num_classes=len(data.actions)).to(device)
    pixels = initial.preprocessing
    lessons = ActionLessons(
        data,
        replace(pixels, frame_stride=clips.frame_stride or pixels.frame_stride),
        flip=recipe.flip,
        seed=run.seed,
        device=device,
        clips=clips,
    )
    if not lessons.frames:
        raise NoInputError(f"no key frame of {data.source} has a box")
    order = Order(len(lessons), recipe.batch_size, seed=run.seed)
    optimizer = make_optimizer(model, recipe, num_blocks=sum(initial.config.stages))

    def lr(step: int, num_steps: int) -> float:
        warmup = round(recipe.warmup_epochs * order.steps_per_epoch)
        peak, least = recipe.lr, recipe.min_lr
        return lr_at(step, num_steps=num_steps, warmup_steps=warmup, lr=peak, min_lr=least)

    with closing(lessons):
        yield from train_detector(
            DetectorRun(
                lessons,
                TrainingState(model, optimizer, torch.amp.GradScaler(enabled=False), None),
                order,
                recipe,
                lr,
                run,
                device,
                settings={
                    "data": options.data,
                    "model": options.model,
                    "recipe": {k: v for k, v in asdict(recipe).items() if k != "betas"},
                },
            )
        )


def make_classifier(initial: Initial, recipe: ActionRecipe, *, num_classes: int) -> Hiera:
    """The network with a fresh head of one output an action.

    Raises:
        UsageError: the model is for pictures.
        WeightsError: the weights do not fit.
    """
    if not initial.config.is_video:
        raise UsageError("actions are told from videos: a video model is needed",
                         hint="for example -m hiera_base_16x224")  # fmt: skip
    config = replace(
        initial.config,
        num_classes=num_classes,
        drop_path_rate=recipe.drop_path,
        head_dropout=recipe.head_dropout,
    )
    model = Hiera(config)
    if initial.weights is not None:
        weights = {n: w for n, w in initial.weights.items() if not n.startswith("head.")}
        copy_weights(model, weights, fresh=("norm.", "head."))
    return model
