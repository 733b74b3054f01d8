"""Films of several camera movements, with the times of each in OUT/annotations.csv."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from hiera_cli.errors import NoInputError
from hiera_cli.files import output_errors, write_text
from hiera_cli.inputs import expand_inputs
from hiera_cli.synth.films import (
    draw_takes,
    film_frames,
    intervals,
    stage_film,
    stage_real_film,
)
from hiera_cli.synth.footage import Footage, read_footage
from hiera_cli.synth.options import FilmOptions
from hiera_cli.synth.props import Props
from hiera_cli.synth.staging import Shot
from hiera_cli.video.encode import h264, write_video

FOOTAGE_SECONDS = 10.0
COLUMNS = ("path", "start_seconds", "end_seconds", "label")


def synthesise_films(options: FilmOptions) -> Iterator[Path]:
    """Render films one by one; annotations.csv is written when all are there.

    Raises:
        MediaError: a source cannot be read.
        NoInputError: no camera stands still in any source.
        OutputError: a file cannot be written.
    """
    with output_errors(options.out):
        options.out.mkdir(parents=True, exist_ok=True)
    shot = Shot(fps=options.fps, width=options.width, height=options.height)
    props = Props(np.random.default_rng((options.seed, 4)))
    sources = _Sources(options.source, shot) if options.source else None
    rows: list[tuple[str, float, float, str]] = []
    for index in range(options.num):
        rng = np.random.default_rng((options.seed, index, 5))
        takes = draw_takes(rng, fps=shot.fps)
        if sources is None:
            scene = stage_film(takes, rng, props, shot, plain=options.plain)
        else:
            scene = stage_real_film(takes, rng, sources.next(), shot)
        film = options.out / f"film_{options.seed}_{index:04d}.mp4"
        frames = film_frames(scene, shot, rng=rng)
        encoding = h264(crf=int(rng.integers(16, 33)), preset="veryfast")
        write_video(film, frames, fps=shot.fps, encoding=encoding)
        rows += [
            (film.name, round(i.start_seconds, 4), round(i.end_seconds, 4), i.motion)
            for i in intervals(takes)
        ]
        yield film
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([COLUMNS, *rows])
    write_text(options.out / "annotations.csv", table.getvalue())


class _Sources:
    """Real footage in turn, of videos whose own camera rests."""

    def __init__(self, names: list[str], shot: Shot) -> None:
        self._names = names
        self._paths = [found.path for found in expand_inputs(names)]
        self._shot = replace(shot, num_frames=round(FOOTAGE_SECONDS * shot.fps))
        self._next = 0

    def next(self) -> Footage:
        """The next ten seconds, or fewer where the video is shorter.

        Raises:
            NoInputError: none of the videos shows what a virtual camera does.
        """
        for _ in self._paths:
            path = self._paths[self._next % len(self._paths)]
            self._next += 1
            (footage,) = read_footage(path, num_windows=1, shot=self._shot)
            if footage.shows_movement:
                return footage
        raise NoInputError(
            f"no camera stands still in {', '.join(self._names)}, or there is nothing to see",
            hint="take footage from a tripod",
        )
