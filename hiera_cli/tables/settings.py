"""What a table is made with, and whether work that is already there may be continued."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from hiera_cli.errors import UsageError
from hiera_cli.options import OnExisting
from hiera_cli.tables.place import Output
from hiera_cli.tables.reading import read_metadata, read_schema

MAX_SHOWN = 80
_PACKAGES = ("hiera-cli", "torch", "av", "pyarrow")
_UNCOMPARED = ("versions", "roots", "notes")  # may differ between runs that continue each other


@dataclass(frozen=True, slots=True)
class Before:
    """What earlier runs left: their settings (None: nothing was left), roots, and intent."""

    settings: Mapping[str, Any] | None = None
    roots: Sequence[str] = ()
    replaces: bool = False


def look_before(output: Output, on_existing: OnExisting) -> Before:
    """Look at what is there; with `overwrite`, drop unfinished work and list of failures."""
    exists = bool(output.files) or output.settings.exists()
    if exists and on_existing == "error":
        raise UsageError(
            f"{output.path} exists already",
            hint="choose another --out, or --on-existing resume or overwrite",
        )
    if on_existing == "overwrite":
        for file in output.files:
            read_schema(file)  # replaces Parquet files and nothing else
        output.settings.unlink(missing_ok=True)
        for leftover in output.partial.glob("rows-*"):
            leftover.unlink()
        output.errors.unlink(missing_ok=True)
        return Before(replaces=True)
    if output.settings.exists():
        state = json.loads(output.settings.read_text(encoding="utf-8"))
        return Before(state["settings"], state["roots"], state["replaces"])
    if output.files:
        metadata = read_metadata(output.files[0])
        return Before(comparable(metadata), metadata.get("roots", ()))
    return Before()


def comparable(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a table's metadata that must agree for rows to stand in one table."""
    return {key: value for key, value in metadata.items() if key not in _UNCOMPARED}


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """What differs between two settings, in words."""
    found = []
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found += differences(before, after, f"{prefix}{key}.")
        elif before != after:
            before, after = _apart(before, after)
            found.append(f"{prefix}{key} was {_short(before)}, now {_short(after)}")
    return found


def _apart(before: Any, after: Any) -> tuple[Any, Any]:
    """Two values; of lists only what the other one lacks, unless that is nothing."""
    if not isinstance(before, list) or not isinstance(after, list):
        return before, after
    lost = [item for item in before if item not in after]
    gained = [item for item in after if item not in before]
    return (lost, gained) if lost or gained else (before, after)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"


def refuse_differences(output: Output, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Refuse to go on with work that was made with other settings.

    Raises:
        UsageError: they differ; the message says in what.
    """
    found = differences(old, new)
    if found:
        raise UsageError(
            f"{output.path} holds results made with other settings: {'; '.join(found)}",
            hint="use those settings, choose another --out, or add --on-existing overwrite",
        )


def package_versions() -> dict[str, str]:
    """Versions of the packages that results depend on."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found
