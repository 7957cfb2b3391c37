"""JSON in and out. `Accept` is ignored: there is one representation."""

from collections.abc import Iterable, Mapping, Sequence

import orjson
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class OrjsonRenderer(BaseRenderer):
    """Renders JSON."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: object,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, object] | None = None,
    ) -> bytes:
        """Return the body."""
        return b"" if data is None else orjson.dumps(data)


class IgnoreAccept(BaseContentNegotiation):
    """Always answers with the first renderer."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """Return no parser: `gateway.api.bodies` reads bodies whatever their type."""
        return None

    def select_renderer(  # type: ignore[override]
        self,
        request: Request,
        renderers: Sequence[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        """Return JSON."""
        return renderers[0], renderers[0].media_type
