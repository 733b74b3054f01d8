"""Video files for tests, written through PyAV.

Frames of `write_clip` carry their own number in the picture. It is drawn as a barcode, as in
../shared/media: cells in a row at the top left of the upright picture, the first white, the second
black, then the bits, least significant first.
"""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import av
import av.audio
import numpy as np
import numpy.typing as npt

CODECS = {".mp4": "libx264", ".mkv": "libx264", ".webm": "libvpx-vp9", ".jpg": "mjpeg"}
CELL = 16
NUM_BITS = 10
SHARED = Path(__file__).parents[2] / "shared" / "media"
Picture = npt.NDArray[np.uint8]


def write_frames(
    path: Path,
    frames: Iterable[Picture],
    *,
    fps: int = 30,
    codec: str | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write RGB pictures (H, W, 3), with the usual codec of the suffix unless one is named."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = iter(frames)
    first = next(pictures)
    with av.open(os.fspath(path), "w") as output:
        stream = output.add_stream(codec or CODECS[path.suffix], rate=fps, options=options or {})
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = "yuvj420p" if path.suffix == ".jpg" else "yuv420p"
        for picture in chain([first], pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def write_waves(
    path: Path, *, seed: int, num_frames: int = 24, size: tuple[int, int] = (64, 48)
) -> Path:
    """A drifting colour pattern, another for every seed."""
    random = np.random.default_rng(seed)
    waves, speed = random.uniform(0.02, 0.2, (3, 2)), random.uniform(-0.4, 0.4, 3)
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    still = waves[:, :1, None] * x + waves[:, 1:, None] * y
    phases = (still + speed[:, None, None] * index for index in range(num_frames))
    pictures = ((127.5 + 127 * np.sin(p)).astype(np.uint8).transpose(1, 2, 0) for p in phases)
    return write_frames(path, pictures, fps=25)


def write_blocks(
    path: Path, *, num_frames: int, seed: int = 0, fps: int = 30, size: int = 48
) -> Path:
    """Blocks of colour that drift to the right, others for every seed."""
    blocks = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), dtype=np.uint8)
    picture = np.kron(blocks, np.ones((size // 6, size // 6, 1), np.uint8))
    pictures = (np.roll(picture, index * 2, axis=1) for index in range(num_frames))
    return write_frames(path, pictures, fps=fps, codec="mpeg4")


def draw_frame(number: int, size: tuple[int, int]) -> Picture:
    """(H, W, 3) uint8: a gray gradient that drifts, with the barcode of `number`."""
    width, height = size
    ramp = (np.arange(width)[None, :] * 2 + np.arange(height)[:, None] + 3 * number) % 160 + 40
    picture = np.repeat(ramp.astype(np.uint8)[:, :, None], 3, axis=2)
    for cell, white in enumerate([1, 0, *((number >> bit) & 1 for bit in range(NUM_BITS))]):
        picture[:CELL, CELL * cell : CELL * (cell + 1)] = 235 if white else 16
    return picture


def read_number(picture: Picture, *, cell: int = CELL, num_bits: int = NUM_BITS) -> int:
    """The number that a picture carries; -1 if there is no barcode in it."""
    centers = cell * np.arange(2 + num_bits) + cell // 2
    luma = picture[cell // 2, centers].astype(float) @ (0.299, 0.587, 0.114)
    bits = luma > 128
    if not bits[0] or bits[1]:
        return -1
    return sum(1 << k for k in range(num_bits) if bits[2 + k])


def write_clip(
    path: Path,
    num_frames: int = 30,
    fps: float | Fraction = 30,
    size: tuple[int, int] = (208, 64),
    codec: str = "libx264",
    *,
    options: dict[str, str] | None = None,
    gop: int = 12,
    pixel_format: str = "yuv420p",
    times: list[float] | None = None,
    container: str | None = None,
    container_options: dict[str, str] | None = None,
    audio_seconds: float = 0.0,
    aspect: Fraction | None = None,
) -> Path:
    """Write a clip whose frame i shows i.

    Args:
        path: the file; its suffix chooses the container unless `container` does.
        num_frames: how many frames.
        fps: their rate.
        size: width and height; at least 192 wide for the barcode.
        codec: FFmpeg encoder.
        options: for the encoder.
        gop: distance of key frames.
        pixel_format: of the stored picture.
        times: seconds at which the frames are shown, instead of i / fps.
        container: FFmpeg muxer.
        container_options: for the muxer.
        audio_seconds: length of a silent sound track.
        aspect: width over height of a pixel.
    """
    rate = Fraction(fps).limit_denominator(100_000)
    with av.open(str(path), "w", format=container, container_options=container_options) as output:
        stream = output.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height = size
        stream.pix_fmt = pixel_format
        stream.gop_size = gop
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        stream.codec_context.thread_count = 1
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 90_000)
        sound = output.add_stream("aac", rate=16_000) if audio_seconds else None
        for number in range(num_frames):
            frame = av.VideoFrame.from_ndarray(draw_frame(number, size), format="rgb24")
            if times is None:
                frame.pts, frame.time_base = number, 1 / rate
            else:
                frame.pts, frame.time_base = round(times[number] * 90_000), Fraction(1, 90_000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if sound is not None:
            _write_silence(output, sound, audio_seconds)
    return path


def _write_silence(output: Any, stream: Any, seconds: float) -> None:
    for start in range(0, int(seconds * 16_000), 1024):
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts = 16_000, start
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def turn_clip(path: Path, degrees: int) -> Path:
    """Patch the display matrix of an MP4 file: its picture is to be turned clockwise."""
    one, minus = 1 << 16, (-1 << 16) & 0xFFFFFFFF
    a, b, c, d = {
        90: (0, one, minus, 0),
        180: (minus, 0, 0, minus),
        270: (0, minus, one, 0),
        -1: (minus, 0, 0, one),  # a mirror image
    }[degrees]
    words = (a, b, 0, c, d, 0, 0, 0, 1 << 30)
    upright = b"".join(w.to_bytes(4, "big") for w in (one, 0, 0, 0, one, 0, 0, 0, 1 << 30))
    raw = path.read_bytes()
    place = raw.index(upright, raw.index(b"tkhd"))
    turned = b"".join(w.to_bytes(4, "big") for w in words)
    path.write_bytes(raw[:place] + turned + raw[place + len(turned) :])
    return path


@dataclass(frozen=True)
class MediaFile:
    """One file of the shared collection and what is known about it."""

    path: Path
    expected: str
    tags: frozenset[str]
    oracle: dict[str, Any]

    @property
    def per_frame(self) -> dict[str, Any]:
        """Per-frame lists of the oracle: pts, best_effort, time_base …; empty if there are none."""
        name = self.oracle.get("per_frame")
        return json.loads((SHARED / name).read_text()) if name else {}

    @property
    def barcodes(self) -> list[int]:
        """The number in each frame; empty if the file carries none."""
        numbers: list[int] = []
        for part in (self.oracle.get("barcode") or "").split():
            first, _, last = part.rpartition("-")
            numbers += range(int(first or last), int(last) + 1) if part != "-1" else [-1]
        return numbers


@cache
def shared_media() -> tuple[MediaFile, ...]:
    """The shared collection; empty where it is absent."""
    manifest = SHARED / "manifest.json"
    if not manifest.exists():
        return ()
    return tuple(
        MediaFile(SHARED / f["path"], f["expected"], frozenset(f["tags"]), f["oracle"])
        for f in json.loads(manifest.read_text())["files"]
    )


def write_classes(folder: Path, labels: Sequence[str], *, num: int) -> Path:
    """Videos of waves in class folders, the classes in turn."""
    for index in range(num):
        write_waves(folder / labels[index % len(labels)] / f"{index:02d}.mp4", seed=index)
    return folder
