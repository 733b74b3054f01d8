"""Colours that the colour-blind can tell apart (Okabe and Ito, 2008)."""

OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#B8A800")
OTHERS = "#8A8A8A"


def colour_of(index: int) -> str:
    """The colour of the index-th class; after seven they start again, so never without a name."""
    return OKABE_ITO[index % len(OKABE_ITO)]


def rgb_of(colour: str) -> tuple[int, int, int]:
    """The three bytes of #RRGGBB."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def ink_on(colour: str) -> str:
    """Black or white, whichever is easier to read on a colour (WCAG relative luminance)."""
    linear = [((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb_of(colour)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if luminance > 0.18 else "#FFFFFF"
