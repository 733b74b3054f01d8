"""Rendered training data: short videos of made-up places, in a folder for each camera movement."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from hiera_cli.errors import UsageError
from hiera_cli.video.camera import MOTIONS
from hiera_cli.video.draw import h264, write_video
from hiera_cli.video.scenes import render
from hiera_cli.video.staging import Props, Shot, stage

BLOCK = 200


@dataclass(frozen=True, slots=True)
class SynthOptions:
    """What to render.

    Attributes:
        folder: class folders are made in it.
        num: number of videos, spread evenly over the classes.
        seed: of all randomness; the same seed gives the same frames, whatever `workers` is.
        shot: size and timing of each video.
        workers: processes that render at the same time.
    """

    folder: Path
    num: int = 2000
    seed: int = 0
    shot: Shot = field(default_factory=Shot)
    workers: int = 1

    def __post_init__(self) -> None:
        """Refuse numbers that render nothing."""
        if self.num < 1 or self.workers < 1:
            raise UsageError(f"cannot render {self.num} videos with {self.workers} processes")
        if self.seed < 0:
            raise UsageError(f"the seed must not be negative, not {self.seed}")


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
    """Render videos block by block; yields each when its block is done.

    Raises:
        OutputError: a file cannot be written.
    """
    for motion in MOTIONS:
        class_folder(options.folder, motion).mkdir(parents=True, exist_ok=True)
    blocks = range(0, options.num, BLOCK)
    if options.workers == 1:
        for first in blocks:
            yield from _render_block(options, first)
        return
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(_render_block_alone, options, first) for first in blocks]
        for job in jobs:
            yield from job.result()


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
    shot = options.shot
    for index in range(first, min(first + BLOCK, options.num)):
        motion = MOTIONS[index % len(MOTIONS)]
        rng = np.random.default_rng((options.seed, index))
        frames = render(stage(motion, rng, props, shot), shot.width, shot.height, rng=rng)
        path = class_folder(options.folder, motion) / f"{options.seed}_{index:06d}.mp4"
        encoding = h264(crf=int(rng.integers(16, 33)), preset="veryfast")
        write_video(path, frames, fps=shot.fps, encoding=encoding)
        yield Rendered(path, motion)
