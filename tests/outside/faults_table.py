"""What can go wrong with each provider's answers, and what must come of it."""

import time
from collections.abc import Iterator, Mapping
from email.utils import formatdate
from itertools import chain

from tests.outside.cases import (
    PAST_FAL,
    PAST_OPENAI,
    REFUSED,
    UNAVAILABLE,
    Case,
    Subject,
)

OPENAI = Subject("openai/gpt-image-2-2026-04-21", "openai", "0.053")
AZURE = Subject("openai/gpt-image-2", "azure_openai", "0.053", detour=PAST_OPENAI)
IMAGEN = Subject("google/imagen-4-fast", "gemini", "0.02")
GEMINI = Subject("google/gemini-2.5-flash-image", "gemini", "0.039")
XAI = Subject("xai/grok-imagine-image", "xai", "0.02")
CORE = Subject("stability/stable-image-core", "stability", "0.03", size="512x512")
XL = Subject("stable-diffusion-xl", "stability", "0.009", detour=PAST_FAL)
IDEOGRAM = Subject("ideogram/ideogram-v2-turbo", "ideogram", "0.05")
IDEOGRAM_3 = Subject("ideogram-v3", "ideogram", "0.06", detour=PAST_FAL)
FAL = Subject("fal/flux-schnell", "fal", "0.003", size="512x512")
BFL = Subject("bfl/flux-2-pro", "bfl", "0.03", size="512x512")
DALL_E = Subject("openai/dall-e-2", "openai", "0.016", size="256x256")
AZURE_DALL_E = Subject("openai/dall-e-3", "azure_openai", "0.04", detour=PAST_OPENAI)

WITH_IMAGES = (OPENAI, AZURE, IMAGEN, GEMINI, XAI, CORE, XL)
SYNCHRONOUS = (*WITH_IMAGES, IDEOGRAM, IDEOGRAM_3, DALL_E)
QUEUED = (FAL, BFL)
DOWNLOADED = (FAL, BFL, IDEOGRAM, IDEOGRAM_3)
EVERY = (*SYNCHRONOUS, *QUEUED, AZURE_DALL_E)
# Several images of one call.
SEVERAL = (OPENAI, AZURE, IMAGEN, XAI, XL, IDEOGRAM, IDEOGRAM_3, FAL)

METADATA = "http://169.254.169.254/latest/meta-data/"

# Ways of sending that a client must understand.
FINE = ("chunked", "closing", "wrong_type", "gzip", "upper", "lower")
# Ways after which no image is left.
BROKEN = ("short", "cut", "nothing", "html", "chunked_short", "reset")


def every_case() -> Iterator[Case]:
    families = (_sent_well, _sent_badly, _failing_a_while, _said, _counted, _downloads, _polls)
    yield from chain.from_iterable(family() for family in families)


def some_cases() -> Iterator[Case]:
    """Yield each fault for some providers, and for each provider some faults."""
    yield from _silent()
    yield from _withheld()
    # The steps share no factor with the numbers of providers and of faults.
    for family in (_sent_well, _sent_badly, _failing_a_while, _said):
        yield from tuple(family())[::7]
    for family in (_counted, _downloads, _polls):
        yield from tuple(family())[::3]


def _silent() -> Iterator[Case]:
    """Yield first what lasts until a call's time is up."""
    silences = (
        (OPENAI, "call", "hang"),
        (XAI, "call", "drip"),
        (GEMINI, "call", "drip_head"),
        (FAL, "download", "hang"),
        (FAL, "result", "hang"),
        (BFL, "status", "hang"),
        (BFL, "call", "drip"),
        (IDEOGRAM, "download", "drip"),
    )
    for subject, step, do in silences:
        yield Case(subject, f"{step}-{do}", [{"step": step, "do": do}], UNAVAILABLE)


def _sent_well() -> Iterator[Case]:
    for subject in EVERY:
        for do in FINE:
            yield Case(subject, f"call-{do}", [{"do": do}])
    for subject in DOWNLOADED:
        for do in FINE:
            yield Case(subject, f"download-{do}", [{"step": "download", "do": do}])


def _sent_badly() -> Iterator[Case]:
    for subject in EVERY:
        for do in BROKEN:
            yield Case(subject, f"call-{do}", [{"do": do}], UNAVAILABLE)


def _failing_a_while() -> Iterator[Case]:
    limited = {"status": 429, "times": 1}
    soon = formatdate(time.time() + 3, usegmt=True)
    for subject in EVERY:
        yield Case(subject, "500-once", [{"status": 500, "times": 1}])
        yield Case(subject, "503", [{"status": 503}], UNAVAILABLE)
        yield Case(subject, "429-seconds", [{**limited, "headers": {"Retry-After": "1"}}])
        yield Case(subject, "429-date", [{**limited, "headers": {"retry-after": soon}}])
        if subject is not DALL_E:
            # Its substitute is asked at once, at the same provider.
            hours = {**limited, "headers": {"Retry-After": "7200"}}
            yield Case(subject, "429-hours", [hours], UNAVAILABLE)
        # Stability AI locks out for a minute, which is as long as a generation may take.
        errors = UNAVAILABLE if subject in {CORE, XL} else ()
        yield Case(subject, "429-bare", [{**limited, "body": {"error": "slow down"}}], errors)
        garbage = {**limited, "headers": {"Retry-After": "soon"}}
        yield Case(subject, "429-garbage", [garbage], errors)


def _said() -> Iterator[Case]:
    for subject in EVERY:
        yield Case(subject, "nulls", [_content("nulls")])
        yield Case(subject, "missing", [_content("missing")])
        for do in ("cut_image", "html_image", "empty", "tiny"):
            yield Case(subject, do, [_content(do)], UNAVAILABLE)
    for subject in WITH_IMAGES:
        if subject is not CORE:
            yield Case(subject, "cut_base64", [_content("cut_base64")], UNAVAILABLE)
            yield Case(subject, "bad_base64", [_content("bad_base64")], UNAVAILABLE)
    yield Case(XAI, "data_uri", [_content("data_uri")])
    yield Case(GEMINI, "text_first", [_content("text_first")])
    for subject in (DALL_E, XAI):
        yield Case(subject, "as_url", [_content("as_url")])


def _content(do: str, **how: object) -> Mapping[str, object]:
    return {"step": "content", "do": do, **how}


def _counted() -> Iterator[Case]:
    for subject in EVERY:
        # Refused without a word: Imagen leaves out what it filtered, xAI answers an empty list.
        is_refusal = subject in {IMAGEN, XAI}
        errors = REFUSED if is_refusal else UNAVAILABLE
        yield Case(subject, "none", [_content("count", number=0)], errors)
        if subject not in {BFL, CORE}:
            yield Case(subject, "surplus", [_content("count", number=3)])
    for subject in SEVERAL:
        fewer = [_content("count", number=2, times=1), _content("count", number=0)]
        yield Case(subject, "fewer", fewer, n=3, delivered=2)


def _withheld() -> Iterator[Case]:
    everything = (OPENAI, AZURE, IMAGEN, GEMINI, XAI, CORE, XL, IDEOGRAM, IDEOGRAM_3, FAL, BFL)
    for subject in everything:
        yield Case(subject, "moderated", [_content("moderated", number=-1)], REFUSED)
    for subject in (AZURE, IMAGEN, XAI, XL, IDEOGRAM, IDEOGRAM_3, FAL):
        rules = [_content("moderated", number=1)]
        yield Case(subject, "moderated-one", rules, n=3, delivered=2)
    for subject in (GEMINI, CORE, XL, BFL):
        yield Case(subject, "blocked", [_content("blocked")], REFUSED)
    yield Case(FAL, "policy", [_content("policy")], REFUSED)
    yield Case(BFL, "error", [_content("error")], UNAVAILABLE)


def _downloads() -> Iterator[Case]:
    def rule(do: str = "", **how: object) -> list[Mapping[str, object]]:
        return [{"step": "download", "do": do, **how}]

    for subject in DOWNLOADED:
        for hops in (1, 3):
            yield Case(subject, f"hops-{hops}", rule("redirect", number=hops))
        yield Case(subject, "hops-4", rule("redirect", number=4), UNAVAILABLE)
        yield Case(subject, "to-metadata", rule("redirect", body=METADATA), UNAVAILABLE)
        yield Case(subject, "to-file", rule("redirect", body="file:///etc/passwd"), UNAVAILABLE)
        yield Case(subject, "expired-once", rule(status=403, times=1, body="expired"))
        yield Case(subject, "expired", rule(status=403, body="expired"), UNAVAILABLE)
        yield Case(subject, "download-500-once", rule(status=500, times=1))
        yield Case(subject, "download-reset-once", rule("reset", times=1))
        yield Case(subject, "download-short-once", rule("short", times=1))
        for do in ("short", "cut", "nothing", "html", "chunked_short"):
            yield Case(subject, f"download-{do}", rule(do), UNAVAILABLE)
        yield Case(subject, "foreign-file", [_content("foreign")])
        for name, url in (("metadata", METADATA), ("file", "file:///etc/passwd")):
            yield Case(subject, f"url-{name}", [_content("url", body=url)], UNAVAILABLE)
        yield Case(subject, "url-relative", [_content("url", body="/files/x.png")], UNAVAILABLE)


def _polls() -> Iterator[Case]:
    for subject in QUEUED:
        yield Case(subject, "many-polls", [_content("pending", number=8)])
        for do in FINE:
            yield Case(subject, f"status-{do}", [{"step": "status", "do": do}])
        for do in BROKEN:
            yield Case(subject, f"status-{do}-twice", [{"step": "status", "do": do, "times": 2}])
        for status in (429, 500, 502):
            rule = {"step": "status", "status": status, "times": 2}
            yield Case(subject, f"status-{status}-twice", [rule])
    for do in FINE:
        yield Case(FAL, f"result-{do}", [{"step": "result", "do": do}])
    for do in BROKEN:
        yield Case(FAL, f"result-{do}-once", [{"step": "result", "do": do, "times": 1}])
    yield Case(FAL, "wild-id", [_content("wild_id", body="../../../etc?x=1#")], UNAVAILABLE)
    yield Case(BFL, "flash", [_content("flash", number=2)])
    for subject in QUEUED:
        yield Case(subject, "foreign-job", [_content("foreign")])
        for number in (1, 2):
            yield Case(subject, f"same-id-{number}", [_content("same_id")])
    yield Case(BFL, "polling-elsewhere", [_content("polling_to", body="https://api.example.com")])
