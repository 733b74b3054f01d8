"""Official weights: where they are cached, and from where they come when they are not."""

import logging
import os
from pathlib import Path

from hiera_cli.checkpoints import hub
from hiera_cli.checkpoints.transfer import Progress, download_file, recorded_sha256
from hiera_cli.checkpoints.zoo import BUNDLED_MODEL, CHECKPOINT_URL, WEIGHTS_LICENCE, Checkpoint
from hiera_cli.errors import WeightsError

logger = logging.getLogger("hiera_cli")


def cache_folder(cache_dir: str | Path | None = None) -> Path:
    """Where `.pth` files are kept: `cache_dir`, else $HIERA_CACHE, else the user's cache folder."""
    chosen = chosen_folder(cache_dir)
    if chosen is not None:
        return chosen
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hiera"


def cached_checkpoint(
    checkpoint: Checkpoint, *, cache_dir: str | Path | None = None
) -> Path | None:
    """The file of official weights that are here already: the Hub's, else the `.pth`."""
    found = hub.cached_in_hub(checkpoint.repository, cache_dir=_hub_folder(cache_dir))
    path = _pickle_path(checkpoint, cache_dir)
    return found or (path if path.is_file() else None)


def source_url(checkpoint: Checkpoint) -> str:
    """Where the `.pth` comes from; $HIERA_CHECKPOINT_URL names a mirror."""
    base = os.environ.get("HIERA_CHECKPOINT_URL") or CHECKPOINT_URL
    return f"{base.rstrip('/')}/{checkpoint.filename}"


def expected_sha256(checkpoint: Checkpoint, path: Path) -> str | None:
    """The SHA-256 that a cached file must have, where anybody stated or noted it."""
    if path.suffix == ".safetensors":
        return hub.hub_sha256(path)
    return checkpoint.sha256 or recorded_sha256(path)


def fetch_checkpoint(
    checkpoint: Checkpoint,
    *,
    offline: bool = False,
    cache_dir: str | Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Official weights from the cache, else from the Hub, else the `.pth`.

    Args:
        checkpoint: which weights.
        offline: never use the network ($HF_HUB_OFFLINE=1 says the same).
        cache_dir: see `cache_folder`; the Hub's files go to its `hub` folder, or by default to
            the Hub's own cache.
        progress: called as bytes arrive.

    Raises:
        WeightsError: not cached, and not to be had.
        OutputError: the cache cannot be written.
    """
    cached = cached_checkpoint(checkpoint, cache_dir=cache_dir)
    if cached is not None:
        return cached
    if offline or hub.is_offline():
        raise _unavailable(checkpoint, cache_dir, "and the network is not to be used (offline)")
    logger.warning(
        "downloading %s; its weights are licensed %s (non-commercial)",
        _name(checkpoint),
        WEIGHTS_LICENCE,
    )
    try:
        return hub.fetch_from_hub(
            checkpoint.repository, cache_dir=_hub_folder(cache_dir), progress=progress
        )
    except WeightsError as error:
        hub_reason = error.message
    path = _pickle_path(checkpoint, cache_dir)
    try:
        download_file(source_url(checkpoint), path, sha256=checkpoint.sha256, progress=progress)
    except WeightsError as error:
        reason = f"and could not be downloaded: {hub_reason}; {error.message}"
        raise _unavailable(checkpoint, cache_dir, reason) from error
    return path


def _unavailable(checkpoint: Checkpoint, cache_dir: str | Path | None, reason: str) -> WeightsError:
    folder = cache_folder(cache_dir)
    return WeightsError(
        f"the weights {_name(checkpoint)} are not in the cache ({folder}), {reason}",
        hint=f"on a connected machine run `hiera models download {_name(checkpoint)} "
        f"--cache-dir DIR`, copy DIR here and give the same --cache-dir; or pass --weights FILE; "
        f"`-m {BUNDLED_MODEL}` comes with hiera and needs no download",
    )


def _name(checkpoint: Checkpoint) -> str:
    return checkpoint.repository.removeprefix("facebook/")


def chosen_folder(cache_dir: str | Path | None) -> Path | None:
    """The folder that `--cache-dir` or $HIERA_CACHE names."""
    chosen = cache_dir or os.environ.get("HIERA_CACHE")
    return Path(chosen).expanduser() if chosen else None


def _hub_folder(cache_dir: str | Path | None) -> Path | None:
    """Our cache folder's part for the Hub; None: the Hub's own default."""
    chosen = chosen_folder(cache_dir)
    return chosen / "hub" if chosen is not None else None


def _pickle_path(checkpoint: Checkpoint, cache_dir: str | Path | None) -> Path:
    return cache_folder(cache_dir) / "checkpoints" / checkpoint.filename
