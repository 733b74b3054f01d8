"""How far up the copies of a clip are found among 500 others.

Run with `python -m pytest -m slow -n 0 -s tests/tasks/search/test_copies.py`; it prints the ranks.
Every query is a whole clip; its copies are trimmed (a third of a window off the start, and the
end), compressed hard at 3/4 of the size, mirrored, and put between black bars.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from hiera_cli.errors import Failure
from hiera_cli.inputs import expand_inputs
from hiera_cli.options import EngineOptions
from hiera_cli.synth.options import FilmOptions, SynthOptions
from hiera_cli.tasks.features.options import FeatureOptions
from hiera_cli.tasks.features.table import write_features
from hiera_cli.tasks.films import synthesise_films
from hiera_cli.tasks.search.neighbours import find_neighbours
from hiera_cli.tasks.search.query import Variant, open_query_engine, parse_like, query_vectors
from hiera_cli.tasks.search.rows import read_table_metadata, table_mean, unit
from hiera_cli.tasks.synth import synthesise
from hiera_cli.video.decode import Frame, decode_video
from hiera_cli.video.encode import h264, write_video
from hiera_cli.video.protocols import Protocol
from tests.media import SHARED

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]
Picture = npt.NDArray[np.uint8]
NUM_OTHERS, NUM_QUERIES, FPS = 500, 10, 15
SECONDS = 6.0
VARIANTS: tuple[Variant, ...] = ("plain", "mirrored", "letterboxed", "pillarboxed")
DATA = SHARED.parent / "data"


def frames_of(path: Path) -> list[Picture]:
    """Six seconds from the beginning, 15 a second, with even sides."""
    plan = Protocol("all", num_clips=1, num_crops=1, num_frames=int(FPS * SECONDS), frame_stride=2)
    found = [e.rgb for e in decode_video(str(path), plan) if isinstance(e, Frame)]
    return [frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2] for frame in found]


def smaller(frame: Picture) -> Picture:
    size = tuple(round(side * 0.375) * 2 for side in frame.shape[1::-1])
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BOX))


def boxed(frame: Picture) -> Picture:
    rows = frame.shape[0] // 12 * 2
    return np.pad(frame, ((rows, rows), (0, 0), (0, 0)))


COPIES: dict[str, tuple[Callable[[Picture], Picture], int]] = {
    "trimmed": (lambda frame: frame, 23),
    "re-encoded": (smaller, 38),
    "mirrored": (lambda frame: frame[:, ::-1], 23),
    "letter-boxed": (boxed, 23),
}


def write_copies(source: Path, folder: Path) -> None:
    """The query, and its copies, each in a file that begins with its name."""
    frames = frames_of(source)
    write_video(folder / "queries" / f"{source.stem}.mp4", frames, fps=FPS)
    for name, (change, crf) in COPIES.items():
        kept = frames[11:-15] if name == "trimmed" else frames
        write_video(
            folder / "stock" / f"{source.stem}.{name}.mp4",
            map(change, kept),
            fps=FPS,
            encoding=h264(crf=crf),
        )


def rendered(folder: Path) -> Iterator[tuple[list[Path], list[str]]]:
    """(sources of queries, folders of others): rendered ones."""
    list(synthesise(SynthOptions(out=folder / "others", num=NUM_OTHERS, seed=40, workers=2)))
    films = list(synthesise_films(FilmOptions(out=folder / "films", num=NUM_QUERIES, seed=41)))
    yield films, [str(folder / "others")]


def real(folder: Path) -> Iterator[tuple[list[Path], list[str]]]:
    """As above: birds, aircraft and drones before the sky, and a camera over wagons."""
    sky = sorted((DATA / "sky").glob("*.mp4"))
    wagons = sorted((DATA / "wagons").rglob("*.mp4"))
    if len(sky) + len(wagons) < NUM_OTHERS + NUM_QUERIES:
        pytest.skip("needs ../shared/data")
    queries = sky[:: len(sky) // NUM_QUERIES][:NUM_QUERIES]
    others = [path for path in sky + wagons if path not in queries][:NUM_OTHERS]
    yield queries, [str(path) for path in others]


@pytest.mark.parametrize("make", [rendered, real])
@pytest.mark.parametrize("layer", ["stage1"])
def test_copies_are_found(
    tmp_path: Path,
    make: Callable[[Path], Iterator[tuple[list[Path], list[str]]]],
    layer: str,
) -> None:
    for name in ("queries", "stock"):
        (tmp_path / name).mkdir()
    sources, others = next(make(tmp_path))
    for source in sources:
        write_copies(source, tmp_path)
    table = tmp_path / "feats.parquet"
    options = EngineOptions(model="camera-motion", device="cpu")
    files = expand_inputs([*others, str(tmp_path / "stock")])
    features = FeatureOptions(layer=layer)  # type: ignore[arg-type]
    failed = [
        record
        for record in write_features(files, table, features=features, options=options)
        if isinstance(record, Failure)
    ]
    assert not failed
    made, center = read_table_metadata(table), table_mean(table)
    engine = open_query_engine(table, made, options)
    ranks: dict[str, list[int]] = {name: [] for name in COPIES}
    for source in sources:
        like = parse_like(str(tmp_path / "queries" / f"{source.stem}.mp4"))
        vectors = [query_vectors(like, engine, made, variant=v) for v in VARIANTS]
        query = unit(np.concatenate(vectors), center)
        found = find_neighbours(table, query, num=1_000_000, center=center)
        order = list(dict.fromkeys(Path(clip.path).name for clip in found))
        own = {f"{source.stem}.{name}.mp4" for name in COPIES}
        for name in COPIES:
            copy = f"{source.stem}.{name}.mp4"
            ahead = order[: order.index(copy)]
            ranks[name].append(1 + sum(other not in own for other in ahead))
    sys.stdout.write(
        f"\n{make.__name__}, {layer}: ranks of {len(sources)} clips among {NUM_OTHERS} others\n"
    )
    for name, values in ranks.items():
        sys.stdout.write(f"  {name:13} {sorted(values)}\n")
    every = np.concatenate(list(ranks.values()))
    assert np.mean(every <= 3) >= 0.9
