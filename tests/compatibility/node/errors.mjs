// Makes mistakes and tells which exception each is.
import OpenAI from 'openai';

let sent = 0;
const counted = (...request) => {
  sent += 1;
  return fetch(...request);
};
const client = new OpenAI({ fetch: counted });
const prompt = process.env.PROMPT;

async function failure(request) {
  sent = 0;
  try {
    await request();
  } catch (error) {
    const { status, type, param, code, requestID } = error;
    return { name: error.constructor.name, status, type, param, code, requestID, sent };
  }
  return null;
}

const generate = (body, options) => client.images.generate({ model: 'dall-e-3', prompt, ...body }, options);
const once = { idempotencyKey: 'once', headers: { 'Idempotency-Key': 'once' } };
await generate({}, once);
console.log(
  JSON.stringify({
    size: await failure(() => generate({ size: '1x1' })),
    prompt: await failure(() => generate({ prompt: '' })),
    model: await failure(() => generate({ model: 'dall-e-9' })),
    path: await failure(() => client.get('/images/nowhere')),
    reuse: await failure(() => generate({ prompt: `${prompt} again` }, once)),
    money: await failure(() => generate({}, { headers: { Authorization: `Bearer ${process.env.POOR_KEY}` } })),
    key: await failure(() => generate({}, { headers: { Authorization: 'Bearer lz_sk_live_wrong' } })),
    upstream: await failure(() => generate({ prompt: process.env.FAILING }, { maxRetries: 0 })),
  }),
);
