"""Decoding on hardware: which of FFmpeg's devices works here, found out before it is relied on."""

import logging
from functools import lru_cache

import av
import av.codec
import av.error
from av.codec.hwaccel import HWAccel, hwdevices_available

from hiera_cli.errors import UsageError

logger = logging.getLogger("hiera_cli")

_PREFERRED = ("cuda", "videotoolbox", "vaapi", "d3d11va", "qsv")
# PyTorch's own CUDA context instead of a second one for every file.
_OPTIONS: dict[str, dict[str, object]] = {"cuda": {"primary_ctx": "1"}}
_TRIAL_CODEC = "h264"


def find_hardware(name: str) -> str | None:
    """The device that a `--hwaccel` value means; None: software.

    A device that does not work is no reason to stop: the user is warned, `auto` says nothing.

    Args:
        name: `none`, `auto`, or one of FFmpeg's device types.

    Raises:
        UsageError: FFmpeg has no such device type here.
    """
    if name == "none":
        return None
    known = hwdevices_available()
    if name == "auto":
        return next((one for one in _PREFERRED if one in known and not _complaint(one)), None)
    if name not in known:
        hint = f"use none, auto or one of {', '.join(known)}"
        raise UsageError(f"this FFmpeg cannot decode with --hwaccel {name}", hint=hint)
    complaint = _complaint(name)
    if complaint:
        logger.warning(
            "--hwaccel %s does not work here (%s): decoding in software", name, complaint
        )
        return None
    return name


def accelerator(name: str) -> HWAccel:
    """What `av.open` takes; codecs that the device does not know are decoded in software."""
    return HWAccel(name, options=_OPTIONS.get(name))


@lru_cache(maxsize=8)
def _complaint(name: str) -> str:
    """Why the device cannot decode H.264; empty when it can."""
    try:
        accelerator(name).create(av.codec.Codec(_TRIAL_CODEC, "r"))
    except (av.error.FFmpegError, NotImplementedError, RuntimeError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""
