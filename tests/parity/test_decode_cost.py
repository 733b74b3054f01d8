"""CPU time of 15 views: one pass for all of them against one decode a view, as SlowFast does it.

The baseline is written from SlowFast's description of its PyAV path: every (clip, crop) is an item
of its own, which opens the file, seeks to the clip, decodes all frames of its span to RGB, then
picks, normalises, resizes and crops.
"""

import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hiera_cli.checkpoints.preprocessing import Preprocessing
from hiera_cli.inference.loader import LoaderOptions, load_batches
from hiera_cli.inputs import InputPath
from hiera_cli.video.protocols import PROTOCOLS
from tests.media import write_waves
from tests.parity.reference import MEAN, STD

REAL = Path(__file__).parents[2].parent / "shared" / "media" / "real" / "mma_demo.mp4"
NUM_CLIPS, NUM_CROPS, NUM_ROUNDS = 5, 3, 5
SEEK_MARGIN, FRAMES_AFTER = 1024, 5  # that loader's ticks before a clip, and frames behind it


def one_view(path: Path, clip: int, crop: int) -> torch.Tensor:
    """(3, 16, 224, 224), from a decode of its own."""
    frames, num_after = [], 0
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        ticks = stream.duration / stream.frames
        span = 64 / 30 * float(stream.average_rate)
        start = clip * ((stream.frames - span) // (NUM_CLIPS - 1))
        first, last = int(start * ticks), int((start + span - 1) * ticks)
        container.seek(max(first - SEEK_MARGIN, 0), stream=stream, backward=True)
        for frame in container.decode(stream):
            if frame.pts >= first:
                frames.append(frame.to_rgb().to_ndarray())
            num_after += frame.pts > last
            if num_after == FRAMES_AFTER:
                break
    picked = torch.linspace(0, len(frames) - max(num_after, 1), 16).long()
    pixels = torch.from_numpy(np.stack(frames))[picked].float() / 255
    pixels = ((pixels - MEAN) / STD).permute(0, 3, 1, 2)
    height, width = pixels.shape[-2:]
    size = (224, 224 * width // height)
    resized = F.interpolate(pixels, size=size, mode="bilinear", align_corners=False)
    x = (0, (size[1] - 224 + 1) // 2, size[1] - 224)[crop]
    return resized[..., x : x + 224].transpose(0, 1)


def per_view(path: Path) -> int:
    views = [one_view(path, clip, crop) for clip in range(NUM_CLIPS) for crop in range(NUM_CROPS)]
    return len(torch.stack(views))


def one_pass(path: Path) -> int:
    options = LoaderOptions(
        protocol=PROTOCOLS["paper"], preprocessing=Preprocessing(), batch_size=2, isolate=False
    )
    batches = load_batches([InputPath(str(path), path.name)], options)
    return sum(len(batch.pixels) for batch in batches)


@pytest.mark.slow
def test_fifteen_views_cost_at_most_an_eighth_of_decoding_per_view(tmp_path: Path) -> None:
    """CPU seconds of this process, the least of several alternating rounds, one thread.

    `pytest -m slow -rP tests/parity/test_decode_cost.py` shows the figures.
    """
    clips = [write_waves(tmp_path / "ten_seconds.mp4", seed=3, num_frames=250, size=(340, 256))]
    clips += [REAL] if REAL.exists() else []
    torch.set_num_threads(1)
    ratios = {clip.name: measure(clip) for clip in clips}
    assert max(ratios.values()) >= 8, ratios


def measure(clip: Path) -> float:
    """How many times the CPU time of one pass the per-view loop takes."""
    seconds: dict[str, list[float]] = {"one pass": [], "per view": []}
    for _ in range(NUM_ROUNDS):
        for name, run in (("one pass", one_pass), ("per view", per_view)):
            began = time.process_time()
            assert run(clip) == 15
            seconds[name].append(time.process_time() - began)
    ours, theirs = min(seconds["one pass"]), min(seconds["per view"])
    figures = f"{ours:.3f} s in one pass, {theirs:.3f} s per view: {theirs / ours:.1f} times"
    sys.stdout.write(f"{clip.name}, 15 views: {figures}\n")
    return theirs / ours
