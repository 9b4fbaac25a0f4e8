import pytest
from pydantic import ValidationError

from tips.config import ConfigError
from tips.config.embedded import MOTIONS, Embedded, load_embedded


def test_the_default_is_the_desk_contract():
    desk = Embedded()
    assert (desk.width, desk.height, desk.fps, desk.frames) == (192, 144, 60, 15)
    assert (desk.train, desk.val, desk.stills, desk.key_frames) == (400, 390, 6000, (4, 7, 10))
    assert set(desk.train_motions) | set(desk.val_motions) == set(MOTIONS)
    assert desk.val_motions == ("run", "punch", "dance_a", "getup_facedown", "backflip")
    assert desk.sequences("stills") == 120


def test_every_field_says_what_it_is():
    assert all(field.description for field in Embedded.model_fields.values())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unknown": 1}, "Extra inputs"),
        ({"key_frames": (4, 15)}, r"0\.\.14"),
        ({"key_frames": ()}, "at least one"),
        ({"speed": (1.3, 0.7)}, "speed must be"),
        ({"people": (0, 2)}, "people must lie"),
        ({"val_motions": ("walk",)}, "both sides"),
        ({"val_motions": ("moonwalk",)}, "unknown motions"),
        ({"degraded": 1.5}, "less than or equal to 1"),
        ({"shards": {"train": 1}}, "shards must name"),
        ({"width": 191}, "multiple of 2"),
    ],
)
def test_refuses(change, message):
    with pytest.raises(ValidationError, match=message):
        Embedded(**change)


def test_reads_a_file_and_names_what_is_wrong(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("frames: 20\nburst: 2.5\n")
    assert load_embedded(path) == Embedded(frames=20, burst=2.5)
    assert load_embedded(None) == Embedded()
    for text, message in (("[1]", "keys and values"), ("a: [", "not YAML"), ("fps: -1", "fps")):
        path.write_text(text)
        with pytest.raises(ConfigError, match=message) as caught:
            load_embedded(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="no such"):
        load_embedded(tmp_path / "none.yaml")
