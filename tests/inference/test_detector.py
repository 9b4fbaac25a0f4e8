from pathlib import Path

import pytest
import torch
from torchvision.models.detection import fasterrcnn_resnet50_fpn_v2

from tips.inference.detector import load_detector
from tips.records import RecordError


def test_an_absent_or_broken_checkpoint_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "broken.pth").write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(RecordError, match=r"broken\.pth: not a complete checkpoint"):
        load_detector(tmp_path / "broken.pth")
    torch.save(torch.zeros(1), tmp_path / "tensor.pth")
    with pytest.raises(RecordError, match=r"tensor\.pth: holds no state dict of tensors"):
        load_detector(tmp_path / "tensor.pth")
    torch.save({"x": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(RecordError, match=r"other\.pth: key '.*' is missing"):
        load_detector(tmp_path / "other.pth")


@pytest.mark.slow
def test_torchvision_s_detector_loads_local_weights(tmp_path: Path) -> None:
    made = fasterrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None, num_classes=91)
    torch.save(made.state_dict(), tmp_path / "weights.pth")
    loaded = load_detector(tmp_path / "weights.pth")
    assert not loaded.training
    answer = loaded([torch.zeros(3, 64, 64)])[0]
    assert set(answer) == {"boxes", "labels", "scores"}
