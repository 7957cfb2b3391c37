"""Pictures for prompts: recognizable, unique, and cheap enough for benchmarks.

A scene is drawn in 256 gray indices at low resolution, enlarged, captioned at full resolution and
given a palette whose brightness rises with the index, so that smooth edges keep smooth colors.
Everything random comes from `Picture.entropy`: equal pictures have equal bytes.
"""

import colorsys
import functools
import hashlib
import io
import random
from dataclasses import dataclass, field
from typing import Final
from xml.sax.saxutils import escape

from PIL import Image, ImageDraw, ImageFont

from sandbox.retouching import retouch

TYPES: Final = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "svg": "image/svg+xml",
}
_SCENE_SIDE: Final = 512
_CAPTION_LETTERS: Final = 280
_PANEL, _INK = 14, 250
_HTML: Final = (
    b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head>"
    b"<body><h1>502 Bad Gateway</h1><p>This is not an image.</p></body></html>"
)

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, slots=True)
class Picture:
    """All that decides the bytes of one image.

    `quality` counts for jpeg and webp; `noise` is the share of the height filled with random
    pixels; `damage` is "", "flip", "truncate" or "html"; `black` is what a safety checker leaves.
    `inputs` are the images to edit, the first of them where `mask` is transparent.
    """

    caption: str
    model: str
    width: int
    height: int
    format: str
    entropy: str
    quality: int = 85
    transparent: bool = False
    black: bool = False
    noise: float = 0.02
    damage: str = ""
    inputs: tuple[bytes, ...] = field(default=(), repr=False)
    mask: bytes = field(default=b"", repr=False)

    @property
    def content_type(self) -> str:
        """MIME type of the format."""
        return TYPES[self.format]


def render(picture: Picture) -> bytes:
    """Draw and encode a picture; runs in a thread, so it touches nothing shared."""
    data = _svg(picture) if picture.format == "svg" else _encode(picture)
    return _damaged(data, picture) if picture.damage else data


def _encode(picture: Picture) -> bytes:
    image = _draw(picture)
    if picture.inputs and not picture.black:
        image = retouch(image, picture.inputs, picture.mask)
        image = image if picture.transparent else image.convert("RGB")
    out = io.BytesIO()
    match picture.format:
        case "png":
            image.save(out, "PNG", compress_level=1)
        case "jpeg":
            image.convert("RGB").save(out, "JPEG", quality=max(picture.quality, 1))
        case _:
            mode = "RGBA" if picture.transparent else "RGB"
            image.convert(mode).save(out, "WEBP", quality=picture.quality, method=0)
    return out.getvalue()


def _draw(picture: Picture) -> Image.Image:
    size = (picture.width, picture.height)
    if picture.black:
        return Image.new("RGB", size)
    rng = random.Random(
        f"{picture.caption}|{picture.model}|{size}|{picture.format}|{picture.entropy}"
    )
    image = _scene(size, rng, plain=picture.transparent).resize(size, Image.Resampling.BILINEAR)
    backdrop = image.point([0] + [255] * 255) if picture.transparent else None
    panel = _caption(image, picture)
    strip = max(1, round(picture.height * picture.noise))
    noise = Image.frombytes("L", (picture.width, strip), rng.randbytes(picture.width * strip))
    image.paste(noise, (0, picture.height - strip))
    image.putpalette(_palette(picture.caption, rng.randrange(24)))
    if backdrop is None:
        return image
    backdrop.paste(255, panel)
    backdrop.paste(255, (0, picture.height - strip, picture.width, picture.height))
    cutout = image.convert("RGB")
    cutout.putalpha(backdrop)
    return cutout


def _scene(size: tuple[int, int], rng: random.Random, *, plain: bool) -> Image.Image:
    """Sky, sun and three ranges of hills; without the sky when `plain` (index 0)."""
    scale = _SCENE_SIDE / max(size)
    width, height = max(8, round(size[0] * scale)), max(8, round(size[1] * scale))
    if plain:
        scene = Image.new("L", (width, height))
    else:
        sky = Image.linear_gradient("L").point([165 - index // 3 for index in range(256)])
        scene = sky.resize((width, height))
    pen = ImageDraw.Draw(scene)
    radius = min(width, height) * rng.uniform(0.08, 0.18)
    x, y = width * rng.uniform(0.2, 0.8), height * rng.uniform(0.15, 0.35)
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=rng.randrange(200, 235))
    for layer in range(3):
        level = height * (0.35 + 0.15 * layer)
        points: list[tuple[float, float]] = [(0, height)]
        points += [
            (width * step / 6, level + height * rng.uniform(-0.12, 0.12)) for step in range(7)
        ]
        pen.polygon([*points, (width, height)], fill=120 - 38 * layer)
    return scene


def _caption(image: Image.Image, picture: Picture) -> tuple[int, int, int, int]:
    """Write prompt, model and size on a dark panel, and return the panel's box."""
    width, height = image.size
    side = min(width, height)
    font = _font(max(8, side // 22))
    small = _font(max(7, side // 34))
    line = max(10, side // 17)
    margin = max(4, side // 24)
    rows = max(1, int(height * 0.45) // line - 1)
    lines = _wrap(picture.caption[:_CAPTION_LETTERS] or "(no prompt)", font, width - 3 * margin)
    if len(lines) > rows:
        lines = [*lines[: rows - 1], f"{lines[rows - 1][:-2]}…"]
    top = height - margin - line * (len(lines) + 1) - margin
    box = (margin // 2, max(0, top - margin // 2), width - margin // 2, height - margin // 2)
    pen = ImageDraw.Draw(image)
    pen.rectangle(box, fill=_PANEL)
    for row, text in enumerate(lines):
        pen.text((margin, top + row * line), text, font=font, fill=_INK)
    footer = f"{picture.model}  {width}x{height}  sandbox"
    pen.text((margin, top + len(lines) * line + line // 4), footer, font=small, fill=190)
    return (box[0], box[1], box[2] + 1, box[3] + 1)


def _wrap(text: str, font: Font, width: float) -> list[str]:
    lines: list[str] = []
    current = ""
    for word in text.split():
        longer = f"{current} {word}".strip()
        if current and font.getlength(longer) > width:
            lines.append(current)
            longer = word
        while len(longer) > 1 and font.getlength(longer) > width:
            cut = max(1, int(len(longer) * width / font.getlength(longer)))
            lines.append(longer[:cut])
            longer = longer[cut:]
        current = longer
    return [*lines, current] if current else lines


def _palette(caption: str, shift: int) -> list[int]:
    """Colors of a prompt: a hue from its hash, moved a little by the picture's own shift."""
    base = int.from_bytes(hashlib.sha256(caption.encode()).digest()[:2]) % 360
    return _ramp((base + shift) % 360)


@functools.lru_cache(maxsize=360)
def _ramp(hue: int) -> list[int]:
    colors: list[int] = []
    for index in range(256):
        tone = index / 255
        red, green, blue = colorsys.hls_to_rgb(
            (hue / 360 + 0.14 * tone) % 1.0, 0.05 + 0.92 * tone, 0.62
        )
        colors += [round(red * 255), round(green * 255), round(blue * 255)]
    return colors


@functools.lru_cache(maxsize=64)
def _font(size: int) -> Font:
    return ImageFont.load_default(size)


def _svg(picture: Picture) -> bytes:
    hue = int.from_bytes(hashlib.sha256(picture.caption.encode()).digest()[:2]) % 360
    rng = random.Random(f"{picture.caption}|{picture.model}|{picture.entropy}")
    x, y = rng.randrange(picture.width), rng.randrange(max(1, picture.height // 2))
    text = escape(picture.caption[:120])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{picture.width}"'
        f' height="{picture.height}" viewBox="0 0 {picture.width} {picture.height}">'
        f'<rect width="100%" height="100%" fill="hsl({hue} 60% 40%)"/>'
        f'<circle cx="{x}" cy="{y}" r="{picture.height // 8}" fill="hsl({hue} 70% 80%)"/>'
        f'<text x="20" y="{picture.height - 40}" font-size="{picture.height // 24}"'
        f' fill="white">{text}</text><desc>{rng.getrandbits(64):016x}</desc></svg>'
    ).encode()


def _damaged(data: bytes, picture: Picture) -> bytes:
    """Spoil an encoded image: it does not decode, though a png or jpeg header still reads."""
    match picture.damage:
        case "html":
            return _HTML
        case "truncate":
            return data[: len(data) // 2]
        case _:
            broken = bytearray(data)
            start = _spot(data, picture.format)
            for index in range(start, min(start + 16, len(data))):
                broken[index] ^= 0xFF
            return bytes(broken)


def _spot(data: bytes, image_format: str) -> int:
    """Where flipped bytes are noticed: jpeg has no checksum, so its Huffman table is hit."""
    match image_format:
        case "jpeg":
            return data.index(b"\xff\xc4") + 5
        case "webp":
            return data.index(b"VP8") + 22
        case _:
            return len(data) // 2
