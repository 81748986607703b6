// All of OpenTelemetry. Nothing global is set: contexts are handed to the tracer by hand, so two apps in one process
// do not mix, and no library of ours begins to send trace headers by itself.
import {
  type Attributes,
  type Context,
  type Span as OtelSpan,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  type ReadableSpan,
  type Sampler,
  SamplingDecision,
  type SpanExporter,
  type SpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from '@opentelemetry/semantic-conventions';
import type { Config } from './config.js';
import type { Metrics } from './metrics.js';
import { packageVersion } from './package-info.js';
import {
  SPAN_ATTRIBUTES,
  type Span,
  type SpanAttributes,
  type SpanOptions,
  type Tracing,
  typeOfError,
} from './tracing.js';

type Settings = NonNullable<Config['tracing']>;

interface Surroundings {
  readonly metrics: Pick<Metrics, 'spans'>;
  readonly onExporting: (works: boolean) => void;
}

/** Spans that wait for the collector or are on their way to it: some four megabytes. More are dropped, and counted. */
const MOST_HELD = 4_096;
const BATCH = 512;
const SEND_EVERY_MS = 2_000;
const EXPORT_MS = 5_000;
const CLOSE_MS = 3_000;
/** Requests a second that are recorded because a caller behind a trusted proxy wished so. */
const WISHES_PER_SECOND = 10;

export function openOtlpTracing(settings: Settings, { metrics, onExporting }: Surroundings): Tracing {
  const contexts = new AsyncLocalStorageContextManager().enable();
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      [ATTR_SERVICE_NAME]: settings.serviceName,
      [ATTR_SERVICE_VERSION]: packageVersion(),
    }),
    sampler: createSampler(settings),
    spanProcessors: [createProcessor(settings, { metrics, onExporting })],
  });
  const tracer = provider.getTracer('credence', packageVersion());
  const isRecording = (context: Context) => trace.getSpan(context)?.isRecording() === true;

  function begin(name: string, { kind = 'internal', attributes }: SpanOptions, parent: Context): OtelSpan {
    const spanKind = kind === 'client' ? SpanKind.CLIENT : SpanKind.INTERNAL;
    return tracer.startSpan(nameOf(name), { kind: spanKind, attributes: allowed(attributes) }, parent);
  }

  return {
    startRequest(name, { traceparent, isTrusted }) {
      const parent = isTrusted ? remoteContext(traceparent) : ROOT_CONTEXT;
      return new OpenSpan(tracer.startSpan(nameOf(name), { kind: SpanKind.SERVER }, parent));
    },
    start(name, options = {}) {
      const parent = contexts.active();
      return isRecording(parent) ? new OpenSpan(begin(name, options, parent)) : undefined;
    },
    within: (span, work) =>
      span instanceof OpenSpan ? contexts.with(trace.setSpan(ROOT_CONTEXT, span.inner), work) : work(),
    async span(name, options, work) {
      const parent = contexts.active();
      if (trace.getSpan(parent) ? !isRecording(parent) : !options.root) return work();
      const inner = begin(name, options, parent);
      const span = new OpenSpan(inner);
      try {
        const answer = await contexts.with(trace.setSpan(parent, inner), () => work(span));
        // Guards answer with an error where others throw it.
        span.end(answer instanceof Error ? answer : undefined);
        return answer;
      } catch (error) {
        span.end(error);
        throw error;
      }
    },
    record(name, { startedAt, endedAt }, options = {}) {
      const parent = contexts.active();
      if (!isRecording(parent)) return;
      const at = (time: number) => performance.timeOrigin + time;
      const kind = SpanKind.INTERNAL;
      tracer
        .startSpan(nameOf(name), { kind, startTime: at(startedAt), attributes: allowed(options.attributes) }, parent)
        .end(at(endedAt));
    },
    traceId: () => traceIdOf(trace.getSpan(contexts.active())),
    async close() {
      const ending = provider.shutdown().catch(() => undefined);
      let timer: NodeJS.Timeout | undefined;
      const tooLate = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, CLOSE_MS);
      });
      await Promise.race([ending, tooLate]);
      clearTimeout(timer);
      contexts.disable();
    },
  };
}

class OpenSpan implements Span {
  readonly traceId: string | undefined;

  constructor(readonly inner: OtelSpan) {
    this.traceId = traceIdOf(inner);
  }

  set(attributes: SpanAttributes): void {
    if (this.inner.isRecording()) this.inner.setAttributes(allowed(attributes));
  }

  end(error?: unknown): void {
    if (error !== undefined) {
      this.set({ 'error.type': typeOfError(error) });
      this.inner.setStatus({ code: SpanStatusCode.ERROR });
    }
    this.inner.end();
  }
}

const traceIdOf = (span: OtelSpan | undefined) => (span?.isRecording() ? span.spanContext().traceId : undefined);

/** Names are the program's own; this is the second net, for the day somebody builds one of what a caller sent. */
const nameOf = (name: string) => (/^[\w.:/ *-]{1,100}$/.test(name) ? name : 'other');

function allowed(attributes: SpanAttributes | undefined): Attributes {
  const passed: Attributes = {};
  for (const [name, shape] of Object.entries(SPAN_ATTRIBUTES)) {
    const value = attributes?.[name as keyof SpanAttributes];
    const fits = shape === 'number' ? typeof value === 'number' : typeof value === 'string' && shape.test(value);
    if (fits) passed[name] = value;
  }
  return passed;
}

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/;

/** W3C Trace Context 3.2. `tracestate` is not taken over: it is for others to write, and nobody here reads it. */
function remoteContext(traceparent: string | undefined): Context {
  const [, traceId = '', spanId = '', flags = ''] = TRACEPARENT.exec(traceparent ?? '') ?? [];
  const spanContext = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
  return trace.isSpanContextValid(spanContext) ? trace.setSpanContext(ROOT_CONTEXT, spanContext) : ROOT_CONTEXT;
}

/**
 * Whether a trace is recorded is decided at its first span here; all beneath follow. By lot and not by the trace's id,
 * which behind a proxy is for the caller to choose.
 */
function createSampler({ ratio, followsParent }: Settings): Sampler {
  let second = 0;
  let granted = 0;
  const isGranted = () => {
    const now = Math.floor(performance.now() / 1_000);
    if (now !== second) [second, granted] = [now, 0];
    granted += 1;
    return granted <= WISHES_PER_SECOND;
  };
  const isChosen = () => Math.random() < ratio;
  function decide(context: Context): boolean {
    const parent = trace.getSpanContext(context);
    if (parent === undefined) return isChosen();
    const isSampled = (parent.traceFlags & 1) === 1;
    if (!parent.isRemote) return isSampled;
    if (!followsParent) return isChosen();
    return isSampled && (isGranted() || isChosen());
  }
  return {
    shouldSample: (context) => ({
      decision: decide(context) ? SamplingDecision.RECORD_AND_SAMPLED : SamplingDecision.NOT_RECORD,
    }),
    toString: () => 'credence',
  };
}

/** Batches, with a bound over all that is held, and every span counted by what became of it. */
function createProcessor(settings: Settings, { metrics, onExporting }: Surroundings): SpanProcessor {
  let held = 0;
  let works = true;
  const inner = new OTLPTraceExporter({
    url: settings.url,
    headers: settings.headers,
    timeoutMillis: EXPORT_MS,
    concurrencyLimit: 4,
  });
  const exporter: SpanExporter = {
    export(spans: ReadableSpan[], done) {
      inner.export(spans, (result) => {
        const isTaken = result.code === 0;
        held -= spans.length;
        metrics.spans.add(isTaken ? 'exported' : 'failed', spans.length);
        if (isTaken !== works) onExporting(isTaken);
        works = isTaken;
        done(result);
      });
    },
    shutdown: () => inner.shutdown(),
    forceFlush: () => inner.forceFlush(),
  };
  const batches = new BatchSpanProcessor({
    exporter,
    maxQueueSize: MOST_HELD,
    maxExportBatchSize: BATCH,
    scheduledDelayMillis: SEND_EVERY_MS,
    exportTimeoutMillis: 2 * EXPORT_MS,
  });
  return {
    onStart: () => undefined,
    onEnd(span) {
      if (held >= MOST_HELD) {
        metrics.spans.add('dropped');
        return;
      }
      held += 1;
      batches.onEnd(span);
    },
    forceFlush: () => batches.forceFlush(),
    shutdown: () => batches.shutdown(),
  };
}
