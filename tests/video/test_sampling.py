import math

import numpy as np
import pytest
import torch

from hiera_cli.errors import UsageError
from hiera_cli.video.protocols import PROTOCOLS, Protocol, make_protocol
from hiera_cli.video.sampling import Timeline, linspace, plan_clips


def constant(num_frames: int, fps: float = 30.0, start: float = 0.0) -> Timeline:
    times = start + np.arange(num_frames) / fps
    return Timeline(fps, times, start + num_frames / fps, constant=True)


def indices(timeline: Timeline, name: str, **changes: object) -> list[tuple[int, ...]]:
    protocol = make_protocol(name, **changes)  # type: ignore[arg-type]
    return [clip.frame_indices for clip in plan_clips(timeline, protocol)]


def reference(num_frames: int, fps: float, clip_index: int, num_clips: int) -> tuple[int, ...]:
    """The formula of the reference loader, in torch."""
    span = max(1.0, 4 * 16 / 30 * fps)
    delta = max(num_frames - span, 0)
    start = math.floor(delta / 2)
    if num_clips > 1:
        start = clip_index * math.floor(delta / (num_clips - 1))
    positions = torch.linspace(start, start + span - 1, 16).clamp(0, num_frames - 1)
    return tuple(positions.long().tolist())


def test_linspace_is_that_of_torch_bit_for_bit() -> None:
    generator = np.random.default_rng(5)
    for _ in range(300):
        num = int(generator.integers(1, 70))
        start = float(generator.integers(0, 100_000))
        stop = start + generator.uniform(0, 500)
        expected = torch.linspace(start, stop, num).numpy()
        np.testing.assert_array_equal(linspace(start, stop, num), expected)


def test_offsets_at_thirty_frames_per_second() -> None:
    expected = (0, 4, 8, 12, 16, 21, 25, 29, 33, 37, 42, 46, 50, 54, 58, 63)
    assert indices(constant(64), "fast") == [expected]
    assert indices(constant(300), "balanced")[1] == tuple(59 + i for i in expected)


@pytest.mark.parametrize("fps", [1, 10, 15, 19.62, 24000 / 1001, 25, 30000 / 1001, 50, 60, 240])
@pytest.mark.parametrize("num_frames", [1, 2, 15, 63, 64, 65, 150, 300, 1799, 20_000])
@pytest.mark.parametrize(("name", "num_clips"), [("fast", 1), ("balanced", 5), ("paper", 5)])
def test_constant_rate_follows_the_formula(
    fps: float, num_frames: int, name: str, num_clips: int
) -> None:
    expected = [reference(num_frames, fps, k, num_clips) for k in range(num_clips)]
    assert indices(constant(num_frames, fps), name) == expected


def test_a_short_video_repeats_its_last_frame() -> None:
    assert indices(constant(3), "fast") == [(0,) + (2,) * 15]
    assert indices(constant(1), "balanced") == [(0,) * 16] * 5


def test_clip_times_are_absolute() -> None:
    clip = plan_clips(constant(64, start=100.0), PROTOCOLS["fast"])[0]
    assert clip.start_seconds == 100.0
    assert clip.end_seconds == pytest.approx(100 + 64 / 30)
    assert clip.times_seconds[1] == pytest.approx(100 + 4 / 30)


def test_variable_rate_takes_the_frame_on_display() -> None:
    """Two seconds at 30 frames per second, then one frame every fifth of a second."""
    times = np.concatenate([np.arange(60) / 30, 2 + np.arange(48) / 6])
    timeline = Timeline(10.8, times, 10.0, constant=False)
    (clip,) = plan_clips(timeline, PROTOCOLS["fast"])
    span = 64 / 30 * 10.8
    start = math.floor((108 - span) / 2)
    wanted = torch.linspace(start, start + span - 1, 16).floor().numpy() / 10.8
    shown = [int(np.flatnonzero(times <= t + 1e-6)[-1]) for t in wanted]
    assert list(clip.frame_indices) == shown


def test_variable_rate_on_even_times_is_the_constant_rate() -> None:
    even = constant(300, 30000 / 1001)
    other = Timeline(even.fps, even.times_seconds, even.end_seconds, constant=False)
    for name in PROTOCOLS:
        assert indices(other, name) == indices(even, name)


def test_dense_windows_are_back_to_back_and_the_last_is_padded() -> None:
    clips = plan_clips(constant(150), PROTOCOLS["dense"])
    assert [clip.frame_indices[0] for clip in clips] == [0, 64, 128]
    assert clips[2].frame_indices == (128, 132, 136, 140, 144) + (149,) * 11
    assert clips[2].end_seconds == pytest.approx(5.0)
    assert len(plan_clips(constant(128), PROTOCOLS["dense"])) == 2


def test_dense_hop() -> None:
    starts = [clip[0] for clip in indices(constant(90), "dense", hop_seconds=0.5)]
    assert starts == [0, 15, 30, 45, 60, 75]


def test_long_pauses_cost_no_windows() -> None:
    gap = Timeline(2 / 36_000, np.array([0.0, 36_000.0]), 36_001.0, constant=False)
    assert len(plan_clips(gap, PROTOCOLS["dense"])) == 2
    assert len(plan_clips(constant(6, fps=1e-9), PROTOCOLS["dense"])) == 6


def test_a_video_has_at_least_one_frame() -> None:
    with pytest.raises(ValueError, match="without frames"):
        plan_clips(Timeline(30.0, np.array([]), 0.0, constant=True), PROTOCOLS["fast"])


@pytest.mark.parametrize(
    "changes",
    [{"clips": 0}, {"crops": 2}, {"hop_seconds": 1.0}, {"num_frames": 0}, {"frame_stride": 0}],
)
def test_numbers_that_cannot_be_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        make_protocol("balanced", **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("hop", [0.0, -1.0, float("nan"), float("inf")])
def test_hops_that_cannot_be_are_refused(hop: float) -> None:
    with pytest.raises(UsageError):
        make_protocol("dense", hop_seconds=hop)


def test_unknown_protocol() -> None:
    with pytest.raises(UsageError, match="unknown protocol"):
        make_protocol("slow")


def test_clips_around_instants_are_slowfasts():
    """`range(c - 32, c + 32, 4)` at 30 frames a second, clamped."""
    timeline = Timeline(30.0, np.arange(300) / 30, 10.0, constant=True)
    protocol = Protocol("x", num_clips=None, num_crops=1, centers_seconds=(1.0, 5.0, 9.9))
    first, second, last = plan_clips(timeline, protocol)
    assert first.frame_indices == tuple(max(0, i) for i in range(30 - 32, 30 + 32, 4))
    assert second.frame_indices == tuple(range(150 - 32, 150 + 32, 4))
    assert last.frame_indices == tuple(min(299, i) for i in range(297 - 32, 297 + 32, 4))
    with pytest.raises(ValueError, match="ascend"):
        Protocol("x", num_clips=None, num_crops=1, centers_seconds=(2.0, 1.0))
