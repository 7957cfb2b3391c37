"""The official client lists and reads models, by bare and by namespaced id."""

import openai
import pytest
import requests

IDS = ["dall-e-3", "openai/dall-e-3", "fal/flux-1.1-pro", "gpt-image-1"]


def test_models_are_listed(client):
    listed = {model.id: model for model in client.models.list()}

    assert set(IDS) <= set(listed)
    assert all(model.object == "model" and model.created > 0 for model in listed.values())
    price = listed["fal/flux-1.1-pro"].to_dict()["prices"][0]
    assert (price["amount"], price["currency"]) == ("0.042", "USD")


@pytest.mark.parametrize("model_id", IDS)
def test_model_is_retrieved(model_id, client):
    model = client.models.retrieve(model_id)

    assert model.id == model_id
    assert model.to_dict()["available"] is True


@pytest.mark.parametrize("model_id", ["openai/dall-e-3", "openai%2Fdall-e-3"])
def test_slash_in_a_model_id_may_be_quoted(model_id, tenant):
    answer = tenant.get(f"/v1/models/{model_id}")

    assert (answer.status_code, answer.json()["id"]) == (200, "openai/dall-e-3")


def test_unknown_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as raised:
        client.models.retrieve("openai/dall-e-9")

    assert (raised.value.code, raised.value.param) == ("model_not_found", "model")


def test_models_need_a_key(stack):
    assert requests.get(f"{stack.url}/v1/models", timeout=10).status_code == 401
