"""TIPS: temporal-interim pose synthesis and distillation, as a reproducibility harness."""
