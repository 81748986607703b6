import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider, { type Configuration } from 'oidc-provider';
import { CLIENT } from './scripted-provider.js';

export interface OpenidServer {
  readonly issuer: string;
  close(): Promise<void>;
}

const page = (action: string) => `<!doctype html><html lang="en"><title>Stand-in provider</title>
<body style="font: 16px system-ui; max-width: 24rem; margin: 10vh auto">
<h1>Stand-in provider</h1><p>Whoever you say you are, with a verified address.</p>
<form method="post" action="${action}"><label>Email address <input name="email" type="email" required></label>
<button>Continue</button></form></body></html>`;

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  let text = '';
  for await (const chunk of request) text += chunk;
  return new URLSearchParams(text);
}

/**
 * A real OpenID provider on this machine, certified as one: `oidc-provider`, standing in for Google. Only its sign-in
 * page is ours. The client is registered as most are, with Basic authentication; addresses come from userinfo.
 */
export async function startOpenidServer(redirectUris: string[]): Promise<OpenidServer> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const configuration: Configuration = {
    clients: [{ client_id: CLIENT.clientId, client_secret: CLIENT.clientSecret, redirect_uris: redirectUris }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    ttl: { Interaction: 600, Grant: 600, Session: 600, AccessToken: 600, IdToken: 600 },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_context, email) => ({
      accountId: email,
      claims: () => ({
        sub: createHash('sha256').update(email).digest('hex'),
        email,
        email_verified: true,
        name: 'Ada Lovelace',
      }),
    }),
    async loadExistingGrant({ oidc }) {
      const { client, session, provider } = oidc;
      if (!client || !session?.accountId) return undefined;
      const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope('openid email profile');
      await grant.save();
      return grant;
    },
  };
  const provider = new Provider(issuer, configuration);
  const answer = provider.callback();
  server.on('request', async (request, response) => {
    const path = request.url ?? '/';
    if (!path.startsWith('/interaction/')) return answer(request, response);
    if (request.method === 'GET') return response.writeHead(200, { 'content-type': 'text/html' }).end(page(path));
    const email = (await readForm(request)).get('email') ?? '';
    await provider.interactionFinished(request, response, { login: { accountId: email } });
  });
  return {
    issuer,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
