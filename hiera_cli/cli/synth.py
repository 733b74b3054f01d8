"""`hiera synth`: videos and a first network made from nothing."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from hiera_cli.cli import console
from hiera_cli.cli.options import TalkOptions
from hiera_cli.synth.options import ActorOptions, FilmOptions, SynthOptions

FLAGS: dict[str, Any] = {
    "out": typer.Argument(metavar="OUT", show_default=False, help="Folder for class folders."),
    "num": typer.Option("-n", "--num", help="Videos to render."),
    "seed": typer.Option("--seed", help="Of everything random: same seed, same videos."),
    "workers": typer.Option("--workers", help="Processes that render; by default one a core."),
    "width": typer.Option("--width", help="Of the videos, in pixels."),
    "height": typer.Option("--height", help="Of the videos, in pixels."),
    "source": typer.Option(
        "--source", help="Real video to move a virtual camera in, instead of made-up places."
    ),
    "still": typer.Option("--still", help="Freeze the real video: one frame of it a clip."),
    "degrade": typer.Option(
        "--degrade", help="Noise, blur, flicker and bars on the real video, as made-up places have."
    ),
    "movers": typer.Option("--movers", help="Large things pass in front of the real video."),
    "plain": typer.Option(
        "--plain", help="Easy to learn from: an even movement over a patterned ground."
    ),
}

FLAGS |= {
    "seconds": typer.Option("--seconds", help="Length of each; whole seconds are key frames."),
    "fps": typer.Option("--fps", help="Frames a second."),
}

Folder = Annotated[Path, typer.Argument(metavar="OUT", show_default=False)]


def camera_motion(options: SynthOptions, talk: TalkOptions) -> int:
    """Render labelled videos of camera movements, to train or to judge a model on.

    OUT then holds a folder for each class, as `hiera finetune` and `hiera eval` read it.
    """
    from hiera_cli.tasks.synth import synthesise

    return _render(synthesise(options), options, talk, unit="videos")


def films(options: FilmOptions, talk: TalkOptions) -> int:
    """Render films in which all ten camera movements follow each other, and when they do.

    OUT then holds the films and annotations.csv, for `hiera eval OUT --timeline`.
    """
    from hiera_cli.tasks.films import synthesise_films

    return _render(synthesise_films(options), options, talk, unit="films")


def actors(options: ActorOptions, talk: TalkOptions) -> int:
    """Render figures that walk, wave, jump and fall before a moving camera, with their boxes.

    OUT then holds videos/, the key frames in frames/, annotations.csv (AVA's format, seconds),
    frames.csv (the same at every frame), actions.pbtxt and annotations.json (COCO).
    """
    from hiera_cli.tasks.actors import synthesise_actors

    return _render(synthesise_actors(options), options, talk, unit="videos")


def _render(
    files: Iterable[object],
    options: SynthOptions | FilmOptions | ActorOptions,
    talk: TalkOptions,
    *,
    unit: str,
) -> int:
    """Let files be made, by one thread: a team slows pictures this small. Say where they are."""
    from hiera_cli.inference.threads import computing_threads

    with computing_threads(1):
        for _ in console.progress(files, total=options.num, unit=unit, quiet=talk.quiet):
            pass
    if not talk.quiet:
        console.say(f"{options.num} {unit} in {options.out}")
    return 0


def samples(folder: Folder, talk: TalkOptions) -> int:
    """Render the sample videos that come with the project."""
    from hiera_cli.tasks.synth import NUM_SAMPLES, make_samples

    files = make_samples(folder)
    for path in console.progress(files, total=NUM_SAMPLES, unit="videos", quiet=talk.quiet):
        if not talk.quiet:
            console.say(str(path))
    return 0


def start(
    folder: Folder,
    talk: TalkOptions,
    *,
    seed: int = 0,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="A network for pictures of 32 x 32 pixels.")
    ] = False,
) -> int:
    """Write the small network that `camera-motion` was trained from: `hiera finetune -m OUT`."""
    from hiera_cli.tasks.synth import make_picture_start, make_start

    (make_picture_start if pictures else make_start)(folder, seed=seed)
    if not talk.quiet:
        console.say(f"train it: hiera finetune DATASET -m {folder}")
    return 0
