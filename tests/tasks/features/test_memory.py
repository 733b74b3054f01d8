"""Memory does not grow with the length of a video."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

FRAMES_A_MINUTE = 1800
RUNNER = """
import sys, resource, torch
from hiera_cli.inputs import expand_inputs
from hiera_cli.options import EngineOptions
from hiera_cli.tasks.features.table import write_features
video, model, out = sys.argv[1:]
torch.set_num_threads(1)
options = EngineOptions(
    model=model, device="cpu", batch_size="8", workers="1", isolate=False, timeout=0
)
records = list(write_features(expand_inputs([video]), out, options=options))
print(records[-1].num_clips, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def write_long_clip(path: Path, *, minutes: int) -> Path:
    """One minute of 32 x 32 pixels at 30 frames a second, encoded once and written many times."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        packets = []
        for index in range(FRAMES_A_MINUTE):
            picture = np.full((48, 32), index // 9, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            packets += [(bytes(p), p.is_keyframe) for p in stream.encode(frame)]
        packets += [(bytes(p), p.is_keyframe) for p in stream.encode()]
        for index, (data, is_key) in enumerate(packets * minutes):
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, Fraction(1, 30)
            packet.pts = packet.dts = index
            packet.duration, packet.is_keyframe = 1, is_key
            container.mux(packet)
    return path


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_two_hours_take_the_memory_of_one_minute(tmp_path: Path, tiny_model: Path) -> None:
    megabytes = {}
    for minutes in (1, 120):
        video = write_long_clip(tmp_path / f"{minutes}.mp4", minutes=minutes)
        result = subprocess.run(
            [
                sys.executable,
                "-c",
                RUNNER,
                str(video),
                str(tiny_model),
                f"{tmp_path}/{minutes}.parquet",
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        num_clips, megabytes[minutes] = map(int, result.stdout.split())
        assert num_clips == -(-minutes * 60 * 30 // 16)
    assert megabytes[120] - megabytes[1] < 80, megabytes
