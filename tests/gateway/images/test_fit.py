"""Cropping, scaling and converting."""

import gevent
import pytest
from PIL import Image, ImageCms

from gateway.images import ImageRejected, fit_image, fit_image_offloaded, inspect_image
from tests.gateway.images.samples import MAX_BYTES, MAX_PIXELS, decode, encode, noise, png_of

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def fit(data, width, height, image_format="png", compression=None, function=fit_image):
    info = inspect_image(data, max_bytes=MAX_BYTES, max_pixels=MAX_PIXELS)
    fitted, described, adjusted = function(
        data, info, width=width, height=height, format=image_format, compression=compression
    )
    again = inspect_image(fitted, max_bytes=MAX_BYTES, max_pixels=MAX_PIXELS)
    if fitted is not data:
        assert again == described
        assert decode(fitted).size == (width, height)
    return fitted, adjusted


def same_pixels(data, image):
    decoded = decode(data)
    return decoded.mode == image.mode and decoded.tobytes() == image.tobytes()


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("compression", [None, 100])
def test_image_that_is_right_is_the_same_object(image_format, compression):
    data = encode(noise(20, 10), image_format, icc_profile=PROFILE)

    fitted, adjusted = fit(data, 20, 10, image_format.lower(), compression)

    assert fitted is data
    assert not adjusted


@pytest.mark.parametrize(
    ("source", "target", "box"),
    [
        ((30, 20), (20, 20), (5, 0, 25, 20)),
        ((20, 30), (20, 20), (0, 5, 20, 25)),
        ((31, 20), (20, 20), (5, 0, 25, 20)),
        ((40, 20), (30, 20), (5, 0, 35, 20)),
        ((1024, 1024), (1024, 576), (0, 224, 1024, 800)),
    ],
)
def test_crop_takes_the_center_without_touching_pixels(source, target, box):
    image = noise(*source)

    fitted, adjusted = fit(encode(image, "PNG"), *target)

    assert adjusted
    assert same_pixels(fitted, image.crop(box))


@pytest.mark.parametrize(
    ("source", "target"), [((200, 100), (50, 25)), ((1536, 1024), (1000, 1000)), ((90, 61), (7, 5))]
)
def test_scaling_gives_the_exact_size(source, target):
    _, adjusted = fit(encode(noise(*source), "PNG"), *target)

    assert adjusted


def test_scaling_keeps_what_is_in_the_center():
    image = Image.new("RGB", (300, 100), "red")
    image.paste("blue", (100, 0, 200, 100))

    fitted, _ = fit(encode(image, "PNG"), 50, 50)

    # At the cut the filter mixes in a little of what lies beyond it, as scaling first would.
    assert decode(fitted).crop((3, 0, 47, 50)).getcolors() == [(44 * 50, (0, 0, 255))]


@pytest.mark.parametrize("target", [(21, 10), (20, 11), (40, 20)])
def test_image_that_does_not_cover_the_size_is_refused(target):
    with pytest.raises(ImageRejected) as caught:
        fit(encode(noise(20, 10), "PNG"), *target)

    assert caught.value.reason == "too_small"


@pytest.mark.parametrize("source", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("target", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_formats_convert_into_each_other(source, target, mode):
    image = noise(20, 10, "RGB" if source == "JPEG" and mode == "RGBA" else mode)
    data = encode(image, source)

    fitted, adjusted = fit(data, 20, 10, target)

    assert decode(fitted).format == target.upper()
    assert not adjusted


@pytest.mark.parametrize("mode", ["1", "P", "LA", "CMYK", "I;16"])
def test_unusual_modes_convert(mode):
    if mode == "CMYK":
        data = encode(noise(16, 16, "CMYK"), "JPEG")
    elif mode == "I;16":
        data = encode(Image.frombytes("I;16", (16, 16), bytes([0, 128] * 256)), "PNG")
    else:
        data = encode(noise(16, 16, "RGBA").convert(mode), "PNG")

    for image_format in ("png", "jpeg", "webp"):
        fitted, adjusted = fit(data, 8, 8, image_format)
        assert adjusted
        if mode == "I;16" and image_format == "png":
            assert decode(fitted).getcolors() == [(64, 128)]


def test_transparency_becomes_white_in_jpeg():
    image = Image.new("RGBA", (16, 16), (200, 0, 0, 0))

    fitted, _ = fit(encode(image, "PNG"), 16, 16, "jpeg")

    assert decode(fitted).getcolors() == [(256, (255, 255, 255))]


def test_transparency_survives_cropping():
    image = noise(20, 10, "RGBA")

    fitted, _ = fit(encode(image, "PNG"), 10, 10)

    assert same_pixels(fitted, image.crop((5, 0, 15, 10)))


@pytest.mark.parametrize("image_format", ["jpeg", "webp"])
def test_compression_is_the_quality(image_format):
    data = encode(noise(64, 64), "PNG")

    sizes = [len(fit(data, 64, 64, image_format, quality)[0]) for quality in (0, 30, 80, 100)]

    assert sizes == sorted(set(sizes))
    whole = encode(noise(64, 64), image_format, quality=95)
    assert len(fit(whole, 64, 64, image_format, 20)[0]) < len(whole)


def test_compression_does_not_touch_png():
    data = encode(noise(8, 8), "PNG")

    assert fit(data, 8, 8, "png", 20)[0] is data


@pytest.mark.parametrize("image_format", ["png", "jpeg", "webp"])
def test_profile_is_kept_and_other_metadata_dropped(image_format):
    exif = Image.Exif()
    exif[0x010E] = "secret description"
    data = encode(noise(20, 10), "JPEG", icc_profile=PROFILE, exif=exif, comment=b"secret note")

    fitted, _ = fit(data, 10, 10, image_format)

    assert b"secret" in data
    assert b"secret" not in fitted
    assert decode(fitted).info["icc_profile"] == PROFILE
    assert not decode(fitted).getexif()


def test_profile_of_another_color_space_is_dropped():
    data = encode(noise(20, 10, "L"), "PNG", icc_profile=PROFILE)

    assert "icc_profile" not in decode(fit(data, 10, 10)[0]).info


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
def test_orientation_is_applied(image_format):
    image = Image.new("RGB", (32, 16), "white")
    image.paste("black", (0, 0, 16, 16))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to see it upright: the black left half comes to the top

    fitted, adjusted = fit(encode(image, image_format, exif=exif), 16, 32, image_format.lower())

    upright = decode(fitted).convert("L")
    assert not adjusted
    assert upright.getpixel((8, 4)) < 16
    assert upright.getpixel((8, 28)) > 240


def test_pixels_that_cannot_be_decoded_are_refused():
    with pytest.raises(ImageRejected) as caught:
        fit(png_of(8, 8, pixels=b"not deflate, whole checksums"), 4, 4)

    assert caught.value.reason == "corrupt"


def test_offloaded_work_lets_greenlets_run_and_keeps_errors():
    data = encode(noise(1600, 1200), "PNG", compress_level=1)
    ticks = []

    def tick():
        while True:
            ticks.append(1)
            gevent.sleep(0.002)

    ticker = gevent.spawn(tick)
    gevent.sleep(0)
    before = len(ticks)
    fitted, adjusted = fit(data, 1000, 1000, "webp", function=fit_image_offloaded)
    after = len(ticks)
    ticker.kill()

    assert adjusted
    assert decode(fitted).size == (1000, 1000)
    assert after - before > 5
    with pytest.raises(ImageRejected):
        fit(data, 5000, 10, function=fit_image_offloaded)
