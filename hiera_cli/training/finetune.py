"""Fine-tuning: a classifier learns from labelled videos."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.errors import UsageError
from hiera_cli.heads.options import is_balanced
from hiera_cli.model.hiera import Hiera
from hiera_cli.training.checkpoint import RunFolder
from hiera_cli.training.data.augmentation import Augmentation
from hiera_cli.training.data.clips import ClipSource
from hiera_cli.training.data.labelled import LabelledVideos, read_labelled, with_fewer_labels
from hiera_cli.training.data.mixing import Mixing
from hiera_cli.training.data.symmetries import Symmetries
from hiera_cli.training.distributed import Process, gather_objects, joined_process
from hiera_cli.training.few_clips import FEW_VIDEOS, for_few_clips, reason
from hiera_cli.training.head_start import HeadStart, fit_start
from hiera_cli.training.initial import (
    Initial,
    as_in_run,
    at_size,
    copy_weights,
    open_initial,
    seeded,
)
from hiera_cli.training.loop import train
from hiera_cli.training.objectives.classification import ClassificationObjective
from hiera_cli.training.options import ClipOptions, FinetuneOptions, FinetuneRecipeName, RunOptions
from hiera_cli.training.recipe import FinetuneChanges, FinetuneRecipe
from hiera_cli.training.recipes import finetune_recipe
from hiera_cli.training.records import Record
from hiera_cli.training.run import Run, make_run

logger = logging.getLogger("hiera_cli")

PAPER = FinetuneChanges()
DEFAULT_CLIPS = ClipOptions()
ABOVE_ENCODER = ("norm.", "head.")


def finetune(
    options: FinetuneOptions,
    run: RunOptions,
    *,
    clips: ClipOptions = DEFAULT_CLIPS,
    changes: FinetuneChanges = PAPER,
    size: int | None = None,
) -> Iterator[Record]:
    """Train a classifier; the run's folder becomes a model folder.

    Args:
        options: which model, on what data.
        run: where the results go, and how the run is carried out.
        clips: which clips are taken from the videos.
        changes: what is different from the paper's recipe for the model's size.
        size: side of the crop in pixels; None: the model's own.

    Yields:
        `Started`, then a `Step` for each optimizer step, an `Epoch` for each effective epoch and
        a `Skipped` for each unreadable file.

    Raises:
        HieraError: the data, the model or the settings do not work out; see its kinds.
    """
    with joined_process(run.device) as process:
        yield from train(_prepare(options, run, clips, changes, size, process))


def _prepare(
    options: FinetuneOptions,
    run: RunOptions,
    clips: ClipOptions,
    changes: FinetuneChanges,
    size: int | None,
    process: Process,
) -> Run:
    """Read the data and build the model: everything before the first step."""
    initial = at_size(open_initial(options.model, from_scratch=options.from_scratch), size)
    data = _read(options, initial, seed=run.seed)
    kind = options.recipe or ("ssv2" if data.is_something else "usual")
    recipe = _recipe(initial, data, options, changes, kind=kind)
    pixels = _preprocessing(initial, options, clips, kind)
    source = ClipSource.of(pixels, clips)
    objective = ClassificationObjective(
        data.classes,
        pixels,
        _mixing(recipe, len(data.classes)),
        validation=data.validation,
        source=source,
        workers=run.workers,
        class_weights=_class_weights(data, options),
        calibrate=options.calibrate,
        process=process,
    )
    before = None if run.on_existing == "overwrite" else RunFolder(run.out).newest()
    initial = as_in_run(initial, before)
    model = build_classifier(initial, data, recipe, options, run).to(process.device)
    wants_head = before is None and _wants_fitted_head(initial, data, options)
    start = _head_start(model, data, options, run, source, pixels) if wants_head else None
    return make_run(
        objective,
        model,
        videos=data.training,
        source=source,
        augmentation=_augmentation(recipe, pixels),
        symmetries=_symmetries(data.classes, recipe, options),
        recipe=recipe,
        options=run,
        process=process,
        config=model.config,
        settings=_settings(data, options, kind),
        start_loss=None if start is None else start.loss,
    )


def _settings(data: LabelledVideos, options: FinetuneOptions, kind: str) -> dict[str, Any]:
    """What a run that is gone on with must have in common with itself."""
    return {
        "data": options.data,
        "model": options.model,
        "classes": list(data.classes),
        "recipe": kind,
        "symmetries": list(options.symmetries or ()),
    }


def _recipe(
    initial: Initial,
    data: LabelledVideos,
    options: FinetuneOptions,
    changes: FinetuneChanges,
    *,
    kind: FinetuneRecipeName,
) -> FinetuneRecipe:
    """The recipe of the model's size; for few clips and pretrained weights, what suits these."""
    usual = finetune_recipe(initial.config, kind=kind)
    num_videos = len(data.training)
    if options.from_scratch or options.recipe is not None or kind == "ssv2":
        return usual.changed(changes)
    fitted_head = _wants_fitted_head(initial, data, options)
    fitting = for_few_clips(usual, num_videos, fitted_head=fitted_head).changed(changes)
    if num_videos < FEW_VIDEOS:
        logger.info("%s", reason(fitting, num_videos))
    return fitting


def _class_weights(data: LabelledVideos, options: FinetuneOptions) -> tuple[float, ...] | None:
    """Factors that let every class count the same, where that is asked for or called for."""
    counts = [0] * len(data.classes)
    for video in data.training:
        counts[video.target] += 1
    few = len(data.training) < FEW_VIDEOS
    if not (few or options.class_weights == "balanced"):
        return None
    if not is_balanced(options.class_weights, tuple(max(1, count) for count in counts)):
        return None
    logger.info(
        "classes have %d to %d clips: each counts the same (--class-weights none: each clip)",
        min(counts),
        max(counts),
    )
    return tuple(sum(counts) / (len(counts) * max(1, count)) for count in counts)


def _wants_fitted_head(initial: Initial, data: LabelledVideos, options: FinetuneOptions) -> bool:
    """Where it is asked for, or few clips have classes that pretrained weights do not know."""
    new = initial.weights is not None and tuple(initial.labels) != data.classes
    automatic = options.head_start == "auto" and new and len(data.training) < FEW_VIDEOS
    return automatic or options.head_start == "fit"


def _head_start(
    model: Hiera,
    data: LabelledVideos,
    options: FinetuneOptions,
    run: RunOptions,
    source: ClipSource,
    preprocessing: Preprocessing,
) -> HeadStart | None:
    """Give the model a fitted head; None where there is nothing that one could be fitted to."""
    try:
        start = fit_start(
            model,
            data.training,
            source,
            classes=data.classes,
            preprocessing=preprocessing,
            class_weights=options.class_weights,
            workers=run.workers,
            seed=run.seed,
        )
    except UsageError as error:
        if options.head_start == "fit":
            raise
        logger.info("the head starts afresh: %s", error.message)
        return None
    first = gather_objects(start)[0]
    first.put_into(model)
    return first


def _read(options: FinetuneOptions, initial: Initial, *, seed: int) -> LabelledVideos:
    """The labelled data, with as many labels as are asked for."""
    data = read_labelled(
        options.data,
        annotations=options.annotations,
        val=options.val,
        known=initial.labels,
        class_names=options.class_names,
        labels_from=options.labels_from,
    )
    if not options.hold_out and options.per_class is None:
        return data
    return with_fewer_labels(
        data, hold_out=options.hold_out, per_class=options.per_class, seed=seed
    )


def _preprocessing(
    initial: Initial, options: FinetuneOptions, clips: ClipOptions, kind: FinetuneRecipeName
) -> Preprocessing:
    """What the trained model will expect: the initial one's, but for what was asked for.

    Something-Something's actions fill their videos: one frame of each of T segments is taken.
    """
    before = initial.preprocessing
    usual = "segments" if kind == "ssv2" else before.sampling
    return replace(
        before,
        frame_stride=clips.frame_stride or before.frame_stride,
        sampling=options.sampling or usual,
        crop_mode=options.crop_mode or before.crop_mode,
    )


def build_classifier(
    initial: Initial,
    data: LabelledVideos,
    recipe: FinetuneRecipe,
    options: FinetuneOptions,
    run: RunOptions,
) -> Hiera:
    """The network with as many classes as the data, and the initial weights where there are any.

    The head stays when the data has exactly the classes that the weights know; otherwise it
    starts afresh. Weights of a masked autoencoder bring neither head nor last norm.
    """
    config = replace(
        initial.config,
        num_classes=len(data.classes),
        bank_size=0,
        num_neighbours=0,
        drop_path_rate=0.0 if options.freeze_backbone else recipe.drop_path,
        head_dropout=recipe.head_dropout,
    )
    with seeded(run.seed):
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
    model.gradient_checkpointing = run.checkpoint_activations
    return model


def _mixing(recipe: FinetuneRecipe, num_classes: int) -> Mixing:
    return Mixing(
        num_classes, smoothing=recipe.label_smoothing, mixup=recipe.mixup, cutmix=recipe.cutmix
    )


def _symmetries(
    classes: tuple[str, ...], recipe: FinetuneRecipe, options: FinetuneOptions
) -> Symmetries:
    return Symmetries.of_classes(classes, flip=recipe.flip, names=options.symmetries or ())


def _augmentation(recipe: FinetuneRecipe, preprocessing: Preprocessing) -> Augmentation:
    return Augmentation(
        size=preprocessing.crop_size,
        min_area=recipe.min_area,
        magnitude=recipe.magnitude,
        erase=recipe.erase,
        bicubic=preprocessing.interpolation == "bicubic",
        squash=preprocessing.crop_mode == "squash",
    )
