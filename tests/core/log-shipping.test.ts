import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createLogstashSink, createSyslogSink, syslogMessage } from '../../src/core/log-shipping.js';
import type { LineSink } from '../../src/core/log-store.js';

const sinks: LineSink[] = [];
const receivers: Receiver[] = [];

afterEach(async () => {
  await Promise.all(sinks.splice(0).map((sink) => sink.close()));
  await Promise.all(receivers.splice(0).map((receiver) => receiver.die()));
});

/** A TCP listener that can stall, reset and die. */
class Receiver {
  text = '';
  sockets = new Set<Socket>();
  #server: Server | undefined;
  #heard: { text: string; resolve: () => void } | undefined;
  isStalling = false;
  port = 0;

  async listen(): Promise<this> {
    const server = createServer((socket) => {
      this.sockets.add(socket);
      socket
        .setEncoding('utf8')
        .on('error', () => undefined)
        .on('close', () => this.sockets.delete(socket));
      if (this.isStalling) socket.pause();
      socket.on('data', (chunk: string) => {
        this.text += chunk;
        if (this.#heard && this.text.includes(this.#heard.text)) this.#heard.resolve();
      });
    });
    server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
    if (!receivers.includes(this)) receivers.push(this);
    return this;
  }

  hears(text: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#heard = { text, resolve };
    if (this.text.includes(text)) resolve();
    return promise;
  }

  reset(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  async die(): Promise<void> {
    if (!this.#server?.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.reset();
    await closed;
  }
}

const line = (event: string, more: Record<string, unknown> = {}) =>
  `${JSON.stringify({ level: 'warn', time: '2026-01-31T09:30:00.000Z', ...more, msg: event })}\n`;

function keep<Sink extends LineSink>(sink: Sink): Sink {
  sinks.push(sink);
  return sink;
}

test('Logstash gets one JSON object a line, with its time where Logstash looks for it', async () => {
  const receiver = await new Receiver().listen();
  const sink = keep(createLogstashSink(`tcp://127.0.0.1:${receiver.port}`, { onDropped: () => undefined }));
  sink.write(line('one', { requestId: 'r-1' }));
  sink.write(line('two\u2028"quoted"\n'));
  await receiver.hears('two');
  const objects = receiver.text
    .trim()
    .split('\n')
    .map((text) => JSON.parse(text));
  expect(objects).toMatchObject([
    { '@timestamp': '2026-01-31T09:30:00.000Z', service: 'credence', level: 'warn', msg: 'one', requestId: 'r-1' },
    { msg: 'two\u2028"quoted"\n' },
  ]);
});

test('a receiver that resets, and one that dies and comes back, get every line in the end', async () => {
  const receiver = await new Receiver().listen();
  let dropped = 0;
  const onDropped = (count: number) => {
    dropped += count;
  };
  const sink = keep(createLogstashSink(`tcp://127.0.0.1:${receiver.port}`, { onDropped, firstPauseMs: 5 }));
  sink.write(line('before'));
  await receiver.hears('"before"');
  receiver.reset();
  await receiver.die();
  for (let count = 0; count < 50; count += 1) sink.write(line(`meanwhile-${count}.`));
  await receiver.listen();
  await receiver.hears('meanwhile-49.');
  for (let count = 0; count < 50; count += 1) expect(receiver.text).toContain(`meanwhile-${count}.`);
  expect(dropped).toBe(0);
});

test('while nobody listens the newest lines wait, and the oldest are dropped and counted', async () => {
  const receiver = await new Receiver().listen();
  const { port } = receiver;
  await receiver.die();
  let dropped = 0;
  const onDropped = (count: number) => {
    dropped += count;
  };
  const options = { onDropped, mostWaiting: 10, firstPauseMs: 5 };
  const sink = keep(createLogstashSink(`tcp://127.0.0.1:${port}`, options));
  for (let count = 0; count < 25; count += 1) sink.write(line(`line-${count}.`));
  expect(dropped).toBe(15);
  await receiver.listen();
  await receiver.hears('line-24.');
  expect(receiver.text).toContain('line-15.');
  expect(receiver.text).not.toContain('line-14.');
});

test('a receiver that takes the connection and reads nothing costs lines, never time or memory without end', async () => {
  const receiver = new Receiver();
  receiver.isStalling = true;
  await receiver.listen();
  let dropped = 0;
  const onDropped = (count: number) => {
    dropped += count;
  };
  const options = { onDropped, mostWaiting: 100 };
  const sink = keep(createLogstashSink(`tcp://127.0.0.1:${receiver.port}`, options));
  // More than the buffers of both ends hold.
  const long = line('x'.repeat(50_000));
  for (let count = 0; count < 1_000; count += 1) {
    sink.write(long);
    await new Promise(setImmediate);
  }
  expect(dropped).toBeGreaterThan(100);
  await sink.close();
});

test('syslog over TCP counts the octets of each message, also where letters take several', async () => {
  const receiver = await new Receiver().listen();
  const sink = keep(createSyslogSink(`tcp://127.0.0.1:${receiver.port}`, { onDropped: () => undefined }));
  sink.write(line('grüße', { requestId: 'r-1' }));
  sink.write(line('last'));
  await receiver.hears('last"}');
  let rest = Buffer.from(receiver.text);
  const messages: string[] = [];
  while (rest.length > 0) {
    const [digits = ''] = /^\d+/.exec(rest.toString('latin1')) ?? [];
    const start = digits.length + 1;
    messages.push(rest.subarray(start, start + Number(digits)).toString());
    rest = rest.subarray(start + Number(digits));
  }
  expect(messages).toHaveLength(2);
  expect(messages[0]).toMatch(
    /^<132>1 2026-01-31T09:30:00\.000Z \S+ credence \d+ - \[credence@32473 requestId="r-1"\] \{.*grüße"\}$/,
  );
  expect(messages[1]).toMatch(/ - - \{.*last"\}$/);
});

test('syslog over UDP sends one datagram a line', async () => {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const sink = keep(createSyslogSink(`udp://127.0.0.1:${socket.address().port}`, { onDropped: () => undefined }));
  const heard = once(socket, 'message');
  sink.write(line('hello', { level: 'fatal' }));
  expect(String((await heard)[0])).toMatch(/^<130>1 .*hello"\}$/);
  socket.close();
});

test('nothing in a line can end its structured data or start another message', () => {
  const message = syslogMessage(line('a\nb', { requestId: 'x] "<0>' }));
  expect(message).not.toContain('\n');
  expect(message).not.toMatch(/requestId="[^\\]*\] "<0>"\]/);
});
