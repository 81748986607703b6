// better-auth's own answer to "whose session is this", in its fastest mode: the session stands signed in a cookie that is
// believed for five minutes, and no database is asked. It keeps its tables in memory, where it reads them faster, too.
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';

const server = createServer();
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const auth = betterAuth({
  baseURL: url,
  secret: randomBytes(32).toString('hex'),
  database: memoryAdapter({ user: [], session: [], account: [], verification: [] }),
  emailAndPassword: { enabled: true },
  session: { cookieCache: { enabled: true, maxAge: 300 } },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
});

server.on('request', async (request, response) => {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) headers.set(name, String(value));
  const answer = await auth.handler(new Request(`${url}${request.url}`, { headers }));
  const text = await answer.text();
  response.writeHead(answer.status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
});

const { headers } = await auth.api.signUpEmail({
  body: { name: 'Ada', email: 'ada@example.com', password: 'k7Vq2-mTz9pL-w4Rb' },
  returnHeaders: true,
});
const cookies = headers.getSetCookie().map((cookie) => cookie.split(';')[0]);
const look = await fetch(`${url}/api/auth/get-session`, { headers: { cookie: cookies.join('; ') } });
if (!(await look.text()).includes('ada@example.com')) throw new Error('The session is not found.');
process.stdout.write(`sent with ${cookies.join('; ')}\nlistens on ${url}\n`);
process.on('SIGTERM', () => process.exit(0));
