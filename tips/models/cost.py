"""Counts what a network costs: multiply-adds, parameters and memory.

Multiply-adds are counted on the meta device, where tensors have shapes but no values, so nothing
is computed.
"""

import gc
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

CORNERS = 4  # pixels of a bilinear sample: a multiply-add for each, one more for its own weight
KINDS = {
    "aten.convolution": "convolution",
    "aten.mm": "linear",
    "aten.addmm": "linear",
    "aten.bmm": "attention",
    "aten.baddbmm": "attention",
    "aten.grid_sampler_2d": "sampling",
    "aten.gather": "sampling",
}


class Macs(NamedTuple):
    """Multiply-adds of one call."""

    kinds: dict[str, int]  # convolution, linear, attention, sampling
    children: dict[str, int]  # of each child of the network, wherever it was called from


def multiply_adds(network: nn.Module, *inputs: Tensor) -> Macs:
    """Counts the multiply-adds of a network, by kind.

    Every network is counted by the same rule: convolutions, linear layers, the products of
    attention, and bilinear sampling (deformable attention and convolution sample through
    grid_sample, AdaCoF through gather). Norms, activations, sums and resizing count nothing, as
    is usual.

    Args:
        network: the network, on the meta device.
        inputs: arguments of its `forward`, on the meta device.

    Raises:
        KeyError: if torch counts an operation that `KINDS` does not list.
    """
    sampled = {torch.ops.aten.grid_sampler_2d: _of_samples, torch.ops.aten.gather: _of_corners}
    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=sampled) as counter:
        network(*inputs)
    counted = counter.get_flop_counts()
    kinds = dict.fromkeys(KINDS.values(), 0)
    for op, flops in counted["Global"].items():
        kinds[KINDS[str(op)]] += flops // 2
    own = type(network).__name__
    names = [name for name, _ in network.named_children()]
    children = {name: sum(counted.get(f"{own}.{name}", {}).values()) // 2 for name in names}
    return Macs(kinds, children)


def parameters(module: nn.Module) -> dict[str, int]:
    """Counts the parameters of each child and, under the name "", those of the module itself."""
    found = {name: _size(child) for name, child in module.named_children()}
    rest = _size(module) - sum(found.values())
    return {name: size for name, size in (found | {"": rest}).items() if size}


def peak_bytes(call: Callable[[], object]) -> int:
    """Measures the most memory that the tensors made during a call hold at one time, bytes.

    Weights and inputs are made before the call and do not count; gradients do. The workspaces of
    kernels and the gaps that an allocator leaves are not in the number.
    """
    gc.disable()  # it would free tensors in reference cycles at random times and change the peak
    try:
        with _Alive() as alive:
            call()
    finally:
        gc.enable()
    return alive.most


class _Alive(TorchDispatchMode):
    """Keeps count of the bytes of all storages that operations make, until they are freed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        for one in tree_leaves((args, kwargs)):
            self._note(one, counts=False)
        out = func(*args, **(kwargs or {}))
        for one in tree_leaves(out):
            self._note(one, counts=True)
        return out

    def _note(self, value: object, counts: bool) -> None:
        if not isinstance(value, Tensor):
            return
        storage = value.untyped_storage()
        key = storage._cdata
        if key in self._known:
            return
        size = storage.nbytes() if counts else 0
        self._known.add(key)
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._freed, key, size)

    def _freed(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _of_samples(*shapes: Any, out_shape: Any = None, **_: Any) -> int:
    return 2 * (CORNERS + 1) * torch.Size(out_shape).numel()


def _of_corners(*shapes: Any, out_shape: Any = None, **_: Any) -> int:
    return 2 * (CORNERS + 1) * torch.Size(out_shape).numel() // CORNERS
