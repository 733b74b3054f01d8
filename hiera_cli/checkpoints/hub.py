"""Weights from the Hugging Face Hub, in its own cache, which other programs share.

`HF_HOME`, `HF_ENDPOINT`, `HF_TOKEN` and `HF_HUB_OFFLINE` mean what they mean everywhere.
`huggingface_hub` is imported inside the functions: models on disk need it not.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hiera_cli.checkpoints.transfer import Progress, file_sha256
from hiera_cli.errors import WeightsError

WEIGHTS_NAME = "model.safetensors"
METADATA_SECONDS = 5.0


def is_offline() -> bool:
    """Whether the environment forbids the Hub."""
    from huggingface_hub.constants import HF_HUB_OFFLINE

    return bool(HF_HUB_OFFLINE)


def cached_in_hub(repository: str, *, cache_dir: Path | None) -> Path | None:
    """The weights of a repository when they are in the Hub's cache; no network."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repository, WEIGHTS_NAME, cache_dir=cache_dir)
    return Path(found) if isinstance(found, str) else None


def fetch_from_hub(
    repository: str, *, cache_dir: Path | None, progress: Progress | None = None
) -> Path:
    """Download a repository's weights into the Hub's cache, resumed and checked by SHA-256.

    Raises:
        WeightsError: not there, not reachable, or damaged on the way (deleted then).
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    bar = _reporting_bar(f"{repository}/{WEIGHTS_NAME}", progress)
    try:
        with _quiet_client():
            # asked first, because hf_hub_download tries for half a minute without a network
            get_hf_file_metadata(hf_hub_url(repository, WEIGHTS_NAME), timeout=METADATA_SECONDS)
            path = Path(
                hf_hub_download(
                    repository,
                    WEIGHTS_NAME,
                    cache_dir=cache_dir,
                    etag_timeout=METADATA_SECONDS,
                    tqdm_class=bar,
                )
            )
    except Exception as error:  # its HTTP library, and so its errors, differ by version
        raise WeightsError(f"{repository}: {_reason(error)}") from error
    _check_sha256(path, repository)
    return path


@contextmanager
def _quiet_client() -> Iterator[None]:
    """Keep the client's own warnings off the terminal: what fails becomes our error."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _check_sha256(path: Path, repository: str) -> None:
    """Delete a download that is not what the Hub says it is."""
    expected = hub_sha256(path)
    if expected is not None and file_sha256(path) != expected:
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise WeightsError(f"{repository}: the download does not have the SHA-256 it should have")


def hub_sha256(path: Path) -> str | None:
    """The SHA-256 that the Hub states for a cached file: large files are named after it."""
    name = path.resolve().name
    is_digest = len(name) == 64 and all(c in "0123456789abcdef" for c in name)
    return name if is_digest else None


def _reason(error: Exception) -> str:
    """One short line for one of the Hub client's many errors."""
    names = {
        "RepositoryNotFoundError": "no such repository",
        "RemoteEntryNotFoundError": f"no {WEIGHTS_NAME} there",
        "EntryNotFoundError": f"no {WEIGHTS_NAME} there",
        "LocalEntryNotFoundError": "the Hub cannot be reached",
        "ConnectError": "the Hub cannot be reached",
        "ConnectTimeout": "the Hub does not answer",
        "ReadTimeout": "the Hub does not answer",
        "OfflineModeIsEnabled": "offline mode is on",
    }
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return names.get(type(error).__name__, lines[0][:200])


def _reporting_bar(name: str, progress: Progress | None) -> type[Any]:
    """A bar in tqdm's form that draws nothing and reports to `progress`."""
    from tqdm import tqdm

    class ReportingBar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            super().__init__(*args, **{**kwargs, "disable": True})
            self.n, self.total = kwargs.get("initial", 0), kwargs.get("total")

        def update(self, n: float | None = 1) -> bool | None:
            self.n += n or 0
            if progress is not None:
                progress(name, int(self.n), self.total)
            return None

    return ReportingBar
