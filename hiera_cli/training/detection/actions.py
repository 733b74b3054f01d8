"""Training of action detection on videos with boxes at key frames, put together."""

from collections.abc import Iterator
from dataclasses import asdict, replace

from hiera_cli.datasets.keyframes import KeyFrameDataset, has_split, read_keyframes
from hiera_cli.errors import UsageError
from hiera_cli.model.action_head import ActionDetector, with_stride
from hiera_cli.model.config import HieraConfig
from hiera_cli.model.window_positions import tile_positions, with_size
from hiera_cli.training.data.symmetries import find_counterparts
from hiera_cli.training.detection.action_objective import ActionObjective
from hiera_cli.training.detection.key_frames import ClipJitter, KeyFrameSamples
from hiera_cli.training.detection.options import (
    ActionOptions,
    ActionRecipe,
    DetectorChanges,
    changed,
    refuse_others,
    shaped,
)
from hiera_cli.training.distributed import Process, joined_process
from hiera_cli.training.initial import (
    Initial,
    copy_weights,
    open_initial,
    seeded,
    sized,
)
from hiera_cli.training.loop import train
from hiera_cli.training.optim import cosine
from hiera_cli.training.options import ClipOptions, FinetuneOptions, RunOptions
from hiera_cli.training.recipe import RecipeChanges
from hiera_cli.training.records import Record
from hiera_cli.training.run import Run, assemble_run
from hiera_cli.video.clips import ClipReader
from hiera_cli.video.info import Limits

USED = ("model", "from_scratch", "freeze_backbone", "val", "symmetries")
CLIPS_USED = ("max_pixels", "timeout", "isolate", "assume_fps", "frame_stride")
RECIPE_UNUSED = ("repeats", "min_area")


def finetune_actions(
    options: FinetuneOptions,
    run: RunOptions,
    *,
    clips: ClipOptions,
    shape: DetectorChanges,
    changes: RecipeChanges,
) -> Iterator[Record]:
    """Train action detection; the run's folder is a model for `hiera eval --task detection`.

    Args:
        options: which video model, on what folder of AVA's shape.
        run: where the results go, and how the run is carried out.
        clips: which frames, and what reading a file may cost.
        shape: what is different from SlowFast's crops and the model's own map.
        changes: what is different from the paper's recipe.

    Yields:
        `Started`, then a `Step` for each optimizer step, an `Epoch` for each epoch and a
        `Skipped` for each unreadable video.

    Raises:
        HieraError: the data, the model or the settings do not work out; see its kinds.
    """
    refuse_others(options, used=USED)
    refuse_others(clips, used=CLIPS_USED)
    if set(options.symmetries or ()) - {"mirror"}:
        raise UsageError("of the symmetries only --symmetry mirror is for boxes")
    recipe = changed(ActionRecipe(), changes, unused=RECIPE_UNUSED)
    wanted = shaped(ActionOptions(), shape)
    with joined_process(run.device) as process:
        yield from train(_prepare(options, run, clips, wanted, recipe, process))


def _prepare(
    options: FinetuneOptions,
    run: RunOptions,
    clips: ClipOptions,
    wanted: ActionOptions,
    recipe: ActionRecipe,
    process: Process,
) -> Run:
    """Read the data and build the model: everything before the first step."""
    data = read_keyframes(options.data, split="train")
    validation = find_validation(data, options)
    initial = open_initial(options.model, from_scratch=options.from_scratch)
    with seeded(run.seed):
        model = make_action_detector(initial, wanted, recipe, num_classes=len(data.actions))
    model.gradient_checkpointing = run.checkpoint_activations
    if options.freeze_backbone:
        model.requires_grad_(requires_grad=False)
        model.head.requires_grad_()
    before = sized(initial.preprocessing, model.config.input_size[-1])
    pixels = replace(before, frame_stride=clips.frame_stride or before.frame_stride)
    limits, isolate = Limits.of(clips), clips.isolate is not False
    samples = KeyFrameSamples(
        data,
        pixels,
        ClipJitter.of(wanted, data.actions, flip=recipe.flip, symmetric=_symmetric(data, options)),
        seed=run.seed,
        reader=ClipReader(isolate=isolate, limits=limits),
    )
    objective = ActionObjective(
        data, pixels, validation=validation, limits=limits, isolate=isolate, process=process
    )
    return assemble_run(
        objective,
        model.to(process.device),
        samples=samples,
        num_samples=len(samples),
        recipe=recipe,
        schedule=cosine,
        options=run,
        process=process,
        config=model.config,
        settings={"data": options.data, "model": options.model, **asdict(wanted)},
    )


def find_validation(data: KeyFrameDataset, options: FinetuneOptions) -> KeyFrameDataset | None:
    """The key frames to validate on: `--val`, or the training data's val split, if it has one.

    Raises:
        UsageError: it cannot be read, or has other actions.
        NoInputError: it has no boxes or no videos.
    """
    if not options.val and not has_split(options.data, "val"):
        return None
    found = read_keyframes(options.val or options.data, split="val")
    if found.source == data.source:
        return None
    if found.actions != data.actions:
        raise UsageError(f"the actions of {found.source} are not those of {data.source}")
    return found


def _symmetric(data: KeyFrameDataset, options: FinetuneOptions) -> bool:
    """Whether `--symmetry mirror` is given.

    Raises:
        UsageError: it is, and no action has a mirror image.
    """
    if not options.symmetries:
        return False
    mirrored = find_counterparts(data.actions, "mirror")
    if all(counterpart is None for counterpart in mirrored):
        raise UsageError(f"no action of {data.source} has a mirror image")
    return True


def make_action_detector(
    initial: Initial, wanted: ActionOptions, recipe: ActionRecipe, *, num_classes: int
) -> ActionDetector:
    """The network with a fresh head of one output an action, at the size and stride wanted.

    Raises:
        UsageError: the model is for pictures, or has no such stride.
        WeightsError: mask units do not fill the size, or the weights do not fit.
    """
    if not initial.config.is_video:
        raise UsageError("actions are told from videos: a video model is needed",
                         hint="for example -m hiera_base_16x224")  # fmt: skip
    trained: HieraConfig = initial.config
    size = wanted.size or trained.input_size[-1]
    config = with_size(trained, size, size)
    if wanted.stride is not None:
        config = with_stride(config, wanted.stride)
    config = replace(
        config,
        num_classes=num_classes,
        bank_size=0,
        num_neighbours=0,
        head_stages=(),
        drop_path_rate=recipe.drop_path,
        head_dropout=recipe.head_dropout,
    )
    model = ActionDetector(config)
    if initial.weights is not None:
        weights = tile_positions(initial.weights, trained, config)
        encoder = {name: w for name, w in weights.items() if not name.startswith("head.")}
        copy_weights(model, encoder, fresh=("norm.", "head."))
    return model
