"""Memory does not grow with the length of a video."""

import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

RUNNER = """
import sys, resource, torch
from hiera_cli.inputs import expand_inputs
from hiera_cli.options import EngineOptions
from hiera_cli.tasks.feature_table import write_features
video, model, out = sys.argv[1:]
torch.set_num_threads(1)
options = EngineOptions(model=model, device="cpu", batch_size="8", workers="1", isolate=False)
records = list(write_features(expand_inputs([video]), out, options=options))
print(records[-1].num_clips, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def write_long_clip(path: Path, *, minutes: int) -> Path:
    """Thirty frames a second of 32 x 32 pixels that change slowly."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30, options={"g": "300"})
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for index in range(minutes * 60 * 30):
            picture = np.full((48, 32), index // 30 % 200, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="yuv420p")))
        container.mux(stream.encode())
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
