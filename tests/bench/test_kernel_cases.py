from tips.bench.kernel_cases import Shape, attention, fused, warping


def test_both_sides_of_a_duel_compute_the_same() -> None:
    small = Shape(2, [(6, 5), (3, 2)], 2, 8)
    for duel in (attention(small), fused(small), warping()):
        theirs, ours = duel.theirs[1](), duel.ours[1]()
        assert isinstance(theirs, tuple)
        assert isinstance(ours, tuple)
        for a, b in zip(theirs, ours, strict=True):
            assert (a - b).abs().max() < 1e-3 * a.abs().max()
