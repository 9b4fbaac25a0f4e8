import base64
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as nnf

from tips.peers import graph
from tips.peers.graph import Graph
from tips.records import RecordError

Node = dict[str, Any]


def word(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def integers(*values: int) -> Node:
    return {"list": {"i": [str(value) for value in values]}}


def node(op: str, *inputs: str, name: str = "y", **attributes: Any) -> Node:
    return {"name": name, "op": op, "input": list(inputs), "attr": attributes}


def convolution(op: str, stride: int, padding: str, *fused: str) -> Node:
    return node(
        *(op, "x", "w", *(["b"] if fused else [])),
        strides=integers(1, stride, stride, 1),
        dilations=integers(1, 1, 1, 1),
        padding={"s": word(padding)},
        fused_ops={"list": {"s": [word(name) for name in fused]}},
    )


def run(made: Node | list[Node], x: Tensor, **constants: Tensor) -> Tensor:
    nodes = [{"name": "x", "op": "Placeholder"}, *(made if isinstance(made, list) else [made])]
    return Graph(nodes, constants, {"out": "y:0"}, "a test")(x)["out"]


def picture(height: int, width: int, channels: int) -> Tensor:
    return torch.rand(1, height, width, channels, generator=torch.Generator().manual_seed(0))


def test_same_padding_puts_the_odd_px_right_and_below() -> None:
    ones = torch.ones(1, 4, 4, 1)
    found = run(convolution("_FusedConv2D", 2, "SAME"), ones, w=torch.ones(3, 3, 1, 1))
    assert found[0, ..., 0].tolist() == [[9, 6], [6, 4]]


@pytest.mark.parametrize("size", [5, 6])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_a_convolution_is_a_sum_over_its_window(size: int, stride: int, padding: str) -> None:
    x, w = picture(size, size + 1, 2).numpy(), picture(3, 3, 8).reshape(3, 3, 2, 4).numpy()
    found = run(
        convolution("_FusedConv2D", stride, padding), torch.tensor(x), w=torch.tensor(w)
    ).numpy()
    starts = []
    for length in (size, size + 1):
        count = -(-length // stride) if padding == "SAME" else (length - 3) // stride + 1
        whole = max((count - 1) * stride + 3 - length, 0)
        before = whole // 2 if padding == "SAME" else 0
        starts.append([k * stride - before for k in range(count)])
    padded = np.pad(x, ((0, 0), (3, 3), (3, 3), (0, 0)))
    for i, top in enumerate(starts[0]):
        for j, left in enumerate(starts[1]):
            window = padded[0, top + 3 : top + 6, left + 3 : left + 6]
            np.testing.assert_allclose(
                found[0, i, j], np.einsum("hwc,hwcd->d", window, w), rtol=1e-5
            )
    assert found.shape == (1, len(starts[0]), len(starts[1]), 4)


@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize("op", ["DepthwiseConv2dNative", "FusedDepthwiseConv2dNative"])
def test_a_depthwise_convolution_keeps_channels_apart(op: str, factor: int) -> None:
    x, w = picture(5, 5, 3), picture(3, 3, 3 * factor).reshape(3, 3, 3, factor)
    found = run(convolution(op, 1, "VALID"), x, w=w)
    for channel in range(3):
        for k in range(factor):
            alone = nnf.conv2d(x[..., channel][:, None], w[:, :, channel, k][None, None])[0, 0]
            torch.testing.assert_close(found[0, ..., factor * channel + k], alone)


def test_bias_comes_before_the_activation() -> None:
    x = torch.tensor([-9.0, 0.0, 2.0, 9.0]).reshape(1, 1, 4, 1)
    weights = {"w": torch.ones(1, 1, 1, 1), "b": torch.tensor([1.0])}
    six = run(convolution("_FusedConv2D", 1, "SAME", "BiasAdd", "Relu6"), x, **weights)
    plain = run(convolution("_FusedConv2D", 1, "SAME", "BiasAdd", "Relu"), x, **weights)
    assert six.flatten().tolist() == [0, 1, 3, 6]
    assert plain.flatten().tolist() == [0, 1, 3, 10]


def test_a_resize_lays_pixels_on_their_centres() -> None:
    grid = {"align_corners": {"b": False}, "half_pixel_centers": {"b": True}}
    x = torch.tensor([0.0, 1.0]).reshape(1, 1, 2, 1)
    found = run(node("ResizeBilinear", "x", "s", **grid), x, s=torch.tensor([1, 4]))
    assert found.flatten().tolist() == [0, 0.25, 0.75, 1]


def test_pooling_and_padding() -> None:
    x = torch.arange(16.0).reshape(1, 4, 4, 1)
    two = integers(1, 2, 2, 1)
    pool = node("MaxPool", "x", ksize=two, strides=two, padding={"s": word("VALID")})
    assert run(pool, x).flatten().tolist() == [5, 7, 13, 15]
    widths = torch.tensor([[0, 0], [1, 0], [0, 2], [0, 1]])
    padded = run(node("Pad", "x", "p"), x, p=widths)
    assert padded.shape == (1, 5, 6, 2)
    torch.testing.assert_close(padded[:, 1:, :4, :1], x)
    assert padded.sum() == x.sum()


def test_the_highest_place_of_a_map_is_found_in_any_order_of_the_nodes() -> None:
    """The end of MoveNet: argmax, row and column, and the value that another map has there."""
    axis = {"axis": {"i": "1"}}
    nodes = [
        node("GatherNd", "other", "places"),
        node("Pack", "row", "column", name="places", **axis),
        node("Sub", "at", "before", name="column"),
        node("Mul", "row", "width", name="before"),
        node("FloorDiv", "at", "width", name="row"),
        node("ArgMax", "flat", "zero", name="at"),
        node("Reshape", "x", "shape", name="flat"),
    ]
    x = torch.zeros(3, 4, 2)
    x[2, 1, 0] = x[0, 3, 1] = 1
    other = torch.arange(12.0).reshape(3, 4)
    found = run(
        nodes,
        x,
        **{"shape": torch.tensor([-1, 2]), "zero": torch.tensor(0), "width": torch.tensor(4)},
        other=other,
    )
    assert found.tolist() == [9, 3]


def test_an_operation_may_have_several_outputs() -> None:
    nodes = [
        node("Unpack", "x", name="parts", axis={"i": "1"}),
        node("RealDiv", "parts:1", "parts"),
    ]
    assert run(nodes, torch.tensor([[2.0, 8.0], [4.0, 1.0]])).tolist() == [4, 0.25]


CLOSED = [
    (node("Cast", "x", DstT={"type": "DT_INT32"}), {}, [-1, 4]),
    (node("Sqrt", "squares"), {"squares": torch.tensor([9.0, 0.25])}, [3, 0.5]),
    (node("SquaredDifference", "x", "three"), {"three": torch.tensor(3.0)}, [16, 1]),
    (node("AddV2", "x", "x"), {}, [-2, 8]),
    (node("Relu6", "ten"), {"ten": torch.tensor([-10.0, 10.0])}, [0, 6]),
    (node("Sigmoid", "zero"), {"zero": torch.zeros(2)}, [0.5, 0.5]),
    (node("ExpandDims", "x", "one"), {"one": torch.tensor(1)}, [[-1], [4]]),
    (node("Squeeze", "row", squeeze_dims=integers(0)), {"row": torch.ones(1, 1)}, [1]),
    (node("ConcatV2", "x", "x", "zero"), {"zero": torch.tensor(0)}, [-1, 4, -1, 4]),
    (node("Identity", "x"), {}, [-1, 4]),
]


@pytest.mark.parametrize(("made", "constants", "wanted"), CLOSED, ids=lambda v: str(v)[10:30])
def test_closed_forms(made: Node, constants: dict[str, Tensor], wanted: list[float]) -> None:
    assert run(made, torch.tensor([-1.0, 4.0]), **constants).tolist() == wanted


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (node("Erf", "x"), "operation Erf is not known"),
        (convolution("_FusedConv2D", 1, "SAME", "BiasAdd", "Elu"), "_FusedConv2D with Elu"),
        (convolution("_FusedConv2D", 1, "EXPLICIT"), "its own padding"),
        (convolution("_FusedConv2D", 1, "SAME") | {"name": "far"}, None),
        (node("ResizeBilinear", "x", "s", align_corners={"b": True}), "half-pixel centres"),
    ],
)
def test_what_is_not_known_is_refused_by_name(made: Node, words: str | None) -> None:
    if words is None:
        made["attr"]["dilations"] = integers(1, 2, 2, 1)
        words = "far: _FusedConv2D with dilations"
    with pytest.raises(RecordError, match=words) as caught:
        run(made, torch.ones(1, 4, 4, 1))
    assert "\n" not in str(caught.value)


def test_a_graph_has_one_input() -> None:
    with pytest.raises(RecordError, match="one placeholder; got 2"):
        run([{"name": "x2", "op": "Placeholder"}, node("Identity", "x")], torch.ones(1))


def files(folder: Path, cut: int = 0) -> Path:
    """A model x * half + whole: half stored as float16 in the first file, whole as int32."""
    weights = [
        {
            **{"name": "half", "shape": [2], "dtype": "float32"},
            "quantization": {"dtype": "float16", "original_dtype": "float32"},
        },
        {"name": "whole", "shape": [], "dtype": "int32"},
    ]
    data = np.array([0.5, -2], "<f2").tobytes() + np.array(7, "<i4").tobytes()
    (folder / "a.bin").write_bytes(data[:3])  # one weight may go over the end of a file
    (folder / "b.bin").write_bytes(data[3 : len(data) - cut])
    model = {
        "signature": {"outputs": {"out": {"name": "y:0"}}},
        "modelTopology": {
            "node": [
                {"name": "x", "op": "Placeholder"},
                {"name": "half", "op": "Const"},
                {"name": "whole", "op": "Const"},
                node("Mul", "x", "half", name="product"),
                node("AddV2", "product", "whole"),
            ]
        },
        "weightsManifest": [{"paths": ["a.bin", "b.bin"], "weights": weights}],
    }
    (folder / "model.json").write_text(json.dumps(model))
    return folder / "model.json"


def test_weights_are_read_as_they_are_stored(tmp_path: Path) -> None:
    found = graph.read(files(tmp_path))(torch.tensor([4.0, 1.0]))
    assert found["out"].tolist() == [9, 5]


def test_damaged_files_are_named(tmp_path: Path) -> None:
    path = files(tmp_path, cut=1)
    with pytest.raises(RecordError, match=r"the weights end at byte 7, in whole"):
        graph.read(path)
    (tmp_path / "b.bin").unlink()
    with pytest.raises(RecordError, match=r"b\.bin: no such file; it belongs to .*model\.json"):
        graph.read(path)
    path.write_text("{}")
    with pytest.raises(RecordError, match=r"model\.json: no TensorFlow\.js graph, 'weightsMan"):
        graph.read(path)
    path = files(tmp_path)
    path.write_text(path.read_text().replace('"float16"', '"uint8"'))
    with pytest.raises(RecordError, match="half: weights stored as uint8 are not read"):
        graph.read(path)


def test_one_output_computes_no_more_than_it_needs(tmp_path: Path) -> None:
    path = files(tmp_path)
    model = json.loads(path.read_text())
    model["signature"]["outputs"]["early"] = {"name": "product:0"}
    path.write_text(json.dumps(model))
    network = graph.read(path, "early")
    assert [one.name for one in network.nodes] == ["product"]
    assert {name: v.tolist() for name, v in network(torch.ones(2)).items()} == {"early": [0.5, -2]}


def test_a_second_run_starts_from_the_same_constants(tmp_path: Path) -> None:
    network = graph.read(files(tmp_path))
    answers = [network(torch.tensor([4.0, 1.0]))["out"].tolist() for _ in range(3)]
    assert all(a == b for a, b in pairwise(answers))
