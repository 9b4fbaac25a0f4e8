import torch
from torch import Tensor, nn

from tips.models.cost import multiply_adds, parameters, peak_bytes
from tips.models.encoders.conv.network import ConvEncoder
from tips.models.encoders.transformer.network import TransformerEncoder
from tips.ops.adacof import adacof

HEIGHT, WIDTH, D = 6, 10, 16
CELLS = HEIGHT * WIDTH


def meta(*shape: int) -> Tensor:
    return torch.empty(shape, device="meta")


def test_an_encoder_layer_by_hand() -> None:
    heads, points, feedforward = 2, 4, 32
    with torch.device("meta"):
        encoder = TransformerEncoder(D, 1, heads, points, feedforward, 0.0)
    found = multiply_adds(encoder, meta(3, D, HEIGHT, WIDTH))
    linear = D * (2 * heads * points + heads * points + D + D + 2 * feedforward)
    assert found.kinds == {
        "convolution": 0,
        "linear": 3 * CELLS * linear,
        "attention": 0,
        # heads x points samples of D / heads values: four corners and a weight each
        "sampling": 3 * CELLS * points * D * 5,
    }
    assert found.children == {"layers": 0}  # a list, which is not called itself


def test_deformable_convolution_counts_its_columns() -> None:
    with torch.device("meta"):
        encoder = ConvEncoder(D, 2)
    kinds = multiply_adds(encoder, meta(1, D, HEIGHT, WIDTH)).kinds
    assert kinds["convolution"] == 2 * CELLS * 9 * D * 27
    assert kinds["linear"] == 2 * CELLS * 9 * D * D
    assert kinds["sampling"] == 2 * CELLS * 9 * D * 5


class Sampler(nn.Module):
    def forward(self, image: Tensor, moves: Tensor) -> Tensor:
        return adacof(image, moves, moves, moves)


def test_adacof_counts_like_any_sampling() -> None:
    image, moves = meta(2, 3, HEIGHT + 4, WIDTH + 4), meta(2, 25, HEIGHT, WIDTH)
    assert multiply_adds(Sampler(), image, moves).kinds["sampling"] == 2 * 3 * 25 * CELLS * 5


class Twice(nn.Module):
    """Calls one child from inside the other."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(D, D)
        self.scale = nn.Parameter(torch.ones(3))
        self.outer = Calls()

    def forward(self, x: Tensor) -> Tensor:
        return self.outer(self.inner(x), self.inner)


class Calls(nn.Module):
    def forward(self, x: Tensor, layer: nn.Module) -> Tensor:
        return layer(x) @ x.mT


def test_a_child_counts_wherever_it_is_called() -> None:
    with torch.device("meta"):
        network = Twice()
    found = multiply_adds(network, meta(1, 7, D))
    assert found.kinds["linear"] == found.children["inner"] == 2 * 7 * D * D
    assert found.kinds["attention"] == 7 * 7 * D
    assert parameters(network) == {"inner": D * D + D, "": 3}


def test_peak_memory_by_hand() -> None:
    layers = nn.Sequential(*(nn.Linear(D, D, bias=False) for _ in range(4)))
    x = torch.randn(5, D)
    size = 4 * 5 * D
    with torch.no_grad():
        assert peak_bytes(lambda: layers(x)) == 2 * size  # an input and an output of a layer
        assert peak_bytes(lambda: x.view(-1)[1:]) == 0
        assert peak_bytes(lambda: [x + 1 for _ in range(3)]) == 3 * size
        assert peak_bytes(lambda: x.add_(1)) == 0
    with torch.device("meta"):
        same = nn.Sequential(*(nn.Linear(D, D, bias=False) for _ in range(4)))
    with torch.no_grad():
        assert peak_bytes(lambda: same(meta(5, D))) == 3 * size  # its input made inside


def test_training_keeps_activations_and_gradients() -> None:
    layers = nn.Sequential(*(nn.Linear(D, D, bias=False) for _ in range(4)))
    x = torch.randn(5, D)
    peak = peak_bytes(lambda: layers(x).sum().backward())
    activations, gradients = 4 * 4 * 5 * D, 4 * 4 * D * D
    assert activations < peak
    assert gradients < peak <= activations + gradients + 4 * 5 * D * 3
