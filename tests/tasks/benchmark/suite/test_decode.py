"""Ways from files to features: they agree, and one that fails stops no other."""

from pathlib import Path

import pytest

from hiera_cli.errors import MediaError, NoInputError
from hiera_cli.inference.open import loader_options, open_backend
from hiera_cli.inputs import InputPath
from hiera_cli.options import EngineOptions
from hiera_cli.tasks.benchmark.random_model import open_for_timing
from hiera_cli.tasks.benchmark.suite.race import OURS, Race
from hiera_cli.tasks.benchmark.suite.readers import READERS, FrameReader
from hiera_cli.tasks.benchmark.suite.reading import reading_figures

PLAIN = READERS[0]


def race(files: list[InputPath], tiny_model: Path, **readers) -> Race:
    engine = EngineOptions(model=str(tiny_model), device="cpu", isolate=False)
    loaded = open_for_timing(engine)
    backend = open_backend(loaded, engine)
    loader = loader_options(engine, loaded.preprocessing, "dense")
    return Race(files, backend, backend, loader, readers=readers, rounds=1)


def inputs(clips: Path) -> list[InputPath]:
    return [InputPath(str(path), path.name) for path in sorted(clips.rglob("*.mp4"))]


def test_a_plain_loop_gives_our_features_and_a_broken_one_a_reason(clips, tiny_model) -> None:
    def broken(_path, _indices):
        raise MediaError("corrupt", "no frames today")

    def others(path, indices):
        return PLAIN.read(path, [0 for _ in indices])

    ran = race(inputs(clips), tiny_model, plain=PLAIN.read, broken=broken, others=others)
    assert ran.figures(OURS).times_ours == 1
    assert ran.figures("plain").cosine > 0.9999
    assert ran.figures("plain").cosine > ran.figures("others").cosine  # other frames show
    assert ran.figures("plain").wall_ms > 0
    with pytest.raises(MediaError, match="no frames today"):
        ran.figures("broken")


def test_what_starting_takes_is_told_apart(clips, tiny_model, monkeypatch) -> None:
    files = inputs(clips)[:2]
    ran, seconds, read = race(files, tiny_model), [0.0], Race._ours

    def ours(self: Race, passes: int = 1):
        seconds[0] += 3 + passes * len(files)
        return read(self, passes)

    monkeypatch.setattr(Race, "_ours", ours)
    monkeypatch.setattr("time.perf_counter", lambda: seconds[0])
    assert ran.figures(OURS).wall_ms == 1000 * (3 + 2) / 2
    assert ran.figures(OURS).times_second == (3 + 2) / 2


def test_without_a_readable_video_there_is_nothing_to_race_for(tmp_path, tiny_model) -> None:
    files = [InputPath(str(tmp_path / "none.mp4"), "none.mp4")]
    with pytest.raises(NoInputError):
        race(files, tiny_model).figures(OURS)
    engine = EngineOptions(model=str(tiny_model), device="cpu")
    loader = loader_options(engine, open_for_timing(engine).preprocessing, "dense")
    with pytest.raises(NoInputError):
        reading_figures(files, loader)


def test_a_package_that_is_missing_is_named() -> None:
    assert FrameReader("x", "no_such_package", PLAIN.read).obstacle == (
        "no_such_package is not installed"
    )
    assert PLAIN.obstacle == ""
