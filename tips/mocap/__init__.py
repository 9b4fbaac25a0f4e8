"""The rendered dataset: motion capture, bodies, scenes, camera."""
