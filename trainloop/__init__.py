"""The reference package of the course: optimizers and the training loop, written to be read."""

__version__ = "0.1.0"
