"""The one result of every method, and its files."""

from ._files import load_explanation, save_explanation
from ._result import Explanation

__all__ = ["Explanation", "load_explanation", "save_explanation"]
