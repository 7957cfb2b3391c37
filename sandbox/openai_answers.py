"""Answers with pictures in OpenAI's shapes: JSON with base64 or URLs, and event streams."""

import base64
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

import orjson

from sandbox.drawing import Picture
from sandbox.faults import Faults, Plan, hang
from sandbox.openai_rules import Params, usage
from sandbox.server import (
    Request,
    Response,
    Studio,
    iso_time,
    json_response,
    pause,
    picture_for,
)


class Answers:
    """Draws what a valid request asks for.

    Args:
        provider: Whose settings count.
        faults: Has the settings.
        studio: Draws.
        url_ttl_s: Life of a result's URL.
        item_fields: What the provider adds to each image of an answer.
        withheld: What it sends in place of an image that its content filter keeps.
    """

    def __init__(
        self,
        provider: str,
        faults: Faults,
        studio: Studio,
        *,
        url_ttl_s: float,
        item_fields: Mapping[str, object] | None = None,
        withheld: Mapping[str, object] | None = None,
    ) -> None:
        self._provider = provider
        self._faults = faults
        self._studio = studio
        self._url_ttl_s = url_ttl_s
        self._item_fields = item_fields or {}
        self._withheld = withheld

    def respond(
        self,
        request: Request,
        params: Params,
        plan: Plan,
        *,
        instead: Response | None,
        broken_off: Mapping[str, object] | None = None,
    ) -> Response:
        """Answer a request, in the form and at the pace it asks for.

        Args:
            request: As it came.
            params: What it asks for.
            plan: The directives in force.
            instead: An error to answer with, in place of pictures.
            broken_off: The body of an error that ends a stream after its first partial image.
        """
        if plan.find("hang") not in {None, "file", "partial"}:
            hang()
        if params.stream and instead is None and not plan.find("empty"):
            return Response(
                200,
                content_type="text/event-stream; charset=utf-8",
                stream=self._events(params, plan, broken_off),
            )
        started = time.monotonic()
        response = instead or self._draw(request, params, plan)
        pause(plan.delay_s - (time.monotonic() - started))
        drips = plan.find("drip") and instead is None
        return response.dripped() if drips else response

    def _draw(self, request: Request, params: Params, plan: Plan) -> Response:
        count = 0 if plan.find("empty") else params.n
        pictures = [self._picture(params, plan) for _ in range(count)]
        if params.stream:
            return Response(200, content_type="text/event-stream; charset=utf-8", stream=())
        kept = withheld_images(plan, count) if self._withheld is not None else 0
        data = [dict(self._withheld or {}) for _ in range(kept)]
        data += [self._item(request, params, plan, picture) for picture in pictures[kept:]]
        answer: dict[str, object] = {"created": int(time.time()), "data": data}
        if params.model.gpt:
            answer |= {**_echo(params), "usage": usage(params, count)}
        return json_response(answer)

    def _picture(self, params: Params, plan: Plan) -> Picture:
        picture = Picture(
            caption=params.prompt,
            model=params.model_id,
            width=params.width,
            height=params.height,
            format=params.output_format,
            entropy=secrets.token_hex(8),
            quality=min(params.compression, 85),
            transparent=params.background == "transparent",
            noise=self._faults.settings(self._provider).noise,
            inputs=params.inputs,
            mask=params.mask,
        )
        return picture_for(plan, picture)

    def _item(
        self, request: Request, params: Params, plan: Plan, picture: Picture
    ) -> dict[str, object]:
        item: dict[str, object] = {**self._item_fields}
        if params.model_id == "dall-e-3":
            item["revised_prompt"] = f"A {params.style} picture: {picture.caption}"
        if params.as_url:
            name = self._studio.publish(picture, plan, ttl_s=self._url_ttl_s)
            expiry = iso_time(time.time() + self._url_ttl_s)[:19]
            item["url"] = f"{request.root}/files/{name}?se={expiry}Z&sig=sandbox"
        else:
            item["b64_json"] = base64.b64encode(self._studio.draw(picture)).decode()
        return item

    def _events(
        self, params: Params, plan: Plan, broken_off: Mapping[str, object] | None
    ) -> Iterator[bytes]:
        """Server-sent events: the partial images, then the completed one, evenly over the delay."""
        picture = self._picture(params, plan)
        step_s = plan.delay_s / (params.partial_images + 1)
        for index in range(params.partial_images):
            pause(step_s)
            partial = replace(picture, entropy=f"{picture.entropy}/{index}")
            yield self._event(params, "partial_image", partial, {"partial_image_index": index})
            if plan.hangs_at("partial"):
                hang()
            if broken_off is not None:
                yield b"event: error\ndata: %s\n\n" % orjson.dumps(broken_off)
                return
        pause(step_s)
        yield self._event(params, "completed", picture, {"usage": usage(params, 1)})

    def _event(
        self, params: Params, kind: str, picture: Picture, more: Mapping[str, object]
    ) -> bytes:
        name = f"{'image_edit' if params.inputs else 'image_generation'}.{kind}"
        payload = {
            "type": name,
            "b64_json": base64.b64encode(self._studio.draw(picture)).decode(),
            "created_at": int(time.time()),
            **_echo(params),
            **more,
        }
        return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(payload))


def withheld_images(plan: Plan, count: int) -> int:
    """Return how many of the images `[[nsfw]]` keeps back: all, or the first."""
    match plan.find("nsfw"):
        case None:
            return 0
        case "first":
            return min(1, count)
        case _:
            return count


def _echo(params: Params) -> dict[str, object]:
    return {
        "background": "transparent" if params.background == "transparent" else "opaque",
        "output_format": params.output_format,
        "quality": params.quality,
        "size": params.size,
    }
