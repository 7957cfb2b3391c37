"""The OpenAPI document by itself: valid, complete, and of one mind with the code."""

import re
from typing import Any

import pytest
from django.test import Client
from openapi_spec_validator import OpenAPIV31SpecValidator

from core.errors import Category
from gateway.api import urls
from gateway.api.errors import SHAPES
from gateway.api.reference.document import document
from gateway.api.reference.guide import guide
from gateway.api.reference.operations import OPERATIONS
from gateway.api.reference.schemas.images import ATTEMPT_STATUSES
from gateway.api.reference.schemas.webhooks import DATA_SCHEMAS
from gateway.api.reference.views import ASSETS, POLICY
from gateway.catalog.registry import catalog
from gateway.models import Attempt
from gateway.parameters.generation import KNOWN_FIELDS
from gateway.parameters.usage import PARAMETERS as USAGE_PARAMETERS
from orgs.models import WebhookDelivery, WebhookEndpoint
from orgs.services.outbox import TEST_EVENT, EventType
from tests.architecture.tree import error_classes
from tests.reference import problems


def schemas() -> dict[str, Any]:
    found: dict[str, Any] = document()["components"]["schemas"]
    return found


def operations() -> dict[str, Any]:
    return {
        operation["operationId"]: operation
        for methods in document()["paths"].values()
        for operation in methods.values()
    }


# Beginnings of the codes that end commands, are of the console, or about methods, which belong to
# no operation.
INSIDE = (
    "already_member", "api_key_not_found", "card_", "credit_", "currency_fixed",
    "currency_mismatch", "difference_decided", "entry_", "file_imported", "forged_event",
    "grant_", "hold_", "impersonation_read_only",
    "invitation_", "invoice_", "last_owner", "member_", "method_not_allowed",
    "organization_closed", "organization_not_found", "payment", "period_", "permission_denied",
    "price_conflict", "rate_", "reconciliation_", "reference_used", "refund_", "self_approval",
    "total_not_seen", "unbalanced_",
)  # fmt: skip


def test_document_is_valid_openapi_3_1():
    assert document()["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(document()).validate()


def test_every_url_is_in_the_document_and_the_other_way_round():
    patterns = {
        "/" + re.sub(r"<(?:[a-z]+:)?([a-z_]+)>", r"{\1}", str(url.pattern))
        for url in urls.urlpatterns
    }

    assert patterns == set(document()["paths"])


def test_every_description_belongs_to_a_view_and_its_methods():
    described = {(view, method) for view, methods in OPERATIONS.items() for method in methods}
    served = set()
    for url in urls.urlpatterns:
        view = getattr(url.callback, "cls", None) or getattr(url.callback, "view_class", None)
        if view is None:
            served |= {(url.callback.__name__, method) for method in ("get", "head")}
            continue
        methods = set(view.http_method_names) - {"options", "head"}
        served |= {(view.__name__, method) for method in methods if hasattr(view, method)}

    assert described == served
    assert len(operations()) == len(described)


def test_names_that_others_rely_on_are_there():
    created = document()["paths"]["/v1/images/generations"]["post"]

    assert created["operationId"] == "createImage"
    assert {"CreateImageRequest", "ImagesResponse", "GatewayError"} <= set(schemas())


def test_request_has_every_field_that_the_parser_knows():
    request = schemas()["CreateImageRequest"]

    assert set(request["properties"]) == KNOWN_FIELDS
    assert request["required"] == ["prompt"]
    assert problems({"prompt": "a", "n": None, "unknown": 1}, request) == []
    assert problems({"prompt": "a", "n": 0}, request) != []
    assert problems({}, request) != []


def test_examples_of_requests_are_valid():
    shown = operations()["createImage"]["requestBody"]["content"]["application/json"]

    assert len(shown["examples"]) >= 3
    for example in shown["examples"].values():
        assert problems(example["value"], shown["schema"]) == []


def test_usage_has_every_parameter_that_the_parser_knows():
    named = {parameter["name"] for parameter in operations()["getUsage"]["parameters"]}

    assert named == USAGE_PARAMETERS


def test_words_of_rows_are_those_of_the_document():
    found = schemas()
    words = found["WebhookDelivery"]["properties"]["status"]["enum"]
    reasons = {reason.value for reason in WebhookEndpoint.DisabledReason} - {""}

    assert set(ATTEMPT_STATUSES) == set(Attempt.Status.values)
    assert set(words) == set(WebhookDelivery.Status.values)
    assert all(f"'{reason}'" in str(found["Webhook"]) for reason in reasons)


def test_every_event_has_a_webhook():
    assert set(DATA_SCHEMAS) == {*map(str, EventType), TEST_EVENT}
    assert set(document()["webhooks"]) == set(DATA_SCHEMAS)


def test_errors_of_the_document_are_those_of_the_classes():
    known = {(SHAPES[error.category].status, error.code) for error in error_classes()}
    known |= {(400, "moderation_blocked"), (416, "invalid_value")}
    shown = {
        (int(status), code)
        for operation in operations().values()
        for status, response in operation["responses"].items()
        for code in response.get("x-codes", ())
    }

    assert shown <= known
    assert {
        code for _, code in known - shown if not any(code.startswith(name) for name in INSIDE)
    } == set()


def test_calls_with_a_key_answer_what_a_key_may_be_refused_for():
    for operation in operations().values():
        statuses = set(operation["responses"])
        assert {
            str(SHAPES[category].status) for category in (Category.INTERNAL, Category.LOOP)
        } <= (statuses)
        assert ({"401", "403"} <= statuses) == bool(operation["security"])


@pytest.fixture
def client() -> Client:
    return Client()


def test_document_is_public_and_known_again_by_its_etag(client):
    answer = client.get("/openapi.json")
    again = client.get("/openapi.json", headers={"If-None-Match": answer["ETag"]})

    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    assert answer.json() == document()
    assert (again.status_code, again.content) == (304, b"")


def test_page_loads_its_own_files_alone(client):
    page = client.get("/docs")
    text = page.content.decode()
    loaded = re.findall(r'(?:src|href)="([^"]+)"', text)

    assert page["Content-Security-Policy"] == POLICY
    assert "unsafe" not in POLICY
    assert "<style" not in text
    assert " style=" not in text
    assert not re.search(r"<script(?! defer src=)", text)
    assert all(url.startswith("/") for url in loaded)
    for url in loaded:
        assert client.get(url).status_code == 200, url
    assert {f"/docs/assets/{name}" for name in ASSETS} <= set(loaded)


@pytest.mark.parametrize("name", ["index.html", "swagger-ui.css.map", "..%2Fviews.py", "%00"])
def test_page_has_no_other_files(client, name):
    answer = client.get(f"/docs/assets/{name}")

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_other_methods_are_405(client):
    for path in ("/openapi.json", "/docs", "/docs/assets/page.js", "/llms.txt"):
        assert client.post(path).json()["error"]["code"] == "method_not_allowed"


def test_guide_names_every_path_and_model(client):
    answer = client.get("/llms.txt")
    text = answer.content.decode()

    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert text == guide().decode()
    assert all(f" {path}`" in text for path in document()["paths"])
    assert all(f"`{model.id}`" in text for model in catalog().models())
