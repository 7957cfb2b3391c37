"""The boundary between the gateway and its providers.

    adapter = registry.adapter_for("openai")
    permit = transfer.TransferPermit(transfer.transfer_semaphore(16))
    call = Call(
        request=..., endpoint=..., http=shared_client(...), permit=permit,
        deadline=time.monotonic() + 60, on_submitted=save,
    )
    try:
        result = adapter.generate(call)            # or adapter.resume(call, upstream_id)
    except errors.ProviderError as error:          # the only exceptions an adapter raises by itself
        ...
    finally:
        permit.release()

Adapters keep no state, touch no database and know nothing of organizations, prices or each other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import ClassVar, Protocol

from core.http.client import HttpClient
from core.http.uploads import Source
from gateway.providers.transfer import TransferPermit
from gateway.types import Operation

MAX_IMAGE_BYTES = 50 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class InputImage:
    """An image that is sent along; its bytes are read while they are sent.

    Attributes:
        source: Give it to `core.http.uploads.form_upload` or `json_upload`; never read it whole.
        content_type: `image/png`, `image/jpeg` or `image/webp`.
    """

    source: Source
    content_type: str
    width: int
    height: int

    @property
    def extension(self) -> str:
        """Return what a file of this type is called by: `png`, `jpg` or `webp`."""
        kind = self.content_type.removeprefix("image/")
        return "jpg" if kind == "jpeg" else kind


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """What one upstream call must produce, already fitted to its route.

    Attributes:
        upstream_model: The provider's own name, e.g. `gpt-image-2.5-flare` or
            `fal-ai/flux-pro/v1.1`.
        n: Images asked for, at least 1 and at most what the upstream takes in one call.
        width: Pixels the upstream is expected to deliver; `size_param` is what is sent.
        height: As `width`.
        size_param: Ready-made fields of the provider for the size, e.g. `{"size": "1024x1024"}`,
            `{"image_size": {"width": 1024, "height": 768}}` or `{"aspect_ratio": "16:9"}`; None
            sends none.
        output_compression: 0 to 100.
        partial_images: How often the upstream shall show its one image while it makes it.
        extra: Fixed parameters of the route; they win over the fields above.
        operation: An edit has a prompt and `inputs`, a variation one input and no prompt; it is
            asked only of routes whose `Editing.variation` says that the upstream has such a thing.
        inputs: Images to edit, at least one unless it is a generation.
        mask: A PNG, transparent where the first input is to be edited, and of its size.
        input_fidelity: `low` or `high`, how closely the inputs are kept to.
    """

    upstream_model: str
    prompt: str
    n: int
    width: int
    height: int
    size_param: Mapping[str, object] | None = None
    quality: str | None = None
    style: str | None = None
    background: str | None = None
    moderation: str | None = None
    output_format: str | None = None
    output_compression: int | None = None
    seed: int | None = None
    user: str | None = None
    partial_images: int = 0
    extra: Mapping[str, object] = field(default_factory=dict)
    operation: Operation = Operation.GENERATION
    inputs: Sequence[InputImage] = ()
    mask: InputImage | None = None
    input_fidelity: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a provider is reached and with which key.

    Attributes:
        base_url: With its path prefix, with or without a slash at the end; the key is sent to no
            other place.
        official: The host is one of the provider's own (`registry.is_official`).
        headers: Sent with every call to `base_url`, never with a download.
        options: Further settings of the provider, e.g. `{"api_version": "2025-04-01-preview"}`;
            what an adapter does not find here has its own default.
    """

    provider: str
    base_url: str
    api_key: str = field(repr=False)
    official: bool
    headers: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Everything an adapter may use.

    Attributes:
        deadline: `time.monotonic()` value by which the adapter has returned or raised; telling the
            upstream to cancel may take one second more.
        permit: Acquired by the adapter before it reads a body that carries images; the runner
            releases it.
        on_submitted: Called with the upstream's job id, at once and before any polling; it may
            raise, and what it raises passes through the adapter. Never called inside a gevent
            timeout.
        max_image_bytes: Largest single image accepted.
        expected_s: Usual duration of such a call in seconds; only the pace of polling depends on
            it.
        on_partial: Called with each partial image as it comes, at most `request.partial_images`
            times and outside any gevent timeout; what it raises passes through the adapter.
    """

    request: ImageRequest
    endpoint: Endpoint
    http: HttpClient
    deadline: float
    permit: TransferPermit
    on_submitted: Callable[[str], None]
    max_image_bytes: int = MAX_IMAGE_BYTES
    expected_s: float = 10.0
    on_partial: Callable[[bytes], None] | None = None


@dataclass(slots=True, kw_only=True)
class ProviderImage:
    """One image as the upstream sent it: its type and content are not checked yet."""

    data: bytes = field(repr=False)
    revised_prompt: str | None = None
    seed: int | None = None


@dataclass(slots=True, kw_only=True)
class ProviderResult:
    """What one upstream call gave: at least one image, perhaps fewer or more than asked for.

    Attributes:
        usage: Token usage in OpenAI's shape, or None where the upstream reports none.
        upstream_request_id: The upstream's name for the call: `x-request-id`, or its job id.
        billable_units: What the upstream says it bills, in the unit of its price list.
        refused: Images withheld by the upstream's safety system, not among `images`.
    """

    images: list[ProviderImage]
    usage: dict[str, object] | None = None
    upstream_request_id: str | None = None
    billable_units: Decimal | None = None
    refused: int = 0


class Adapter(Protocol):
    """One provider's protocol.

    Attributes:
        name: The provider's id in the catalog and in `<NAME>_API_KEY`.
        default_base_url: Where the provider itself listens; "" if it has an address for each
            customer, so that a base URL must be given.
        official_hosts: The provider's own hosts, where its retirement dates apply; a name that
            begins with a dot stands for every host below it.
        resumable: Whether a job can be picked up by its id after this process is gone.
    """

    name: ClassVar[str]
    default_base_url: ClassVar[str]
    official_hosts: ClassVar[frozenset[str]]
    resumable: ClassVar[bool]

    def generate(self, call: Call) -> ProviderResult:
        """Make one upstream call and return its images.

        Raises:
            ProviderError: One of its subclasses, for every failure of the upstream or the way to
                it.
        """

    def resume(self, call: Call, upstream_id: str) -> ProviderResult:
        """Wait for a job submitted earlier and collect its images; never submits.

        Raises:
            ProviderError: As `generate`; `ProviderUnavailable` with `processed` where nothing can
                be resumed.
        """
