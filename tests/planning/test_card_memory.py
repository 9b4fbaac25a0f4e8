import pytest

from tips.planning import card_memory
from tips.planning.card_memory import CONTEXT, GIB, Footprint

MIB = 2**20
FROZEN = Footprint(
    variant="tips",
    weights=400 * MIB,
    trained=30 * MIB,
    base=10 * MIB,
    window=3000 * MIB,
    base_checkpointed=40 * MIB,
    window_checkpointed=700 * MIB,
    backbone_trained=False,
    batch=8,
    accumulation=4,
)
TRAINED = FROZEN._replace(variant="hrnet", backbone_trained=True)


def test_a_step_by_hand() -> None:
    fixed = CONTEXT + (400 + 2 * 30) * MIB
    plain = FROZEN.needed(8, checkpointed=False, amp=False)
    assert plain == fixed + (30 + 8 * 3000) * MIB  # gradients exceed the base
    lean = FROZEN.needed(8, checkpointed=True, amp=False)
    assert lean == fixed + (40 + 8 * 700) * MIB  # the base exceeds the gradients


def test_amp_halves_a_trained_backbone_s_activations_alone() -> None:
    for checkpointed in (False, True):
        full = FROZEN.needed(4, checkpointed=checkpointed, amp=False)
        assert FROZEN.needed(4, checkpointed=checkpointed, amp=True) == full
    saved = TRAINED.needed(4, checkpointed=False, amp=False) - TRAINED.needed(
        4, checkpointed=False, amp=True
    )
    assert saved == 4 * 1500 * MIB


@pytest.mark.parametrize("gib", [1, 2, 8, 24, 80])
@pytest.mark.parametrize("one", [FROZEN, TRAINED])
def test_the_largest_batch_fits_and_the_next_does_not(one: Footprint, gib: int) -> None:
    for row in card_memory.fits([one], gib * GIB):
        mode = {"checkpointed": row.checkpointed, "amp": row.amp}
        if row.largest:
            assert one.needed(row.largest, **mode) <= gib * GIB
        assert one.needed(row.largest + 1, **mode) > gib * GIB
        assert row.batch <= row.largest


def test_accumulation_keeps_the_effective_batch() -> None:
    rows = card_memory.fits([FROZEN, TRAINED], 24 * GIB)
    assert [row.accumulation for row in rows[:4:2]] == ["4 x 8", "32 x 1"]
    for row in rows:
        batch, steps = map(int, row.accumulation.split(" x "))
        assert batch * steps == card_memory.EFFECTIVE
    assert {row.accumulation for row in card_memory.fits([FROZEN], GIB)} == {"none"}


def test_the_configured_batch_has_a_verdict() -> None:
    lean, plain = (
        card_memory.verdicts([FROZEN], 24 * GIB, checkpointing=on)[0] for on in (True, False)
    )
    assert lean == "tips: batch 8 x 4 with checkpointing on fits: 7.0 of 24.0 GiB"
    assert plain == "tips: batch 8 x 4 with checkpointing off does not fit: 24.9 of 24.0 GiB"
    found = card_memory.as_json([FROZEN], 24 * GIB, checkpointing=True)
    assert found["configured"] == [lean]
    assert len(found["fits"]) == 4
    assert "cuDNN workspace not included" in found["basis"]
