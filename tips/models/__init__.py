"""Networks: TIPS, its rivals, backbones and encoders, a folder per kind."""
