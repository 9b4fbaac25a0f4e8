"""Paints the textures of a scene: skin, hair and clothes of a person, and the background."""

from functools import cache
from typing import Final

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from tips.config.embedded import Embedded, Split
from tips.mocap.body import REGIONS

Array = np.ndarray

TILE: Final = 24  # px of a region's tile
SIDE: Final = 128  # px of a person's texture: a power of two that holds 5 x 5 tiles
WHITE: Final = (SIDE - 3, SIDE - 3)  # a texel kept white, for shapes coloured by their vertices
_PER_ROW: Final = SIDE // TILE

_SKIN: Final = (
    (236, 200, 172),
    (226, 184, 152),
    (214, 165, 130),
    (186, 132, 98),
    (146, 98, 70),
    (104, 68, 50),
)
_DARK_HAIR: Final = ((28, 22, 20), (44, 30, 22), (66, 42, 28), (20, 20, 24))
_FAIR_HAIR: Final = ((196, 160, 96), (150, 84, 48), (170, 168, 164))
# The left side is brighter than the right one. Without that, networks confuse left and right more
# often than they make any other error.
_SHADE: Final = {"left": 1.12, "right": 0.72}


def texture_uv(region: Array, uv: Array) -> Array:
    """Computes places (n, 2) in a person's texture, texels, from places in the regions' tiles."""
    corner = np.stack([(region % _PER_ROW) * TILE, (region // _PER_ROW) * TILE], axis=1)
    return corner + 2.0 + uv * (TILE - 5.0)  # a margin keeps out the colours of the tiles around


def paint_person(seed: int) -> UInt8[Array, "128 128 3"]:
    """Paints one person's texture, RGB, with one tile for each of `body.REGIONS`."""
    rng = np.random.default_rng([seed, 1])
    skin = _vary(_SKIN[int(rng.integers(len(_SKIN)))], 8, rng)
    dark = rng.random() < 0.95
    hair = _vary((_DARK_HAIR if dark else _FAIR_HAIR)[int(rng.integers(3))], 6, rng)
    shirt, trousers = _cloth(rng), _cloth(rng)
    panel = _cloth(rng) if rng.random() < 0.85 else None
    long_sleeves = rng.random() < 0.6
    long_legs = rng.random() < 0.8
    shoe = _vary(_hue(rng, 0.3, 0.55), 10, rng)
    tiles = np.empty((len(REGIONS), TILE, TILE, 3), np.float32)
    for region, name in enumerate(REGIONS):
        part = name.removeprefix("left_").removeprefix("right_")
        if part == "face":
            tile = _face(skin)
        elif part == "hair":
            tile = _plain(hair)
        elif part == "panel":
            tile = shirt if panel is None else panel
        elif part in ("torso", "upper_arm") or (part == "forearm" and long_sleeves):
            tile = shirt
        elif part in ("hips", "thigh") or (part == "shin" and long_legs):
            tile = trousers
        elif part == "shoe":
            tile = _plain(shoe)
        else:
            tile = _plain(skin)
        np.multiply(tile, _SHADE.get(name.partition("_")[0], 1.0), out=tiles[region])
    image = np.full((SIDE, SIDE, 3), 255, np.uint8)
    for region, tile in enumerate(np.clip(tiles, 0, 255).astype(np.uint8)):
        x, y = (region % _PER_ROW) * TILE, (region // _PER_ROW) * TILE
        image[y : y + TILE, x : x + TILE] = tile
    return image


def _vary(colour: tuple[float, ...] | Array, sd: float, rng: np.random.Generator) -> Array:
    return np.clip(np.asarray(colour, np.float64) + rng.normal(0, sd, 3), 5, 250)


def _hue(rng: np.random.Generator, least: float, most: float) -> Array:
    """Draws a colour of any hue, moderate saturation and a value in [least, most]; RGB 0..255."""
    hue, saturation, value = rng.random(), rng.beta(2, 2.2), rng.uniform(least, most)
    k = (np.array([5.0, 3.0, 1.0]) + hue * 6) % 6
    return 255 * value * (1 - saturation * np.clip(np.minimum(k, 4 - k), 0, 1))


def _plain(colour: Array) -> Array:
    return np.broadcast_to(colour, (TILE, TILE, 3))


def _face(skin: Array) -> Array:
    """Paints skin with eyes and mouth, so that one sees which way the head looks."""
    tile = np.tile(skin, (TILE, TILE, 1))
    tile[9:11, 6:9] = tile[9:11, 15:18] = skin * 0.3
    tile[17:19, 9:15] = skin * (0.8, 0.55, 0.55)
    tile[12:16, 11:13] = np.minimum(skin * 1.1, 255)
    return tile


def _cloth(rng: np.random.Generator) -> Array:
    """Paints a tile of cloth: plain, striped along or across, checked, or blotched."""
    base = _hue(rng, 0.3, 0.95)
    tile = np.tile(base, (TILE, TILE, 1))
    other = _hue(rng, 0.25, 0.95) if rng.random() < 0.4 else base * rng.uniform(0.55, 0.8)
    kind = rng.random()
    period = int(rng.integers(4, 11))
    across = (np.arange(TILE) % period) < period // 2
    if kind < 0.22:
        tile[across] = other
    elif kind < 0.3:
        tile[:, across] = other
    elif kind < 0.37:
        tile[across[:, None] ^ across] = other
    elif kind < 0.55:
        blotch = cv2.resize(rng.random((6, 6)), (TILE, TILE), interpolation=cv2.INTER_CUBIC)
        tile[blotch > 0.6] = other
    return tile


@cache
def _photograph(split: Split) -> UInt8[Array, "427 640 3"]:
    """Loads scikit-learn's photograph of a split: a flower for val, else a building."""
    from sklearn.datasets import load_sample_image

    name = "flower.jpg" if split == "val" else "china.jpg"
    return np.ascontiguousarray(load_sample_image(name))


def backdrop(settings: Embedded, split: Split, seed: int, margin: int) -> Float[Array, "h w 3"]:
    """Paints a background.

    Args:
        settings: size of the frame.
        split: decides the photograph.
        seed: seed of the background.
        margin: additional px on each side of the frame.

    Returns:
        RGB 0..255, float32.
    """
    rng = np.random.default_rng([seed, 2])
    size = (settings.width + 2 * margin, settings.height + 2 * margin)
    image = _photo(split, size, rng) if rng.random() < 0.65 else _procedural(size, rng)
    sd = rng.uniform(0.0, 2.0)
    if sd > 0.4:
        image = cv2.GaussianBlur(image, (0, 0), sd)
    # Backgrounds are pale and even, as most places in real footage are, so that people stand out.
    # Before busy, saturated ones a joint is lost in all frames, and no temporal model can find it.
    saturation, contrast = rng.uniform(0.35, 0.95), rng.uniform(0.5, 0.95)
    grey = np.full((3, 3), (1 - saturation) / 3)
    mean = float(np.mean(cv2.mean(image)[:3]))
    image = cv2.transform(image, (grey + saturation * np.eye(3)) * contrast)
    image += np.float32(mean * (1 - contrast) + rng.normal(0, 18))
    result: Float[Array, "h w 3"] = np.clip(image, 0, 255, out=image)
    return result


def _photo(split: Split, size: tuple[int, int], rng: np.random.Generator) -> Array:
    photo = _photograph(split)
    height, width = photo.shape[:2]
    fit = min(width / size[0], height / size[1])
    zoom = fit * rng.uniform(0.45, 1.0)  # photo px per frame px
    if rng.random() < 0.5:
        photo = photo[:, ::-1]
    x = rng.uniform(0, width - zoom * size[0])
    y = rng.uniform(0, height - zoom * size[1])
    crop = photo[int(y) : int(y + zoom * size[1]), int(x) : int(x + zoom * size[0])]
    flag = cv2.INTER_AREA if zoom > 1 else cv2.INTER_LINEAR
    image: Array = cv2.resize(np.ascontiguousarray(crop), size, interpolation=flag)
    return image.astype(np.float32)


def _procedural(size: tuple[int, int], rng: np.random.Generator) -> Array:
    """Paints a wall and a floor, plain or textured at several scales, or a single wall."""
    width, height = size
    image = np.empty((height, width, 3), np.float32)
    horizon = int(height * rng.uniform(0.35, 0.75)) if rng.random() < 0.75 else height
    image[:horizon] = _hue(rng, 0.35, 0.95)
    image[horizon:] = _hue(rng, 0.3, 0.8)
    if rng.random() < 0.6:
        for cells in (4, 9, 22):
            grid = rng.normal(0, rng.uniform(4, 16), (cells, int(cells * 4 / 3), 1))
            grain = cv2.resize(grid.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
            image += grain[..., None]
    for _ in range(int(rng.integers(0, 6))):
        x, y = rng.uniform(0, width), rng.uniform(0, horizon)
        w, h = rng.uniform(0.05, 0.3) * width, rng.uniform(0.05, 0.4) * height
        box = [int(v) for v in (x - w / 2, y - h / 2, x + w / 2, y + h / 2)]
        colour = [float(c) for c in _hue(rng, 0.3, 0.9)]
        cv2.rectangle(image, (box[0], box[1]), (box[2], box[3]), colour, -1)
    return image
