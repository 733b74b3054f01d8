"""Training of object detectors on COCO and VOC files, put together."""

from collections.abc import Iterator
from dataclasses import asdict, replace

from torch import nn

from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.datasets.boxes import find_boxes, read_boxes
from hiera_cli.datasets.coco import CocoDataset
from hiera_cli.detection.masks import check_can_draw
from hiera_cli.errors import UsageError
from hiera_cli.model.box_detector import BoxDetector, BoxDetectorConfig
from hiera_cli.model.config import HieraConfig
from hiera_cli.model.hiera import Encoder, Hiera
from hiera_cli.model.pyramid import windows_for
from hiera_cli.model.window_positions import tile_positions, with_size
from hiera_cli.training.detection.box_objective import BoxObjective
from hiera_cli.training.detection.options import (
    BoxOptions,
    BoxRecipe,
    DetectorChanges,
    changed,
    refuse_others,
    shaped,
)
from hiera_cli.training.detection.pictures import Jitter, PictureSamples
from hiera_cli.training.distributed import Process, joined_process
from hiera_cli.training.initial import (
    Initial,
    copy_weights,
    open_initial,
    seeded,
)
from hiera_cli.training.loop import train
from hiera_cli.training.optim import stepped
from hiera_cli.training.options import ClipOptions, FinetuneOptions, RunOptions
from hiera_cli.training.recipe import RecipeChanges
from hiera_cli.training.recipes import size_of
from hiera_cli.training.records import Record
from hiera_cli.training.run import Run, assemble_run
from hiera_cli.video.info import Limits

LEAST_SPREAD = 0.02
USED = ("model", "from_scratch", "freeze_backbone", "val")
CLIPS_USED = ("max_pixels", "timeout")
RECIPE_UNUSED = ("repeats", "min_area", "warmup_epochs", "min_lr")


def finetune_boxes(
    options: FinetuneOptions,
    run: RunOptions,
    *,
    clips: ClipOptions,
    shape: DetectorChanges,
    changes: RecipeChanges,
    masks: bool = False,
) -> Iterator[Record]:
    """Train an object detector; the run's folder becomes a model for `hiera eval --task boxes`.

    Args:
        options: which image model, on what COCO or VOC data set.
        run: where the results go, and how the run is carried out.
        clips: what reading a file may cost.
        shape: what is different from the paper's detector and jitter.
        changes: what is different from the paper's recipe.
        masks: learn masks, too: a model for `hiera eval --task masks`.

    Yields:
        `Started`, then a `Step` for each optimizer step, an `Epoch` for each epoch and a
        `Skipped` for each unreadable picture.

    Raises:
        HieraError: the data, the model or the settings do not work out; see its kinds.
    """
    refuse_others(options, used=USED)
    refuse_others(clips, used=CLIPS_USED)
    _ = changed(BoxRecipe(), changes, unused=RECIPE_UNUSED)  # before anything is read
    boxes = replace(shaped(BoxOptions(), shape), masks=masks)
    with joined_process(run.device) as process:
        yield from train(_prepare(options, run, clips, boxes, changes, process))


def _prepare(
    options: FinetuneOptions,
    run: RunOptions,
    clips: ClipOptions,
    boxes: BoxOptions,
    changes: RecipeChanges,
    process: Process,
) -> Run:
    """Read the data and build the model: everything before the first step."""
    if boxes.masks:
        check_can_draw()
    data = read_boxes(find_boxes(options.data, split="train"), masks=boxes.masks)
    validation = find_validation(data, options, masks=boxes.masks)
    initial = open_initial(options.model, from_scratch=options.from_scratch)
    recipe = changed(box_recipe(initial.config), changes, unused=RECIPE_UNUSED)
    with seeded(run.seed):
        model = make_detector(initial, boxes, recipe, num_classes=len(data.classes))
    encoder = model.pyramid.encoder
    encoder.gradient_checkpointing = run.checkpoint_activations
    if options.freeze_backbone:
        encoder.requires_grad_(requires_grad=False)
    pixels = _preprocessing(initial, boxes.size)
    limits = Limits.of(clips)
    samples = PictureSamples(
        data.pictures,
        Jitter(boxes.size, boxes.min_scale, boxes.max_scale, recipe.flip, boxes.masks),
        seed=run.seed,
        limits=limits,
    )
    return assemble_run(
        BoxObjective(data, pixels, validation=validation, limits=limits, process=process),
        model.to(process.device),
        samples=samples,
        num_samples=len(data.pictures),
        recipe=recipe,
        schedule=stepped(recipe.warmup_steps),
        options=run,
        process=process,
        config=encoder.config,
        settings={"data": options.data, "model": options.model, **asdict(boxes)},
    )


def find_validation(
    data: CocoDataset, options: FinetuneOptions, *, masks: bool
) -> CocoDataset | None:
    """The pictures to validate on: `--val`, or the training data's val split, if it has one.

    Raises:
        UsageError: `--val` cannot be read, or has other classes.
    """
    try:
        path = find_boxes(options.val or options.data, split="val")
    except UsageError:
        if options.val:
            raise
        return None
    if path == data.path:
        return None
    found = read_boxes(path, masks=masks)
    if found.classes != data.classes:
        raise UsageError(f"the classes of {found.path} are not those of {data.path}")
    return found


def box_recipe(config: HieraConfig) -> BoxRecipe:
    """The paper's recipe for an encoder (table 15): of Hiera-L, or of B and B+ for all others."""
    if size_of(config) == "large":
        return BoxRecipe(lr=3e-5, drop_path=0.4)
    return BoxRecipe()


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
        masks=boxes.masks,
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
