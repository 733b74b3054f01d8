import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

from hiera_cli.checkpoints.open import open_model
from hiera_cli.errors import NoInputError, WeightsError
from hiera_cli.training.finetune import finetune
from hiera_cli.training.options import ClipOptions, FinetuneOptions, PretrainOptions, RunOptions
from hiera_cli.training.pretrain import pretrain
from hiera_cli.training.recipe import FinetuneChanges, PretrainChanges
from hiera_cli.training.records import Epoch, Step
from tests.media import write_frames
from tests.training.media import CONFIG, PICTURE_CONFIG, moving, write_config

CHANGES = PretrainChanges(
    epochs=10,
    warmup_epochs=1,
    batch_size=16,
    repeats=4,
    lr=1e-2,
    clip_norm=1.0,
    drop_path=0.0,
    mask_ratio=0.75,
    min_area=1.0,
    flip=False,
    weight_decay=0.0,
    decoder_width=32,
    decoder_depth=1,
    decoder_heads=2,
)


@pytest.fixture
def run(tmp_path: Path) -> RunOptions:
    return RunOptions(out=tmp_path / "run", workers=0, device="cpu")


@pytest.fixture(scope="module")
def stripes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos of waves, lying or standing, of either sign: one patch tells all the others."""
    folder = tmp_path_factory.mktemp("stripes")
    wave = 90 * np.sin(2 * np.pi * np.arange(32) / 16)
    for number, sign in enumerate((1, -1, 1, -1)):
        frame = np.broadcast_to((128 + sign * wave)[:, None], (32, 32))
        frame = frame if number < 2 else frame.T
        frames = np.broadcast_to(frame[None, :, :, None], (20, 32, 32, 3))
        write_frames(folder / f"{number}.mp4", frames.astype(np.uint8))
        for copy in range(1, 16):  # more videos, longer epochs, fewer checkpoints
            shutil.copy(folder / f"{number}.mp4", folder / f"{number}-{copy}.mp4")
    return folder


@pytest.fixture
def options(stripes: Path, tiny: str) -> PretrainOptions:
    return PretrainOptions(inputs=[str(stripes)], model=tiny)


def test_the_loss_falls_and_fine_tuning_starts_from_the_result(
    options: PretrainOptions, run: RunOptions, classes: Path, clip_cache: Path, tmp_path: Path
) -> None:
    """Targets have unit variance: 1.0 is the loss of predicting the mean."""
    options = replace(options, preview=tmp_path / "preview")
    clips = ClipOptions(cache=clip_cache)
    records = list(pretrain(options, run, clips=clips, changes=replace(CHANGES, epochs=10)))
    steps = [r for r in records if isinstance(r, Step)]
    assert len(steps) == 40
    assert steps[0].loss > 0.9
    assert steps[-1].loss < 0.2
    trivial = [r.trivial for r in records if isinstance(r, Epoch)]
    assert trivial[0].mean == pytest.approx(1.0, abs=0.01)
    assert trivial[-1].copy < 0.02  # one patch tells all the others
    # 16 clips of 4 mask units of 64 tokens, a quarter of them visible
    assert steps[0].visible_tokens_per_second == pytest.approx(16 * 64 / steps[0].seconds)
    _check_preview(tmp_path / "preview" / "preview_0.png")

    weights = load_file(run.out / "model.safetensors")
    assert "decoder_pred.weight" in weights
    assert json.loads((run.out / "config.json").read_text())["embed_dim"] == CONFIG["embed_dim"]
    with pytest.raises(WeightsError, match="no trained classification head"):
        open_model(run.out)
    tuned = replace(run, out=tmp_path / "tuned")
    still = FinetuneChanges(epochs=1, batch_size=16, repeats=1, lr=0.0, min_lr=0.0)
    data = FinetuneOptions(data=str(classes), model=str(run.out))
    list(finetune(data, tuned, clips=clips, changes=still))
    found = load_file(tuned.out / "model.safetensors")
    shared = [name for name in found if name in weights]
    assert len(shared) == len(found) - 4  # norm and head start afresh
    assert all(found[name].equal(weights[name]) for name in shared)


def _check_preview(path: Path) -> None:
    """Input, visible part and reconstruction of the four predicted frames."""
    picture = np.asarray(Image.open(path)).astype(int)
    assert picture.shape == (3 * 32, 4 * 32, 3)
    given, visible, rebuilt = picture[:32], picture[32:64], picture[64:]
    gray = np.abs(visible - round(0.45 * 255)).max(axis=2) <= 1
    assert 0.6 < gray.mean() < 0.9
    shown = ~gray
    assert np.abs(given - visible)[shown].max() <= 1
    assert np.abs(given - rebuilt)[shown].max() <= 1
    assert 0 < np.abs(given - rebuilt)[gray].mean() < 80


def test_a_continued_run_has_the_same_losses(
    options: PretrainOptions, run: RunOptions, clip_cache: Path, tmp_path: Path
) -> None:
    clips, changes = ClipOptions(cache=clip_cache), replace(CHANGES, epochs=2)
    whole = [
        r.loss for r in pretrain(options, run, clips=clips, changes=changes) if isinstance(r, Step)
    ]
    half = replace(run, out=tmp_path / "half", save_every=1)
    losses = []
    for _ in range(2):
        for record in pretrain(options, half, clips=clips, changes=changes):
            if isinstance(record, Step):
                losses.append(record.loss)
            if isinstance(record, Epoch) and record.epoch == 1:
                break
    assert losses == whole


def test_image_models_learn_from_pictures(run: RunOptions, tmp_path: Path) -> None:
    for seed in range(4):
        Image.fromarray(moving("static", seed, num_frames=1, size=80)[0]).save(
            tmp_path / f"{seed}.jpg"
        )
    options = PretrainOptions(
        inputs=[str(tmp_path)], model=write_config(tmp_path, PICTURE_CONFIG), preview=tmp_path / "p"
    )
    changes = replace(CHANGES, epochs=2, batch_size=4, repeats=1, mask_ratio=0.5)
    steps = [r for r in pretrain(options, run, changes=changes) if isinstance(r, Step)]
    assert [s.num_clips for s in steps] == [4, 4]
    assert np.asarray(Image.open(tmp_path / "p" / "preview_0.png")).shape == (192, 64, 3)


def test_image_models_learn_from_archives(run: RunOptions, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as file:
        for seed in range(4):
            picture = Image.fromarray(moving("static", seed, num_frames=1, size=80)[0])
            picture.save(tmp_path / "one.jpg")
            file.write(tmp_path / "one.jpg", f"train/{'ab'[seed % 2]}/{seed}.jpg")
    (tmp_path / "one.jpg").unlink()
    archive, model = str(tmp_path / "pictures.zip"), write_config(tmp_path, PICTURE_CONFIG)
    changes = replace(CHANGES, epochs=2, batch_size=4, repeats=1, mask_ratio=0.5)
    records = pretrain(PretrainOptions(inputs=[archive], model=model), run, changes=changes)
    assert [r.num_clips for r in records if isinstance(r, Step)] == [4, 4]
    tuned = replace(run, out=tmp_path / "tuned")
    options = FinetuneOptions(data=archive, model=str(run.out), hold_out=1, per_class=1)
    few = FinetuneChanges(epochs=1, batch_size=2, repeats=1)
    last = list(finetune(options, tuned, changes=few))[-1]
    assert isinstance(last, Epoch)
    assert last.validation is not None
    assert (last.validation.num_videos, last.validation.num_failed) == (2, 0)
    assert open_model(tuned.out).labels == ("a", "b")


def test_nothing_to_learn_from(run: RunOptions, tiny: str, tmp_path: Path) -> None:
    with pytest.raises(NoInputError, match="nothing to learn from"):
        next(pretrain(PretrainOptions(inputs=[str(tmp_path)], model=tiny), run))
