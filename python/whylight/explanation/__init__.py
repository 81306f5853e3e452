"""The one result of every method, that of images, and their files."""

from ._files import load_explanation, save_explanation
from ._image import ImageExplanation
from ._result import Explanation

__all__ = ["Explanation", "ImageExplanation", "load_explanation", "save_explanation"]
