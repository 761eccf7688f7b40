"""Annotated datasets: items, annotations and categories."""

from ddfast.annotated.annotations import Annotation, Caption, Cuboid3d, Details, Label, Span
from ddfast.annotated.boxes import Bbox, Ellipse, RotatedBbox
from ddfast.annotated.categories import Categories, LabelCategories
from ddfast.annotated.colors import MaskCategories
from ddfast.annotated.compiled import CompiledMask
from ddfast.annotated.contours import mask_to_polygons
from ddfast.annotated.dataset import Dataset, DatasetSubset
from ddfast.annotated.image import ByteImage, Image, MediaElement
from ddfast.annotated.item import DatasetItem
from ddfast.annotated.keypoints import PointsCategories
from ddfast.annotated.kinds import AnnotationType
from ddfast.annotated.media import MultiframeImage, PointCloud, Video
from ddfast.annotated.report import Problem, Report
from ddfast.annotated.segments import Mask, RleMask
from ddfast.annotated.shapes import Points, Polygon, PolyLine, Shape, Skeleton
from ddfast.annotated.tables import Tables
from ddfast.annotated.targets import batch_targets, sample_targets

__all__ = [
    "Annotation",
    "AnnotationType",
    "Bbox",
    "ByteImage",
    "Caption",
    "Categories",
    "CompiledMask",
    "Cuboid3d",
    "Dataset",
    "DatasetItem",
    "DatasetSubset",
    "Details",
    "Ellipse",
    "Image",
    "Label",
    "LabelCategories",
    "Mask",
    "MaskCategories",
    "MediaElement",
    "MultiframeImage",
    "PointCloud",
    "Points",
    "PointsCategories",
    "PolyLine",
    "Polygon",
    "Problem",
    "Report",
    "RleMask",
    "RotatedBbox",
    "Shape",
    "Skeleton",
    "Span",
    "Tables",
    "Video",
    "batch_targets",
    "mask_to_polygons",
    "sample_targets",
]
