import type { Config } from './config.js';
import type { Metrics } from './metrics.js';

/**
 * Traces, for a collector that speaks OTLP over HTTP. Undefined unless OTEL_EXPORTER_OTLP_ENDPOINT is set, and then
 * nothing of OpenTelemetry is loaded: whoever traces asks `app.tracing` first, which is all it costs.
 *
 * Spans hold names and attributes from closed lists, and nothing that a caller wrote: no addresses, no variables, no
 * query text, no messages of errors. They go to the collector alone; no trace context is sent to anybody else.
 */
export interface Tracing {
  /**
   * Begins the span of a request. The caller's `traceparent` (W3C Trace Context) is followed only when `isTrusted`: the
   * connection came from a proxy on the list. Such proxies hand on what strangers sent, so the wish to be sampled is
   * granted so many times a second and no more; beyond that the request is sampled like any other.
   */
  startRequest(name: string, from: { traceparent: string | undefined; isTrusted: boolean }): Span;
  /** Begins a span under the current one, without becoming it; undefined where nothing is being recorded. */
  start(name: string, options?: SpanOptions): Span | undefined;
  /** Runs `work` with this span as the current one. */
  within<T>(span: Span, work: () => T): T;
  /** Runs `work` in a span of its own, which ends with it. Where there is no current span it begins a trace if `root`. */
  span<T>(name: string, options: SpanOptions & { root?: boolean }, work: (span?: Span) => Promise<T>): Promise<T>;
  /** A span that is over already, by `performance.now()`. */
  record(name: string, times: { startedAt: number; endedAt: number }, options?: SpanOptions): void;
  /** Of the current span, when it is recorded. */
  traceId(): string | undefined;
  /** Sends what is left, for three seconds at most. */
  close(): Promise<void>;
}

export interface Span {
  /** Undefined when the trace is not recorded. */
  readonly traceId: string | undefined;
  set(attributes: SpanAttributes): void;
  /** With an error: its kind or code, and never its message. */
  end(error?: unknown): void;
}

export interface SpanOptions {
  /** `client` for what waits for another server. */
  readonly kind?: 'client' | 'internal';
  readonly attributes?: SpanAttributes;
}

/** All that a span may say, and the shape it must have. Names are OpenTelemetry's where there is one. */
export const SPAN_ATTRIBUTES = {
  'http.request.method': /^[A-Z]{3,7}$/,
  // The pattern, never the path that was asked for.
  'http.route': /^[\w./:*-]{1,100}$/,
  'http.response.status_code': 'number',
  'graphql.operation.type': /^(?:query|mutation)$/,
  // Names of the schema, never an operation's own.
  'credence.fields': /^[\w ]{1,100}$/,
  'credence.request.id': /^[\w.:-]{1,64}$/,
  'credence.viewer.kind': /^[A-Za-z]{1,20}$/,
  'credence.job': /^[a-z-]{1,60}$/,
  'credence.letter.kind': /^[A-Za-z0-9_-]{1,60}$/,
  'credence.attempt': 'number',
  'db.system.name': /^postgresql$/,
  'db.query.summary': /^[A-Z]{4,8}(?: [a-z0-9_]{1,63})?$/,
  'db.operation.batch.size': 'number',
  'credence.lane': /^[a-z]{1,20}$/,
  'server.address': /^[A-Za-z0-9.:-]{1,253}$/,
  'error.type': /^[A-Za-z0-9_.]{1,60}$/,
} as const satisfies Record<string, RegExp | 'number'>;
export type SpanAttributes = {
  [Name in keyof typeof SPAN_ATTRIBUTES]?:
    | ((typeof SPAN_ATTRIBUTES)[Name] extends 'number' ? number : string)
    | undefined;
};

interface Surroundings {
  readonly metrics: Pick<Metrics, 'spans'>;
  /** Told when the collector stops taking spans (false) and takes them again (true). */
  readonly onExporting: (works: boolean) => void;
}

/** @returns undefined when tracing is not set up */
export async function openTracing(settings: Config['tracing'], options: Surroundings): Promise<Tracing | undefined> {
  if (settings === undefined) return undefined;
  return (await import('./tracing-otlp.js')).openOtlpTracing(settings, options);
}

/** What an error is called in a span: our code, a SQLSTATE or system code, or its class. */
export function typeOfError(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  const named = [code, name].find((text) => typeof text === 'string' && SPAN_ATTRIBUTES['error.type'].test(text));
  return typeof named === 'string' ? named : 'Error';
}
