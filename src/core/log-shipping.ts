import { createSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import { hostname } from 'node:os';
import type { LineSink } from './log-store.js';

/**
 * Lines to a receiver elsewhere. Nobody waits for it: lines wait in a bounded line of their own, and when it is full the
 * oldest are dropped and counted (SECURITY Q17). Over TCP a line whose connection broke may arrive twice.
 */
export interface ShippingOptions {
  readonly onDropped: (count: number) => void;
  readonly mostWaiting?: number;
  readonly firstPauseMs?: number;
}

const MOST_WAITING = 10_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** A receiver that takes nothing for so long is left; a new connection may find a living one. */
const STALLED_MS = 30_000;
const CLOSE_MS = 1_000;
/** RFC 5426, 3.2: what any network should carry, and most receivers take. */
const LONGEST_DATAGRAM = 8_192;

/** JSON lines over TCP, as Logstash's `json_lines` codec reads them. `tcp://host:port` */
export function createLogstashSink(url: string, options: ShippingOptions): LineSink {
  return createTcpSink(url, { ...options, frame: logstashFrame });
}

/** RFC 5424 over UDP (RFC 5426), or over TCP with octet counting (RFC 6587, 3.4.1). `udp://host:port`, `tcp://host:port` */
export function createSyslogSink(url: string, options: ShippingOptions): LineSink {
  if (new URL(url).protocol === 'udp:') return createUdpSink(url, options);
  return createTcpSink(url, { ...options, frame: (line) => countOctets(syslogMessage(line)) });
}

const fieldOf = (line: string, name: string) => new RegExp(`"${name}":"([^"\\\\]*)"`).exec(line)?.[1];

export function logstashFrame(line: string): string {
  const time = fieldOf(line, 'time') ?? new Date().toISOString();
  return `{"@timestamp":"${time}","service":"credence",${line.trimEnd().slice(1)}\n`;
}

/** local0 */
const FACILITY = 16;
const SEVERITIES: Record<string, number> = { fatal: 2, error: 3, warn: 4, info: 6, debug: 7, trace: 7 };
/** Printable ASCII without blanks, as RFC 5424 wants its header fields. */
const HOST =
  hostname()
    .replace(/[^\x21-\x7e]/g, '')
    .slice(0, 255) || '-';

/** `<134>1 2026-01-31T09:30:00.000Z host credence 4711 - [credence@32473 requestId="…"] {…}` */
export function syslogMessage(line: string): string {
  const priority = FACILITY * 8 + (SEVERITIES[fieldOf(line, 'level') ?? ''] ?? 6);
  const time = fieldOf(line, 'time') ?? '-';
  const requestId = fieldOf(line, 'requestId');
  // RFC 5424, 6.3.3: these three would end the value, or the element.
  const value = requestId?.replace(/["\\\]]/g, '\\$&');
  // 32473 is the enterprise number that RFC 5612 leaves to whoever has none.
  const data = value === undefined ? '-' : `[credence@32473 requestId="${value}"]`;
  return `<${priority}>1 ${time} ${HOST} credence ${process.pid} - ${data} ${line.trimEnd()}`;
}

const countOctets = (message: string) => `${Buffer.byteLength(message)} ${message}`;

function createTcpSink(url: string, options: ShippingOptions & { frame: (line: string) => string }): LineSink {
  const { hostname: host, port } = new URL(url);
  const shipper = new TcpShipper({ host: host.replace(/^\[|\]$/g, ''), port: Number(port) }, options);
  return {
    write: (line) => shipper.push(options.frame(line)),
    close: () => shipper.close(),
  };
}

class TcpShipper {
  readonly #target: { host: string; port: number };
  readonly #onDropped: (count: number) => void;
  readonly #mostWaiting: number;
  readonly #firstPauseMs: number;
  /** The first `#handed` of them are in the socket and may not have left it. */
  readonly #waiting: string[] = [];
  #handed = 0;
  #socket: Socket | undefined;
  #isOpen = false;
  #pauseMs: number;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #onEmpty: (() => void) | undefined;

  constructor(target: { host: string; port: number }, options: ShippingOptions) {
    this.#target = target;
    this.#onDropped = options.onDropped;
    this.#mostWaiting = options.mostWaiting ?? MOST_WAITING;
    this.#firstPauseMs = options.firstPauseMs ?? FIRST_PAUSE_MS;
    this.#pauseMs = this.#firstPauseMs;
    this.#connect();
  }

  push(frame: string): void {
    if (this.#isClosed) return;
    if (this.#waiting.length >= this.#mostWaiting) {
      // What the socket holds cannot be taken back: the oldest of the others goes, or this one.
      this.#onDropped(1);
      if (this.#handed >= this.#waiting.length) return;
      this.#waiting.splice(this.#handed, 1);
    }
    this.#waiting.push(frame);
    this.#pump();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    if (this.#isOpen && this.#waiting.length > 0) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve;
        setTimeout(resolve, CLOSE_MS);
      });
    }
    if (this.#waiting.length > 0) this.#onDropped(this.#waiting.length);
    this.#waiting.length = 0;
    this.#socket?.destroy();
  }

  #connect(): void {
    const socket = connect({ ...this.#target, keepAlive: true }).unref();
    this.#socket = socket;
    socket.setTimeout(STALLED_MS, () => {
      if (!this.#isOpen || this.#handed > 0) socket.destroy();
    });
    socket.on('connect', () => {
      this.#isOpen = true;
      this.#pump();
    });
    socket.on('drain', () => this.#pump());
    // Whatever a receiver says, nobody listens; but unread it would keep the end of the connection from being seen.
    socket.resume();
    socket.on('error', () => undefined);
    socket.on('close', () => this.#lose());
  }

  #lose(): void {
    this.#isOpen = false;
    this.#handed = 0;
    if (this.#isClosed) {
      this.#onEmpty?.();
      return;
    }
    this.#timer = setTimeout(() => this.#connect(), this.#pauseMs * (0.75 + Math.random() / 2)).unref();
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }

  #pump(): void {
    const socket = this.#socket;
    if (!socket || !this.#isOpen) return;
    while (this.#handed < this.#waiting.length && !socket.writableNeedDrain) {
      this.#handed += 1;
      socket.write(this.#waiting[this.#handed - 1] as string, (error) => {
        if (error || socket !== this.#socket || !this.#isOpen) return;
        this.#waiting.shift();
        this.#handed -= 1;
        this.#pauseMs = this.#firstPauseMs;
        if (this.#waiting.length === 0) this.#onEmpty?.();
      });
    }
  }
}

function createUdpSink(url: string, { onDropped, mostWaiting = MOST_WAITING }: ShippingOptions): LineSink {
  const { hostname: given, port } = new URL(url);
  const host = given.replace(/^\[|\]$/g, '');
  const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4' }).unref();
  socket.on('error', () => undefined);
  let waiting = 0;
  return {
    write(line) {
      if (waiting >= mostWaiting) {
        onDropped(1);
        return;
      }
      waiting += 1;
      const message = Buffer.from(syslogMessage(line)).subarray(0, LONGEST_DATAGRAM);
      socket.send(message, Number(port), host, (error) => {
        waiting -= 1;
        if (error) onDropped(1);
      });
    },
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}
