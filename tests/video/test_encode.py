"""Written video plays back as what was written."""

import av
import numpy as np
import pytest

from hiera_cli.errors import OutputError, UsageError
from hiera_cli.video.encode import Encoding, h264, vp9, write_video


def gray_steps(num=5, height=32, width=48):
    """Frames whose brightness counts up by 40."""
    return [np.full((height, width, 3), 20 + 40 * i, np.uint8) for i in range(num)]


def read_back(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        return stream.codec_context.name, float(stream.average_rate), np.stack(frames)


@pytest.mark.parametrize(
    ("name", "codec", "encoding"),
    [("a.mp4", "h264", None), ("b.webm", "libvpx-vp9", vp9(crf=10)), ("c.mkv", "h264", None)],
)
def test_frames_come_back(tmp_path, name, codec, encoding):
    frames = gray_steps()
    assert write_video(tmp_path / name, frames, fps=12.5, encoding=encoding) == 5
    found, fps, pixels = read_back(tmp_path / name)
    assert found in (codec, codec.removeprefix("lib").replace("vpx-", ""))
    assert fps == 12.5
    assert pixels.shape == (5, 32, 48, 3)
    assert np.abs(pixels.astype(int) - np.stack(frames)).max() <= 4


def test_colours_survive(tmp_path):
    frame = np.zeros((32, 64, 3), np.uint8)
    frame[:, :32], frame[:, 32:] = (200, 40, 40), (40, 40, 200)
    write_video(tmp_path / "a.mp4", [frame], fps=30, encoding=h264(crf=1))
    pixels = read_back(tmp_path / "a.mp4")[2][0].astype(int)
    assert np.abs(pixels[8:24, 8:24] - (200, 40, 40)).max() <= 4
    assert np.abs(pixels[8:24, 40:56] - (40, 40, 200)).max() <= 4


def test_nothing_is_left_of_a_broken_write(tmp_path):
    def frames():
        yield gray_steps()[0]
        raise RuntimeError("renderer broke")

    with pytest.raises(RuntimeError, match="renderer broke"):
        write_video(tmp_path / "a.mp4", frames(), fps=30)
    assert list(tmp_path.iterdir()) == []


def test_refuses_what_it_cannot_write(tmp_path):
    with pytest.raises(UsageError, match=r"'a\.gif'"):
        write_video(tmp_path / "a.gif", gray_steps(), fps=30)
    with pytest.raises(UsageError, match="no frames"):
        write_video(tmp_path / "a.mp4", [], fps=30)
    with pytest.raises(UsageError, match="31×32"):
        write_video(tmp_path / "a.mp4", gray_steps(width=31), fps=30)
    with pytest.raises(OutputError, match="without nonsense"):
        write_video(
            tmp_path / "a.mp4", gray_steps(), fps=30, encoding=Encoding("nonsense", "mp4", ())
        )
    with pytest.raises(OutputError, match="cannot write"):
        write_video(tmp_path / "missing" / "a.mp4", gray_steps(), fps=30)
    assert list(tmp_path.iterdir()) == []
