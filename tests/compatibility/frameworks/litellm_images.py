"""Images and a mistake through LiteLLM."""

import asyncio
import json
import os

import litellm  # type: ignore[import-not-found]  # in an environment of its own

prompt = os.environ["PROMPT"]
terms = {"api_base": os.environ["OPENAI_BASE_URL"], "api_key": os.environ["OPENAI_API_KEY"]}

by_url = litellm.image_generation(model="openai/fal/flux-1.1-pro", prompt=prompt, **terms)
base64 = litellm.image_generation(
    model="openai/dall-e-3", prompt=prompt, response_format="b64_json", quality="hd", **terms
)
later = asyncio.run(
    litellm.aimage_generation(model="openai/gpt-image-1", prompt=prompt, n=2, **terms)
)
try:
    litellm.image_generation(model="openai/dall-e-3", prompt=prompt, size="1x1", **terms)
    mistake = None
except litellm.BadRequestError as error:
    mistake = str(error)

print(
    json.dumps(
        {
            "url": by_url.data[0].url,
            "base64": base64.data[0].b64_json,
            "later": [image.b64_json for image in later.data],
            "mistake": mistake,
        }
    )
)
