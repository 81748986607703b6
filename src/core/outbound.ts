// HTTP to addresses that an operator typed in (SECURITY X1): the one way out that others choose the end of. A name is
// resolved once, and the connection goes to the very address that was looked at; redirects are answers like any other.
import { lookup } from 'node:dns/promises';
import { type ClientRequest, type IncomingMessage, request as requestPlain } from 'node:http';
import { request as requestSecure } from 'node:https';
import { isIP } from 'node:net';
import { type Cidr, isInCidrs, parseCidrs } from './network.js';

export interface Outbound {
  /**
   * Posts `body`, and answers with the status; any status is an answer.
   *
   * @throws OutboundError when there is none within five seconds, or the address is not to be reached
   */
  post(url: string, message: { headers: Record<string, string>; body: string }): Promise<OutboundAnswer>;
  /** Why nothing can be posted there, as far as the text tells; undefined when nothing speaks against it. */
  problemOf(url: string): string | undefined;
}

export interface OutboundAnswer {
  readonly statusCode: number;
  /** What Retry-After asks for (RFC 9110, 10.2.3). */
  readonly retryAfterSeconds: number | undefined;
}

/** The code says what happened: ours, or one of Node's such as `ECONNREFUSED`. Never what the other side wrote. */
export class OutboundError extends Error {
  constructor(
    readonly code: string,
    options?: ErrorOptions,
  ) {
    super(`Nothing could be posted: ${code}`, options);
    this.name = 'OutboundError';
  }
}

interface OutboundOptions {
  /** Private networks that may be reached, and without TLS. */
  readonly networks: readonly Cidr[];
  /** Refuses inside a database transaction. */
  readonly requireOutside: () => void;
  /** All addresses of a name. */
  readonly resolve?: (hostname: string) => Promise<readonly { address: string }[]>;
}

const PATIENCE_MS = 5_000;
const MOST_BYTES = 65_536;
const MOST_HEADER_BYTES = 16_384;
const LONGEST_URL = 2_000;
const USER_AGENT = 'Credence-Webhooks/1';

/**
 * Addresses with a meaning of their own (IANA special-purpose registries, RFC 6890). IPv4 inside IPv6 and behind the
 * well-known NAT64 prefix was folded to IPv4 before (core/network); tunnels that carry IPv4 in other bits are here.
 */
const SPECIAL = parseCidrs([
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...['224.0.0.0/4', '240.0.0.0/4'],
  ...['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'],
]);
/** All that is given out of IPv6; loopback, link-local, unique local and multicast addresses lie outside of it. */
const GLOBAL_IPV6 = parseCidrs(['2000::/3']);
const ALL_IPV4 = parseCidrs(['0.0.0.0/0']);

function isPublic(ip: string): boolean {
  return isInCidrs(ip, [...ALL_IPV4, ...GLOBAL_IPV6]) && !isInCidrs(ip, SPECIAL);
}

export function createOutbound({ networks, requireOutside, resolve = resolveAll }: OutboundOptions): Outbound {
  /** Whether the address may be reached: from the whole network, or from the listed private ones. */
  const isOpen = (ip: string, isSecure: boolean) => isInCidrs(ip, networks) || (isSecure && isPublic(ip));

  async function chooseAddress(url: URL): Promise<string> {
    const host = bareHost(url);
    const isSecure = url.protocol === 'https:';
    const all = isIP(host) ? [host] : (await resolve(host)).map(({ address }) => address);
    const open = all.find((ip) => isOpen(ip, isSecure));
    if (open !== undefined) return open;
    throw new OutboundError(!isSecure && all.some(isPublic) ? 'EPLAINTEXT' : 'EADDRNOTALLOWED');
  }

  return {
    async post(text, message) {
      requireOutside();
      const url = readUrl(text);
      if (typeof url === 'string') throw new OutboundError('EURLNOTALLOWED');
      const signal = AbortSignal.timeout(PATIENCE_MS);
      try {
        const address = await within(chooseAddress(url), signal);
        return await send(url, { ...message, address, signal });
      } catch (error) {
        throw signal.aborted ? new OutboundError('ETIMEDOUT', { cause: error }) : toOutboundError(error);
      }
    },
    problemOf(text) {
      const url = readUrl(text);
      if (typeof url === 'string') return url;
      const host = bareHost(url);
      const isSecure = url.protocol === 'https:';
      if (!isSecure && networks.length === 0) return 'must use https';
      if (isIP(host) && !isOpen(host, isSecure)) return 'must lead to a public address, by https';
      return undefined;
    },
  };
}

const resolveAll = (hostname: string) => lookup(hostname, { all: true });

/** Without the brackets of IPv6. The parser has turned every other spelling of an IPv4 address into the dotted one. */
const bareHost = (url: URL) => url.hostname.replace(/^\[|\]$/g, '');

/** The URL, or what is wrong with it. */
function readUrl(text: string): URL | string {
  const url = text.length <= LONGEST_URL ? URL.parse(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol))
    return `must be an https address of at most ${LONGEST_URL} characters`;
  if (url.username !== '' || url.password !== '') return 'must not hold a user name or password';
  if (url.hash !== '') return 'must not hold a fragment';
  // Ports of the system's services, some of which take an HTTP request for commands of their own.
  if (url.port !== '' && Number(url.port) < 1024 && !['80', '443'].includes(url.port))
    return 'must not name a port below 1024 other than 80 and 443';
  return url;
}

function within<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  return Promise.race([promise, aborted]);
}

interface Sending {
  readonly address: string;
  readonly headers: Record<string, string>;
  readonly body: string;
  readonly signal: AbortSignal;
}

function send(url: URL, { address, headers, body, signal }: Sending): Promise<OutboundAnswer> {
  const isSecure = url.protocol === 'https:';
  const host = bareHost(url);
  const options = {
    // The address, so that nothing resolves the name again; certificate and SNI go by the name all the same.
    host: address,
    port: url.port || (isSecure ? 443 : 80),
    ...(isSecure && !isIP(host) && { servername: host }),
    path: `${url.pathname}${url.search}`,
    method: 'POST',
    agent: false,
    signal,
    maxHeaderSize: MOST_HEADER_BYTES,
    headers: {
      ...headers,
      host: url.host,
      'user-agent': USER_AGENT,
      'content-length': Buffer.byteLength(body),
    },
  };
  return new Promise((resolve, reject) => {
    const request: ClientRequest = (isSecure ? requestSecure : requestPlain)(options);
    request.on('error', reject);
    request.on('response', (response) => {
      const answer = { statusCode: response.statusCode ?? 0, retryAfterSeconds: retryAfterOf(response) };
      // The status has been given: whatever becomes of the rest changes nothing.
      drain(response, () => resolve(answer));
    });
    request.end(body);
  });
}

/** Reads on, for the sake of receivers that take a closed connection for a failure; so much and no more. */
function drain(response: IncomingMessage, done: () => void): void {
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) response.destroy();
  });
  response.on('error', done);
  response.on('close', done);
}

function retryAfterOf({ headers }: IncomingMessage): number | undefined {
  const text = headers['retry-after'];
  if (text === undefined) return undefined;
  const seconds = /^\d{1,9}$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1_000;
  return seconds > 0 ? Math.ceil(seconds) : undefined;
}

function toOutboundError(error: unknown): OutboundError {
  if (error instanceof OutboundError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return new OutboundError(/^[A-Z][A-Z0-9_]{2,60}$/.test(code) ? code : 'EUNKNOWN', { cause: error });
}
