"""Makes pictures small enough to stand inside the page."""

import io
from pathlib import Path
from typing import Final, NamedTuple

from PIL import Image

from tips.records import RecordError
from tips.safe_text import one_line

PIXELS: Final = 50_000_000  # no picture of the report is larger
DRAWING: Final = 2_000  # a PNG with no more colours than this is a drawing
WEBP: Final = "image/webp"
SVG: Final = "image/svg+xml"


class Level(NamedTuple):
    """How much of a picture is kept."""

    photo: int  # largest width of a photograph, px
    quality: int  # of a photograph
    drawing: int  # largest width of a drawing, px
    colours: int  # of a drawing


# From the best to the smallest; a page takes the first with which it is light enough.
LEVELS: Final = (
    Level(1000, 60, 1400, 32),
    Level(800, 50, 1400, 16),
    Level(700, 45, 1000, 32),
    Level(600, 35, 800, 16),
)


class Compact(NamedTuple):
    """A picture as the page holds it."""

    data: bytes  # of the file
    kind: str  # media type
    size: tuple[int, int] | None  # width and height, px; None for an SVG


def compact(path: Path, drawn: Path, level: Level = LEVELS[0]) -> Compact:
    """Gives a small form of a picture that shows the same.

    A drawing (few colours) becomes a lossless WebP, a photograph a lossy one. An SVG that has no
    twin of pixels stays what it is.

    Args:
        path: an .svg, .png or .jpg file.
        drawn: the same picture in pixels; for an SVG its twin, if there is one.
        level: how much of it is kept.

    Raises:
        RecordError: the file is no such picture, or one of absurd size.
    """
    if drawn.suffix == ".svg":
        return Compact(path.read_bytes(), SVG, None)
    try:
        with Image.open(drawn) as image:
            if image.width * image.height > PIXELS:
                raise RecordError(f"{_shown(drawn)}: {image.width} x {image.height} px; draw again")
            pixels = image.convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:
        raise RecordError(f"{_shown(drawn)}: not a picture ({error}); draw it again") from error
    drawing = path.suffix == ".svg" or pixels.getcolors(DRAWING) is not None
    width = level.drawing if drawing else level.photo
    if pixels.width > width:
        height = max(1, round(pixels.height * width / pixels.width))
        pixels = pixels.resize((width, height), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    if drawing:
        few = pixels.quantize(level.colours, method=Image.Quantize.MAXCOVERAGE).convert("RGB")
        few.save(stream, "WEBP", lossless=True, method=6)
    else:
        pixels.save(stream, "WEBP", quality=level.quality, method=6)
    return Compact(stream.getvalue(), WEBP, pixels.size)


def _shown(path: Path) -> str:
    return one_line(str(path))
