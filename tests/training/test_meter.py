import torch

from tips.training.meter import Meter


def test_means_since_the_last_call() -> None:
    meter = Meter()
    for value in (1.0, 2.0, 6.0):
        meter.add({"a": torch.tensor(value), "b": torch.tensor(-value)})
    assert meter.take() == {"a": 3.0, "b": -3.0}
    meter.add({"a": torch.tensor(5.0)})
    assert meter.take() == {"a": 5.0}


def test_goes_on_from_a_saved_state() -> None:
    first, second = Meter(), Meter()
    first.add({"a": torch.tensor(1.0, requires_grad=True)})
    second.load_state_dict(first.state_dict())
    second.add({"a": torch.tensor(4.0)})
    assert second.take() == {"a": 2.5}
