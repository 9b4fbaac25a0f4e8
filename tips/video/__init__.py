"""A user's own video: its frames as a stream, its people, its overlay."""
