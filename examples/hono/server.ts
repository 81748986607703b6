// A service behind Credence, on Hono 4: `node examples/hono/server.ts`
import { serve } from '@hono/node-server';
import { CredenceError, createCredenceClient, requireViewer } from 'credence/client';
import { type CredenceVariables, credenceHono } from 'credence/client/hono';
import { Hono } from 'hono';

const credence = createCredenceClient({
  url: process.env.CREDENCE_URL ?? 'http://127.0.0.1:4000',
  serviceKey: process.env.CREDENCE_SERVICE_KEY ?? '',
  maxStalenessMs: Number(process.env.MAX_STALENESS_MS ?? 5_000),
});
const app = new Hono<{ Variables: CredenceVariables }>();

app.get('/hello', credenceHono(credence, { required: false }), (c) =>
  c.json({ hello: c.get('credence')?.username ?? 'stranger' }),
);

app.get('/me', credenceHono(credence), (c) => {
  const { id, username, kind } = requireViewer(c.get('credence'));
  return c.json({ id, username, kind });
});

app.post('/chat', credenceHono(credence, { scopes: ['chat:write'], verified: true }), async (c) => {
  const { id: userId } = requireViewer(c.get('credence'));
  const { text } = await c.req.json<{ text: string }>();
  const { hold } = await credence.holdCredits({ userId, amount: 5, description: 'chat' });
  try {
    const reply = `You said: ${text}`; // a model would answer here, and say what it cost
    const { account } = await credence.captureCredits({ holdId: hold.id, amount: 3 });
    return c.json({ reply, creditsLeft: account.available });
  } catch (error) {
    await credence.releaseCredits({ holdId: hold.id });
    throw error;
  }
});

app.onError((error, c) => {
  const isPoor = error instanceof CredenceError && error.code === 'INSUFFICIENT_CREDITS';
  if (!isPoor) console.error(error);
  return c.json({ error: { code: isPoor ? 'INSUFFICIENT_CREDITS' : 'INTERNAL' } }, isPoor ? 402 : 500);
});

serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 5003), hostname: '127.0.0.1' }, ({ port }) =>
  console.log(`listens on http://127.0.0.1:${port}`),
);
