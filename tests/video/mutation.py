"""Damage done to the bytes of a video file on purpose: the engine of the media fuzzer.

Half of the damage is blind, half knows where the containers keep their sizes, counts and times
(ISO base media boxes, RIFF chunks, EBML elements, FLV tags, PES packets), because a decoder
meets random bytes far more often in a picture than in the number that decides an allocation.
The same content, donor and generator give the same bytes.
"""

import re
from collections.abc import Callable
from random import Random

BOXES = [
    b"ftyp", b"moov", b"mvhd", b"trak", b"tkhd", b"edts", b"elst", b"mdia", b"mdhd", b"hdlr",
    b"minf", b"stbl", b"stsd", b"stts", b"stss", b"ctts", b"stsc", b"stsz", b"stco", b"co64",
    b"mvex", b"trex", b"moof", b"mfhd", b"traf", b"tfhd", b"tfdt", b"trun", b"sidx", b"mdat",
    b"avcC", b"hvcC", b"vpcC", b"av1C", b"esds",
]  # fmt: skip
CHUNKS = [
    b"RIFF", b"LIST", b"hdrl", b"avih", b"strl", b"strh", b"strf", b"indx", b"idx1", b"movi",
    b"00dc", b"01wb", b"JUNK",
]  # fmt: skip
ELEMENTS = [
    bytes.fromhex(name)
    for name in [
        "1a45dfa3",
        "18538067",
        "114d9b74",
        "1549a966",
        "1654ae6b",
        "1f43b675",
        "1c53bb6b",
        "2ad7b1",
        "4489",
        "ae",
        "86",
        "63a2",
        "b0",
        "ba",
        "23e383",
        "e7",
        "a3",
        "a0",
        "a1",
    ]
]
TIMED_BOXES = [b"mvhd", b"tkhd", b"elst", b"mdhd", b"stts", b"ctts", b"tfdt", b"trun", b"sidx"]
TIMED_ELEMENTS = [bytes.fromhex(name) for name in ["2ad7b1", "4489", "23e383", "e7", "a3"]]
PES_START, FLV_TAG = rb"\x00\x00\x01[\xe0-\xef]", rb"[\x08\x09]..." + rb".{4}\x00\x00\x00"
NUMBERS = [0, 1, 2, 3, 7, 127, 128, 255, 256, 32767, 65535, 2**24 - 1, 10**9]
NUMBERS += [2**31 - 1, 2**31, 2**32 - 8, 2**32 - 1]
MAX_LENGTH = 2**20


def _any_of(names: list[bytes]) -> re.Pattern[bytes]:
    return re.compile(b"|".join(re.escape(name) for name in names))


_BOX, _CHUNK, _ELEMENT = _any_of(BOXES), _any_of(CHUNKS), _any_of(ELEMENTS)
_TIMED_BOX, _TIMED_ELEMENT = _any_of(TIMED_BOXES), _any_of(TIMED_ELEMENTS)
_PES, _FLV = re.compile(PES_START), re.compile(FLV_TAG, re.DOTALL)


def mutate(content: bytes, donor: bytes, random: Random) -> bytes:
    """The content with one to four kinds of damage; `donor` is another file to splice from."""
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
        if data:
            random.choice(MUTATIONS)(data, random)
    if random.random() < 0.03:
        data[random.randrange(len(data) + 1) :] = donor[random.randrange(len(donor)) :]
    return bytes(data[:MAX_LENGTH])


def flip_bits(data: bytearray, random: Random) -> None:
    for _ in range(random.choice((1, 2, 8, 64))):
        data[_place(data, random)] ^= 1 << random.randrange(8)


def overwrite_run(data: bytearray, random: Random) -> None:
    start, length = _place(data, random), random.choice((1, 4, 16, 256, 4096))
    stop = min(start + length, len(data))
    filler = random.choice((b"\0", b"\xff", None))
    data[start:stop] = filler * (stop - start) if filler else random.randbytes(stop - start)


def truncate(data: bytearray, random: Random) -> None:
    del data[random.randrange(len(data)) :]


def remove_block(data: bytearray, random: Random) -> None:
    start, stop = _block(data, random)
    del data[start:stop]


def duplicate_block(data: bytearray, random: Random) -> None:
    start, stop = _block(data, random)
    data[stop:stop] = data[start:stop] * random.choice((1, 1, 2, 20))


def swap_blocks(data: bytearray, random: Random) -> None:
    one, other = sorted((_block(data, random), _block(data, random)))
    if one[1] <= other[0]:
        middle = data[one[1] : other[0]]
        data[one[0] : other[1]] = data[slice(*other)] + middle + data[slice(*one)]


def lie_about_size(data: bytearray, random: Random) -> None:
    """Change what a box, chunk or element says of its own length."""
    found = _structure(data, random)
    if found is None:
        overwrite_number(data, random)
    elif found.re is _BOX:
        size = int.from_bytes(data[found.start() - 4 : found.start()])
        _write(data, found.start() - 4, _lie(size, random), 4, "big")
    elif found.re is _CHUNK:
        size = int.from_bytes(data[found.end() : found.end() + 4], "little")
        _write(data, found.end(), _lie(size, random), 4, "little")
    else:
        width = random.randrange(1, 9)
        marker = 1 << (7 * width)
        size = random.choice((0, 1, marker // 2, marker - 2, marker - 1, random.randrange(marker)))
        _write(data, found.end(), marker | size, width, "big")


def lie_about_contents(data: bytearray, random: Random) -> None:
    """Change a number near the start of a box, chunk or element: counts, sizes, tracks."""
    found = _structure(data, random)
    if found is None:
        overwrite_number(data, random)
    elif found.re is _ELEMENT:
        _write(data, found.end() + 1, _number(random), random.choice((1, 2, 4)), "big")
    else:
        order = "big" if found.re is _BOX else "little"
        _write(data, found.end() + 4 * random.randrange(12), _number(random), 4, order)


def lie_about_times(data: bytearray, random: Random) -> None:
    """Change when something is shown, or for how long."""
    patterns = (_TIMED_BOX, _TIMED_ELEMENT, _PES, _FLV, _CHUNK)
    founds = [list(pattern.finditer(data)) for pattern in patterns]
    founds = [found for found in founds if found]
    for _ in range(random.choice((1, 3, 10)) if founds else 0):
        found = random.choice(random.choice(founds))
        if found.re is _TIMED_BOX:
            _write(data, found.end() + 4 * random.randrange(16), _number(random), 4, "big")
        elif found.re is _TIMED_ELEMENT:
            _write(data, found.end() + random.randrange(4), _number(random), 2, "big")
        elif found.re is _PES:
            _write(data, found.start() + 9, random.getrandbits(40), 5, "big")
        elif found.re is _FLV:
            _write(data, found.start() + 4, _number(random), 4, "big")
        else:
            _write(data, found.end() + 4 * random.randrange(16), _number(random), 4, "little")


def overwrite_number(data: bytearray, random: Random) -> None:
    order = random.choice(("big", "little"))
    _write(data, _place(data, random), _number(random), random.choice((1, 2, 3, 4, 8)), order)


MUTATIONS: list[Callable[[bytearray, Random], None]] = [
    flip_bits,
    overwrite_run,
    truncate,
    remove_block,
    duplicate_block,
    swap_blocks,
    lie_about_size,
    lie_about_size,
    lie_about_contents,
    lie_about_contents,
    lie_about_times,
    overwrite_number,
]


def _place(data: bytearray, random: Random) -> int:
    """A position, as often in the header or at the end as anywhere else."""
    near = min(len(data), random.choice((len(data), len(data), 64, 1024, 4096)))
    position = random.randrange(near)
    return len(data) - 1 - position if random.random() < 0.2 else position


def _block(data: bytearray, random: Random) -> tuple[int, int]:
    """A stretch of bytes, or a whole box."""
    found = _structure(data, random) if random.random() < 0.5 else None
    if found is not None and found.re is _BOX and found.start() >= 4:
        size = int.from_bytes(data[found.start() - 4 : found.start()])
        return found.start() - 4, min(max(found.end(), found.start() - 4 + size), len(data))
    start = _place(data, random)
    return start, min(len(data), start + random.choice((1, 4, 188, 512, 1 + len(data) // 8)))


def _structure(data: bytearray, random: Random) -> re.Match[bytes] | None:
    """A box, chunk or element, whichever container this is; None where there is nothing."""
    for magic, pattern in ((b"\x1a\x45\xdf\xa3", _ELEMENT), (b"RIFF", _CHUNK), (b"", _BOX)):
        if data.startswith(magic) and (found := list(pattern.finditer(data))):
            return random.choice(found)
    return None


def _number(random: Random) -> int:
    return random.choice((random.choice(NUMBERS), random.getrandbits(32)))


def _lie(truth: int, random: Random) -> int:
    return random.choice((truth - 1, truth + 1, truth // 2, truth * 2, _number(random)))


def _write(data: bytearray, start: int, number: int, width: int, order: str) -> None:
    """Overwrite `width` bytes; what would lie outside is left alone."""
    if start >= 0 and start + width <= len(data):
        raw = number % 256**width
        data[start : start + width] = raw.to_bytes(width, "big" if order == "big" else "little")
