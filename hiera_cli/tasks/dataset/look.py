"""A look at a data set from its options to its report, with a suggested split."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from hiera_cli.datasets.dataset import Dataset, Sample
from hiera_cli.datasets.options import DatasetOptions
from hiera_cli.errors import Failure, NoInputError
from hiera_cli.inputs import printable
from hiera_cli.tasks.dataset.duplicates import find_duplicates
from hiera_cli.tasks.dataset.split import (
    SuggestedSplit,
    check_shares,
    count_units,
    describe,
    divide,
    write_split,
)
from hiera_cli.tasks.dataset.summary import DatasetReport, summarise
from hiera_cli.tasks.dataset.survey import FileFacts, read_parts, survey

DEFAULT_SHARES = {"val": 0.2}


@dataclass
class Look:
    """A data set that is being looked at.

    Attributes:
        dataset: where it is.
        parts: what it promises, for each of its splits.
        options: how it is read.
        facts: about the files that were read so far.
        failures: of those that cannot be read.
    """

    dataset: str
    parts: tuple[Dataset, ...]
    options: DatasetOptions
    facts: list[FileFacts] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    @property
    def samples(self) -> list[Sample]:
        """All that is promised, in all splits."""
        return [sample for part in self.parts for sample in part.samples]

    @property
    def num_there(self) -> int:
        """How many files are to be read."""
        return sum(sample.path is not None for sample in self.samples)

    def run(self) -> Iterator[FileFacts | Failure]:
        """Look into every file.

        Raises:
            NoInputError: not one of them is there.
        """
        if not self.num_there:
            raise NoInputError(
                f"none of {len(self.samples)} files is there",
                hint=next((part.missing_hint for part in self.parts), ""),
            )
        for result in survey(self.samples, self.options):
            if isinstance(result, Failure):
                self.failures.append(result)
            else:
                self.facts.append(result)
            yield result

    def report(
        self, *, shares: Mapping[str, float] | None = None, folder: Path | None = None
    ) -> DatasetReport:
        """What the files say together, and a split: written, if there is a folder for it.

        Args:
            shares: of the parts besides `train`; None: a fifth for `val`, as a suggestion where the
                data set is not divided.
            folder: where the split is written.

        Raises:
            UsageError: shares that leave nothing to train on.
            NoInputError: no file can be read.
            OutputError: the split cannot be written.
        """
        divided = len(self.parts) > 1
        suggestion = None
        if shares is not None or not divided:
            suggestion = self._split(shares or DEFAULT_SHARES, folder)
        place = printable(os.path.abspath(self.dataset))  # noqa: PTH100 - any bytes
        report = summarise(self.parts, self.facts, self.failures, dataset=place)
        return replace(report, suggestion=suggestion)

    def _split(self, shares: Mapping[str, float], folder: Path | None) -> SuggestedSplit | None:
        check_shares(shares)
        usable = list({fact.sample.path: fact.sample for fact in self.facts}.values())
        if not usable:
            return None
        together = [same.paths for same in find_duplicates(self.facts)]
        parts = divide(usable, shares, together=together, seed=self.options.seed)
        if folder is not None:
            write_split(parts, folder)
        return describe(
            parts,
            shares,
            num_units=count_units(usable, together),
            folder=None if folder is None else str(folder),
        )


def look_at(dataset: str, options: DatasetOptions) -> Look:
    """A data set, read and ready to be looked at.

    Raises:
        UsageError: no data set, annotations that make no sense, or an option that does not fit.
        NoInputError: no video or image.
    """
    return Look(dataset, read_parts(dataset, options), options)
