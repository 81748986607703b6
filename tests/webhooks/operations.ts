import type { Answer, Call, Harness } from '../support/harness.js';

/** What the tests of webhooks ask for, by name. Each function answers whatever the API answered. */
const ENDPOINT = `id url kinds description enabled disabledAt disabledReason failuresInARow failingSince
  previousSecretEndsAt createdAt`;

export const createWebhookEndpoint = (h: Harness, call: Call, input: Record<string, unknown>): Promise<Answer> =>
  h.graphql(
    `mutation($input: CreateWebhookEndpointInput!) { createWebhookEndpoint(input: $input) { endpoint { ${ENDPOINT} } secret } }`,
    { ...call, variables: { input } },
  );

export const updateWebhookEndpoint = (h: Harness, call: Call, input: Record<string, unknown>): Promise<Answer> =>
  h.graphql(
    `mutation($input: UpdateWebhookEndpointInput!) { updateWebhookEndpoint(input: $input) { endpoint { ${ENDPOINT} } } }`,
    { ...call, variables: { input } },
  );

export const deleteWebhookEndpoint = (h: Harness, call: Call, endpointId: string): Promise<Answer> =>
  h.graphql(
    `mutation($endpointId: ID!) { deleteWebhookEndpoint(endpointId: $endpointId) { endpoint { ${ENDPOINT} } } }`,
    { ...call, variables: { endpointId } },
  );

export const rotateWebhookSecret = (h: Harness, call: Call, input: Record<string, unknown>): Promise<Answer> =>
  h.graphql(
    `mutation($input: RotateWebhookSecretInput!) { rotateWebhookSecret(input: $input) { endpoint { ${ENDPOINT} } secret } }`,
    { ...call, variables: { input } },
  );

export const redeliverWebhook = (h: Harness, call: Call, input: Record<string, unknown>): Promise<Answer> =>
  h.graphql(`mutation($input: RedeliverWebhookInput!) { redeliverWebhook(input: $input) { queued } }`, {
    ...call,
    variables: { input },
  });

export const webhookEndpoints = (h: Harness, call: Call, page: Record<string, unknown> = {}): Promise<Answer> =>
  h.graphql(
    `query($first: Int, $after: String) { webhookEndpoints(first: $first, after: $after) {
      nodes { ${ENDPOINT} } totalCount pageInfo { hasNextPage endCursor } } }`,
    { ...call, variables: page },
  );

export interface Delivery {
  id: string;
  eventId: string;
  kind: string;
  target: string;
  endpointId: string | null;
  status: string;
  attempts: number;
  nextAttemptAt: string | null;
  sentAt: string | null;
  attemptLog: { at: string; durationMs: number; statusCode: number | null; error: string | null }[];
}

export const webhookDeliveries = (h: Harness, call: Call, variables: Record<string, unknown> = {}): Promise<Answer> =>
  h.graphql(
    `query($filter: WebhookDeliveryFilter, $first: Int, $after: String) {
      webhookDeliveries(filter: $filter, first: $first, after: $after) {
        nodes { id eventId kind target endpointId status attempts nextAttemptAt sentAt createdAt data
                attemptLog { at durationMs statusCode error } }
        totalCount pageInfo { hasNextPage endCursor } } }`,
    { ...call, variables },
  );

export async function deliveriesOf(h: Harness, call: Call, filter: Record<string, unknown> = {}): Promise<Delivery[]> {
  const { data, errors } = await webhookDeliveries(h, call, { filter, first: 100 });
  if (errors) throw new Error(JSON.stringify(errors));
  return data.webhookDeliveries.nodes;
}
