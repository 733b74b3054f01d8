"""Pretraining: a masked autoencoder learns from videos or pictures without labels."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from hiera_cli.errors import NoInputError
from hiera_cli.inputs import IMAGE_SUFFIXES, VIDEO_SUFFIXES, expand_inputs
from hiera_cli.model.config import HieraConfig
from hiera_cli.model.mae import MaskedAutoencoder
from hiera_cli.training.clips import ClipSource
from hiera_cli.training.data import TrainingVideo
from hiera_cli.training.distributed import Process, process_group, this_process
from hiera_cli.training.initial import (
    copy_weights,
    open_architecture,
    open_pretrained,
    seeded,
)
from hiera_cli.training.loop import train
from hiera_cli.training.recipes import PretrainRecipe, pretrain_recipe
from hiera_cli.training.reconstruction import Reconstruction
from hiera_cli.training.records import Record
from hiera_cli.training.run import Run, RunOptions, center_crop, make_run, training_device
from hiera_cli.video.augment import Augmentation
from hiera_cli.zoo import DEFAULT_MODEL

DECODER = (
    "encoder_norm.",
    "multi_scale_fusion_heads.",
    "decoder_",
    "mask_token",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainOptions:
    """What to pretrain on what.

    Attributes:
        inputs: files, folders, globs and @lists of videos (for image models also of pictures).
        run: how the run is carried out.
        model: zoo name, model folder or config.json: the architecture.
        weights: start from the model's weights instead of random ones.
        recipe: numbers of the training; None: the paper's for the model's size.
        frame_stride: distance of sampled frames at 30 a second; None: the model's own.
        cache: folder to keep decoded clips in; None: decode at every visit.
        cache_clips: clips kept of each video.
        preview: folder for pictures of input, visible part and reconstruction; None: none.
    """

    inputs: tuple[str, ...]
    run: RunOptions
    model: str = DEFAULT_MODEL
    weights: bool = False
    recipe: PretrainRecipe | None = None
    frame_stride: int | None = None
    cache: Path | None = None
    cache_clips: int = 1
    preview: Path | None = None


def pretrain(options: PretrainOptions) -> Iterator[Record]:
    """Train a masked autoencoder; `finetune` starts from the run's folder.

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


def prepare(options: PretrainOptions, process: Process, device: torch.device) -> Run:
    """List the data and build the model: everything before the first step."""
    find = open_pretrained if options.weights else open_architecture
    initial = find(options.model)
    recipe = options.recipe or pretrain_recipe(initial.config)
    stride = options.frame_stride or initial.preprocessing.frame_stride
    preprocessing = replace(initial.preprocessing, frame_stride=stride)
    model = build_autoencoder(initial.config, recipe, options)
    if initial.weights is not None:
        copy_weights(model, initial.weights, fresh=DECODER)
    objective = Reconstruction(
        initial.config,
        preprocessing,
        mask_ratio=recipe.mask_ratio,
        previews=options.preview if process.is_main else None,
    )
    return make_run(
        objective,
        model.to(device),
        videos=unlabelled_videos(options.inputs, pictures=not initial.config.is_video),
        source=ClipSource(
            crop=center_crop(preprocessing),
            num_frames=preprocessing.num_frames,
            frame_stride=stride,
            cache=options.cache,
            cache_clips=options.cache_clips,
        ),
        augmentation=Augmentation(
            size=preprocessing.crop_size,
            min_area=recipe.min_area,
            flip=recipe.flip,
            bicubic=preprocessing.interpolation == "bicubic",
        ),
        recipe=recipe,
        options=options.run,
        process=process,
        device=device,
        config=initial.config,
        settings={"data": list(options.inputs), "model": options.model},
    )


def unlabelled_videos(inputs: tuple[str, ...], *, pictures: bool) -> tuple[TrainingVideo, ...]:
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
    config: HieraConfig, recipe: PretrainRecipe, options: PretrainOptions
) -> MaskedAutoencoder:
    """The network with its decoder, initialised from the run's seed."""
    with seeded(options.run.seed):
        model = MaskedAutoencoder(
            replace(config.for_pretraining(), drop_path_rate=recipe.drop_path),
            decoder_embed_dim=recipe.decoder_width,
            decoder_depth=recipe.decoder_depth,
            decoder_num_heads=recipe.decoder_heads,
        )
    model.gradient_checkpointing = options.run.checkpoint_activations
    return model
