import { type Answer, type Call, type Harness, PASSWORD } from '../support/harness.js';

/** What the tests of accounts ask for, by name. Each function answers whatever the API answered. */
export const NEW_PASSWORD = 'seven otters ford the quiet river';

let addresses = 0;

/** An address nobody has used in this run: guesses and letters are limited by network. */
export function freshIp(): string {
  addresses += 1;
  return `172.${16 + (addresses >> 16)}.${(addresses >> 8) & 255}.${addresses & 255}`;
}

const LOGIN = `mutation($input: LoginInput!) { login(input: $input) { __typename
  ... on AuthPayload { accessToken accessTokenExpiresAt refreshToken user { id username } } } }`;

export function login(h: Harness, input: { identifier: string; password?: string }, call: Call = {}): Promise<Answer> {
  const variables = { input: { password: PASSWORD, ...input } };
  return h.graphql(LOGIN, { ip: freshIp(), ...call, variables });
}

export const WRONG = 'not the password of anybody';

/** Guesses wrongly until the account is blocked for the first time. */
export async function useUpGuesses(h: Harness, identifier: string): Promise<void> {
  for (let guess = 0; guess < 5; guess += 1) await login(h, { identifier, password: WRONG });
}

/** Signs in and answers the pair of tokens. */
export async function signIn(
  h: Harness,
  input: { identifier: string; password?: string },
  call: Call = {},
): Promise<{ token: string; refreshToken: string }> {
  const answer = await login(h, input, call);
  if (answer.errors) throw new Error(`login: ${JSON.stringify(answer.errors)}`);
  return { token: answer.data.login.accessToken, refreshToken: answer.data.login.refreshToken };
}

const REFRESH = `mutation($refreshToken: String) { refreshToken(refreshToken: $refreshToken) {
  accessToken accessTokenExpiresAt refreshToken user { id username } } }`;

export function refresh(h: Harness, refreshToken: string | undefined, call: Call = {}): Promise<Answer> {
  return h.graphql(REFRESH, { ...call, variables: { refreshToken } });
}

const SESSIONS = `query($first: Int, $after: String) { me { sessions(first: $first, after: $after) {
  nodes { id createdAt lastUsedAt authenticatedAt expiresAt ip userAgent method current }
  edges { cursor node { id } } pageInfo { hasNextPage endCursor } totalCount } } }`;

/** The connection of the person's live sessions. */
export async function sessionsOf(h: Harness, token: string, page: { first?: number; after?: string } = {}) {
  const answer = await h.graphql(SESSIONS, { token, variables: page });
  if (answer.errors) throw new Error(`sessions: ${JSON.stringify(answer.errors)}`);
  return answer.data.me.sessions;
}

const HISTORY = `{ currentSession { user { securityHistory(first: 100) {
  nodes { id occurredAt action actorKind ip userAgent reason } totalCount } } } }`;

export interface HistoryNode {
  action: string;
  actorKind: string;
  ip: string | null;
  userAgent: string | null;
  reason: string | null;
}

/** What the person's security history shows, newest first. */
export async function historyOf(h: Harness, token: string): Promise<HistoryNode[]> {
  const answer = await h.graphql(HISTORY, { token });
  if (answer.errors) throw new Error(`securityHistory: ${JSON.stringify(answer.errors)}`);
  return answer.data.currentSession.user.securityHistory.nodes;
}

export const actionsOf = async (h: Harness, token: string): Promise<string[]> =>
  (await historyOf(h, token)).map((event) => event.action);

/** Whether an access token still opens the door. */
export async function isSignedIn(h: Harness, token: string): Promise<boolean> {
  return (await h.graphql('{ currentSession { id } }', { token })).errors === undefined;
}

export function requestPasswordReset(h: Harness, email: string, account?: 'USER' | 'ADMIN'): Promise<Answer> {
  const query = `mutation($email: EmailAddress!, $account: AccountKind) { requestPasswordReset(email: $email, account: $account) { ok } }`;
  return h.graphql(query, { ip: freshIp(), variables: { email, ...(account && { account }) } });
}

export function resetPassword(h: Harness, token: string, newPassword = NEW_PASSWORD): Promise<Answer> {
  const query = `mutation($input: ResetPasswordInput!) { resetPassword(input: $input) { endedSessions } }`;
  return h.graphql(query, { ip: freshIp(), variables: { input: { token, newPassword } } });
}

export function changePassword(
  h: Harness,
  token: string,
  input: { currentPassword?: string; newPassword?: string } = {},
): Promise<Answer> {
  const query = `mutation($input: ChangePasswordInput!) { changePassword(input: $input) { endedSessions } }`;
  const variables = { input: { currentPassword: PASSWORD, newPassword: NEW_PASSWORD, ...input } };
  return h.graphql(query, { ip: freshIp(), token, variables });
}

export function reauthenticate(h: Harness, token: string, password = PASSWORD, call: Call = {}): Promise<Answer> {
  const query = `mutation($password: String!) { reauthenticate(password: $password) { session { id authenticatedAt current } } }`;
  return h.graphql(query, { ip: freshIp(), ...call, token, variables: { password } });
}

export function requestEmailChange(h: Harness, token: string, newEmail: string, password = PASSWORD): Promise<Answer> {
  const query = `mutation($input: RequestEmailChangeInput!) { requestEmailChange(input: $input) { ok } }`;
  return h.graphql(query, { ip: freshIp(), token, variables: { input: { newEmail, password } } });
}

export function confirmEmailChange(h: Harness, token: string, call: Call = {}): Promise<Answer> {
  const query = `mutation($token: String!) { confirmEmailChange(token: $token) { user { id email emailVerified } } }`;
  return h.graphql(query, { ip: freshIp(), ...call, variables: { token } });
}

export function undoEmailChange(h: Harness, token: string): Promise<Answer> {
  return h.graphql(`mutation($token: String!) { undoEmailChange(token: $token) { ok } }`, {
    ip: freshIp(),
    variables: { token },
  });
}

export function createRecoveryPhrase(h: Harness, token: string): Promise<Answer> {
  return h.graphql('mutation { createRecoveryPhrase { phrase } }', { token });
}

export function recoverAccount(
  h: Harness,
  input: { identifier: string; phrase: string; newPassword?: string },
  call: Call = {},
): Promise<Answer> {
  const query = `mutation($input: RecoverAccountInput!) { recoverAccount(input: $input) { ok } }`;
  return h.graphql(query, { ip: freshIp(), ...call, variables: { input: { newPassword: NEW_PASSWORD, ...input } } });
}

/** A machine that is too busy says so and asks to come back; that is no verdict on what was sent. */
const BUSY: readonly unknown[] = ['RETRY_LATER', 'DATABASE_UNAVAILABLE'];

/** The different codes among the answers, `undefined` for those that worked. */
export function verdicts(answers: readonly Answer[]): Set<string | undefined> {
  return new Set(answers.map((answer) => answer.code).filter((code) => !BUSY.includes(code)));
}

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
