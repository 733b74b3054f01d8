"""Training of object detectors on COCO files."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from hiera_cli.checkpoints.detector import save_detector
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.datasets.coco import CocoDataset, find_coco, read_coco
from hiera_cli.errors import Failure, MediaError, UsageError
from hiera_cli.model.box_detector import BoxDetector, BoxDetectorConfig
from hiera_cli.model.config import HieraConfig
from hiera_cli.model.device import choose_device
from hiera_cli.model.hiera import Encoder, Hiera
from hiera_cli.model.pyramid import windows_for
from hiera_cli.model.window_positions import tile_positions, with_size
from hiera_cli.training.data.order import Draw, Order, visit_rng
from hiera_cli.training.detection.loop import DetectorRun, stepped_lr, train_detector
from hiera_cli.training.detection.options import BoxOptions, BoxRecipe, changed
from hiera_cli.training.detection.pictures import BoxSample, Jitter, jittered, stack
from hiera_cli.training.initial import (
    Initial,
    copy_weights,
    open_architecture,
    open_pretrained,
    seeded,
)
from hiera_cli.training.optim import make_optimizer
from hiera_cli.training.options import FinetuneOptions, RunOptions
from hiera_cli.training.recipe import RecipeChanges
from hiera_cli.training.records import Record
from hiera_cli.training.state import TrainingState
from hiera_cli.video.pictures import read_picture

LEAST_SPREAD = 0.02


@dataclass(frozen=True, eq=False, slots=True)
class BoxLessons:
    """Pictures with boxes, and the detector's losses on them."""

    data: CocoDataset
    preprocessing: Preprocessing
    jitter: Jitter
    seed: int
    device: torch.device

    def __len__(self) -> int:
        return len(self.data.pictures)

    def sample(self, draw: Draw) -> BoxSample | Failure:
        """A jittered picture with its boxes."""
        picture = self.data.pictures[draw.sample_index]
        try:
            rgb = read_picture(picture.path)
        except MediaError as error:
            return Failure(picture.path, error.kind, error.message)
        return jittered(rgb, picture, self.jitter, visit_rng(self.seed, draw, 0))

    def loss(self, model: nn.Module, samples: list[BoxSample]) -> Tensor:
        """The sum of the four losses: proposals and boxes, what and where."""
        mean, std = (
            torch.tensor(values, device=self.device).view(3, 1, 1)
            for values in (self.preprocessing.mean, self.preprocessing.std)
        )
        pixels = stack([sample.pixels for sample in samples], self.jitter.size, mean, std)
        sizes = [(sample.pixels.shape[1], sample.pixels.shape[2]) for sample in samples]
        targets = [
            {"boxes": s.boxes.to(self.device), "labels": s.labels.to(self.device)} for s in samples
        ]
        losses: dict[str, Tensor] = model(pixels, sizes, targets)[1]
        return torch.stack(list(losses.values())).sum()

    def save(self, folder: Path, model: nn.Module) -> None:
        """Write the detector as a model folder."""
        assert isinstance(model, BoxDetector)
        save_detector(folder, model, labels=self.data.classes, preprocessing=self.preprocessing)


def finetune_boxes(
    options: FinetuneOptions, run: RunOptions, *, boxes: BoxOptions, changes: RecipeChanges
) -> Iterator[Record]:
    """Train an object detector; the run's folder becomes a model for `hiera eval --task boxes`.

    Args:
        options: which image model, on what COCO data set.
        run: where the results go, and how the run is carried out.
        boxes: the shape of the detector, and the jitter.
        changes: what is different from the paper's recipe.

    Yields:
        `Started`, then a `Step` for each optimizer step, an `Epoch` for each epoch and a
        `Skipped` for each unreadable picture.

    Raises:
        HieraError: the data, the model or the settings do not work out; see its kinds.
    """
    recipe = changed(BoxRecipe(), changes)
    data = read_coco(find_coco(options.data, split="train"))
    find = open_architecture if options.from_scratch else open_pretrained
    initial = find(options.model)
    device = choose_device(run.device)
    with seeded(run.seed):
        model = make_detector(initial, boxes, recipe, num_classes=len(data.classes)).to(device)
    lessons = BoxLessons(
        data,
        _preprocessing(initial, boxes.size),
        Jitter(boxes.size, boxes.min_scale, boxes.max_scale, recipe.flip),
        seed=run.seed,
        device=device,
    )
    num_blocks = sum(initial.config.stages)
    optimizer = make_optimizer(model, recipe, num_blocks=num_blocks)
    order = Order(len(data.pictures), recipe.batch_size, seed=run.seed)
    yield from train_detector(
        DetectorRun(
            lessons,
            TrainingState(model, optimizer, torch.amp.GradScaler(enabled=False), None),
            order,
            recipe,
            lambda step, num: stepped_lr(step, num, lr=recipe.lr, warmup_steps=recipe.warmup_steps),
            run,
            device,
            settings={"data": options.data, "model": options.model, **asdict(boxes)},
        )
    )


def make_detector(
    initial: Initial, boxes: BoxOptions, recipe: BoxRecipe, *, num_classes: int
) -> BoxDetector:
    """A detector whose encoder has the initial weights, at the detector's input size.

    Raises:
        UsageError: the model is for video.
        WeightsError: mask units do not fill the size, or the weights do not fit.
    """
    trained = initial.config
    if trained.is_video:
        raise UsageError("boxes are found in pictures: an image model is needed",
                         hint="for example -m hiera_base_224.mae_in1k")  # fmt: skip
    config = replace(with_size(trained, boxes.size, boxes.size), drop_path_rate=recipe.drop_path)
    encoder = fresh_encoder(config)
    if initial.weights is not None:
        weights = tile_positions(initial.weights, trained, config)
        copy_weights(encoder, weights, fresh=())
    shape = BoxDetectorConfig(
        num_classes,
        channels=boxes.width,
        head_convs=boxes.head_convs,
        anchor_scale=boxes.anchor_scale,
        proposals=boxes.proposals,
    )
    large = boxes.size > trained.input_size[-1]
    windows = windows_for(config, trained.input_size) if large else None
    return BoxDetector(encoder, shape, windows=windows)


def fresh_encoder(config: HieraConfig) -> Encoder:
    """An encoder with Hiera's initial weights, spread wider where it is narrow.

    The usual deviation of 0.02 suits hundreds of channels; a layer of 32 would pass on nothing.
    """
    encoder = Encoder(config)
    weights = Hiera(replace(config, num_classes=1)).state_dict()
    encoder.load_state_dict({name: weights[name] for name in encoder.state_dict()})
    for layer in encoder.modules():
        if isinstance(layer, nn.Linear):
            nn.init.trunc_normal_(
                layer.weight, std=max(LEAST_SPREAD, 0.5 * layer.in_features**-0.5)
            )
            nn.init.zeros_(layer.bias)
    return encoder


def _preprocessing(initial: Initial, size: int) -> Preprocessing:
    """The initial model's pixels at the detector's size."""
    return replace(initial.preprocessing, crop_size=size, short_side=size)
