import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface CollectedSpan {
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  name: string;
  /** OTLP: 1 internal, 2 server, 3 client. */
  kind: number;
  attributes: Record<string, string | number>;
  startedAt: bigint;
  endedAt: bigint;
  isError: boolean;
}

export interface Collector {
  readonly url: string;
  readonly spans: CollectedSpan[];
  /** Every body as it came. */
  readonly bodies: string[];
  readonly headers: Record<string, unknown>[];
  /** Resources as `name → value`. */
  readonly resources: Record<string, string | number>[];
  /** From now on it takes everything and answers nothing. */
  hang(): void;
  /** Ends it as a crash would. */
  close(): Promise<void>;
}

interface KeyValue {
  key: string;
  value: { stringValue?: string; intValue?: number | string; doubleValue?: number };
}

const read = (attributes: KeyValue[]) =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue ?? value.doubleValue)]),
  );

/** Takes OTLP/HTTP in its JSON form (OpenTelemetry protocol, 1.x) at /v1/traces, on a port of its own or the one given. */
export async function startCollector(port = 0): Promise<Collector> {
  const collected: Pick<Collector, 'spans' | 'bodies' | 'headers' | 'resources'> = {
    spans: [],
    bodies: [],
    headers: [],
    resources: [],
  };
  let hangs = false;
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    if (hangs) return;
    if (request.url !== '/v1/traces' || request.headers['content-type'] !== 'application/json') {
      response.writeHead(404).end();
      return;
    }
    collected.bodies.push(body);
    collected.headers.push(request.headers);
    for (const { resource, scopeSpans } of JSON.parse(body).resourceSpans) {
      collected.resources.push(read(resource.attributes));
      for (const { spans } of scopeSpans) collected.spans.push(...spans.map(toSpan));
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening));
  return {
    ...collected,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hang() {
      hangs = true;
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

// biome-ignore lint/suspicious/noExplicitAny: the wire's own form, read once.
function toSpan(span: any): CollectedSpan {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId || undefined,
    name: span.name,
    kind: span.kind,
    attributes: read(span.attributes),
    startedAt: BigInt(span.startTimeUnixNano),
    endedAt: BigInt(span.endTimeUnixNano),
    isError: span.status?.code === 2,
  };
}
