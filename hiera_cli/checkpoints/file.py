"""A weights file on disk, opened without trusting it: names and shapes first, tensors on demand.

`.safetensors` is preferred. A `.pth` is a pickle: only tensors and plain containers are read
(`weights_only=True`); whatever needs more could run code and is refused.
"""

import pickle
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import torch
from torch import Tensor

from hiera_cli.checkpoints.folder import WEIGHT_SUFFIXES
from hiera_cli.checkpoints.foreign import Shapes, under_official_names
from hiera_cli.errors import WeightsError

_WRAPPERS = ("module.", "_orig_mod.", "model.")
_STATE_KEYS = ("model_state", "model", "state_dict")
_AGAIN = "download or copy it again"


@dataclass(frozen=True, eq=False)
class WeightsFile:
    """An opened weights file.

    Attributes:
        path: where it lies.
        shapes: of all tensors, by official parameter name.
        parts: names of tensors beside them that give the position embedding at any size.
    """

    path: Path
    shapes: Shapes
    _read: Callable[[str], Tensor]
    parts: tuple[str, ...] = ()

    @property
    def has_head(self) -> bool:
        """Whether there is a classification head."""
        return "head.projection.weight" in self.shapes

    @property
    def has_decoder(self) -> bool:
        """Whether this is a whole masked autoencoder."""
        return "decoder_pos_embed" in self.shapes

    def tensor(self, name: str) -> Tensor:
        """Read one tensor (CPU, a floating-point dtype).

        Raises:
            WeightsError: not readable, not floating point, or with NaN or infinity in it.
        """
        try:
            tensor = self._read(name)
        except Exception as error:  # arbitrary bytes bring out arbitrary errors
            raise WeightsError(f"{self.path}: cannot read {name}: {_line(error)}") from error
        if not tensor.is_floating_point():
            raise WeightsError(f"{self.path}: {name} is {tensor.dtype}, not floating point")
        if not bool(torch.isfinite(tensor).all()):
            raise WeightsError(
                f"{self.path}: {name} holds NaN or infinity",
                hint=f"these weights are broken: {_AGAIN}, or train again",
            )
        return tensor


def open_weights(path: Path) -> WeightsFile:
    """Open a `.safetensors`, `.pth` or `.pt` file.

    Raises:
        WeightsError: no regular file, truncated, not of its format, or a pickle that is more
            than tensors.
    """
    if not path.is_file():
        reason = "is not a regular file" if path.exists() else "does not exist"
        raise WeightsError(f"weights file {path} {reason}")
    if path.suffix not in WEIGHT_SUFFIXES:
        known = ", ".join(WEIGHT_SUFFIXES)
        raise WeightsError(f"{path} is not a weights file", hint=f"known suffixes: {known}")
    if path.suffix == ".safetensors":
        return _open_safetensors(path)
    return _open_pickle(path)


def read_state(path: Path) -> dict[str, Tensor]:
    """All tensors of somebody else's network (`.pth` or `.pt`), under the names in the file.

    Raises:
        WeightsError: no regular file, truncated, more than tensors, or NaN or infinity in it.
    """
    if not path.is_file():
        raise WeightsError(f"weights file {path} is not a regular file")
    state = _state_dict(_unpickle(path), path)
    for name, tensor in state.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise WeightsError(f"{path}: {_line(name)} holds NaN or infinity", hint=_AGAIN)
    return state


def available_memory_bytes() -> int | None:
    """Memory that can be allocated without swapping; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found else None


def _open_safetensors(path: Path) -> WeightsFile:
    try:
        file: Any = safetensors.safe_open(path, framework="pt")
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except Exception as error:  # arbitrary bytes bring out arbitrary errors
        raise WeightsError(
            f"{path} is truncated or not a safetensors file: {_line(error)}", hint=_AGAIN
        ) from error
    names = _without_wrapper(shapes)
    shapes = {name: shapes[raw] for name, raw in names.items()}
    return _official(path, shapes, lambda name: file.get_tensor(names[name]))


def _open_pickle(path: Path) -> WeightsFile:
    state = _state_dict(_unpickle(path), path)
    names = _without_wrapper(state)
    shapes = {name: tuple(state[raw].shape) for name, raw in names.items()}
    return _official(path, shapes, lambda name: state[names[name]])


def _official(path: Path, shapes: Shapes, read: Callable[[str], Tensor]) -> WeightsFile:
    official = under_official_names(shapes, read)
    return WeightsFile(path, official.shapes, official.read, official.parts or ())


def _unpickle(path: Path) -> object:
    """The content of a `.pth`, its tensors mapped from the file, not read."""
    mapped = _is_archive(path)
    if mapped:
        _check_archive(path)
    try:
        with warnings.catch_warnings(action="ignore"):
            content: object = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} holds more than weights, or is damaged; it was not unpickled, because that "
            "could run code",
            hint="save the bare state dict, best as .safetensors",
        ) from error
    except MemoryError as error:
        raise WeightsError(f"{path} wants more memory than there is") from error
    except Exception as error:  # arbitrary bytes bring out arbitrary errors
        message = f"{path} is truncated or not a PyTorch file: {_line(error)}"
        raise WeightsError(message, hint=_AGAIN) from error
    return content


def _is_archive(path: Path) -> bool:
    """Whether this is PyTorch's format since 1.6, a zip archive; the older one cannot be mapped."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror}") from error


def _check_archive(path: Path) -> None:
    """Refuse archives that unpack to more than they are: PyTorch stores, it never compresses."""
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = [(item.file_size, item.compress_size) for item in archive.infolist()]
    except Exception as error:  # arbitrary bytes bring out arbitrary errors
        message = f"{path} is truncated or damaged: {_line(error)}"
        raise WeightsError(message, hint=_AGAIN) from error
    if any(unpacked != packed for unpacked, packed in sizes):
        raise WeightsError(f"{path} is a compressed archive, not a PyTorch file")
    if sum(unpacked for unpacked, _ in sizes) > path.stat().st_size:
        raise WeightsError(f"{path} claims to hold more bytes than it has")


def _state_dict(content: object, path: Path) -> dict[str, Tensor]:
    """The parameters inside an official (`model_state`) or bare state dict."""
    for key in _STATE_KEYS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    if not isinstance(content, dict) or not content:
        raise WeightsError(f"{path} holds no state dict")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise WeightsError(
                f"{path} holds no state dict: {_line(name)} is {type(value).__name__}, not a tensor"
            )
        if value.layout != torch.strided:
            raise WeightsError(f"{path}: {_line(name)} is a sparse tensor")
    return content


def _without_wrapper(names: Mapping[str, object]) -> dict[str, str]:
    """Parameter name to name in the file, without what DistributedDataParallel and others add."""
    cleaned = {name: name for name in names}
    for wrapper in _WRAPPERS:
        if cleaned and all(name.startswith(wrapper) for name in cleaned):
            cleaned = {name.removeprefix(wrapper): raw for name, raw in cleaned.items()}
    return cleaned


def _line(value: object) -> str:
    """The first line of a foreign message or name, made printable and short."""
    first = (str(value).strip().splitlines() or [""])[0][:200]
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in first)
