"""Whether the tables of a job array are all there, with every input in exactly one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hiera_cli.errors import UsageError
from hiera_cli.tables.failures import read_failures
from hiera_cli.tables.reading import read_keys, read_metadata

MAX_SHOWN = 10


@dataclass(frozen=True, slots=True)
class ShareNote:
    """What the table of a share says of itself in its metadata.

    Attributes:
        index: number of the share, from 0.
        num_shares: of how many.
        num_inputs: the inputs of this share.
        inputs_sha256: of the names of the inputs of all shares; the same in each.
    """

    index: int
    num_shares: int
    num_inputs: int
    inputs_sha256: str


def check_complete(files: Sequence[Path]) -> int:
    """Make sure that all shares are there, and account for all of their inputs.

    Tables that are no shares of anything are left alone.

    Returns:
        The number of inputs that are accounted for, by rows or by a failure; 0 without shares.

    Raises:
        UsageError: a share is missing, or does not account for its inputs; or shares of
            different inputs are mixed.
    """
    notes = {file: note for file in files if (note := _note(file)) is not None}
    shares = {note.index for note in notes.values()}
    for file, note in notes.items():
        first = next(iter(notes))
        if _whole(note) != _whole(notes[first]):
            raise UsageError(
                f"{first} and {file} are shares of different inputs",
                hint="give all tasks of a job array the same inputs and the same number of shares",
            )
    missing = sorted(set(range(_num_shares(notes))) - shares)
    if missing:
        shown = ", ".join(f"{index}/{_num_shares(notes)}" for index in missing[:MAX_SHOWN])
        more = f" and {len(missing) - MAX_SHOWN} more" if len(missing) > MAX_SHOWN else ""
        raise _incomplete(f"missing: --shard {shown}{more}")
    for file, note in notes.items():
        found = len(read_keys(file) | read_failures(_errors(file)).keys())
        if found != note.num_inputs:
            raise _incomplete(f"{file} accounts for {found} of its {note.num_inputs} inputs")
    return sum(note.num_inputs for note in notes.values())


def without_share(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of a share as that of a whole."""
    notes = {key: value for key, value in metadata.get("notes", {}).items() if key != "share"}
    return {**metadata, "notes": notes}


def _note(file: Path) -> ShareNote | None:
    stated = read_metadata(file).get("notes", {}).get("share")
    return None if stated is None else ShareNote(**stated)


def _whole(note: ShareNote) -> tuple[int, str]:
    return note.num_shares, note.inputs_sha256


def _num_shares(notes: Mapping[Path, ShareNote]) -> int:
    return max((note.num_shares for note in notes.values()), default=0)


def _errors(file: Path) -> Path:
    return file.with_name(file.name + ".errors.jsonl")


def _incomplete(message: str) -> UsageError:
    return UsageError(message, hint="run these shares again, or add --allow-incomplete")
