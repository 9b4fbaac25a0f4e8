"""Scores of predictions: average precision, PCK, OKS, intervals, errors of synthesized poses."""
