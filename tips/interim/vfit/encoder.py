"""VFIT's encoder: a stem at full size, then four stages, each of which halves the size."""

from jaxtyping import Float
from torch import Tensor, nn

from tips.interim.vfit.attention import WINDOW, SepSTSBlock
from tips.interim.vfit.sizes import Size
from tips.interim.vfit.time_conv import TimeConv

Clip = Float[Tensor, "B C T H W"]


class ResBlock3d(nn.Module):
    """Two 3x3x3 convolutions and a skip."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = TimeConv(width, width)
        self.conv2 = TimeConv(width, width)

    def forward(self, x: Clip) -> Clip:
        """Maps a clip's features to features of the same size."""
        return (x + self.conv2(self.conv1(x).relu())).relu()


class Blocks(nn.Module):
    """A chain of blocks; every second one shifts its spatial windows by half a window.

    Args:
        width: C, channels.
        heads: number of attention heads.
        depth: number of blocks.
    """

    def __init__(self, width: int, heads: int, depth: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(SepSTSBlock(width, heads, shift=WINDOW // 2 * (i % 2)) for i in range(depth))
        )

    def forward(self, x: Clip) -> Clip:
        """Runs the blocks, which want the channels as the last axis."""
        out: Tensor = self.blocks(x.permute(0, 2, 3, 4, 1))
        return out.permute(0, 4, 1, 2, 3)


class Stage(nn.Module):
    """One stage: blocks under the name `upper`, as published checkpoints name them.

    Args:
        width: C, channels.
        heads: number of attention heads.
        depth: number of blocks.
    """

    def __init__(self, width: int, heads: int, depth: int) -> None:
        super().__init__()
        self.upper = Blocks(width, heads, depth)

    def forward(self, x: Clip) -> Clip:
        """Runs the stage."""
        out: Tensor = self.upper(x)
        return out


class Encoder(nn.Module):
    """Frames -> clips of features at 1, 1/2, 1/4, 1/8 and 1/16 of the size."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        widths = (size.widths[0] // 2, *size.widths)
        self.stem = nn.Sequential(TimeConv(3, widths[0]), nn.LeakyReLU(0.2), ResBlock3d(widths[0]))
        for i in range(4):
            down = TimeConv(widths[i], widths[i + 1], stride=2)
            self.add_module(f"down{i}", down)
            stage = Stage(widths[i + 1], size.heads[i], size.depths[i])
            self.add_module(f"stage{i + 1}", stage)

    def forward(self, images: Clip) -> list[Float[Tensor, "B _c T _h _w"]]:
        """Encodes four frames from which their mean has been subtracted."""
        found = [self.stem(images)]
        for i in range(4):
            down, stage = self.get_submodule(f"down{i}"), self.get_submodule(f"stage{i + 1}")
            found.append(stage(down(found[-1])))
        return found
