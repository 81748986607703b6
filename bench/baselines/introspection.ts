// Token introspection (RFC 7662) by oidc-provider, with its tables in memory: how a service asks an OpenID server what
// Credence answers by `validateToken`.
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';

const CLIENT = { id: 'service', secret: randomBytes(32).toString('hex') };
const server = createServer();
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const provider = new Provider(url, {
  clients: [
    {
      client_id: CLIENT.id,
      client_secret: CLIENT.secret,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    },
  ],
  cookies: { keys: [randomBytes(32).toString('hex')] },
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    devInteractions: { enabled: false },
  },
  ttl: { ClientCredentials: 3_600 },
});
server.on('request', provider.callback());

const authorization = `Basic ${Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString('base64')}`;
const granted = await fetch(`${url}/token`, {
  method: 'POST',
  headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
  body: 'grant_type=client_credentials',
});
const { access_token: token } = (await granted.json()) as { access_token: string };
const look = await fetch(`${url}/token/introspection`, {
  method: 'POST',
  headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
  body: `token=${token}`,
});
if (!(await look.text()).includes('"active":true')) throw new Error('The token is not found.');
process.stdout.write(`sent with ${JSON.stringify({ authorization, token })}\nlistens on ${url}\n`);
process.on('SIGTERM', () => process.exit(0));
