"""Images through LangChain's wrapper and tool, printed as a list of URLs."""

import asyncio
import json
import os

from langchain_community.tools.openai_dalle_image_generation import (  # type: ignore[import-not-found]  # in an environment of its own
    OpenAIDALLEImageGenerationTool,
)
from langchain_community.utilities.dalle_image_generator import (  # type: ignore[import-not-found]  # in an environment of its own
    DallEAPIWrapper,
)

prompt = os.environ["PROMPT"]


def wrapper(model: str, **options: object) -> DallEAPIWrapper:
    return DallEAPIWrapper(model=model, base_url=os.environ["OPENAI_BASE_URL"], **options)


def tool(model: str, **options: object) -> OpenAIDALLEImageGenerationTool:
    return OpenAIDALLEImageGenerationTool(api_wrapper=wrapper(model, **options))


two = wrapper("fal/flux-1.1-pro", n=2).run(prompt)
one = tool("dall-e-3", quality="hd").run(prompt)
later = asyncio.run(tool("gpt-image-1").arun(prompt))
print(json.dumps([*two.split("\n"), one, later]))
