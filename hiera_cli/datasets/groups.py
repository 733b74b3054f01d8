"""Which videos of a data set belong together: one source, one camera, one day."""

import re
from collections.abc import Sequence
from dataclasses import replace

from hiera_cli.datasets.sample import Sample
from hiera_cli.errors import UsageError
from hiera_cli.inputs import printable


def group_by(
    samples: Sequence[Sample], expression: str, *, columns: Sequence[str] = ()
) -> list[Sample]:
    """The samples with the group that their name tells; those that do not match stay alone.

    Args:
        samples: of a data set.
        expression: a regular expression, searched for in each name; its first group, or the whole
            match where it has none, is what belongs together.
        columns: of the list that was read, for the message.

    Raises:
        UsageError: no regular expression, or one that no name matches.
    """
    try:
        pattern = re.compile(expression)
    except re.error as error:
        raise UsageError(f"--group '{printable(expression)}': {error}") from error
    found = [pattern.search(sample.name) for sample in samples]
    if samples and not any(found):
        there = f"; its columns are {', '.join(map(printable, columns))}" if columns else ""
        raise UsageError(
            f"--group '{printable(expression)}' is found in no name, such as "
            f"'{printable(samples[0].name)}'{there}",
            hint="give a regular expression over the names, or the column of a list with a header",
        )
    return [
        replace(sample, group=printable(match[1] or "" if pattern.groups else match[0]))
        if match
        else sample
        for sample, match in zip(samples, found, strict=True)
    ]
