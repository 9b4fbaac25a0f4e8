"""Runs a frozen TensorFlow.js graph in torch; it knows the operations of small pose networks.

Between nodes tensors have TensorFlow's layout (N, H, W, C). Operations that need torch's layout
permute their input and permute their result back.
"""

import base64
import math
from collections.abc import Callable, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as nnf

from tips import records
from tips.records import RecordError

Attributes = Mapping[str, Any]
Outputs = tuple[Tensor, ...]
TYPES = {"float32": "<f4", "float16": "<f2", "int32": "<i4"}
CASTS = {"DT_FLOAT": torch.float32, "DT_INT32": torch.int64}
ACTIVATIONS = {"Relu": nnf.relu, "Relu6": nnf.relu6}


class Node(NamedTuple):
    """One operation of a graph."""

    name: str
    run: Callable[..., Outputs]
    inputs: tuple[tuple[str, int], ...]  # names of nodes, and the place among their outputs


class Graph:
    """A frozen graph with one placeholder; nodes that no output needs are left out.

    Args:
        nodes: nodes as the model file lists them.
        weights: values of the constants, by node name.
        outputs: names of the results -> node name and place among its outputs, as `node:0`.
        source: name of the file, for messages.

    Raises:
        RecordError: if an operation or an attribute is unknown here, or if there is not exactly
            one placeholder.
    """

    def __init__(
        self,
        nodes: list[dict[str, Any]],
        weights: Mapping[str, Tensor],
        outputs: Mapping[str, str],
        source: str,
    ) -> None:
        self.constants = dict(weights)
        self.outputs = {name: _place(text) for name, text in outputs.items()}
        inner = [node for node in nodes if node["op"] not in ("Const", "Placeholder")]
        holders = [node["name"] for node in nodes if node["op"] == "Placeholder"]
        if len(holders) != 1:
            raise RecordError(f"{source}: a graph has one placeholder; got {len(holders)}")
        self.placeholder = holders[0]
        made = {node["name"]: _node(node, source) for node in inner}
        before = {name: {other for other, _ in node.inputs} for name, node in made.items()}
        needed = _behind({name for name, _ in self.outputs.values()}, before)
        order = TopologicalSorter({name: before.get(name, set()) for name in needed}).static_order()
        self.nodes = [made[name] for name in order if name in made]

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """Runs the graph.

        Args:
            images: the placeholder's value (B, H, W, 3).

        Returns:
            The results by name.
        """
        values: dict[str, Outputs] = {name: (value,) for name, value in self.constants.items()}
        values[self.placeholder] = (images,)
        for node in self.nodes:
            values[node.name] = node.run(*(values[name][at] for name, at in node.inputs))
        return {name: values[node][at] for name, (node, at) in self.outputs.items()}


def _behind(names: set[str], before: Mapping[str, set[str]]) -> set[str]:
    """Collects the nodes and everything that they are computed from."""
    found: set[str] = set()
    while names:
        found |= names
        names = {other for name in names for other in before.get(name, set())} - found
    return found


def read(path: Path, wanted: str | None = None) -> Graph:
    """Reads a graph from NAME.json and the weights beside it.

    Args:
        path: the json file.
        wanted: the only output to compute; None: all.

    Raises:
        RecordError: if a file is missing or is no such graph.
    """
    model = records.read_json(path)
    try:
        weights: dict[str, Tensor] = {}
        for group in model["weightsManifest"]:
            data = b"".join((path.parent / name).read_bytes() for name in group["paths"])
            weights |= _weights(group["weights"], data, str(path))
        signed = model["signature"]["outputs"]
        outputs = {name: signed[name]["name"] for name in ([wanted] if wanted else signed)}
        return Graph(model["modelTopology"]["node"], weights, outputs, str(path))
    except KeyError as error:
        raise RecordError(f"{path}: no TensorFlow.js graph, {error} is missing") from error
    except FileNotFoundError as error:
        raise RecordError(f"{error.filename}: no such file; it belongs to {path}") from error


def _weights(entries: list[dict[str, Any]], data: bytes, source: str) -> dict[str, Tensor]:
    """Cuts the weights, which lie one after the other, out of their file."""
    found, start = {}, 0
    for entry in entries:
        stored = entry.get("quantization", entry)["dtype"]
        if stored not in TYPES:
            raise RecordError(f"{source}: {entry['name']}: weights stored as {stored} are not read")
        kind = np.dtype(TYPES[stored])
        count = math.prod(entry["shape"])
        if start + count * kind.itemsize > len(data):
            raise RecordError(f"{source}: the weights end at byte {len(data)}, in {entry['name']}")
        values = np.frombuffer(data, kind, count, start).reshape(entry["shape"])
        wanted = np.int64 if entry["dtype"] == "int32" else np.float32
        found[entry["name"]] = torch.from_numpy(values.astype(wanted))
        start += count * kind.itemsize
    return found


def _node(node: dict[str, Any], source: str) -> Node:
    attributes = node.get("attr", {})
    unknown = _unknown(node["op"], attributes)
    if unknown:
        raise RecordError(f"{source}: {node['name']}: {unknown} is not known here")
    operation = OPERATIONS[node["op"]]

    def run(*inputs: Tensor) -> Outputs:
        found = operation(attributes, *inputs)
        return (found,) if isinstance(found, Tensor) else found

    return Node(node["name"], run, tuple(map(_place, node["input"])))


def _unknown(operation: str, attributes: Attributes) -> str:
    """Describes what is unknown about an operation; "" if it can be computed here."""
    if operation not in OPERATIONS:
        return f"operation {operation}"
    fused = set(_fused(attributes)) - {"BiasAdd", *ACTIVATIONS}
    if fused:
        return f"{operation} with {', '.join(sorted(fused))}"
    if "dilations" in attributes and set(_integers(attributes, "dilations")) != {1}:
        return f"{operation} with dilations"
    if "padding" in attributes and _word(attributes["padding"]["s"]) not in ("SAME", "VALID"):
        return f"{operation} with its own padding"
    grid = [attributes.get(name, {}).get("b") for name in ("align_corners", "half_pixel_centers")]
    if operation == "ResizeBilinear" and grid != [False, True]:
        return f"{operation} without half-pixel centres"
    return ""


def _fused(attributes: Attributes) -> list[str]:
    return [_word(text) for text in attributes.get("fused_ops", {"list": {"s": []}})["list"]["s"]]


def _place(text: str) -> tuple[str, int]:
    name, _, at = text.partition(":")
    return name, int(at or 0)


def _integers(attributes: Attributes, name: str) -> list[int]:
    return [int(value) for value in attributes[name]["list"]["i"]]


def _word(text: str) -> str:
    return base64.b64decode(text).decode()


def _padding(attributes: Attributes, x: Tensor, kernel: tuple[int, int]) -> list[int]:
    """Computes TensorFlow's padding of (N, C, H, W), in torch's order.

    If the number of padded px is odd, the additional one goes to the right or below.
    """
    if _word(attributes["padding"]["s"]) == "VALID":
        return [0, 0, 0, 0]
    pads: list[int] = []
    for axis in (1, 0):  # width first
        size, step = x.shape[2 + axis], _integers(attributes, "strides")[1 + axis]
        whole = max((-(-size // step) - 1) * step + kernel[axis] - size, 0)
        pads += [whole // 2, whole - whole // 2]
    return pads


def _convolution(
    attributes: Attributes, x: Tensor, weight: Tensor, bias: Tensor | None = None
) -> Tensor:
    """Computes Conv2D with its fused bias and activation; weights are (h, w, in, out)."""
    return _convolved(attributes, x, weight.permute(3, 2, 0, 1), bias, 1)


def _depthwise(
    attributes: Attributes, x: Tensor, weight: Tensor, bias: Tensor | None = None
) -> Tensor:
    """Computes DepthwiseConv2D; weights are (h, w, in, factor).

    The outputs of one input channel lie side by side.
    """
    turned = weight.permute(2, 3, 0, 1).flatten(0, 1)[:, None]
    return _convolved(attributes, x, turned, bias, x.shape[-1])


def _convolved(
    attributes: Attributes, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int
) -> Tensor:
    x = x.permute(0, 3, 1, 2)
    x = nnf.pad(x, _padding(attributes, x, (weight.shape[2], weight.shape[3])))
    strides = _integers(attributes, "strides")[1:3]
    x = nnf.conv2d(x, weight, bias, stride=strides, groups=groups)
    for name in _fused(attributes):
        x = x if name == "BiasAdd" else ACTIVATIONS[name](x)
    return x.permute(0, 2, 3, 1)


def _max_pool(attributes: Attributes, x: Tensor) -> Tensor:
    x, size = x.permute(0, 3, 1, 2), _integers(attributes, "ksize")[1:3]
    x = nnf.pad(x, _padding(attributes, x, (size[0], size[1])), value=-math.inf)
    strides = _integers(attributes, "strides")[1:3]
    return nnf.max_pool2d(x, size, strides).permute(0, 2, 3, 1)


def _resize(_: Attributes, x: Tensor, size: Tensor) -> Tensor:
    x = x.permute(0, 3, 1, 2)
    return nnf.interpolate(x, size.tolist(), mode="bilinear").permute(0, 2, 3, 1)


def _pad(_: Attributes, x: Tensor, widths: Tensor) -> Tensor:
    return nnf.pad(x, widths.flip(0).flatten().tolist())


def _unpack(attributes: Attributes, x: Tensor) -> Outputs:
    return x.unbind(int(attributes["axis"]["i"]))


def _pack(attributes: Attributes, *parts: Tensor) -> Tensor:
    return torch.stack(parts, int(attributes["axis"]["i"]))


def _squeeze(attributes: Attributes, x: Tensor) -> Tensor:
    return x.squeeze(_integers(attributes, "squeeze_dims"))


# Each function takes the node's attributes, then its inputs; it returns one output or several.
OPERATIONS: dict[str, Callable[..., Tensor | Outputs]] = {
    "_FusedConv2D": _convolution,
    "FusedDepthwiseConv2dNative": _depthwise,
    "DepthwiseConv2dNative": _depthwise,
    "MaxPool": _max_pool,
    "ResizeBilinear": _resize,
    "Pad": _pad,
    "Unpack": _unpack,
    "Pack": _pack,
    "Squeeze": _squeeze,
    "Cast": lambda attributes, x: x.to(CASTS[attributes["DstT"]["type"]]),
    "Identity": lambda _, x: x,
    "Relu6": lambda _, x: nnf.relu6(x),
    "Sigmoid": lambda _, x: x.sigmoid(),
    "Sqrt": lambda _, x: x.sqrt(),
    "AddV2": lambda _, a, b: a + b,
    "Sub": lambda _, a, b: a - b,
    "Mul": lambda _, a, b: a * b,
    "RealDiv": lambda _, a, b: a / b,
    "FloorDiv": lambda _, a, b: a // b,
    "SquaredDifference": lambda _, a, b: (a - b) ** 2,
    "Reshape": lambda _, x, shape: x.reshape(shape.tolist()),
    "ExpandDims": lambda _, x, axis: x.unsqueeze(int(axis)),
    "ArgMax": lambda _, x, axis: x.argmax(int(axis)),
    "ConcatV2": lambda _, *parts: torch.cat(parts[:-1], int(parts[-1])),
    "GatherNd": lambda _, x, places: x[places.unbind(-1)],
}
