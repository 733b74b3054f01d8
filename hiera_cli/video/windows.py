"""Back-to-back windows over a video: every frame in one of them, and none of them twice.

All places and lengths are counted in frames at the video's average rate.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
Places = npt.NDArray[np.float64]


def lay_windows(
    places: Places,
    *,
    constant: bool,
    hop_frames: float,
    span_frames: float,
    num_frames: int,
    leaves_gaps: bool,
    frames_from: Callable[[float], Indices],
) -> list[Indices]:
    """The frames of each window, (T,) indices that never descend.

    Args:
        places: (N,) when each frame is shown, from 0, ascending.
        constant: whether `places` are 0, 1, 2 …
        hop_frames: from the start of a window to that of the next.
        span_frames: length of a window, at least 1.
        num_frames: T.
        leaves_gaps: whether the hop is longer than a window, so that frames lie between windows.
        frames_from: the frames of the window that starts at a place.
    """
    if hop_frames < 1:
        rows = _sparse_windows(places, hop_frames, span_frames, num_frames)
    else:
        starts = _even_starts(len(places), hop_frames) if constant else _starts(places, hop_frames)
        rows = [frames_from(start) for start in starts]
    rows = _without_repeats(rows)
    return rows if leaves_gaps else _without_repeats(_joined(rows, len(places)))


def _even_starts(num_frames: int, hop_frames: float) -> list[float]:
    """Starts of windows at a constant rate, as long as a part of the last frame is in one."""
    return [k * hop_frames for k in range(max(1, int(np.ceil(num_frames / hop_frames))))]


def _starts(places: Places, hop_frames: float) -> list[float]:
    """Starts of the windows in which some frame begins.

    The others would only repeat the frame before them: a gap of hours costs nothing.
    """
    return [float(k * hop_frames) for k in np.unique(_window_of(places, hop_frames))]


def _sparse_windows(
    places: Places, hop_frames: float, span_frames: float, num_frames: int
) -> list[Indices]:
    """Windows where most are shorter than a frame: the frames that begin in each that has any."""
    _, firsts = np.unique(_window_of(places, hop_frames), return_index=True)
    ends = np.append(firsts[1:], len(places))
    if span_frames > 1:  # windows that overlap
        ends = np.maximum(ends, np.searchsorted(places, places[firsts] + span_frames - 1e-6))
    return [
        np.floor(np.linspace(first, end - 1, num_frames)).astype(np.int64)
        for first, end in zip(firsts, ends, strict=True)
    ]


def _window_of(places: Places, hop_frames: float) -> Indices:
    return ((places + 1e-6) // hop_frames).astype(np.int64)


def _without_repeats(rows: Sequence[Indices]) -> list[Indices]:
    return [row for k, row in enumerate(rows) if k == 0 or not np.array_equal(row, rows[k - 1])]


def _joined(rows: Sequence[Indices], num_frames: int) -> list[Indices]:
    """The windows, each up to where the next begins, the last one to the last frame.

    Rounding, and frames that are shown for a shorter time than others, leave gaps between them.
    """
    following = [int(row[0]) for row in rows[1:]] + [num_frames]
    return [
        np.append(row[:-1], max(int(row[-1]), first - 1))
        for row, first in zip(rows, following, strict=True)
    ]
