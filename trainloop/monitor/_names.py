"""What a module is called that has no name."""

__all__ = ["MODEL"]

MODEL = "(model)"  # the outermost one
