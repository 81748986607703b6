import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from 'fastify';
import type { App } from '../../core/context.js';
import { AppError } from '../../core/errors.js';
import { html } from '../../core/html.js';
import { packageRoot } from '../../core/package-info.js';
import { ROLES, VALUES } from '../playground/operations.js';

const require = createRequire(import.meta.url);
const inPackage = (name: string, file: string) => join(dirname(require.resolve(`${name}/package.json`)), file);
const ours = (file: string) => fileURLToPath(new URL(`src/api/playground/${file}`, packageRoot));

/**
 * Every file the page may load, by the name it is served under: nothing of a path comes from the request. GraphiQL 4
 * and React 18 are the last to publish builds that a browser runs as they stand; later ones want a bundler.
 */
const files = (): Record<string, { path: string; type: string }> => ({
  'react.js': { path: inPackage('react', 'umd/react.production.min.js'), type: 'text/javascript' },
  'react-dom.js': { path: inPackage('react-dom', 'umd/react-dom.production.min.js'), type: 'text/javascript' },
  'graphiql.js': { path: inPackage('graphiql', 'graphiql.min.js'), type: 'text/javascript' },
  'graphiql.css': { path: inPackage('graphiql', 'graphiql.min.css'), type: 'text/css' },
  'browser.js': { path: ours('browser.js'), type: 'text/javascript' },
  'browser.css': { path: ours('browser.css'), type: 'text/css' },
});

/** Nothing from another host, no inline script. Editors set inline styles; fonts and images are data within the CSS. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  'font-src data:',
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

interface Asset {
  readonly body: Buffer;
  readonly type: string;
  /** Of the content: it stands in the file's address, so a browser may keep the file for ever. */
  readonly hash: string;
}

/** `GET /playground`: GraphiQL out of our own packages, with ready operations for each role. Off unless configured. */
export function mountPlayground(server: FastifyInstance, app: App): void {
  if (!app.config.graphql.playground) return;
  let loading: Promise<Map<string, Asset>> | undefined;
  // Read when first asked for: most servers never show the page, and it is 1.6 MB.
  const assets = () => (loading ??= loadAssets());

  server.get('/playground', async (_request, reply) => {
    const page = pageOf(await assets());
    return reply
      .header('content-security-policy', POLICY)
      .header('cache-control', 'no-cache')
      .type('text/html; charset=utf-8')
      .send(page);
  });
  server.get('/playground/operations.json', async () => ({ roles: ROLES, values: VALUES }));
  server.get<{ Params: { hash: string; name: string } }>('/playground/assets/:hash/:name', async (request, reply) => {
    const asset = (await assets()).get(request.params.name);
    if (asset?.hash !== request.params.hash) throw new AppError('NOT_FOUND');
    reply.header('cache-control', 'public, max-age=31536000, immutable').header('etag', `"${asset.hash}"`);
    if (request.headers['if-none-match'] === `"${asset.hash}"`) return reply.code(304).send();
    return reply.type(`${asset.type}; charset=utf-8`).send(asset.body);
  });
}

async function loadAssets(): Promise<Map<string, Asset>> {
  const load = async ([name, { path, type }]: [string, { path: string; type: string }]) => {
    const body = await readFile(path);
    return [name, { body, type, hash: createHash('sha256').update(body).digest('hex').slice(0, 16) }] as const;
  };
  return new Map(await Promise.all(Object.entries(files()).map(load)));
}

const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='3' fill='%23d60590'/%3E%3Cpath d='M11 5a4 4 0 1 0 0 6' stroke='white' stroke-width='2' fill='none'/%3E%3C/svg%3E";

function pageOf(assets: ReadonlyMap<string, Asset>): string {
  const address = (name: string) => `/playground/assets/${assets.get(name)?.hash}/${name}`;
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Credence playground</title>
    <link rel="icon" href="${ICON}">
    <link rel="stylesheet" href="${address('graphiql.css')}">
    <link rel="stylesheet" href="${address('browser.css')}">
    <script defer src="${address('react.js')}"></script>
    <script defer src="${address('react-dom.js')}"></script>
    <script defer src="${address('graphiql.js')}"></script>
    <script type="module" src="${address('browser.js')}"></script>
  </head>
  <body>
    <div id="root"><noscript>The playground needs JavaScript.</noscript></div>
  </body>
</html>
`.toString();
}
