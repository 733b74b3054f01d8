"""A suite's results as files: JSON that a later run goes on from, and Markdown tables."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from hiera_cli.errors import UsageError
from hiera_cli.files import write_text
from hiera_cli.machine import machine_name
from hiera_cli.tasks.benchmark.suite.rows import Figure, Row

FORMAT = 1
PEERS = ("hiera-transformer", "hiera-optim", "torchcodec", "decord", "triton")


@dataclass(frozen=True, slots=True)
class Conditions:
    """Where and with what a table was measured; rows of other conditions are never mixed in.

    Attributes:
        suite: its name.
        machine: processor and cores.
        device: GPU, or the kind of device.
        tiny: whether the networks were stand-ins.
        versions: `package version`, of what has a part in it.
        subject: the model and the inputs, where the table is about such; else empty.
    """

    suite: str
    machine: str
    device: str
    tiny: bool
    versions: tuple[str, ...]
    subject: str = ""

    @classmethod
    def here(
        cls, suite: str, device: torch.device, *, tiny: bool, subject: str = ""
    ) -> "Conditions":
        """Those of this process."""
        is_cuda = device.type == "cuda"
        return cls(
            suite=suite,
            machine=machine_name(),
            device=torch.cuda.get_device_name(device) if is_cuda else device.type,
            tiny=tiny,
            versions=tuple(_versions()),
            subject=subject,
        )


def _versions() -> Iterable[str]:
    yield f"torch {torch.__version__}"
    for name in PEERS:
        try:
            yield f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue


@dataclass(frozen=True, slots=True)
class Document:
    """A table with its conditions."""

    conditions: Conditions
    rows: tuple[Row, ...]


def read_document(path: Path) -> Document | None:
    """What an earlier run left; None where there is no such file.

    Raises:
        UsageError: the file is no table of a suite.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        conditions = values["conditions"]
        if values["format"] != FORMAT:
            raise KeyError(values["format"])
        conditions["versions"] = tuple(conditions["versions"])
        rows = tuple(Row(**row) for row in values["rows"])
        return Document(Conditions(**conditions), rows)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"cannot read '{path}': {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        hint = "name another --out, or delete it"
        raise UsageError(f"'{path}' is no table of hiera benchmark", hint=hint) from error


def write_document(path: Path, document: Document) -> None:
    """Write it whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    write_text(path, json.dumps(as_json(document), indent=2) + "\n")


def as_json(document: Document) -> dict[str, Any]:
    """The table as JSON types."""
    return {"format": FORMAT, **asdict(document)}


def as_markdown(document: Document) -> str:
    """A line on the conditions, then one table for each section, columns as the figures come."""
    here = document.conditions
    facts = (here.device, here.machine, ", ".join(here.versions), here.subject)
    lines = [" · ".join(filter(None, facts))]
    if here.tiny:
        lines += ["", "**Stand-in networks: these figures say nothing about speed.**"]
    for section in dict.fromkeys(row.section for row in document.rows):
        rows = [row for row in document.rows if row.section == section]
        lines += ["", f"### {section}", "", *_table(rows)]
    return "\n".join(lines) + "\n"


def _table(rows: Sequence[Row]) -> Iterable[str]:
    columns = list(dict.fromkeys(name for row in rows for name in row.figures))
    header = ["", *(name.replace("_", " ") for name in columns)]
    yield _line(header)
    yield "|---|" + "---:|" * len(columns)
    for row in rows:
        if row.state == "done":
            yield _line([row.name, *(_cell(row.figures.get(name)) for name in columns)])
    for row in rows:
        if row.state != "done":
            reason = row.reason.replace("|", "\\|")
            yield _line([row.name, f"{row.state}: {reason}", *([""] * (len(columns) - 1))])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: Figure) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) and abs(value) < 1000 else _whole(value)


def _whole(value: float | str) -> str:
    return f"{value:.0f}" if isinstance(value, float) else str(value)
