"""What the evaluation's switches do, on models that answer by construction."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tips import skeleton
from tips.config import Crop, load_scale
from tips.data.windows import Stores, WindowSet
from tips.inference.predictor import Predictor, mirrored_crops
from tips.instances import Found, Key
from tips.models.interfaces import PoseModel
from tips.ops.heatmap import Decoding
from tips.ops.integral import integral
from tips.tensors import Coordinates, PoseOutput, Regressed

SETTINGS = load_scale("smoke", Path(__file__).parents[2] / "experiments").evaluation
STRIDE, MAP = 4, 16
KEYS = [
    Key("val", "a", 0, 1, (20.0, 10.0, 40.0, 40.0), None, -1, 0.5),
    Key("val", "a", 0, 1, (41.0, 33.0, 30.0, 50.0), None, -1, 1.0),
]
VARIANT = SimpleNamespace(experiment=SimpleNamespace(points=()))


def frame(sequence: str, number: int) -> np.ndarray:
    """A picture of random tiles."""
    tiles = np.random.default_rng(3).integers(0, 255, (12, 16, 3))
    return np.kron(tiles, np.ones((8, 8, 1))).astype(np.uint8)


class Model(PoseModel):
    """Maps from crops by a function."""

    def __init__(self, answer: Any) -> None:
        nn.Module.__init__(self)
        self.answer = answer

    def forward(self, images: Tensor, rough: Tensor) -> PoseOutput:
        maps = self.answer(images[:, 0])
        return PoseOutput(maps, maps[:, None])

    def coordinates(self, output: Any) -> Coordinates:
        R = torch.zeros(len(output.maps), 1, skeleton.COUNT, 2)
        return Coordinates(R, torch.zeros(len(R), 0, 0, skeleton.COUNT, 2))


class Regressor(Model):
    """The same, its maps' centres of mass given as coordinates and their means as doubts."""

    def forward(self, images: Tensor, rough: Tensor) -> PoseOutput:
        output = super().forward(images, rough)
        joints = integral(output.maps.double()).float()
        doubt = torch.sigmoid(output.maps.mean(dim=(-2, -1)))
        return output._replace(regressed=Regressed(joints, torch.stack([doubt, doubt], dim=-1)))

    def decode(self, output: PoseOutput, how: Decoding) -> tuple[Tensor, Tensor]:
        assert output.regressed is not None
        return output.regressed.joints, 1 - output.regressed.spread.mean(-1)


def equivariant(body: skeleton.Skeleton) -> Any:
    """Reads the crop at the map's own px, left joints with a look to one side, right to the other.

    The map of a mirrored crop is the mirror image of the partner's map, whatever the crop.
    """
    sides = [1 if n.startswith("left") else -1 if n.startswith("right") else 0 for n in body.joints]
    parts = [name.removeprefix("left_").removeprefix("right_") for name in body.joints]
    colours = torch.rand(15, 3, generator=torch.Generator().manual_seed(0))

    def answer(images: Tensor) -> Tensor:
        sampled = images[..., ::STRIDE, ::STRIDE]
        maps = [
            torch.einsum(
                "c,bchw->bhw", colours[parts.index(part)], sampled + 0.5 * sampled.roll(s, -1)
            )
            for part, s in zip(parts, sides, strict=True)
        ]
        return torch.stack(maps, dim=1)

    return answer


def predict(
    answer: Any,
    body: skeleton.Skeleton = skeleton.POSETRACK,
    model: type[Model] = Model,
    **changes: Any,
) -> list[Found]:
    stores = {"val": Stores(frame, None)}
    crop = Crop(height=64, width=64)
    windows = WindowSet(stores, (0,), crop, STRIDE, 1.25, interim=False, mirror=body.mirror)
    settings = SETTINGS.model_copy(update=changes)
    made = Predictor(model(answer), windows, settings, VARIANT, torch.device("cpu"))  # type: ignore[arg-type]
    return [row for batch in made(KEYS) for row in batch]


@pytest.mark.parametrize("body", [skeleton.POSETRACK, skeleton.JHMDB])
@pytest.mark.parametrize(
    ("model", "decode"),
    [(Model, "plain"), (Model, "quarter"), (Model, "dark"), (Regressor, "plain")],
)
def test_the_flip_test_leaves_an_equivariant_model_alone(
    body: skeleton.Skeleton, model: type[Model], decode: str
) -> None:
    answer = equivariant(body)
    once = predict(answer, body, model, decode=decode)
    flipped = predict(answer, body, model, decode=decode, flip_test=True)
    # One unit of the last digit written: sums of another order round otherwise on some CPUs.
    for one, other in zip(flipped, once, strict=True):
        assert np.allclose(one.pose.joints, other.pose.joints, atol=1.1e-3, rtol=0)
        assert np.allclose(one.pose.scores, other.pose.scores, atol=1.1e-6, rtol=0)
        assert one.between == other.between
    # Not so if sides are taken for their partners.
    other = body._replace(mirror=tuple(range(15)))
    assert predict(answer, other, model, decode=decode, flip_test=True) != once


def test_the_flip_test_averages_with_the_partner_s_map() -> None:
    def fixed(images: Tensor) -> Tensor:
        maps = torch.zeros(len(images), 15, MAP, MAP)
        maps[:, skeleton.INDEX["left_wrist"], 7, 3] = 0.8
        maps[:, skeleton.INDEX["right_wrist"], 7, MAP - 1 - 3] = 0.4
        return maps

    once, twice = predict(fixed)[1].pose, predict(fixed, flip_test=True)[1].pose
    left, right = skeleton.INDEX["left_wrist"], skeleton.INDEX["right_wrist"]
    assert twice.joints[left] == once.joints[left]
    assert twice.scores[left] == twice.scores[right] == pytest.approx(0.6)


def test_regressed_joints_are_mirrored_about_the_map_and_averaged_with_their_partner_s() -> None:
    left, right = skeleton.INDEX["left_wrist"], skeleton.INDEX["right_wrist"]

    class Fixed(Regressor):
        def forward(self, images: Tensor, rough: Tensor) -> PoseOutput:
            output = super().forward(images, rough)
            assert output.regressed is not None
            joints, spread = output.regressed.joints + 5, output.regressed.spread
            joints[:, left], joints[:, right] = torch.tensor([[3.0, 7.0], [MAP - 1 - 5.0, 9.0]])
            spread[:, left], spread[:, right] = 0.2, 0.4
            return output._replace(regressed=Regressed(joints, spread))

        def decode(self, output: PoseOutput, how: Decoding) -> tuple[Tensor, Tensor]:
            seen.append(output)
            return super().decode(output, how)

    seen: list[PoseOutput] = []
    found = predict(equivariant(skeleton.POSETRACK), model=Fixed, flip_test=True)
    assert seen[0].regressed is not None
    assert seen[0].regressed.joints[0, [left, right]].tolist() == [[4.0, 8.0], [MAP - 1 - 4.0, 8.0]]
    assert found[1].pose.scores[left] == found[1].pose.scores[right] == pytest.approx(0.7)


def test_a_mirrored_crop_has_the_mirrored_map_px() -> None:
    images = torch.rand(2, 1, 3, 64, 96)
    mirrored = mirrored_crops(images, STRIDE)
    assert mirrored.shape == images.shape
    assert torch.equal(mirrored[..., ::STRIDE], images[..., ::STRIDE].flip(-1))
    assert mirrored_crops(torch.rand(2, 0, 3, 64, 96), STRIDE).shape == (2, 0, 3, 64, 96)


def test_the_box_score_multiplies_every_joint_or_none() -> None:
    answer = equivariant(skeleton.POSETRACK)
    product, alone = predict(answer), predict(answer, product=False)
    np.testing.assert_allclose(
        product[0].pose.scores, np.array(alone[0].pose.scores) / 2, atol=1e-6
    )
    assert product[1] == alone[1]  # a box of score 1
    assert {row.pose.score for row in (*product, *alone)} == {0.5, 1.0}
