import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { parseCidrs } from '../../src/core/network.js';
import { createOutbound } from '../../src/core/outbound.js';
import { makeCertificate } from '../support/certificate.js';
import { createReceiver, type Receiver } from '../support/receiver.js';

const LOOPBACK = parseCidrs(['127.0.0.0/8', '::1/128']);
const message = { headers: { 'x-mark': '1' }, body: '{"a":"é"}' };

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const make = (options: Partial<Parameters<typeof createOutbound>[0]> = {}) =>
  createOutbound({ networks: [], requireOutside: () => undefined, ...options });

async function receiver(): Promise<Receiver> {
  const one = await createReceiver();
  closing.push(() => one.close());
  return one;
}

/** A name that leads to these addresses. */
const leadsTo =
  (...addresses: string[]) =>
  async () =>
    addresses.map((address) => ({ address }));

describe('a post', () => {
  it('arrives with its headers and body, at the host that was named', async () => {
    const one = await receiver();
    const outbound = make({ networks: LOOPBACK, resolve: leadsTo('127.0.0.1') });
    const answer = await outbound.post(`http://hooks.example:${one.port}/a?b=c`, message);
    expect(answer).toEqual({ statusCode: 204, retryAfterSeconds: undefined });
    expect(one.received).toMatchObject([
      { path: '/a?b=c', body: message.body, headers: { host: `hooks.example:${one.port}`, 'x-mark': '1' } },
    ]);
  });

  it('takes every status for an answer, redirects too, and follows none', async () => {
    const one = await receiver();
    const inside = await receiver();
    one.answer = () => ({ status: 307, headers: { location: inside.url, 'retry-after': '7' } });
    const answer = await make({ networks: LOOPBACK }).post(one.url, message);
    expect(answer).toEqual({ statusCode: 307, retryAfterSeconds: 7 });
    expect(inside.received).toEqual([]);
  });

  it('is refused inside a transaction', async () => {
    const outbound = make({
      networks: LOOPBACK,
      requireOutside: () => {
        throw new Error('in a transaction');
      },
    });
    await expect(outbound.post('https://hooks.example/', message)).rejects.toThrow('in a transaction');
  });
});

describe('private addresses', () => {
  const INSIDE = [
    '127.0.0.1',
    '127.8.8.8',
    '0.0.0.0',
    '10.0.0.1',
    '100.64.0.1',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.1',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    '64:ff9b::a00:1',
    '64:ff9b:1::1',
    'fc00::1',
    'fd12:3456::1',
    'fe80::1',
    'fec0::1',
    'ff02::1',
    '2001::1',
    '2001:db8::1',
    '2002:7f00:1::',
    '::127.0.0.1',
  ];
  it.each(INSIDE)('%s is not reached by a name that leads there', async (address) => {
    const outbound = make({ resolve: leadsTo(address) });
    await expect(outbound.post('https://hooks.example/', message)).rejects.toMatchObject({ code: 'EADDRNOTALLOWED' });
  });

  it.each(INSIDE)('%s is not reached when it is written out', async (address) => {
    const host = address.includes(':') ? `[${address}]` : address;
    const outbound = make();
    expect(outbound.problemOf(`https://${host}/`)).toBeDefined();
    await expect(outbound.post(`https://${host}/`, message)).rejects.toMatchObject({ name: 'OutboundError' });
  });

  it.each([
    'http://2130706433',
    'http://0x7f000001',
    'http://0177.0.0.1',
    'http://127.1',
    'http://0',
    'http://①②⑦.0.0.1',
  ])('%s is the loopback address that it is', async (spelling) => {
    const url = `${spelling.replace('http:', 'https:')}:8443/`;
    expect(make().problemOf(url)).toBeDefined();
    await expect(make().post(url, message)).rejects.toMatchObject({ code: 'EADDRNOTALLOWED' });
  });

  it('one of them among public ones is passed over, and never connected to', async () => {
    const one = await receiver();
    const outbound = make({ resolve: leadsTo('10.0.0.1', '127.0.0.1') });
    await expect(outbound.post(`https://hooks.example:${one.port}/`, message)).rejects.toMatchObject({
      code: 'EADDRNOTALLOWED',
    });
    expect(one.received).toEqual([]);
  });

  it('are reached where the setting says so, and only there without TLS', async () => {
    const one = await receiver();
    expect((await make({ networks: LOOPBACK }).post(one.url, message)).statusCode).toBe(204);
    const outbound = make({ networks: LOOPBACK, resolve: leadsTo('93.184.215.14') });
    await expect(outbound.post('http://hooks.example/', message)).rejects.toMatchObject({ code: 'EPLAINTEXT' });
    expect(outbound.problemOf('http://93.184.215.14/')).toBeDefined();
    expect(make().problemOf('http://hooks.example/')).toBe('must use https');
  });
});

describe('what is no address to post to', () => {
  it.each([
    'ftp://hooks.example/',
    'file:///etc/passwd',
    'gopher://hooks.example/',
    'hooks.example',
    '',
    'https://',
    'https://user@hooks.example/',
    'https://user:pw@hooks.example/',
    'https://hooks.example/#x',
    'https://hooks.example:22/',
    'https://hooks.example:25/',
    'https://hooks.example:0/',
    'https://hooks.example:99999/',
    `https://hooks.example/${'x'.repeat(2_000)}`,
  ])('%s', async (url) => {
    expect(make().problemOf(url)).toBeDefined();
    await expect(make({ resolve: leadsTo('93.184.215.14') }).post(url, message)).rejects.toMatchObject({
      code: 'EURLNOTALLOWED',
    });
  });
});

describe('a receiver that misbehaves', () => {
  it('is given five seconds in all: for the name, for the answer', async () => {
    const one = await receiver();
    one.answer = 'hang';
    const nameless = make({ resolve: () => new Promise(() => undefined) });
    const began = performance.now();
    const outcomes = await Promise.allSettled([
      make({ networks: LOOPBACK }).post(one.url, message),
      nameless.post('https://hooks.example/', message),
    ]);
    expect(outcomes).toMatchObject([{ reason: { code: 'ETIMEDOUT' } }, { reason: { code: 'ETIMEDOUT' } }]);
    expect(performance.now() - began).toBeGreaterThanOrEqual(4_900);
  }, 30_000);

  it('can send as much as it likes: 64 KiB are read, and the status counts', async () => {
    let sent = 0;
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n');
      const chunk = Buffer.alloc(16_384, 'x');
      const pour = () => {
        while (!socket.destroyed && sent < 1_000_000_000) {
          sent += chunk.length;
          if (!socket.write(chunk)) return void socket.once('drain', pour);
        }
      };
      pour();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.push(() => new Promise((resolve) => server.close(resolve)));
    const { port } = server.address() as AddressInfo;
    expect((await make({ networks: LOOPBACK }).post(`http://127.0.0.1:${port}/`, message)).statusCode).toBe(200);
    expect(sent).toBeLessThan(100_000_000);
  }, 30_000);

  it('is told apart by a code: no name, nobody there, a certificate that nobody knows, no HTTP', async () => {
    const codeOf = (url: string, options = {}) =>
      make({ networks: LOOPBACK, ...options })
        .post(url, message)
        .then(() => 'taken')
        .catch((error: { code: string }) => error.code);
    expect(await codeOf('https://name.invalid/')).toMatch(/^E(NOTFOUND|AI_AGAIN)$/);
    expect(await codeOf('http://127.0.0.1:1024/')).toBe('ECONNREFUSED');
    const secure = createSecureServer(makeCertificate(), (_, response) => response.end());
    await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve));
    closing.push(() => new Promise((resolve) => secure.close(resolve)));
    const { port } = secure.address() as AddressInfo;
    expect(await codeOf(`https://hooks.example:${port}/`, { resolve: leadsTo('127.0.0.1') })).toBe(
      'DEPTH_ZERO_SELF_SIGNED_CERT',
    );
    const rude = createServer((socket) => void socket.resume().end('220 mail.example ESMTP\r\n'));
    await new Promise<void>((resolve) => rude.listen(0, '127.0.0.1', resolve));
    closing.push(() => new Promise((resolve) => rude.close(resolve)));
    expect(await codeOf(`http://127.0.0.1:${(rude.address() as AddressInfo).port}/`)).toMatch(/^HPE_/);
  });
});
