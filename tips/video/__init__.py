"""A user's own video: frames as a stream, people's boxes and tracks, overlay."""
