// A service behind Credence, on Fastify 5: `node examples/fastify/server.ts`
import { CredenceError, createCredenceClient, requireViewer } from 'credence/client';
import { credenceFastify } from 'credence/client/fastify';
import Fastify from 'fastify';

const credence = createCredenceClient({
  url: process.env.CREDENCE_URL ?? 'http://127.0.0.1:4000',
  serviceKey: process.env.CREDENCE_SERVICE_KEY ?? '',
  maxStalenessMs: Number(process.env.MAX_STALENESS_MS ?? 5_000),
});
const app = Fastify();

// Every route asks for a sign-in, unless it says otherwise.
await app.register(credenceFastify, { client: credence });

app.get('/hello', { config: { credence: { required: false } } }, async (request) => ({
  hello: request.credence?.username ?? 'stranger',
}));

app.get('/me', async (request) => {
  const { id, username, kind } = requireViewer(request.credence);
  return { id, username, kind };
});

app.post<{ Body: { text: string } }>(
  '/chat',
  { config: { credence: { scopes: ['chat:write'], verified: true } } },
  async ({ body, credence: viewer }) => {
    const { id: userId } = requireViewer(viewer);
    const { hold } = await credence.holdCredits({ userId, amount: 5, description: 'chat' });
    try {
      const reply = `You said: ${body.text}`; // a model would answer here, and say what it cost
      const { account } = await credence.captureCredits({ holdId: hold.id, amount: 3 });
      return { reply, creditsLeft: account.available };
    } catch (error) {
      await credence.releaseCredits({ holdId: hold.id });
      throw error;
    }
  },
);

app.setErrorHandler(async (error, _request, reply) => {
  const isPoor = error instanceof CredenceError && error.code === 'INSUFFICIENT_CREDITS';
  if (!isPoor) console.error(error);
  return reply.code(isPoor ? 402 : 500).send({ error: { code: isPoor ? 'INSUFFICIENT_CREDITS' : 'INTERNAL' } });
});

console.log(`listens on ${await app.listen({ port: Number(process.env.PORT ?? 5002), host: '127.0.0.1' })}`);
