"""From the engine's clips to the rows of a table, in this process."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hiera_cli.errors import Failure
from hiera_cli.inference.engine import ClipResult, Engine
from hiera_cli.inputs import InputPath
from hiera_cli.tables import RowWriter
from hiera_cli.tasks.features.extract import clip_feature, feature_row, is_finite, wanted
from hiera_cli.tasks.features.options import FeatureOptions


@dataclass(frozen=True, slots=True)
class VideoFeatures:
    """A video whose features are safe on disk."""

    path: str
    num_clips: int
    warnings: tuple[str, ...] = ()


def write_videos(
    files: Iterable[InputPath], engine: Engine, writer: RowWriter, features: FeatureOptions
) -> Iterator[VideoFeatures | Failure]:
    """Write the features of videos, a few rows at a time.

    Yields:
        for each video in order what became of it, once that is on disk.

    Raises:
        OutputError: the disk is full, gone or may not be written.
    """
    num_clips = 0
    all_finite = True
    for result in engine.run(files, wanted(features), clips=True, pad=True):
        if isinstance(result, ClipResult):
            clip = clip_feature(result)
            all_finite = all_finite and is_finite(clip, features.feature_dtype)
            if all_finite:
                writer.append(feature_row(clip, features.feature_dtype))
                num_clips += 1
            continue
        if isinstance(result, Failure):
            outcome: VideoFeatures | Failure = result
        elif all_finite:
            outcome = VideoFeatures(result.input.name, num_clips, result.info.warnings)
        else:
            outcome = overflow(result.input.name, features)
        if isinstance(outcome, Failure):
            writer.fail(outcome)
        else:
            writer.commit(outcome.path)
        yield outcome
        num_clips, all_finite = 0, True


def overflow(path: str, features: FeatureOptions) -> Failure:
    """A feature that cannot be stored as what it is."""
    reason = f"a feature is not finite or too large for {features.feature_dtype}"
    return Failure(path, "internal", f"{reason}: try --dtype float32 --feature-dtype float32")
