"""Encoded images to Pillow's: only formats of pixels, sizes checked before they take memory, 8 bits a channel.

The mode stays that of the file (palette, grey, transparent, CMYK and so on), because CLIP's preprocessing converts to
RGB after resizing: see `negjax.media.images`.
"""

import io
import os
import warnings

import numpy as np
from PIL import Image, UnidentifiedImageError

from negjax.errors import NegjaxError

# Formats that hold pixels. Pillow has others that start programs (Ghostscript for PostScript) or draw.
FORMATS = (
    "AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "QOI", "SGI", "TGA", "TIFF", "WEBP",
)  # fmt: skip
MAX_PIXELS = 89_478_485  # Pillow's own bound against decompression bombs: a quarter of a gigabyte as RGB
MAX_PIXELS_VARIABLE = "NEGJAX_MAX_PIXELS"  # of the environment: another bound, also for worker processes
LONGEST_SIDE = 1_000_000  # pixels: Pillow keeps a pointer for each row, and a filter for each pixel of a row
LEAST_WHITE = 1 << 14  # 16-bit grey below this is taken for samples of fewer bits
BITS_PER_SAMPLE, PHOTOMETRIC = 258, 262  # TIFF tags

# Pillow warns of metadata, which is not used, and without the name of the file. What does not decode is an error.
warnings.filterwarnings("ignore", module=r"PIL\.")


def max_pixels() -> int:
    """The largest number of pixels of an image: MAX_PIXELS, or what the environment says.

    Raises:
        NegjaxError: The environment's value is no positive number.
    """
    text = os.environ.get(MAX_PIXELS_VARIABLE, "")
    if not text:
        return MAX_PIXELS
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1 << 31):
        raise NegjaxError(f"{MAX_PIXELS_VARIABLE}={text}: give the largest number of pixels of an image, 200000000 say")
    return int(text)


def size_fault(width: int, height: int, limit: int) -> str:
    """Why an image of this size is not decoded, "" if it is. limit: in pixels."""
    if width * height > limit:
        remedy = f"{MAX_PIXELS_VARIABLE} in the environment sets another bound"
        return f"{width} x {height} pixels, more than {limit:,}; {remedy}"
    if max(width, height) > LONGEST_SIDE:
        return f"{width} x {height} pixels, a side of more than {LONGEST_SIDE:,}"
    return ""


def decode(data: bytes, name: str) -> Image.Image:
    """Decodes an image, as it is before CLIP's preprocessing: `images.to_pixels` resizes it and converts it to RGB.

    Of an animation the first frame is taken; EXIF rotation is not applied. Deep grey becomes 8 bits (`to_8_bits`).

    Args:
        data: the encoded image, in one of FORMATS.
        name: of the image, for errors.

    Raises:
        NegjaxError: the image cannot be decoded completely, is too large, or has values of an unknown scale.
    """
    limit = max_pixels()
    if limit > MAX_PIXELS:
        Image.MAX_IMAGE_PIXELS = limit  # Pillow refuses more than twice this before the size can be read
    try:
        image: Image.Image = Image.open(io.BytesIO(data), formats=FORMATS)
        if fault := size_fault(*image.size, limit):
            raise ValueError(fault)
        image.load()
        return to_8_bits(image)
    except UnidentifiedImageError as error:  # its own message names an object in memory
        raise NegjaxError(f"{name}: the image cannot be decoded (unknown image format)") from error
    except Exception as error:  # Pillow's decoders raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise NegjaxError(f"{name}: the image cannot be decoded ({reason})") from error


def to_8_bits(image: Image.Image) -> Image.Image:
    """Scales grey of 9 to 16 bits to 8, where CLIP's own preprocessing makes it white.

    16-bit grey loses its low byte, as Pillow treats 16-bit colour; 12-bit TIFF its low 4 bits. Where a TIFF says that
    white is zero it is inverted. Other deep images have no stated white: 32-bit integers, floats, and 16-bit grey whose
    largest value is below a quarter of the range, which usually are 12-bit samples of medical scanners.

    A palette with transparency per pixel (PA) becomes RGBA, since Pillow loses the palette when it resizes.

    Args:
        image: of any mode.

    Returns:
        An image of a mode with at most 8 bits a channel; `image` itself if it is one.

    Raises:
        ValueError: the scale of the values is unknown.
    """
    if image.mode == "PA":
        return image.convert("RGBA")
    if not image.mode.startswith("I;16") and image.mode not in ("I", "F"):
        return image
    is_scaled = image.mode != "F" and image.format == "PPM"  # Pillow scales Netpbm's deep grey to 16 bits
    if image.mode in ("I", "F") and not is_scaled:
        what = "32-bit integers" if image.mode == "I" else "floating-point numbers"
        raise ValueError(f"its values are {what}, whose black and white are unknown: scale them to 8 bits")
    tags = getattr(image, "tag_v2", {})
    bits = int(tags.get(BITS_PER_SAMPLE, (16,))[0])
    values_HW = np.asarray(image).astype(np.uint16)
    if bits == 16 and 0 < values_HW.max() < LEAST_WHITE:
        raise ValueError(
            f"its 16-bit values reach only {values_HW.max()}, so they may have fewer bits: scale them to 8 bits"
        )
    values_HW = (values_HW >> (bits - 8)).astype(np.uint8)
    return Image.fromarray(255 - values_HW if tags.get(PHOTOMETRIC) == 0 else values_HW)


def to_rgb(image: Image.Image, on_white: bool = False) -> Image.Image:
    """Converts an image of 8 bits a channel to RGB by Pillow's rules; transparency is dropped.

    Args:
        image: of any mode with at most 8 bits a channel.
        on_white: show the image on white where it is transparent instead, as transformers does since version 5.
    """
    if on_white and ("A" in image.getbands() or "transparency" in image.info):
        background = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(background, image.convert("RGBA")).convert("RGB")
    if image.mode == "RGB":
        return image
    if "transparency" in image.info:  # of which Pillow warns
        image = image.copy()
        del image.info["transparency"]
    return image.convert("RGB")
