"""Times one way to compute something against another; writes the pages of `make bench`."""
