"""Something-Something-v2's label files: JSON lists of videos and the template that they show."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from hiera_cli.datasets.lists.rows import clean_label
from hiera_cli.errors import UsageError
from hiera_cli.inputs import printable


@dataclass(frozen=True, slots=True)
class SomethingRow:
    """One video: its number, which is its file's name, and its class."""

    video_id: str
    label: str


def read_something(text: str, *, source: str) -> Iterator[SomethingRow]:
    """The rows of `something-something-v2-train.json` or `-validation.json`.

    The class is the template without its brackets: `Putting [something] on [something]` is
    `Putting something on something`. In alphabetical order, classes have their official indices.

    Args:
        text: the content of the file.
        source: its name, for messages.

    Raises:
        UsageError: not a list of objects with `id` and `template` (the test file has none).
    """
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"'{printable(source)}' is not JSON: {error}") from error
    if not isinstance(rows, list):
        raise UsageError(f"'{printable(source)}' is not a list of videos")
    for number, row in enumerate(rows):
        video_id = row.get("id") if isinstance(row, dict) else None
        template = row.get("template") if isinstance(row, dict) else None
        if not isinstance(video_id, str | int) or not isinstance(template, str) or not template:
            raise UsageError(
                f"'{printable(source)}': entry {number} has no id or no template",
                hint="use the train or validation file; the test file holds no labels",
            )
        yield SomethingRow(str(video_id), clean_label(template.translate(_WITHOUT_BRACKETS)))


_WITHOUT_BRACKETS = str.maketrans("", "", "[]")
