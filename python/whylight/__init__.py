"""whylight explains the predictions of any model, on the CPU or on any GPU."""

from ._engine import __version__
from .adapter import ExplanationAdapter
from .deep import DeepExplainer, GradientExplainer
from .errors import (
    DataError,
    DeviceError,
    FileError,
    GpuError,
    ModelError,
    ParameterError,
    ShapeError,
    UnsupportedError,
    WhylightError,
)
from .explanation import Explanation, ImageExplanation, TextExplanation, load_explanation, save_explanation
from .image import ImageExplainer
from .kernel import KernelExplainer
from .lime import LIMEExplainer
from .linear import LinearExplainer
from .mimic import (
    DecisionTreeExplainableModel,
    LGBMExplainableModel,
    LinearExplainableModel,
    MimicExplainer,
    SGDExplainableModel,
)
from .permutation import PFIExplainer
from .sample import SamplingPolicy
from .summarise import Background, summarise
from .tabular import TabularExplainer
from .text import LeaveOneOutExplainer, TextExplainer, TextKernelExplainer, TextLIMEExplainer
from .text.han import HANTextExplainer
from .tree import TreeExplainer

__all__ = [
    "Background",
    "DataError",
    "DecisionTreeExplainableModel",
    "DeepExplainer",
    "DeviceError",
    "Explanation",
    "ExplanationAdapter",
    "FileError",
    "GpuError",
    "GradientExplainer",
    "HANTextExplainer",
    "ImageExplainer",
    "ImageExplanation",
    "KernelExplainer",
    "LGBMExplainableModel",
    "LIMEExplainer",
    "LeaveOneOutExplainer",
    "LinearExplainableModel",
    "LinearExplainer",
    "MimicExplainer",
    "ModelError",
    "PFIExplainer",
    "ParameterError",
    "SGDExplainableModel",
    "SamplingPolicy",
    "ShapeError",
    "TabularExplainer",
    "TextExplainer",
    "TextExplanation",
    "TextKernelExplainer",
    "TextLIMEExplainer",
    "TreeExplainer",
    "UnsupportedError",
    "WhylightError",
    "__version__",
    "load_explanation",
    "save_explanation",
    "summarise",
]
