"""Class names: the two lists that come with the package, and label files that users bring.

Formats of a label file, in UTF-8 or UTF-16: text with one name a line; JSON as a list, as index to
name (`{"0": "abseiling"}`, also under the key `id2label`) or as name to index (`{"abseiling": 0}`).
"""

import json
from pathlib import Path
from typing import NoReturn

from hiera_cli.checkpoints.zoo import LabelSet
from hiera_cli.datasets.names_file import names_from_lines
from hiera_cli.datasets.text import check_characters
from hiera_cli.errors import HieraError, UsageError
from hiera_cli.inputs import decode_text, printable

MAX_FILE_BYTES = 64 * 2**20
_NUM_LABELS: dict[LabelSet, int] = {"kinetics400": 400, "imagenet1k": 1000}


def known_labels(name: LabelSet | None, num_classes: int) -> tuple[str, ...]:
    """The names of an official head, or `class_0` … where the number of classes is another."""
    if name is None or _NUM_LABELS[name] != num_classes:
        return numbered_labels(num_classes)
    text = (Path(__file__).parent / "class_names" / f"{name}.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())


def numbered_labels(num_classes: int) -> tuple[str, ...]:
    """`class_0`, `class_1`, … for a head whose classes have no names."""
    return tuple(f"class_{index}" for index in range(num_classes))


def read_labels(path: str | Path, *, num_classes: int) -> tuple[str, ...]:
    """Class names in the order of the logits, from a user's file.

    Raises:
        UsageError: not readable, not a known format, or not exactly `num_classes` names.
    """
    text = decode_text(_read_small(Path(path), UsageError))
    check_characters(text, str(path))
    try:
        if text.lstrip()[:1] in ("{", "["):
            names = _from_json(text)
        else:  # as data sets have them: a name, `number name` or `name,number` a line
            names = _checked(list(names_from_lines(text)[0]))
    except ValueError as error:
        raise UsageError(f"label file {path}: {error}") from error
    if len(names) != num_classes:
        raise UsageError(
            f"label file {path} has {len(names)} names, the model has {num_classes} classes",
            hint="give one name per class, in the order of the model's outputs",
        )
    return names


def labels_from_config(values: object) -> tuple[str, ...]:
    """Class names from the `labels` or `id2label` value of a `config.json`.

    Raises:
        ValueError: the value has none of the known forms.
    """
    if isinstance(values, list):
        return _checked(values)
    if isinstance(values, dict):
        return _from_mapping(values)
    raise ValueError("labels are neither a list nor an object")


def read_small_text(path: Path, error_class: type[HieraError]) -> str:
    """A regular UTF-8 file of at most 64 MiB, byte order mark removed.

    Raises:
        error_class: no such file, not a regular file, too large, or not UTF-8.
    """
    try:
        return _read_small(path, error_class).decode("utf-8-sig")
    except ValueError as error:
        raise error_class(f"cannot read {path}: {error}") from error


def _read_small(path: Path, error_class: type[HieraError]) -> bytes:
    try:
        if not path.is_file():
            raise error_class(f"{path} is {'not a file' if path.exists() else 'not there'}")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise error_class(f"{path} is larger than {MAX_FILE_BYTES // 2**20} MiB")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise error_class(f"cannot read {path}: {error}") from error


def parse_json(text: str) -> object:
    """Strict JSON: no NaN or Infinity.

    Raises:
        ValueError: not JSON, or nested too deeply.
    """
    try:
        parsed: object = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return parsed


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _from_json(text: str) -> tuple[str, ...]:
    parsed = parse_json(text)
    if isinstance(parsed, dict) and isinstance(parsed.get("id2label"), dict):
        parsed = parsed["id2label"]
    return labels_from_config(parsed)


def _from_mapping(values: dict[str, object]) -> tuple[str, ...]:
    """Index to name where all keys are numbers, else name to index (numbers, also as strings)."""
    if all(_is_index(key) for key in values):
        pairs = {int(key): name for key, name in values.items()}
    elif all(_is_index(value) for value in values.values()):
        pairs = {int(str(value)): name for name, value in values.items()}
    else:
        raise ValueError("neither index to name nor name to index")
    if len(pairs) != len(values) or any(index not in pairs for index in range(len(values))):
        raise ValueError(f"the indices are not 0 to {len(values) - 1}, each once")
    return _checked([pairs[index] for index in range(len(values))])


def _is_index(value: object) -> bool:
    text = str(value) if type(value) in (int, str) else ""
    return text.isascii() and text.isdigit() and len(text) < 10


def _checked(names: list[object]) -> tuple[str, ...]:
    """Every name a string with something in it; no control character reaches an output raw."""
    for index, name in enumerate(names):
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"name {index} (counted from 0) is {name!r}, not a name")
    if not names:
        raise ValueError("no names")
    return tuple(printable(str(name)) for name in names)
