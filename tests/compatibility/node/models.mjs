// Lists the models and retrieves some, by ids with and without a slash.
import OpenAI from 'openai';

const client = new OpenAI();
const listed = [];
for await (const model of client.models.list()) listed.push(model.id);
const retrieved = [];
for (const id of ['fal/flux-1.1-pro', 'openai/gpt-image-1', 'dall-e-3']) {
  const model = await client.models.retrieve(id);
  retrieved.push([model.id, model.object]);
}
console.log(JSON.stringify({ listed, retrieved }));
