from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from hiera_cli.errors import WeightsError
from hiera_cli.training.checkpoint import STATE_FILE, RunFolder, read_state, read_weights


def write_model(folder: Path) -> None:
    save_file({"w": torch.ones(2)}, folder / "model.safetensors")


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    folder.create()
    return folder


def test_last_is_replaced_as_a_whole(run: RunFolder) -> None:
    assert run.newest() is None
    for step in (1, 2):
        run.save_last({"step": step, "moment": torch.zeros(3)}, write_model)
        newest = run.newest()
        assert newest == run.path / "last"
        assert read_state(newest)["step"] == step
        assert read_weights(newest)["w"].tolist() == [1.0, 1.0]
    assert sorted(p.name for p in run.path.iterdir()) == ["last"]


def test_killed_while_writing_the_old_checkpoint_counts(run: RunFolder) -> None:
    run.save_last({"step": 1}, write_model)

    def die(folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.save_last({"step": 2}, die)
    newest = run.newest()
    assert newest is not None
    assert read_state(newest)["step"] == 1
    run.save_last({"step": 3}, write_model)
    assert read_state(run.path / "last")["step"] == 3


def test_killed_between_the_two_renames_the_old_checkpoint_counts(run: RunFolder) -> None:
    run.save_last({"step": 1}, write_model)
    (run.path / "last").rename(run.path / "last.old")
    newest = run.newest()
    assert newest is not None
    assert read_state(newest)["step"] == 1
    run.save_last({"step": 2}, write_model)
    assert read_state(run.path / "last")["step"] == 2
    assert not (run.path / "last.old").exists()


@pytest.mark.parametrize("read", [read_state, read_weights])
def test_damage_is_named(run: RunFolder, read: object) -> None:
    for name in (STATE_FILE, "model.safetensors"):
        (run.path / name).write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="cannot read"):
        read(run.path)  # type: ignore[operator]
