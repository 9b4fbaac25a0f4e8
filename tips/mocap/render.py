"""Draws scenes with panda3d's software rasteriser, which needs no GPU and no display.

A process has one off-screen buffer. numpy poses vertices and moves them to camera axes. The
rasteriser draws them as one set of triangles with one texture. OpenCV adds the background, blurs
and degrades.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from tips import skeleton
from tips.config.embedded import Embedded
from tips.mocap import textures
from tips.mocap.body import Bank, skin
from tips.mocap.damage import Damage
from tips.mocap.motion import GROUPS, PARENTS
from tips.mocap.scene import Scene, project, shutter_times

Array = np.ndarray

SLOTS: Final = 8  # number of people's textures in the atlas, 4 x 2
_ATLAS: Final = (4 * textures.SIDE, 2 * textures.SIDE)  # width and height, px; powers of two
_ROW: Final = np.dtype([("place", "<f4", 3), ("colour", "u1", 4), ("uv", "<f4", 2)])
_OCCLUDER: Final = 255  # number of occluders in a coded picture; people are numbered from 1
# A joint lies inside its limb. It counts as visible up to this distance behind the surface, m.
_INSIDE: Final = {"hip": 0.2, "shoulder": 0.15, "head_bottom": 0.15, "head_top": 0.15}
_INSIDE_ELSE: Final = 0.11


class RenderError(ValueError):
    """The rasteriser cannot start."""


class Mesh(NamedTuple):
    """The vertices of one scene, which are drawn in one go."""

    rows: Array  # (n,) of _ROW
    spans: tuple[tuple[int, int], ...]  # first and last row of each person, then of each occluder


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences the line about the missing X display, which C++ code writes to descriptor 2."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w", encoding="utf-8") as sink:
        os.dup2(sink.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


class Renderer:
    """Owns the process's off-screen buffer; a process makes one and reuses it."""

    def __init__(self, settings: Embedded, bank: Bank) -> None:
        self.settings = settings
        self.bank = bank
        self._width = settings.width * settings.supersampling
        self._height = settings.height * settings.supersampling
        self._uv = textures.texture_uv(bank.region, bank.uv)
        self._open()

    def _open(self) -> None:
        try:
            from panda3d import core
        except ImportError as error:
            raise RenderError(f"panda3d cannot be imported ({error}); install it") from error
        core.load_prc_file_data("", "audio-library-name null\nnotify-level error\n")
        with _quiet():
            pipe = core.GraphicsPipeSelection.get_global_ptr().make_module_pipe("p3tinydisplay")
        if pipe is None:
            raise RenderError(
                "panda3d's software renderer does not load: libX11 is missing; "
                "run `apt-get install libx11-6` (or `conda install xorg-libx11`)"
            )
        self._core: Any = core
        self._engine: Any = core.GraphicsEngine()
        frame = core.FrameBufferProperties()
        frame.set_rgba_bits(8, 8, 8, 8)
        frame.set_depth_bits(24)
        size = core.WindowProperties.size(self._width, self._height)
        flags = core.GraphicsPipe.BF_refuse_window
        self._buffer: Any = self._engine.make_output(pipe, "frame", 0, frame, size, flags)
        if self._buffer is None:
            raise RenderError("panda3d's software renderer gives no off-screen buffer")
        self._target: Any = core.Texture()
        self._buffer.add_render_texture(self._target, core.GraphicsOutput.RTM_copy_ram)
        self._buffer.set_clear_color((0, 0, 0, 0))
        self._root: Any = core.NodePath("root")
        self._lens: Any = core.PerspectiveLens()
        self._lens.set_film_size(self.settings.width, self.settings.height)
        self._lens.set_near_far(0.5, 60.0)
        region = self._buffer.make_display_region()
        region.set_camera(self._root.attach_new_node(core.Camera("camera", self._lens)))
        columns = core.GeomVertexArrayFormat()
        columns.add_column("vertex", 3, core.Geom.NT_float32, core.Geom.C_point)
        columns.add_column("color", 4, core.Geom.NT_uint8, core.Geom.C_color)
        columns.add_column("texcoord", 2, core.Geom.NT_float32, core.Geom.C_texcoord)
        layout = core.GeomVertexFormat()
        layout.add_array(columns)
        self._format: Any = core.GeomVertexFormat.register_format(layout)
        self._node: Any = None
        # All scenes share one texture, because the rasteriser never frees one.
        self._texture: Any = core.Texture()
        self._texture.setup_2d_texture(*_ATLAS, core.Texture.T_unsigned_byte, core.Texture.F_rgba)
        self._texture.set_minfilter(core.SamplerState.FT_nearest)
        self._texture.set_magfilter(core.SamplerState.FT_nearest)

    def close(self) -> None:
        """Frees the buffer."""
        self._engine.remove_all_windows()

    def load(self, scene: Scene) -> Mesh:
        """Sets up triangles, texture and lens of a scene. Returns its mesh, still to be filled."""
        core = self._core
        count = len(self.bank.source)
        sizes = [count] * len(scene.people) + [len(o.shape) for o in scene.occluders]
        ends = np.cumsum(sizes)
        spans = tuple(zip((ends - sizes).tolist(), ends.tolist(), strict=True))
        faces = [self.bank.faces + start for start, _ in spans[: len(scene.people)]]
        for (start, end), _ in zip(spans[len(scene.people) :], scene.occluders, strict=True):
            fan = np.array([(start, start + k, start + k + 1) for k in range(1, end - start - 1)])
            faces += [fan, fan[:, ::-1]]  # both sides are drawn; of bodies only the outside is
        mesh = Mesh(np.zeros(int(ends[-1]), _ROW), spans)
        mesh.rows["colour"] = 255
        self._place_uv(mesh, len(scene.people))
        self._data: Any = core.GeomVertexData("mesh", self._format, core.Geom.UH_dynamic)
        self._data.unclean_set_num_rows(len(mesh.rows))
        triangles = core.GeomTriangles(core.Geom.UH_static)
        triangles.set_index_type(core.Geom.NT_uint32)
        index = np.ascontiguousarray(np.concatenate(faces), "<u4")
        rows = triangles.modify_vertices()
        rows.unclean_set_num_rows(index.size)
        memoryview(rows).cast("B")[:] = index.tobytes()
        geom = core.Geom(self._data)
        geom.add_primitive(triangles)
        if self._node is not None:
            self._node.remove_node()
        node = core.GeomNode("mesh")
        node.add_geom(geom)
        self._geom: Any = node
        self._node = self._root.attach_new_node(node)
        self._paint(scene)
        self._node.set_texture(self._texture)
        self._lens.set_focal_length(scene.camera.focal)
        return mesh

    def _place_uv(self, mesh: Mesh, people: int) -> None:
        scale = np.array(_ATLAS)
        for slot, (start, end) in enumerate(mesh.spans):
            if slot < people:
                texels = self._uv + np.array([slot % 4, slot // 4]) * textures.SIDE
            else:
                texels = np.array([textures.WHITE], float)
            uv = (texels + 0.5) / scale
            mesh.rows["uv"][start:end] = np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1)

    def _paint(self, scene: Scene) -> None:
        image = np.full((_ATLAS[1], _ATLAS[0], 4), 255, np.uint8)  # BGRA, bottom row first
        upright = image[::-1]
        for slot, person in enumerate(scene.people):
            x, y = slot % 4 * textures.SIDE, slot // 4 * textures.SIDE
            tile = textures.paint_person(person.look)
            upright[y : y + textures.SIDE, x : x + textures.SIDE, :3] = tile[..., ::-1]
        self._texture.set_ram_image(image)

    def draw(self, scene: Scene, mesh: Mesh, time: float) -> UInt8[Array, "h w 4"]:
        """Draws one moment.

        Args:
            scene: the loaded scene.
            mesh: its mesh.
            time: in frames, one of the scene's times.

        Returns:
            BGRA, supersampled; alpha is 255 where something is drawn, else 0.
        """
        self._fill(scene, mesh, time, coded=False)
        self._node.set_texture(self._texture)
        return self._render(mesh)

    def codes(self, scene: Scene, mesh: Mesh, time: float) -> UInt8[Array, "h w 4"]:
        """Draws one moment with linear depth (blue) and number of the object (green) as colours.

        Args:
            scene: the loaded scene.
            mesh: its mesh.
            time: in frames, one of the scene's times.
        """
        # The rasteriser's depth buffer cannot be read: what it returns as depth is the colour.
        self._fill(scene, mesh, time, coded=True)
        self._node.set_texture_off(1)
        picture = self._render(mesh)
        self._node.clear_texture()
        return picture

    def _render(self, mesh: Mesh) -> UInt8[Array, "h w 4"]:
        memoryview(self._data.modify_array(0)).cast("B")[:] = mesh.rows.tobytes()
        self._engine.render_frame()
        flat = np.frombuffer(self._target.get_ram_image(), np.uint8)
        picture: UInt8[Array, "h w 4"] = flat.reshape(self._height, self._width, 4)[::-1]
        return picture

    def _fill(self, scene: Scene, mesh: Mesh, time: float, coded: bool) -> None:
        index = scene.at(time)
        near, far = depth_range(scene) if coded else (0.0, 1.0)
        rows = mesh.rows
        for number, (start, end) in enumerate(mesh.spans):
            if number < len(scene.people):
                place, colour = self._person(scene, number, index)
            else:
                shard = scene.occluders[number - len(scene.people)]
                place = shard.shape + shard.path[index]
                colour = shard.colours
            if coded:
                colour = np.zeros((end - start, 3))
                colour[:, 1] = number + 1 if number < len(scene.people) else _OCCLUDER
                colour[:, 2] = np.clip(255 * (place[:, 1] - near) / (far - near), 0, 255)
            rows["place"][start:end] = place
            rows["colour"][start:end, :3] = colour
        # A pan by (u, v) px moves a point by (u, v) * depth / focal length, which is a shear.
        shift = (scene.camera.pan[index] / scene.camera.focal).astype(np.float32)
        depth = rows["place"][:, 1].copy()
        rows["place"][:, 0] += shift[0] * depth
        rows["place"][:, 2] -= shift[1] * depth

    def _person(self, scene: Scene, number: int, index: int) -> tuple[Array, Array]:
        """Computes drawn vertices (n, 3), m, and the grey of their light (n, 1), 0..255."""
        person, camera, source = scene.people[number], scene.camera, self.bank.source
        vertices, normals = skin(self.bank, person.body, person.transforms[index])
        light = np.maximum(normals @ camera.light.astype(np.float32), 0)
        shade = np.minimum(camera.ambient + (1 - camera.ambient) * light, 1) * np.float32(255)
        return vertices[source], shade[source, None]


def depth_range(scene: Scene) -> tuple[float, float]:
    """Computes the nearest and the farthest depth of a scene, m, with a margin."""
    depths = np.concatenate([person.joints[..., 1].ravel() for person in scene.people])
    return float(max(depths.min() - 1.2, 0.5)), float(depths.max() + 0.6)


def margin(scene: Scene) -> int:
    """Computes how many px of background the scene's pan needs on each side of the frame."""
    return int(np.ceil(np.abs(scene.camera.pan).max())) + 1


def picture(
    renderer: Renderer, scene: Scene, mesh: Mesh, backdrop: Array, time: float
) -> Float[Array, "h w 3"]:
    """Draws what an undisturbed camera sees around `time`, with motion blur and shadows.

    Args:
        renderer: the renderer, with the scene loaded.
        scene: the scene.
        mesh: its mesh.
        backdrop: BGR, float32, `margin(scene)` px larger than the frame on each side.
        time: in frames, a whole or half number.

    Returns:
        BGR 0..255, float32, without noise.
    """
    settings = renderer.settings
    moments = shutter_times(settings, time)
    total = np.zeros((renderer._height, renderer._width, 4), np.float32)
    for moment in moments:
        cv2.accumulate(renderer.draw(scene, mesh, float(moment)), total)
    small = cv2.resize(
        total, (settings.width, settings.height), interpolation=cv2.INTER_AREA
    ) / len(moments)
    shift = np.eye(2, 3)
    shift[:, 2] = scene.camera.pan[scene.at(time)] - margin(scene)
    behind = cv2.warpAffine(
        backdrop, shift, (settings.width, settings.height), borderMode=cv2.BORDER_REPLICATE
    )
    behind *= 1 - _shadows(renderer, scene, time)[..., None]
    alpha = small[..., 3:] / 255
    # Colours are drawn on black, so they are already multiplied by alpha.
    result: Float[Array, "h w 3"] = small[..., :3] + behind * (1 - alpha)
    return result


def _shadows(renderer: Renderer, scene: Scene, time: float) -> Float[Array, "h w"]:
    """Computes soft shadows of the limbs on the ground, 0..1."""
    settings = renderer.settings
    index = scene.at(time)
    ground = scene.camera.ground
    up = ground[:, 2]
    image = np.zeros((settings.height, settings.width), np.uint8)
    for person in scene.people:
        moved = person.transforms[index]
        pivots = renderer.bank.pivots[person.body]
        points = np.einsum("gab,gb->ga", moved[..., :3], pivots) + moved[..., 3]
        height = (points - ground[:, 3]) @ up
        fall = points - np.maximum(height, 0)[:, None] * (up + 0.35 * ground[:, 0])
        flat = _at(settings, scene, fall, index)
        width = max(2, round(0.16 * scene.camera.focal / float(points[0, 1])))
        ends = np.round(np.clip(flat, -5000, 5000)).astype(int).tolist()
        for group in range(1, len(GROUPS)):
            cv2.line(image, ends[PARENTS[group]], ends[group], 255, width)
    soft: Array = cv2.GaussianBlur(image, (0, 0), 2.5).astype(np.float32)
    return soft * (0.45 / 255)


def _at(settings: Embedded, scene: Scene, points: Array, index: int) -> Array:
    """Projects points (n, 3) in camera axes at one time."""
    alone = scene.camera._replace(pan=scene.camera.pan[index : index + 1])
    return project(settings, alone, points[None])[0]


def expose(
    image: Float[Array, "h w 3"], damage: Damage, rng: np.random.Generator
) -> UInt8[Array, "h w 3"]:
    """Degrades a picture and adds sensor noise.

    Args:
        image: BGR 0..255, float32.
        damage: how it is degraded.
        rng: source of the noise.
    """
    if damage.fault == "defocus":
        image = cv2.GaussianBlur(image, (0, 0), damage.amount, borderType=cv2.BORDER_REFLECT)
    elif damage.fault == "shake":
        image = cv2.filter2D(image, -1, _streak(damage), borderType=cv2.BORDER_REFLECT)
    elif damage.fault == "exposure":
        image = image * damage.amount
    noise = rng.standard_normal(image.shape, np.float32) * np.float32(damage.noise)
    result: UInt8[Array, "h w 3"] = np.clip(image + noise + 0.5, 0, 255).astype(np.uint8)
    return result


def _streak(damage: Damage) -> Float[Array, "k k"]:
    """Computes the kernel of the shake, a line of sum 1."""
    reach = int(np.ceil(damage.amount / 2)) + 1
    fine = 16  # OpenCV takes the ends of the line in sixteenths of a px
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.uint8)
    offset = damage.amount / 2 * np.array([np.cos(damage.angle), np.sin(damage.angle)])
    start = np.round((reach - offset) * fine).astype(int).tolist()
    end = np.round((reach + offset) * fine).astype(int).tolist()
    cv2.line(kernel, start, end, 255, 1, cv2.LINE_AA, 4)
    return kernel.astype(np.float32) / kernel.sum()


def visibility(renderer: Renderer, scene: Scene, mesh: Mesh, time: float) -> Bool[Array, "p 15"]:
    """Tells which joints of each person are in the picture and hidden by nothing.

    A person's own limbs hide a joint, too, if they lie clearly in front of it.

    Args:
        renderer: the renderer, with the scene loaded.
        scene: the scene.
        mesh: its mesh.
        time: in frames, one of the scene's times.
    """
    return visible_in(renderer, scene, renderer.codes(scene, mesh, time), time)


def visible_in(
    renderer: Renderer, scene: Scene, code: UInt8[Array, "h w 4"], time: float
) -> Bool[Array, "p 15"]:
    """Computes `visibility` from a coded picture.

    Args:
        renderer: gives sizes.
        scene: the scene.
        code: picture from `Renderer.codes`.
        time: its time, in frames.
    """
    settings = renderer.settings
    index = scene.at(time)
    near, far = depth_range(scene)
    inside = np.array([_INSIDE.get(_part(name), _INSIDE_ELSE) for name in skeleton.JOINTS])
    result = np.zeros((len(scene.people), skeleton.COUNT), bool)
    for number, person in enumerate(scene.people):
        points = person.joints[index]
        place = _at(settings, scene, points, index)
        inner = ((place > -0.5) & (place < (settings.width - 0.5, settings.height - 0.5))).all(1)
        fine = np.floor((place[inner] + 0.5) * settings.supersampling).astype(int)
        seen = code[fine[:, 1], fine[:, 0]]
        depth = near + (far - near) * seen[:, 0].astype(float) / 255
        gap = points[inner, 1] - depth  # how far behind the visible surface
        own = (seen[:, 1] == number + 1) & (gap < inside[inner])
        behind_nothing = (seen[:, 1] != number + 1) & ((gap < 0) | (seen[:, 1] == 0))
        result[number, inner] = own | behind_nothing
    return result


def _part(name: str) -> str:
    return name.removeprefix("left_").removeprefix("right_")
