"""The one result of every method, those of images and texts, and their files."""

from ._files import load_explanation, save_explanation
from ._image import ImageExplanation
from ._result import Explanation
from ._text import TextExplanation

__all__ = ["Explanation", "ImageExplanation", "TextExplanation", "load_explanation", "save_explanation"]
