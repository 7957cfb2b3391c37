// Asks for images in both forms, and for two at once.
import OpenAI from 'openai';

const client = new OpenAI();
const prompt = process.env.PROMPT;

const byUrl = await client.images.generate({ model: 'fal/flux-1.1-pro', prompt, size: '1024x768' });
const { data: inBase64, response } = await client.images
  .generate({ model: 'dall-e-3', prompt, response_format: 'b64_json' })
  .withResponse();
const two = await client.images.generate({ model: 'dall-e-2', prompt, n: 2 });

console.log(
  JSON.stringify({
    url: byUrl.data[0].url,
    base64: inBase64.data[0].b64_json,
    revised: inBase64.data[0].revised_prompt,
    requestId: inBase64._request_id,
    cost: response.headers.get('x-cost'),
    two: two.data.map((image) => image.url),
  }),
);
