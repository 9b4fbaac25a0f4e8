"""Numbers from predictions: average precision, OKS, intervals, synthesis; numpy only."""
