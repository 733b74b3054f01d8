"""Pretraining: a masked autoencoder learns from videos or pictures without labels."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from hiera_cli.errors import NoInputError
from hiera_cli.inputs import IMAGE_SUFFIXES, VIDEO_SUFFIXES, expand_inputs
from hiera_cli.model.config import HieraConfig
from hiera_cli.model.mae import MaskedAutoencoder
from hiera_cli.training.data.augmentation import Augmentation
from hiera_cli.training.data.batches import TrainingVideo
from hiera_cli.training.data.clips import ClipSource
from hiera_cli.training.data.symmetries import Symmetries
from hiera_cli.training.distributed import Process, joined_process
from hiera_cli.training.initial import (
    copy_weights,
    open_architecture,
    open_pretrained,
    seeded,
)
from hiera_cli.training.loop import train
from hiera_cli.training.objectives.reconstruction import ReconstructionObjective
from hiera_cli.training.options import ClipOptions, PretrainOptions, RunOptions
from hiera_cli.training.recipe import PretrainChanges, PretrainRecipe
from hiera_cli.training.recipes import pretrain_recipe
from hiera_cli.training.records import Record
from hiera_cli.training.run import Run, make_run

PAPER = PretrainChanges()
DEFAULT_CLIPS = ClipOptions()
DECODER = (
    "encoder_norm.",
    "multi_scale_fusion_heads.",
    "decoder_",
    "mask_token",
)


def pretrain(
    options: PretrainOptions,
    run: RunOptions,
    *,
    clips: ClipOptions = DEFAULT_CLIPS,
    changes: PretrainChanges = PAPER,
) -> Iterator[Record]:
    """Train a masked autoencoder; `finetune` starts from the run's folder.

    Args:
        options: which architecture, on what data.
        run: where the results go, and how the run is carried out.
        clips: which clips are taken from the videos.
        changes: what is different from the paper's recipe for the model's size.

    Yields:
        `Started`, then a `Step` for each optimizer step, an `Epoch` for each effective epoch and
        a `Skipped` for each unreadable file.

    Raises:
        HieraError: the data, the model or the settings do not work out; see its kinds.
    """
    with joined_process(run.device) as process:
        yield from train(_prepare(options, run, clips, changes, process))


def _prepare(
    options: PretrainOptions,
    run: RunOptions,
    clips: ClipOptions,
    changes: PretrainChanges,
    process: Process,
) -> Run:
    """List the data and build the model: everything before the first step."""
    find = open_pretrained if options.from_weights else open_architecture
    initial = find(options.model)
    recipe = pretrain_recipe(initial.config, kind=options.recipe).changed(changes)
    preprocessing = replace(
        initial.preprocessing,
        frame_stride=clips.frame_stride or initial.preprocessing.frame_stride,
        sampling="segments" if options.recipe == "ssv2" else "stride",
    )
    model = build_autoencoder(initial.config, recipe, run)
    if initial.weights is not None:
        copy_weights(model, initial.weights, fresh=DECODER)
    objective = ReconstructionObjective(
        initial.config,
        preprocessing,
        mask_ratio=recipe.mask_ratio,
        tubes=recipe.tubes,
        previews=options.preview if process.is_main else None,
        process=process,
    )
    return make_run(
        objective,
        model.to(process.device),
        videos=unlabelled_videos(options.inputs, pictures=not initial.config.is_video),
        source=ClipSource.of(preprocessing, clips),
        augmentation=Augmentation(
            size=preprocessing.crop_size,
            min_area=recipe.min_area,
            bicubic=preprocessing.interpolation == "bicubic",
            squash=preprocessing.crop_mode == "squash",
        ),
        symmetries=Symmetries.of_pictures(flip=recipe.flip),
        recipe=recipe,
        options=run,
        process=process,
        config=initial.config,
        settings={"data": options.inputs, "model": options.model},
    )


def unlabelled_videos(inputs: Sequence[str], *, pictures: bool) -> tuple[TrainingVideo, ...]:
    """Every video, and for image models every picture, that the inputs name.

    Raises:
        NoInputError: none.
    """
    suffixes = VIDEO_SUFFIXES | IMAGE_SUFFIXES if pictures else VIDEO_SUFFIXES
    found = tuple(TrainingVideo(f.path) for f in expand_inputs(inputs, suffixes=suffixes))
    if not found:
        raise NoInputError(f"nothing to learn from in {', '.join(inputs)}")
    return found


def build_autoencoder(
    config: HieraConfig, recipe: PretrainRecipe, run: RunOptions
) -> MaskedAutoencoder:
    """The network with its decoder, initialised from the run's seed."""
    with seeded(run.seed):
        model = MaskedAutoencoder(
            replace(config.for_pretraining(), drop_path_rate=recipe.drop_path),
            decoder_embed_dim=recipe.decoder_width,
            decoder_depth=recipe.decoder_depth,
            decoder_num_heads=recipe.decoder_heads,
        )
    model.gradient_checkpointing = run.checkpoint_activations
    return model
