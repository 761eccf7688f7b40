from .base import Capabilities, Detection, Format
from .folder import SourceFolder
from .output import OutputFolder

__all__ = ["Capabilities", "Detection", "Format", "OutputFolder", "SourceFolder"]
