import io
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from hiera_cli.checkpoints.file import available_memory_bytes, open_weights
from hiera_cli.errors import WeightsError

STATE = {
    "head.projection.weight": torch.arange(6.0).reshape(2, 3),
    "norm.weight": torch.ones(3, dtype=torch.float16),
}


def wrapped(prefix: str) -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": value for name, value in STATE.items()}


@pytest.mark.parametrize(
    "content",
    [
        STATE,
        {"model_state": STATE, "epoch": 99, "optimizer_state": {"lr": 1.0}, "cfg": "TEXT: 1"},
        {"model_state": wrapped("module.")},
        {"state_dict": wrapped("model.")},
        wrapped("module._orig_mod."),
    ],
)
@pytest.mark.parametrize("suffix", [".pth", ".pt"])
@pytest.mark.parametrize("zipped", [True, False])
def test_pickles(tmp_path: Path, content: object, suffix: str, zipped: bool) -> None:
    path = tmp_path / f"w{suffix}"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    file = open_weights(path)
    assert dict(file.shapes) == {"head.projection.weight": (2, 3), "norm.weight": (3,)}
    assert file.has_head
    assert not file.has_decoder
    for name, value in STATE.items():
        assert torch.equal(file.tensor(name), value)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_safetensors(tmp_path: Path, prefix: str) -> None:
    save_file(wrapped(prefix), tmp_path / "w.safetensors")
    file = open_weights(tmp_path / "w.safetensors")
    assert dict(file.shapes) == {"head.projection.weight": (2, 3), "norm.weight": (3,)}
    assert torch.equal(file.tensor("norm.weight"), STATE["norm.weight"])


class Attack:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.canary),)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_pickle_never_runs(tmp_path: Path, zipped: bool) -> None:
    path, canary = tmp_path / "w.pth", tmp_path / "canary"
    content = {"model_state": STATE, "extra": Attack(canary)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match="could run code"):
        open_weights(path)
    assert not canary.exists()
    torch.load(path, weights_only=False)  # the attack is a real one
    assert canary.exists()


def test_code_in_a_bare_pickle_never_runs(tmp_path: Path) -> None:
    path, canary = tmp_path / "w.pth", tmp_path / "canary"
    path.write_bytes(pickle.dumps(Attack(canary)))
    with pytest.raises(WeightsError):
        open_weights(path)
    assert not canary.exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_broken_numbers_are_refused(tmp_path: Path, value: float) -> None:
    save_file({"norm.weight": torch.tensor([1.0, value])}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=r"norm\.weight holds NaN or infinity"):
        open_weights(tmp_path / "w.safetensors").tensor("norm.weight")


def test_integers_are_refused(tmp_path: Path) -> None:
    save_file({"norm.weight": torch.ones(3, dtype=torch.int8)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=r"torch\.int8, not floating point"):
        open_weights(tmp_path / "w.safetensors").tensor("norm.weight")


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("keep", [0, 1, 7, 100, 0.5, 0.9, -1])
def test_truncated_files(tmp_path: Path, suffix: str, keep: float) -> None:
    path = tmp_path / f"w{suffix}"
    state = {"norm.weight": torch.ones(1000)}
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    with pytest.raises(WeightsError, match=r"truncated|damaged|more than weights") as caught:
        open_weights(path)
    assert "\n" not in caught.value.message


def write_safetensors(path: Path, header: dict[str, object], data: bytes = b"") -> None:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


@pytest.mark.parametrize(
    ("header", "size"),
    [
        ({"a": {"dtype": "F32", "shape": [10**9, 10**9], "data_offsets": [0, 8]}}, 8),
        ({"a": {"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 0]}}, 0),
        ({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 10**12]}}, 8),
        ({"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}}, 8),
        ({"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}}, 8),
        ({"a": {"dtype": "EVIL", "shape": [2], "data_offsets": [0, 8]}}, 8),
        ({"a": {"shape": [2]}}, 8),
        ({"a": "x"}, 8),
        ({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, 16),
    ],
)
def test_lying_headers(tmp_path: Path, header: dict[str, object], size: int) -> None:
    write_safetensors(tmp_path / "w.safetensors", header, b"\0" * size)
    with pytest.raises(WeightsError, match="truncated or not a safetensors file"):
        open_weights(tmp_path / "w.safetensors")


def test_a_header_length_beyond_the_file(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", 2**63) + b"{}")
    with pytest.raises(WeightsError, match="truncated or not a safetensors file"):
        open_weights(tmp_path / "w.safetensors")


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 10_000_000)
    with pytest.raises(WeightsError, match="compressed archive"):
        open_weights(tmp_path / "w.pth")


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        5,
        "text",
        {"model_state": {}},
        {"a": 1},
        {"model_state": {"a": STATE}},
        {3: torch.ones(1)},
        {"a": torch.ones(2).to_sparse()},
    ],
)
def test_no_state_dict(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"no state dict|sparse"):
        open_weights(tmp_path / "w.pth")


def test_names_cannot_steer_a_terminal(tmp_path: Path) -> None:
    torch.save({"\x1b[31mred\nnext": 1}, tmp_path / "w.pth")
    with pytest.raises(WeightsError) as caught:
        open_weights(tmp_path / "w.pth")
    assert caught.value.message.isprintable()


def test_only_regular_files_of_known_suffixes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.pth")
    (tmp_path / "w.bin").write_bytes(b"x")
    (tmp_path / "folder.pth").mkdir()
    for name, message in (
        ("fifo.pth", "not a regular file"),
        ("folder.pth", "not a regular file"),
        ("gone.pth", "does not exist"),
        ("w.bin", "not a weights file"),
    ):
        with pytest.raises(WeightsError, match=message):
            open_weights(tmp_path / name)


def test_mutated_pickles_give_weights_or_a_reason(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"model_state": STATE}, buffer)
    whole = buffer.getvalue()
    generator = torch.Generator().manual_seed(0)
    path = tmp_path / "w.pth"
    for _ in range(150):
        positions = torch.randint(len(whole), (4,), generator=generator).tolist()
        values = torch.randint(256, (4,), generator=generator).tolist()
        mutated = bytearray(whole)
        for position, value in zip(positions, values, strict=True):
            mutated[position] = value
        path.write_bytes(mutated)
        try:
            file = open_weights(path)
            for name in file.shapes:
                file.tensor(name)
        except WeightsError as error:
            assert "\n" not in error.message  # noqa: PT017


def test_available_memory_is_plausible() -> None:
    available = available_memory_bytes()
    assert available is None or 2**20 < available < 2**50
