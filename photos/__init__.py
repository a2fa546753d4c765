"""Files to pixels, safely: the only place that decodes pictures."""

from photos.crop import resized_square
from photos.gallery import (
    GalleryEntry,
    few,
    gallery,
    gallery_entries,
    gallery_entry,
    gallery_photo,
    gallery_remark,
    gallery_thumbnail,
    packaged,
    readable,
)
from photos.patch_file import PatchFile, read_patch_file
from photos.read import (
    FORMATS,
    LARGEST_SIZE,
    MAX_BYTES,
    MAX_PIXELS,
    SMALLEST_SIZE,
    Photo,
    PhotoError,
    read_photo,
)
from photos.source import Source, open_source

__all__ = [
    "FORMATS",
    "LARGEST_SIZE",
    "MAX_BYTES",
    "MAX_PIXELS",
    "SMALLEST_SIZE",
    "GalleryEntry",
    "PatchFile",
    "Photo",
    "PhotoError",
    "Source",
    "few",
    "gallery",
    "gallery_entries",
    "gallery_entry",
    "gallery_photo",
    "gallery_remark",
    "gallery_thumbnail",
    "open_source",
    "packaged",
    "read_patch_file",
    "read_photo",
    "readable",
    "resized_square",
]
