"""What is in each file of a labelled data set, found out by several decoding processes at once."""

# os.path keeps every byte of a name:
# ruff: noqa: PTH202

import hashlib
import os
import tempfile
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

from hiera_cli.archives import read_member, split_archive
from hiera_cli.datasets.dataset import Dataset, Sample, read_dataset, splits_of
from hiera_cli.datasets.options import DatasetOptions
from hiera_cli.errors import Failure, MediaError
from hiera_cli.inference.prefetch import prefetch
from hiera_cli.inputs import printable
from hiera_cli.machine import usable_cores
from hiera_cli.video.decode import Limits
from hiera_cli.video.decode import probe as probe_file
from hiera_cli.video.isolation.parent import DecodeProcess

_BLOCK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is in one file of a data set.

    Attributes:
        sample: what the data set says about it.
        num_bytes: its size.
        digest: SHA-256 of its bytes where another file has the same size, else empty: files of
            different sizes differ.
        duration_seconds: from the first frame to the end of the last; 0 for a picture.
        num_frames: that it holds.
        fps: average rate.
        width, height: as displayed, in pixels.
        codec: FFmpeg's name.
        warnings: what is wrong with it although it can be used.
    """

    sample: Sample
    num_bytes: int
    digest: str
    duration_seconds: float
    num_frames: int
    fps: float
    width: int
    height: int
    codec: str
    warnings: tuple[str, ...]


def read_parts(root: str, options: DatasetOptions) -> tuple[Dataset, ...]:
    """The data set at `root`, a part for each of its splits.

    Raises:
        UsageError: no data set, annotations that make no sense, or an option that does not fit.
        NoInputError: no video or image.
    """
    splits = splits_of(root, annotations=options.annotations)
    return tuple(
        read_dataset(
            root,
            annotations=options.annotations,
            split=split,
            class_names=options.class_names,
            group=options.group,
            labels_from=options.labels_from,
            multi_label=options.multi_label,
        )
        for split in splits or (None,)
    )


def survey(samples: Sequence[Sample], options: DatasetOptions) -> Iterator[FileFacts | Failure]:
    """Look into every file that exists.

    Yields:
        in order, `FileFacts`, or a `Failure` for a file that cannot be read.
    """
    there = [sample for sample in samples if sample.path is not None]
    sizes = Counter(_size_of(sample) for sample in there)
    shared = {size for size, count in sizes.items() if count > 1 and size}
    num_readers = max(1, min(usable_cores(), len(there)))
    return prefetch(there, [_Reader(options, shared) for _ in range(num_readers)])


def _size_of(sample: Sample) -> int:
    """Bytes of a file; 0 for members of archives and what cannot be asked."""
    try:
        return os.path.getsize(sample.path or "")
    except (OSError, ValueError):
        return 0


class _Reader:
    """Looks into one file after the other, in a decoding process of its own."""

    def __init__(self, options: DatasetOptions, shared_sizes: set[int]) -> None:
        self._process = DecodeProcess()
        self._probe = probe_file if options.isolate is False else self._process.probe
        self._options = options
        self._limits = Limits.of(options)
        self._shared_sizes = shared_sizes

    def read(self, source: Sample) -> Generator[FileFacts | Failure, None, None]:
        """The facts about a file, or why there are none."""
        path = source.path or ""
        try:
            yield self._from_archive(source) if split_archive(path) else self._look(source, path)
        except MediaError as error:
            yield Failure(path, error.kind, error.message)
        except OSError as error:
            yield Failure(path, "not_found", error.strerror or str(error))

    def stop(self) -> None:
        """End what is being read."""
        self._process.stop()

    def close(self) -> None:
        """End the decoding process."""
        self._process.close()

    def _from_archive(self, sample: Sample) -> FileFacts:
        """A member of an archive, read from a copy; its content is always compared."""
        with tempfile.NamedTemporaryFile(suffix=".member") as copy:
            copy.write(read_member(sample.path or ""))
            copy.flush()
            return self._look(sample, copy.name)

    def _look(self, sample: Sample, path: str) -> FileFacts:
        num_bytes = os.path.getsize(path)
        if not num_bytes:
            raise MediaError("no_frames", "the file is empty")
        info = self._probe(path, count=self._options.count, limits=self._limits)
        same_size_elsewhere = num_bytes in self._shared_sizes or path != sample.path
        still = info.num_frames == 1 and info.container.endswith(("_pipe", "image2"))
        counted = self._options.count
        warnings = info.warnings if counted else _but_the_count(info.warnings)
        return FileFacts(
            sample=sample,
            num_bytes=num_bytes,
            digest=_sha256(path) if same_size_elsewhere else "",
            duration_seconds=0.0 if still else info.duration_seconds,
            num_frames=info.num_frames,
            fps=0.0 if still else info.fps,
            width=info.width,
            height=info.height,
            codec=info.codec,
            warnings=tuple(map(printable, warnings)),
        )


def _but_the_count(warnings: Iterable[str]) -> tuple[str, ...]:
    """The warnings without the one that frames were not counted, which nobody asked for."""
    return tuple(warning for warning in warnings if not warning.startswith("not counted"))


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:  # noqa: PTH123 - any bytes
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
