from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from hiera_cli.cli.options import FLAGS, OutputOptions, flatten
from hiera_cli.options import EngineOptions


@dataclass(frozen=True)
class Paint:
    colour: str = "red"
    coats: int = 1


def run(function: object, flags: dict[str, object], *arguments: str) -> None:
    app = typer.Typer()
    app.command()(flatten(function, flags))  # type: ignore[arg-type]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output


OWN = {"colour": typer.Option("--colour"), "coats": typer.Option("-n", "--coats")}


def test_fields_become_flags_with_the_dataclass_defaults() -> None:
    seen = []

    def paint(name: Annotated[str, typer.Argument()], paint: Paint) -> None:
        seen.append((name, paint))

    run(paint, OWN, "door")
    run(paint, OWN, "wall", "--colour", "blue", "-n", "3")
    assert seen == [("door", Paint()), ("wall", Paint("blue", 3))]


def test_plain_parameters_take_their_flag_from_the_table() -> None:
    seen = []

    def paint(coats: int = 2) -> None:
        seen.append(coats)

    run(paint, OWN)
    run(paint, OWN, "-n", "5")
    assert seen == [2, 5]


@pytest.mark.parametrize("group", [EngineOptions, OutputOptions])
def test_every_shared_option_has_a_flag(group: type) -> None:
    assert set(group.__dataclass_fields__) <= set(FLAGS)
