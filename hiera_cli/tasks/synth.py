"""Rendered videos, in a folder for each camera movement, and the network that learns from them."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from hiera_cli.checkpoints.open import save_model
from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.checkpoints.zoo import BUNDLED_MODEL
from hiera_cli.errors import NoInputError
from hiera_cli.inputs import expand_inputs
from hiera_cli.machine import usable_cores
from hiera_cli.model.config import HieraConfig
from hiera_cli.model.hiera import Hiera
from hiera_cli.synth.camera import MOTIONS
from hiera_cli.synth.footage import Footage, Staging, read_footage, stage_footage
from hiera_cli.synth.gratings import make_motion_network
from hiera_cli.synth.options import SynthOptions
from hiera_cli.synth.props import Props
from hiera_cli.synth.samples import FILMS, film_samples
from hiera_cli.synth.scenes import Look, Scene, render
from hiera_cli.synth.staging import Shot, draw_look, stage, stage_plainly
from hiera_cli.video.encode import h264, write_video

BLOCK = 200
WINDOWS_OF_A_SOURCE = 6
MOVERS_SHARE = 0.6
NUM_SAMPLES = len(FILMS)

CAMERA_MOTION = HieraConfig(
    input_size=(16, 96, 96),
    embed_dim=64,
    num_heads=2,
    num_classes=len(MOTIONS),
    stages=(1, 2, 2, 1),
    q_pool=2,
    q_stride=(1, 2, 2),
    mask_unit_size=(1, 4, 4),
    mask_unit_attn=(True, False, False, False),
    dim_mul=1.5,
    head_mul=1.0,
    patch_kernel=(5, 10, 10),
    patch_stride=(2, 8, 8),
    patch_padding=(2, 1, 1),
    sep_pos_embed=True,
)
CAMERA_MOTION_PIXELS = Preprocessing(num_frames=16, frame_stride=4, crop_size=96, short_side=109)

# A Hiera for pictures of 32 x 32 pixels, such as CIFAR-10's: 16 mask units of 8 x 8 pixels.
SMALL_PICTURES = HieraConfig(
    input_size=(32, 32),
    embed_dim=48,
    num_heads=2,
    stages=(1, 2, 2, 1),
    q_pool=2,
    mask_unit_size=(4, 4),
    mask_unit_attn=(True, False, False, False),
    dim_mul=1.5,
    head_mul=1.0,
    patch_kernel=(3, 3),
    patch_stride=(2, 2),
    patch_padding=(1, 1),
)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A video that was written.

    Attributes:
        path: the file.
        label: its camera movement.
    """

    path: Path
    label: str


def synthesise(options: SynthOptions) -> Iterator[Rendered]:
    """Render videos block by block; yields each when it, or with workers its block, is done.

    Raises:
        MediaError: a source cannot be read.
        NoInputError: no camera stands still in any source.
        OutputError: a file cannot be written.
    """
    for motion in MOTIONS:
        class_folder(options.out, motion).mkdir(parents=True, exist_ok=True)
    blocks = range(0, options.num, BLOCK)
    workers = options.workers or min(usable_cores(), len(blocks))
    if workers == 1:
        for first in blocks:
            yield from _render_block(options, first)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(_render_block_alone, options, first) for first in blocks]
        for job in jobs:
            yield from job.result()


def make_samples(folder: Path) -> Iterator[Path]:
    """Render the sample videos into class folders; yields each file when it is there."""
    return film_samples(folder)


def make_start(folder: Path, *, seed: int = 0) -> None:
    """Write the untrained camera-motion network as a model folder, to fine-tune from."""
    save_model(
        folder,
        make_motion_network(CAMERA_MOTION, seed=seed),
        labels=MOTIONS,
        preprocessing=CAMERA_MOTION_PIXELS,
        extra={"name": f"{BUNDLED_MODEL}-start"},
    )


def make_picture_start(folder: Path, *, seed: int = 0) -> None:
    """Write a small untrained network for pictures of 32 x 32 pixels as a model folder."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Hiera(SMALL_PICTURES)
    pixels = Preprocessing.for_config(SMALL_PICTURES)
    save_model(
        folder,
        model,
        labels=(),
        preprocessing=replace(pixels, short_side=pixels.crop_size),
        extra={"name": "small-pictures"},
    )


def class_folder(folder: Path, motion: str) -> Path:
    """Where videos of a movement go: its name with underscores."""
    return folder / motion.replace(" ", "_")


def _render_block_alone(options: SynthOptions, first: int) -> list[Rendered]:
    """A block in a process of its own, on one thread."""
    torch.set_num_threads(1)
    return list(_render_block(options, first))


def _render_block(options: SynthOptions, first: int) -> Iterator[Rendered]:
    """A block of videos that share a stock of textures, so that blocks do not depend on others."""
    props = Props(np.random.default_rng((options.seed, first, 1)))
    shot = Shot(width=options.width, height=options.height)
    for index in range(first, min(first + BLOCK, options.num)):
        motion = MOTIONS[index % len(MOTIONS)]
        rng = np.random.default_rng((options.seed, index))
        if options.source:
            scene = _film(options, motion, rng, index // len(MOTIONS), (shot, props))
        else:
            scene = (stage_plainly if options.plain else stage)(motion, rng, props, shot)
        path = class_folder(options.out, motion) / f"{options.seed}_{index:06d}.mp4"
        encoding = h264(crf=int(rng.integers(16, 33)), preset="veryfast")
        frames = render(scene, shot.width, shot.height, rng=rng)
        write_video(path, frames, fps=shot.fps, encoding=encoding)
        yield Rendered(path, motion)


def _film(
    options: SynthOptions,
    motion: str,
    rng: np.random.Generator,
    turn: int,
    place: tuple[Shot, Props],
) -> Scene:
    """Real footage, sources and their windows in turn, seen by a virtual camera.

    Raises:
        NoInputError: no window of any source shows what a virtual camera does.
    """
    assert options.source
    shot, props = place
    sources = _sources(tuple(options.source))
    look = draw_look(rng, props, shot) if options.degrade else Look()
    added = Staging(look, props if options.movers and rng.random() < MOVERS_SHARE else None)
    for step in range(len(sources)):
        windows = _windows(sources[(turn + step) % len(sources)], shot, still=options.still)
        if windows:
            footage = windows[turn // len(sources) % len(windows)]
            return stage_footage(motion, rng, footage, shot, added=added)
    raise NoInputError(
        f"no camera stands still in {', '.join(options.source)}, or there is nothing to see",
        hint="take footage from a tripod, or film stills of it with --still",
    )


@lru_cache(maxsize=4)
def _sources(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(found.path for found in expand_inputs(names))


@lru_cache(maxsize=16)
def _windows(source: str, shot: Shot, *, still: bool) -> tuple[Footage, ...]:
    """The windows of a source in which a virtual camera can be told."""
    found = read_footage(source, num_windows=WINDOWS_OF_A_SOURCE, shot=shot)
    if still:
        found = [footage.still for footage in found]
    return tuple(footage for footage in found if footage.shows_movement)
