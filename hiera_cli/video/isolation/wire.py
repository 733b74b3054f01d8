"""Decode events as bytes: a JSON header and raw arrays, for a process boundary.

No pickles: whatever a child process sends, reading it runs no code. What does not mean an event
raises ValueError, TypeError, KeyError or whatever else it comes to.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from hiera_cli.errors import FailureKind, MediaError
from hiera_cli.video.decode import Finished, Frame, Planned, VideoInfo
from hiera_cli.video.sampling import ClipPlan, Timeline

Event = Planned | Frame | Finished


@dataclass(frozen=True, slots=True)
class Needed:
    """Bytes of the file that the child cannot go on without, each span from and up to."""

    spans: tuple[tuple[int, int], ...]


ARRAY_TYPES = {"times": np.float64, "indices": np.int64, "clip_times": np.float64}


def pack_event(event: Event) -> tuple[dict[str, Any], list[memoryview]]:
    """Header and payload of an event."""
    if isinstance(event, Frame):
        header = {"frame": event.frame_index, "shape": event.rgb.shape}
        return header, [event.rgb.reshape(-1).data]
    info, timeline = event.info, event.info.timeline
    facts = {
        f.name: getattr(info, f.name) for f in fields(info) if f.name not in ("timeline", "path")
    }
    arrays = {
        "times": np.ascontiguousarray(timeline.times_seconds, np.float64),
        "indices": np.array([c.frame_indices for c in event.clips], np.int64),
        "clip_times": np.array(
            [(*c.times_seconds, c.start_seconds, c.end_seconds) for c in event.clips], np.float64
        ),
    }
    header = {
        "finished": isinstance(event, Finished),
        "path": os.fsencode(info.path).hex(),
        "info": facts,
        "timeline": {
            "fps": timeline.fps,
            "end_seconds": timeline.end_seconds,
            "constant": timeline.constant,
        },
        "shapes": {name: array.shape for name, array in arrays.items()},
    }
    return header, [a.reshape(-1).view(np.uint8).data for a in arrays.values() if a.size]


def read_event(header: dict[str, Any], payload: bytearray) -> Event:
    """The event that `pack_event` packed."""
    if "frame" in header:
        height, width = header["shape"][:2]
        rgb = np.frombuffer(payload, np.uint8).reshape(height, width, 3)
        return Frame(frame_index=_number(header["frame"]), rgb=rgb)
    arrays = _read_arrays(header["shapes"], payload)
    facts = _checked(VideoInfo, header["info"])
    info = VideoInfo(
        path=os.fsdecode(bytes.fromhex(header["path"])),
        timeline=Timeline(times_seconds=arrays["times"], **_checked(Timeline, header["timeline"])),
        **{**facts, "warnings": tuple(str(warning) for warning in facts["warnings"])},
    )
    clips = tuple(
        ClipPlan(
            clip_index=index,
            frame_indices=tuple(int(i) for i in indices),
            times_seconds=tuple(float(t) for t in times[:-2]),
            start_seconds=float(times[-2]),
            end_seconds=float(times[-1]),
        )
        for index, (indices, times) in enumerate(
            zip(arrays["indices"], arrays["clip_times"], strict=True)
        )
    )
    return Finished(info=info, clips=clips) if header["finished"] else Planned(info, clips)


def pack_need(spans: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """The header that asks for bytes of the file."""
    return {"need": [list(span) for span in spans]}


def read_need(header: dict[str, Any]) -> Needed:
    """What `pack_need` packed; whether the file has such bytes is not looked at."""
    return Needed(tuple((_number(start), _number(stop)) for start, stop in header["need"]))


def read_error(header: dict[str, Any]) -> MediaError:
    """Why the file cannot be read, as the child states it."""
    if header["error"] not in get_args(FailureKind):
        raise ValueError(f"no such kind: {header['error']}")
    return MediaError(header["error"], str(header["message"]))


def _number(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"not a whole number: {value}")
    return value


def _checked(record: type[VideoInfo] | type[Timeline], stated: dict[str, Any]) -> dict[str, Any]:
    """Fields of a record as the child states them, if each is of its type and finite."""
    types = {field.name: field.type for field in fields(record)}
    for name, value in stated.items():
        kinds = (float, int) if types[name] is float else types[name]
        if isinstance(types[name], type) and not isinstance(value, kinds):  # type: ignore[arg-type]
            raise TypeError(f"{name} is {value}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name} is {value}")
    return stated


def _read_arrays(shapes: dict[str, list[int]], payload: bytearray) -> dict[str, npt.NDArray[Any]]:
    arrays: dict[str, npt.NDArray[Any]] = {}
    offset = 0
    for name, dtype in ARRAY_TYPES.items():
        count = int(np.prod(shapes[name]))
        arrays[name] = np.frombuffer(payload, dtype, count, offset).reshape(shapes[name])
        offset += arrays[name].nbytes
    return arrays
