"""Edits and variations, from the official client and from raw forms, through the emulator."""

import base64
import hashlib
import io
import json
import socket
from decimal import Decimal
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from openai import BadRequestError, OpenAI
from PIL import Image

from gateway.storage import inputs_prefix, private_storage
from tests.contract.forms import EDITS, VARIATIONS, edit, mask, picture
from tests.stack import wait_until
from tests.tenants import Tenant, new_prompt, uuid_of

MICROS = Decimal(1_000_000)


@pytest.fixture
def client(tenant: Tenant) -> OpenAI:
    return OpenAI(base_url=f"{tenant.stack.url}/v1", api_key=tenant.key, max_retries=0)


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def charged(tenant: Tenant) -> Decimal:
    return 10 - Decimal(tenant.wallet_micros()[0]) / MICROS


def inputs_left(tenant: Tenant, generation_id: UUID) -> int:
    prefix = inputs_prefix(tenant.organization_id, generation_id)
    with tenant.stack.database():
        return sum(1 for _ in private_storage().list_prefix(prefix))


def test_a_mask_says_what_is_made_anew(open_tenant):
    in_sandbox = open_tenant(livemode=False)
    client = OpenAI(base_url=f"{in_sandbox.stack.url}/v1", api_key=in_sandbox.key, max_retries=0)

    answer = client.images.edit(
        model="gpt-image-1",
        image=("harbor.png", picture((1024, 1024), "navy")),
        mask=("mask.png", mask((1024, 1024))),
        prompt=new_prompt(),
        size="1024x1024",
    )

    assert answer.data is not None
    image = opened(base64.b64decode(answer.data[0].b64_json or ""))
    assert image.size == (1024, 1024)
    # The right half is kept; what the mask leaves open, the left one, was made anew.
    assert image.getpixel((1000, 500)) == (0, 0, 128)
    assert image.getpixel((100, 500)) != (0, 0, 128)


def test_the_provider_gets_the_very_files(tenant: Tenant):
    images, prompt = [picture(), picture(color="red", form="JPEG")], new_prompt()
    covering = mask()

    answer = edit(tenant, *images, mask=covering, prompt=prompt, input_fidelity="high")

    (call,) = tenant.stack.upstream.calls(prompt)
    assert answer.status_code == 200, answer.text
    assert call["body"]["files"] == [
        ["image[]", "image/png", hashlib.sha256(images[0]).hexdigest()],
        ["image[]", "image/jpeg", hashlib.sha256(images[1]).hexdigest()],
        ["mask", "image/png", hashlib.sha256(covering).hexdigest()],
    ]


def test_an_edit_of_several_images_is_charged_with_each_of_them(tenant: Tenant):
    model = tenant.get("/v1/models/gpt-image-1").json()
    input_price = Decimal(model["edits"]["input_amount"])

    answer = edit(tenant, picture(), picture(color="red"), picture(color="lime"), n=2)

    body = answer.json()
    assert answer.status_code == 200, body
    assert len(body["data"]) == 2
    price = Decimal("0.19") * Decimal("1.05") + 3 * input_price
    assert Decimal(answer.headers["X-Cost"]) == charged(tenant) == 2 * price
    assert input_price > 0


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
def test_the_client_varies_an_image(client: OpenAI):
    answer = client.images.create_variation(  # type: ignore[deprecated]  # at OpenAI alone
        image=("square.png", picture((256, 256))), n=2, size="256x256", response_format="b64_json"
    )

    assert answer.data is not None
    images = [opened(base64.b64decode(item.b64_json or "")) for item in answer.data]
    assert [image.size for image in images] == [(256, 256)] * 2


def test_an_edit_streams_its_own_events(client: OpenAI):
    stream = client.images.edit(
        model="gpt-image-1",
        image=("a.png", picture()),
        prompt=new_prompt(),
        size="1024x1024",
        stream=True,
        partial_images=2,
    )
    events = list(stream)

    assert events[-1].type == "image_edit.completed"
    assert {event.type for event in events[:-1]} <= {"image_edit.partial_image"}
    assert opened(base64.b64decode(events[-1].b64_json)).size == (1024, 1024)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((300, 200), "1536x1024"), ((90, 200), "1024x1536"), ((64, 64), "1024x1024")],
)
def test_auto_takes_the_shape_of_the_first_image(tenant: Tenant, size, expected):
    answer = edit(tenant, picture(size), quality="low", headers={"Prefer": "respond-async"})

    generation = tenant.get(f"/v1/images/generations/{answer.json()['id']}")
    assert answer.status_code == 202
    (row,) = tenant.generations()
    assert row.parameters["size"] == expected
    assert generation.status_code == 200


def test_without_a_model_the_files_decide(tenant: Tenant):
    one = edit(tenant, picture((256, 256)), model=None, size="256x256")
    two = edit(tenant, picture(), picture(), model=None, headers={"Prefer": "respond-async"})

    assert one.json()["model"] == "dall-e-2"
    assert tenant.get(f"/v1/images/generations/{two.json()['id']}").json()["model"] == "gpt-image-1"


def test_inputs_are_gone_after_the_end(tenant: Tenant):
    answer = edit(tenant, picture())

    assert answer.status_code == 200
    generation_id = uuid_of(answer.json()["id"])
    wait_until(lambda: not inputs_left(tenant, generation_id), "the inputs to go", timeout_s=60)


def test_a_refused_edit_leaves_neither_money_nor_files(open_tenant):
    poor = open_tenant(amount="0.01")
    answer = edit(poor, picture())

    assert answer.status_code == 402
    prefix = f"inputs/{poor.organization_id}/"
    with poor.stack.database():
        assert list(private_storage().list_prefix(prefix)) == []
    assert poor.balance() == ("0.01", "0.00")


def test_the_same_form_replays_and_another_file_conflicts(tenant: Tenant):
    prompt, headers = new_prompt(), {"Idempotency-Key": new_prompt()}
    first = edit(tenant, picture(), prompt=prompt, headers=headers)
    again = edit(tenant, picture(), prompt=prompt, headers=headers)
    other = edit(tenant, picture(color="red"), prompt=prompt, headers=headers)

    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["id"] == first.json()["id"]
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_key_reused")
    assert charged(tenant) == Decimal(first.headers["X-Cost"])


def test_a_quote_counts_the_images_sent_along(tenant: Tenant):
    body = {"model": "gpt-image-1", "prompt": "a", "size": "1024x1024", "input_images": 1}
    quote = tenant.request("POST", "/v1/images/quotes", json=body).json()

    wrong = edit(tenant, picture(), picture(), quote_id=quote["id"], size="1024x1024")
    right = edit(tenant, picture(), quote_id=quote["id"], size="1024x1024")

    assert wrong.json()["error"]["code"] == "quote_mismatch"
    assert right.headers["X-Cost"] == quote["amount"]


def _animated() -> bytes:
    file = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:])
    return file.getvalue()


@pytest.mark.parametrize(
    ("images", "how", "param"),
    [
        ([], {}, "image"),
        ([b""], {}, "image"),
        ([b"plain text"], {}, "image"),
        ([picture()[:-20]], {}, "image"),
        ([_animated()], {}, "image"),
        ([picture()] * 17, {}, "image"),
        ([picture()], {"mask": picture()}, "mask"),
        ([picture()], {"mask": mask((32, 32))}, "mask"),
        ([picture()], {"mask": b"no"}, "mask"),
        ([picture()], {"prompt": " "}, "prompt"),
        ([picture()], {"n": "many"}, "n"),
        ([picture()], {"n": "0"}, "n"),
        ([picture()], {"stream": "perhaps"}, "stream"),
        ([picture()], {"size": "7x7"}, "size"),
        ([picture()], {"input_fidelity": "medium"}, "input_fidelity"),
        ([picture()], {"model": "dall-e-3"}, "model"),
        ([picture()], {"model": "nobody"}, "model"),
        ([picture()] * 2, {"path": VARIATIONS, "model": "dall-e-2"}, "image"),
    ],
)
def test_wrong_forms_name_the_field_and_cost_nothing(tenant: Tenant, images, how, param):
    answer = edit(tenant, *images, **how)

    error = answer.json()["error"]
    assert answer.status_code == (404 if how.get("model") == "nobody" else 400), error
    assert error["param"] == param
    assert tenant.balance() == ("10.00", "0.00")


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (b"", "multipart/form-data; boundary=x"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"{}", "application/json"),
        (b"--x--", "multipart/form-data"),
        (
            b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n\x89PNG',
            "multipart/form-data; boundary=x",
        ),
    ],
)
def test_broken_forms_are_400(tenant: Tenant, data: bytes, content_type: str):
    answer = tenant.request("POST", EDITS, data=data, headers={"Content-Type": content_type})

    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_form_above_the_limit_is_413_before_it_is_read(tenant: Tenant):
    address = urlsplit(tenant.stack.url)
    head = (
        f"POST {EDITS} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {tenant.key}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 300000000\r\n\r\n"
    )
    with socket.create_connection((str(address.hostname), address.port), timeout=20) as client:
        client.sendall(head.encode())
        answer = b""
        while b"request_too_large" not in answer:
            piece = client.recv(65536)
            assert piece, answer
            answer += piece

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_errors_of_the_client_are_typed(client: OpenAI):
    with pytest.raises(BadRequestError) as caught:
        client.images.edit(model="gpt-image-1", image=("a.png", b"text"), prompt="a")

    assert caught.value.param == "image"


def test_a_chunked_form_is_read(tenant: Tenant):
    boundary = "frontier"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n{new_prompt()}\r\n',
        f'--{boundary}\r\nContent-Disposition: form-data; name="model"\r\n\r\ngpt-image-1\r\n',
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n',
    ]
    pieces = [part.encode() for part in parts] + [picture(), f"\r\n--{boundary}--\r\n".encode()]

    answer = tenant.request(
        "POST",
        EDITS,
        data=iter(pieces),
        headers={
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Prefer": "respond-async",
        },
    )

    assert answer.status_code == 202, json.dumps(answer.json())
