"""What `hiera fit` can be told; plain values, no torch."""

from dataclasses import dataclass
from pathlib import Path

from hiera_cli.heads.options import HeadOptions
from hiera_cli.options import OnExisting

FEATURES_SUFFIX = ".features.parquet"  # of the table beside the model folder


@dataclass(frozen=True, kw_only=True)
class FitOptions(HeadOptions):
    """Which head is fitted to what; of a video with several classes, they are separated by `;`.

    Attributes:
        out: the model folder; features are kept beside it.
        annotations: the file that labels the data set, where it is not found by itself.
        val: labelled videos to judge the model on; None: the `val` split of the data set, if any.
        features: a table of features that exists already, instead of videos.
        class_names: a file with the names of a list's numbered classes; None: searched for.
        labels_from: the number of a list's first class.
        group: the column of a list, or a regular expression on the names (its first group, else
            the whole match): videos that share it are never on both sides of a split.
        on_existing: what to do with features that are there: `resume`, `overwrite` or `error`.
    """

    out: Path | None = None
    annotations: str | None = None
    val: str | None = None
    features: Path | None = None
    class_names: str | None = None
    labels_from: int = 0
    group: str | None = None
    on_existing: OnExisting = "resume"
