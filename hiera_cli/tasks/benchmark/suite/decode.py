"""The suite `decode`: what a clip costs before the model sees it, and what others' ways cost."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch

from hiera_cli.inference.loader import LoaderOptions
from hiera_cli.inference.open import loader_options, open_backend
from hiera_cli.inputs import InputPath
from hiera_cli.options import EngineOptions
from hiera_cli.tasks.benchmark.generated import generated_videos
from hiera_cli.tasks.benchmark.random_model import open_for_timing
from hiera_cli.tasks.benchmark.suite.options import SuiteOptions
from hiera_cli.tasks.benchmark.suite.race import OURS, Race, RaceFigures
from hiera_cli.tasks.benchmark.suite.readers import READERS
from hiera_cli.tasks.benchmark.suite.reading import ReadingFigures, reading_figures
from hiera_cli.tasks.benchmark.suite.rows import RowPlan

NUM_GENERATED = 4
READING, FEATURES = "Reading a video, ms of one core", "From files to features, ms a video"


@dataclass(eq=False, slots=True)
class _Contest:
    """What all rows share, made when the first is measured; models are loaded then."""

    options: SuiteOptions
    device: torch.device
    files: Sequence[InputPath]
    race: Race | None = None

    def reading(self) -> ReadingFigures:
        """Where the time of one worker goes."""
        engine = self.engine()
        loader = loader_options(engine, open_for_timing(engine).preprocessing, "dense")
        with self.videos() as files:
            return reading_figures(files, loader)

    def features(self, name: str) -> RaceFigures:
        """How one way to the features did; the first call lets all of them take their turns."""
        if self.race is not None:
            return self.race.figures(name)
        with self.videos() as files:
            self.race = self._race(files)
            return self.race.figures(name)

    def _race(self, files: Sequence[InputPath]) -> Race:
        engine, alone = self.engine(), self.engine(threads=torch.get_num_threads())
        loaded = open_for_timing(engine)
        loader: LoaderOptions = loader_options(engine, loaded.preprocessing, "dense")
        return Race(
            files=files,
            backend=open_backend(loaded, engine),
            alone=open_backend(loaded, alone),
            loader=loader,
            readers={one.name: one.read for one in READERS if not one.obstacle},
            rounds=1 if self.options.tiny else self.options.rounds,
        )

    def engine(self, *, threads: int | None = None) -> EngineOptions:
        return EngineOptions(
            model="camera-motion" if self.options.tiny else self.options.model,
            device=str(self.device),
            threads=threads,
            isolate=True,
        )

    @contextmanager
    def videos(self) -> Iterator[Sequence[InputPath]]:
        """Those that are named, or some that are made up."""
        if self.files:
            yield self.files
            return
        seconds = 0.5 if self.options.tiny else 10.0
        num = 2 if self.options.tiny else NUM_GENERATED
        with generated_videos(num=num, seconds=seconds) as made:
            yield made


def decode_rows(
    options: SuiteOptions, device: torch.device, files: Sequence[InputPath]
) -> Sequence[RowPlan]:
    """The rows of the suite, about these videos; about some that are made up where none is."""
    contest = _Contest(options, device, files)
    return [
        RowPlan(READING, "one worker", contest.reading),
        RowPlan(FEATURES, OURS, partial(contest.features, OURS)),
        *(
            RowPlan(FEATURES, one.name, partial(contest.features, one.name), one.obstacle)
            for one in READERS
        ),
    ]
