"""What can go wrong. Every error names the thing, what was expected, what was found, and the way out."""


class WhylightError(Exception):
    """The base of all errors of whylight."""


class FileError(WhylightError, OSError):
    """A file could not be opened, read or written."""


class ModelError(WhylightError, ValueError):
    """A model is not what its format demands, or is not fitted."""


class DataError(WhylightError, ValueError):
    """A table cannot be read, or holds a cell that cannot be used."""


class ShapeError(WhylightError, ValueError):
    """Two things that belong together do not fit."""


class ParameterError(WhylightError, ValueError):
    """A parameter has a value outside its range."""


class UnsupportedError(WhylightError, TypeError):
    """Something that is well-formed but that whylight does not do."""


class DeviceError(WhylightError, OSError):
    """The device asked for cannot be had."""


class GpuError(WhylightError, OSError):
    """The GPU failed at work that it had accepted."""
