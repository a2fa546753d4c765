"""Files to pixels, safely: the only place that decodes pictures."""

from photos.crop import resized_square
from photos.gallery import GalleryEntry, gallery, gallery_entry, gallery_photo
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
    "gallery",
    "gallery_entry",
    "gallery_photo",
    "open_source",
    "read_patch_file",
    "read_photo",
    "resized_square",
]
