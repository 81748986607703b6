import type { ReadyOperation } from './operations.js';

/** Events out; they stand among those of an operator. */
export const WEBHOOKS: readonly ReadyOperation[] = [
  {
    name: 'CreateWebhookEndpoint',
    about: 'Somebody who is told what happens.',
    query: `# The secret is shown this once: with it
# the receiver checks signatures. No kinds
# means all kinds.
mutation CreateWebhookEndpoint($input: CreateWebhookEndpointInput!) {
  createWebhookEndpoint(input: $input) {
    endpoint { id url kinds }
    secret
  }
}`,
    variables: {
      input: { url: 'http://127.0.0.1:8080/hooks', kinds: ['user.registered', 'credits.low'], description: 'a try' },
    },
  },
  {
    name: 'WebhookEndpoints',
    about: 'Where events are posted, and how it goes.',
    query: `# Where events are posted, and how it
# goes.
query WebhookEndpoints {
  webhookEndpoints(first: 20) {
    nodes { id url kinds enabled disabledReason failuresInARow failingSince }
    totalCount
  }
}`,
  },
  {
    name: 'WebhookDeliveries',
    about: 'What was sent, attempt by attempt.',
    query: `# What was sent, or is to be, attempt by
# attempt.
query WebhookDeliveries($filter: WebhookDeliveryFilter) {
  webhookDeliveries(filter: $filter, first: 20) {
    nodes {
      id
      kind
      status
      attempts
      nextAttemptAt
      attemptLog { at statusCode error durationMs }
    }
    totalCount
  }
}`,
    variables: { filter: { target: 'WEBHOOK' } },
  },
  {
    name: 'RedeliverWebhook',
    about: 'Sends one delivery again.',
    query: `# One delivery, or, with endpointId and
# since, all that an endpoint did not get.
mutation RedeliverWebhook($input: RedeliverWebhookInput!) {
  redeliverWebhook(input: $input) { queued }
}`,
    variables: { input: { deliveryId: '{{webhookDeliveryId}}' } },
  },
  {
    name: 'RotateWebhookSecret',
    about: 'A new secret; both sign for an hour.',
    query: `# A new secret. The old one signs as well
# until the overlap ends.
mutation RotateWebhookSecret($input: RotateWebhookSecretInput!) {
  rotateWebhookSecret(input: $input) {
    endpoint { previousSecretEndsAt }
    secret
  }
}`,
    variables: { input: { endpointId: '{{endpointId}}', overlap: 'ONE_HOUR' } },
  },
  {
    name: 'UpdateWebhookEndpoint',
    about: 'Turns an endpoint off.',
    query: `# Turns an endpoint off; enabled: true
# turns it on again.
mutation UpdateWebhookEndpoint($input: UpdateWebhookEndpointInput!) {
  updateWebhookEndpoint(input: $input) {
    endpoint { id enabled disabledReason }
  }
}`,
    variables: { input: { endpointId: '{{endpointId}}', enabled: false } },
  },
  {
    name: 'DeleteWebhookEndpoint',
    about: 'Takes an endpoint away.',
    query: `# Takes an endpoint away, with its
# deliveries.
mutation DeleteWebhookEndpoint($endpointId: ID!) {
  deleteWebhookEndpoint(endpointId: $endpointId) {
    endpoint { id url }
  }
}`,
    variables: { endpointId: '{{endpointId}}' },
  },
];
