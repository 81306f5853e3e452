"""What explanations of texts and of images say alike of how they came about."""

from __future__ import annotations


def detail(name, doc):
    """A property that is one of `details`."""
    return property(lambda self: self.details.get(name), doc=doc)


class Details:
    """Reads `details`, a dict."""

    device = detail("device", "The device that computed the values.")
    seed = detail("seed", "The seed.")
    version = detail("version", "The version of whylight.")
    notes = detail("notes", "What is worth knowing.")

    @property
    def method(self) -> str:
        return self.details.get("method", "unknown")
