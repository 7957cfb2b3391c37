// Saves each image of a stream.
import fs from 'node:fs';
import OpenAI from 'openai';

const client = new OpenAI();
const stream = await client.images.generate({
  model: 'gpt-image-1',
  prompt: process.env.PROMPT,
  stream: true,
  partial_images: 3,
});
for await (const event of stream) {
  const image = Buffer.from(event.b64_json, 'base64');
  if (event.type === 'image_generation.partial_image') {
    fs.writeFileSync(`partial-${event.partial_image_index}.png`, image);
  } else if (event.type === 'image_generation.completed') {
    fs.writeFileSync('image.png', image);
    console.log(JSON.stringify({ usage: event.usage, size: event.size, quality: event.quality }));
  }
}
