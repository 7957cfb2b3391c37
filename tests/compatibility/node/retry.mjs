// Gives up too early and tries again by itself.
import OpenAI from 'openai';

const client = new OpenAI({ timeout: 1000, maxRetries: 8 });
const { data, response } = await client.images
  .generate({ model: 'dall-e-3', prompt: process.env.PROMPT })
  .withResponse();
console.log(JSON.stringify({ url: data.data[0].url, replayed: response.headers.get('idempotent-replayed') }));
