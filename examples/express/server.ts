// A service behind Credence, on Express 5: `node examples/express/server.ts`
import { CredenceError, createCredenceClient, requireViewer } from 'credence/client';
import { credenceExpress } from 'credence/client/express';
import express, { type NextFunction, type Request, type Response } from 'express';
import { Webhook } from 'standardwebhooks';

const credence = createCredenceClient({
  url: process.env.CREDENCE_URL ?? 'http://127.0.0.1:4000',
  serviceKey: process.env.CREDENCE_SERVICE_KEY ?? '',
  maxStalenessMs: Number(process.env.MAX_STALENESS_MS ?? 5_000),
  localVerification: true,
});
const webhook = process.env.WEBHOOK_SECRET ? new Webhook(process.env.WEBHOOK_SECRET) : undefined;
const app = express();

// What ended at Credence ends here at once, instead of `maxStalenessMs` later.
app.post('/hooks', express.raw({ type: 'application/json' }), (request, response) => {
  try {
    const event = webhook?.verify(request.body, request.headers as Record<string, string>);
    if (event) credence.handleEvent(event as { type: string; data: Record<string, unknown> });
    response.sendStatus(webhook ? 204 : 404);
  } catch {
    response.sendStatus(400);
  }
});

app.use(express.json());

app.get('/hello', credenceExpress(credence, { required: false }), (request, response) => {
  response.json({ hello: request.credence?.username ?? 'stranger' });
});

app.get('/me', credenceExpress(credence, { profile: true }), (request, response) => {
  const { id, username, kind } = requireViewer(request.credence);
  response.json({ id, username, kind });
});

app.post('/chat', credenceExpress(credence, { scopes: ['chat:write'], verified: true }), async (request, response) => {
  const { id: userId } = requireViewer(request.credence);
  const { hold } = await credence.holdCredits({ userId, amount: 5, description: 'chat' });
  try {
    const reply = `You said: ${request.body.text}`; // a model would answer here, and say what it cost
    const { account } = await credence.captureCredits({ holdId: hold.id, amount: 3 });
    response.json({ reply, creditsLeft: account.available });
  } catch (error) {
    await credence.releaseCredits({ holdId: hold.id });
    throw error;
  }
});

app.use((error: unknown, _request: Request, response: Response, _next: NextFunction) => {
  const isPoor = error instanceof CredenceError && error.code === 'INSUFFICIENT_CREDITS';
  if (!isPoor) console.error(error);
  response.status(isPoor ? 402 : 500).json({ error: { code: isPoor ? 'INSUFFICIENT_CREDITS' : 'INTERNAL' } });
});

const server = app.listen(Number(process.env.PORT ?? 5001), '127.0.0.1', () => {
  const address = server.address();
  console.log(`listens on http://127.0.0.1:${typeof address === 'object' && address?.port}`);
});
