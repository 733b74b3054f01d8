"""What rendering data sets can be told."""

from dataclasses import dataclass
from pathlib import Path

from hiera_cli.errors import UsageError
from hiera_cli.options import check_at_least


@dataclass(frozen=True)
class SynthOptions:
    """Which videos of camera movements are rendered.

    Attributes:
        out: folder; a class folder is made in it for each movement.
        num: number of videos, spread evenly over the classes.
        seed: of all randomness; the same seed gives the same frames, whatever `workers` is.
        workers: processes that render at the same time; None: one for each core, as far as there
            are blocks of videos for them.
        width, height: of the videos in pixels, even numbers.
        source: real videos (files, folders, globs) to move a virtual camera in; None: made-up
            places. Windows in which their own camera moves are left out.
        still: film single frames of the real videos, not the playing videos.
        degrade: add noise, blur, flicker, bars and emblems to real videos, as made-up places have.
        movers: let large things pass in front of real videos, in six clips of ten.
        plain: easy ones: finely patterned grounds in clean pictures, nothing moves in them, and
            the camera moves evenly at a middling pace.
    """

    out: Path
    num: int = 2000
    seed: int = 0
    workers: int | None = None
    width: int = 120
    height: int = 80
    source: list[str] | None = None
    still: bool = False
    degrade: bool = False
    movers: bool = False
    plain: bool = False

    def __post_init__(self) -> None:
        """Refuse numbers that render nothing.

        Raises:
            UsageError: a value out of range.
        """
        check_at_least(1, num=self.num, workers=self.workers)
        check_at_least(0, seed=self.seed)
        check_size(self.width, self.height)
        if (self.still or self.degrade or self.movers) and not self.source:
            raise UsageError(
                "--still, --degrade and --movers are about real video",
                hint="name one with --source",
            )
        if self.plain and self.source:
            raise UsageError("--plain is about made-up places, --source about real ones")


@dataclass(frozen=True, kw_only=True)
class ActorOptions:
    """Which videos of acting figures are rendered.

    Attributes:
        out: folder for videos/, frames/ and the files that label them.
        num: number of videos.
        seed: of all randomness.
        width, height: in pixels, even numbers.
        seconds: length of each; every whole second within is a key frame.
        fps: frames a second.
    """

    out: Path
    num: int = 100
    seed: int = 0
    width: int = 160
    height: int = 120
    seconds: float = 4.0
    fps: float = 15.0

    def __post_init__(self) -> None:
        """Refuse numbers that render nothing.

        Raises:
            UsageError: a value out of range.
        """
        check_at_least(1, num=self.num, fps=self.fps)
        check_at_least(0, seed=self.seed)
        check_at_least(1.5, seconds=self.seconds)
        check_size(self.width, self.height)


@dataclass(frozen=True, kw_only=True)
class FilmOptions:
    """Which films of several camera movements are rendered.

    Attributes:
        out: folder for the films and annotations.csv.
        num: number of films.
        seed: of all randomness.
        width, height: in pixels, even numbers.
        fps: frames a second.
        source: real videos (files, folders, globs) to move a virtual camera in; None: made-up
            places. Videos in which their own camera moves are left out.
        plain: made-up places are finely patterned grounds in clean pictures.
    """

    out: Path
    num: int = 10
    seed: int = 0
    width: int = 120
    height: int = 80
    fps: float = 15.0
    source: list[str] | None = None
    plain: bool = False

    def __post_init__(self) -> None:
        """Refuse numbers that render nothing.

        Raises:
            UsageError: a value out of range.
        """
        check_at_least(1, num=self.num, fps=self.fps)
        check_at_least(0, seed=self.seed)
        check_size(self.width, self.height)
        if self.plain and self.source:
            raise UsageError("--plain is about made-up places, --source about real ones")


def check_size(width: int, height: int) -> None:
    """Refuse pictures that cannot be encoded or show nothing.

    Raises:
        UsageError: a side that is odd or below 32 pixels.
    """
    if min(width, height) < 32 or width % 2 or height % 2:
        raise UsageError(f"--width and --height must be even and at least 32, not {width}×{height}")
