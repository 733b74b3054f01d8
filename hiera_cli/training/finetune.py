"""Fine-tuning: a classifier learns from labelled videos."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from hiera_cli.model.hiera import Hiera
from hiera_cli.training.classification import Classification
from hiera_cli.training.clips import ClipSource
from hiera_cli.training.distributed import Process, process_group, this_process
from hiera_cli.training.initial import (
    Initial,
    copy_weights,
    open_architecture,
    open_pretrained,
    seeded,
)
from hiera_cli.training.labelled import LabelledVideos, read_labelled
from hiera_cli.training.loop import train
from hiera_cli.training.mixing import Mixing
from hiera_cli.training.recipes import FinetuneRecipe, finetune_recipe
from hiera_cli.training.records import Record
from hiera_cli.training.run import Run, RunOptions, center_crop, make_run, training_device
from hiera_cli.video.augment import Augmentation
from hiera_cli.video.sampling import SamplingName
from hiera_cli.zoo import DEFAULT_MODEL, Preprocessing

logger = logging.getLogger("hiera_cli")

ABOVE_ENCODER = ("norm.", "head.")


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneOptions:
    """What to fine-tune on what.

    Attributes:
        data: the labelled videos: class folders, a Kinetics folder or a list file.
        run: how the run is carried out.
        annotations: the file that labels them, when it is not found by itself.
        val: labelled videos to validate on; None: the `val` split of `data`, when it has one.
        model: zoo name, model folder or config.json: the architecture and the initial weights.
        from_scratch: start from random weights.
        freeze_backbone: train the head alone (a linear probe).
        recipe: numbers of the training; None: the paper's for the model's size.
        frame_stride: distance of sampled frames at 30 a second; None: the model's own.
        sampling: frames a stride apart, or one of each of T segments.
        cache: folder to keep decoded clips in; None: decode at every visit.
        cache_clips: clips kept of each video.
    """

    data: str
    run: RunOptions
    annotations: str | None = None
    val: str | None = None
    model: str = DEFAULT_MODEL
    from_scratch: bool = False
    freeze_backbone: bool = False
    recipe: FinetuneRecipe | None = None
    frame_stride: int | None = None
    sampling: SamplingName = "stride"
    cache: Path | None = None
    cache_clips: int = 1


def finetune(options: FinetuneOptions) -> Iterator[Record]:
    """Train a classifier; the run's folder becomes a model folder.

    Yields:
        `Started`, then a `Step` for each optimizer step, an `Epoch` for each effective epoch and
        a `Skipped` for each unreadable file.

    Raises:
        HieraError: the data, the model or the settings do not work out; see its kinds.
    """
    process = this_process()
    device = training_device(options.run.device, process)
    with process_group(process, device):
        yield from train(prepare(options, process, device))


def prepare(options: FinetuneOptions, process: Process, device: torch.device) -> Run:
    """Read the data and build the model: everything before the first step."""
    find = open_architecture if options.from_scratch else open_pretrained
    initial = find(options.model)
    recipe = options.recipe or finetune_recipe(initial.config)
    stride = options.frame_stride or initial.preprocessing.frame_stride
    preprocessing = replace(initial.preprocessing, frame_stride=stride)
    data = read_labelled(
        options.data, annotations=options.annotations, val=options.val, known=initial.labels
    )
    source = ClipSource(
        crop=center_crop(preprocessing),
        num_frames=preprocessing.num_frames,
        frame_stride=stride,
        sampling=options.sampling,
        cache=options.cache,
        cache_clips=options.cache_clips,
    )
    objective = Classification(
        data.classes,
        preprocessing,
        _mixing(recipe, len(data.classes)),
        validation=data.validation,
        source=source,
        workers=options.run.workers,
        process=process,
        device=device,
    )
    return make_run(
        objective,
        build_classifier(initial, data, recipe, options).to(device),
        videos=data.training,
        source=source,
        augmentation=_augmentation(recipe, preprocessing),
        recipe=recipe,
        options=options.run,
        process=process,
        device=device,
        config=initial.config,
        layer_decay=recipe.layer_decay,
        ema_decay=recipe.ema_decay,
        settings={"data": options.data, "model": options.model, "classes": list(data.classes)},
    )


def build_classifier(
    initial: Initial, data: LabelledVideos, recipe: FinetuneRecipe, options: FinetuneOptions
) -> Hiera:
    """The network with as many classes as the data, and the initial weights where there are any.

    The head stays when the data has exactly the classes that the weights know; otherwise it
    starts afresh. Weights of a masked autoencoder bring neither head nor last norm.
    """
    config = replace(
        initial.config,
        num_classes=len(data.classes),
        drop_path_rate=0.0 if options.freeze_backbone else recipe.drop_path,
        head_dropout=recipe.head_dropout,
    )
    with seeded(options.run.seed):
        model = Hiera(config)
    if initial.weights is not None:
        kept_head = tuple(initial.labels) == data.classes
        weights = {
            name: tensor
            for name, tensor in initial.weights.items()
            if kept_head or not name.startswith("head.")
        }
        fresh = copy_weights(model, weights, fresh=ABOVE_ENCODER)
        if fresh:
            logger.info("starts afresh: %s", ", ".join(fresh))
    if options.freeze_backbone:
        model.requires_grad_(requires_grad=False)
        model.head.requires_grad_()
    model.gradient_checkpointing = options.run.checkpoint_activations
    return model


def _mixing(recipe: FinetuneRecipe, num_classes: int) -> Mixing:
    return Mixing(
        num_classes,
        smoothing=recipe.label_smoothing,
        mixup=recipe.mixup,
        cutmix=recipe.cutmix,
    )


def _augmentation(recipe: FinetuneRecipe, preprocessing: Preprocessing) -> Augmentation:
    return Augmentation(
        size=preprocessing.crop_size,
        min_area=recipe.min_area,
        flip=recipe.flip,
        magnitude=recipe.magnitude,
        erase=recipe.erase,
        bicubic=preprocessing.interpolation == "bicubic",
    )
