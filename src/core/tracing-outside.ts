import type { Config } from './config.js';
import type { App } from './context.js';
import type { Tracing } from './tracing.js';

/**
 * The parts that wait for other servers, with a span for each call: which host, how it ended, and nothing of what was
 * sent. No trace context goes with the request: who else took part in a request here is nobody's business out there.
 */
export function traceOutside(app: App, tracing: Tracing): App {
  const { config } = app;
  const to = (name: string, address: string | undefined) => ({ name, addressOf: () => address });
  return {
    ...app,
    mailer: traceCalls(app.mailer, tracing, { ...to('mail', mailHost(config.mail)), methods: ['send'] }),
    payments:
      app.payments &&
      traceCalls(app.payments, tracing, {
        ...to('stripe', config.billing && hostOf(config.billing.apiBase)),
        methods: ['call'],
      }),
    storage:
      config.storage.kind === 's3'
        ? traceCalls(app.storage, tracing, {
            ...to('storage', config.storage.endpoint === undefined ? 's3' : hostOf(config.storage.endpoint)),
            methods: ['write', 'open', 'remove'],
          })
        : app.storage,
    openid:
      app.openid &&
      traceCalls(app.openid, tracing, {
        ...to('openid', config.google && hostOf(config.google.issuer)),
        methods: ['authorizationUrl', 'identify'],
      }),
    outbound: traceCalls(app.outbound, tracing, {
      name: 'webhook',
      methods: ['post'],
      addressOf: ([url]) => hostOf(String(url)),
    }),
    eventBuses: new Map(
      [...app.eventBuses].map(([name, bus]) => [
        name,
        traceCalls(bus, tracing, { ...to(`bus ${name}`, undefined), methods: ['send'] }),
      ]),
    ),
  };
}

function mailHost(mail: Config['mail']): string | undefined {
  if (mail.transport === 'smtp') return hostOf(mail.smtpUrl);
  return mail.transport === 'resend' ? hostOf(mail.resend.apiBase) : undefined;
}

/** These methods of a part, each in a span of its own whenever something is traced. */
function traceCalls<Part extends object>(
  part: Part,
  tracing: Tracing,
  options: {
    name: string;
    methods: readonly (keyof Part & string)[];
    addressOf: (args: unknown[]) => string | undefined;
  },
): Part {
  const traced = options.methods.flatMap((method) => {
    const call = part[method];
    if (typeof call !== 'function') return [];
    const inSpan = (...args: unknown[]) =>
      tracing.span(
        `${options.name} ${method}`,
        { kind: 'client', root: true, attributes: { 'server.address': options.addressOf(args) } },
        async (span) => {
          const answer: unknown = await call.apply(part, args);
          if (typeof answer === 'object' && answer !== null && 'statusCode' in answer)
            span?.set({ 'http.response.status_code': Number(answer.statusCode) });
          return answer;
        },
      );
    return [[method, inSpan]];
  });
  return { ...part, ...Object.fromEntries(traced) };
}

/** The host of an address; undefined for what is none. */
const hostOf = (url: string): string | undefined => URL.parse(url)?.hostname.replace(/^\[|\]$/g, '');
