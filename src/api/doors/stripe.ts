import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../../core/context.js';
import { AppError } from '../../core/errors.js';
import { receiveStripeEvent } from '../../modules/payments/stripe-events.service.js';

const BODY_LIMIT = 512 * 1024;
/** Stripe sends its whole body at once; whoever trickles one holds a connection and nothing else (S11). */
const BODY_DEADLINE_MS = 2_000;

/**
 * `POST /stripe/webhook`: Stripe's signature is the credential. It covers the bytes as they were sent, so they are kept
 * from every parser (S3), and nothing is parsed that was not signed. 2xx is said after the commit, and never before:
 * Stripe repeats everything else for three days.
 */
export function mountStripe(server: FastifyInstance, app: App): void {
  server.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    // For this door alone: the other doors of the server go on parsing.
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: BODY_LIMIT }, (_request, body, done) => {
      done(null, body);
    });
    scope.post(
      '/stripe/webhook',
      {
        bodyLimit: BODY_LIMIT,
        onRequest: async () => {
          if (!app.payments?.canReceiveWebhooks) throw notReady();
        },
        preParsing: async (request, _reply, payload) => {
          const deadline = setTimeout(() => request.raw.destroy(), BODY_DEADLINE_MS);
          payload.once('close', () => clearTimeout(deadline));
          payload.once('end', () => clearTimeout(deadline));
          return payload;
        },
      },
      (request, reply) => receive(app, request, reply),
    );
  });
}

/** Not 501: whoever sends events here should send them again when the secret is set. */
function notReady(): AppError {
  return new AppError('RETRY_LATER', { message: 'No webhook secret is set here.', retryAfterSeconds: 3_600 });
}

async function receive(app: App, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const { body, headers } = request;
  const signature = headers['stripe-signature'];
  const event =
    Buffer.isBuffer(body) && typeof signature === 'string'
      ? await app.payments?.readWebhook(body, signature, app.now())
      : undefined;
  // A test event at a live server, or one of another account that is connected to ours (S10), is signed all the same.
  if (!event || event.livemode !== app.payments?.livemode || event.account !== undefined) {
    app.metrics.stripeWebhooks.add('unsigned');
    throw new AppError('BAD_USER_INPUT', { message: 'This was not signed by our Stripe account.' });
  }
  app.metrics.stripeWebhooks.add('taken');
  await receiveStripeEvent(app, event);
  return reply.send({ received: true });
}
