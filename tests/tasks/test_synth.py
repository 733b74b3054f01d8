"""Rendered data sets: class folders, evenly filled, the same for the same seed."""

from dataclasses import replace

import av
import numpy as np
import pytest

from hiera_cli.checkpoints.open import open_model
from hiera_cli.datasets.dataset import normalise_label, read_dataset
from hiera_cli.errors import NoInputError, UsageError
from hiera_cli.model.mae import MaskedAutoencoder
from hiera_cli.synth.camera import MOTIONS
from hiera_cli.synth.options import SynthOptions
from hiera_cli.tasks.synth import BLOCK, make_picture_start, make_start, synthesise
from hiera_cli.video.encode import write_video


def frames_of(path):
    with av.open(str(path)) as container:
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])


def test_class_folders(tmp_path):
    options = SynthOptions(out=tmp_path, num=12, width=48, height=32, seed=3)
    records = list(synthesise(options))
    assert [r.label for r in records] == [*MOTIONS, *MOTIONS[:2]]
    assert all(r.path.parent.name == r.label.replace(" ", "_") for r in records)
    dataset = read_dataset(str(tmp_path))
    assert len(dataset.samples) == 12
    assert {normalise_label(c) for c in dataset.classes} == {normalise_label(m) for m in MOTIONS}
    assert frames_of(records[0].path).shape == (16, 32, 48, 3)


def test_same_seed_same_frames_whatever_the_number_of_workers(tmp_path):
    # the usual size: of pictures as small as 48×32, libx264 makes other bytes each time
    options = [
        SynthOptions(out=tmp_path / str(workers), num=2, workers=workers) for workers in (1, 2)
    ]
    one, two = (list(synthesise(o)) for o in options)
    for a, b in zip(one, two, strict=True):
        assert (frames_of(a.path) == frames_of(b.path)).all()
    assert BLOCK > 2


def test_real_footage(tmp_path):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (96, 144, 3), dtype=np.uint8)
    write_video(tmp_path / "real.mp4", [picture] * 40, fps=15)
    options = SynthOptions(
        out=tmp_path / "out", num=10, width=48, height=32, source=[str(tmp_path / "real.mp4")]
    )
    films = {r.label: frames_of(r.path).astype(int) for r in synthesise(options)}
    change = {label: np.abs(np.diff(f, axis=0)).mean() for label, f in films.items()}
    assert max(change, key=change.__getitem__) != "static"
    assert change["static"] == min(change.values())


def test_a_folder_of_footage_whose_cameras_move_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    wide = rng.integers(0, 255, (96, 300, 3), dtype=np.uint8)
    (tmp_path / "filmed").mkdir()
    write_video(
        tmp_path / "filmed" / "pan.mp4", [wide[:, 4 * t : 4 * t + 144] for t in range(35)], fps=15
    )
    options = SynthOptions(
        out=tmp_path / "out", num=10, width=48, height=32, source=[str(tmp_path / "filmed")]
    )
    with pytest.raises(NoInputError, match="no camera stands still"):
        list(synthesise(options))
    stills = replace(options, still=True, degrade=True, movers=True)
    assert len(list(synthesise(stills))) == 10


def test_plain_places(tmp_path):
    films = {}
    for plain in (False, True):
        options = SynthOptions(out=tmp_path / str(plain), num=10, width=48, height=32, plain=plain)
        films[plain] = [frames_of(r.path) for r in synthesise(options)]
    static = [abs(np.diff(films[plain][0].astype(int), axis=0)).mean() for plain in (False, True)]
    assert static[1] < 2 < static[0]


def test_start_is_a_model_folder(tmp_path):
    make_start(tmp_path / "start")
    loaded = open_model(str(tmp_path / "start"))
    assert loaded.labels == MOTIONS
    assert loaded.preprocessing.crop_size == 96
    assert sum(p.numel() for p in loaded.model.parameters()) < 2_000_000


def test_the_start_for_pictures_pretrains_on_small_patches(tmp_path):
    make_picture_start(tmp_path / "start")
    loaded = open_model(str(tmp_path / "start"), need_head=False)
    assert loaded.model.config.input_size == (32, 32)
    assert (loaded.preprocessing.crop_size, loaded.preprocessing.short_side) == (32, 32)
    assert MaskedAutoencoder(loaded.model.config.for_pretraining()).patch_size == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num": 0}, "--num"),
        ({"width": 47}, "47×80"),
        ({"still": True}, "--still"),
        ({"degrade": True}, "--degrade"),
        ({"movers": True}, "--movers"),
        ({"plain": True, "source": ["a.mp4"]}, "--plain"),
    ],
)
def test_refuses_options_that_mean_nothing(tmp_path, changes, message):
    with pytest.raises(UsageError, match=message):
        SynthOptions(out=tmp_path, **changes)
