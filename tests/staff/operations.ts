import { expect } from 'vitest';
import { freshIp } from '../auth/operations.js';
import type { Answer, Harness } from '../support/harness.js';

/** What the tests of support staff ask for, by name. Each function answers whatever the API answered. */
export interface Caller {
  token: string;
}

const LOGIN = `mutation($input: StaffLoginInput!) { staffLogin(input: $input) { __typename
  ... on StaffAuthPayload { accessToken accessTokenExpiresAt refreshToken staff { id username email status level } } } }`;

export const staffLogin = (h: Harness, input: { identifier: string; password: string }): Promise<Answer> =>
  h.graphql(LOGIN, { variables: { input }, ip: freshIp() });

const CREATE = `mutation($input: CreateStaffInput!) { createStaff(input: $input) { staff { id username email status level } } }`;

export const createStaff = (h: Harness, by: Caller, input: { username: string; email: string; level: unknown }) =>
  h.graphql(CREATE, { token: by.token, variables: { input } });

const ADJUST = `mutation($input: AdjustCreditsInput!) { adjustCredits(input: $input) {
  transaction { kind amount balanceAfter description } account { balance available } replayed } }`;

let keys = 0;

export function adjustCredits(
  h: Harness,
  by: Caller,
  input: { userId: string; amount: number; reason?: string; idempotencyKey?: string },
): Promise<Answer> {
  keys += 1;
  const variables = { input: { reason: 'made good', idempotencyKey: `key${keys}`, ...input } };
  return h.graphql(ADJUST, { token: by.token, variables });
}

const REVOKE = `mutation($input: RevokeUserSessionsInput!) { revokeUserSessions(input: $input) { endedSessions people } }`;

export const revokeUserSessions = (h: Harness, by: Caller, input: Record<string, unknown>): Promise<Answer> =>
  h.graphql(REVOKE, { token: by.token, variables: { input } });

const HISTORY = '{ me { securityHistory(first: 10) { nodes { action actorKind ip userAgent reason } } } }';

/** What the person finds in their own history, newest first. */
export async function historyOf(h: Harness, person: Caller): Promise<{ action: string; actorKind: string }[]> {
  const { data, errors } = await h.graphql(HISTORY, { token: person.token });
  expect(errors).toBeUndefined();
  return data.me.securityHistory.nodes;
}
