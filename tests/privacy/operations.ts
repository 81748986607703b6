import type { Answer, Call, Harness, Person } from '../support/harness.js';

/** What the tests of leaving and coming back ask for, by name. Each function answers whatever the API answered. */
export function deleteAccount(h: Harness, token: string | undefined, reason?: string): Promise<Answer> {
  const query = `mutation($input: DeleteAccountInput) { deleteAccount(input: $input) { ok purgeAt } }`;
  return h.graphql(query, { token, ...(reason !== undefined && { variables: { input: { reason } } }) });
}

const DEPARTED = `user { id username email status } deletedUser {
  userId username email deletedAt deletedByKind deletedById reason purgeAt erasedAt }`;

export function deleteUser(h: Harness, call: Call, userId: string, reason = 'asked by mail'): Promise<Answer> {
  const query = `mutation($input: DeleteUserInput!) { deleteUser(input: $input) { ${DEPARTED} } }`;
  return h.graphql(query, { ...call, variables: { input: { userId, reason } } });
}

export function eraseUser(h: Harness, call: Call, userId: string, reason = 'asked by mail'): Promise<Answer> {
  const query = `mutation($input: EraseUserInput!) { eraseUser(input: $input) { ${DEPARTED} } }`;
  return h.graphql(query, { ...call, variables: { input: { userId, reason } } });
}

export function restoreUser(
  h: Harness,
  call: Call,
  input: { userId: string; username?: string; email?: string },
): Promise<Answer> {
  const query = `mutation($input: RestoreUserInput!) { restoreUser(input: $input) { user {
    id username email emailVerified displayName timeZone status plan { code } } } }`;
  return h.graphql(query, { ...call, variables: { input } });
}

export function deletedUsers(h: Harness, call: Call, page: { first?: number; after?: string } = {}): Promise<Answer> {
  const query = `query($first: Int, $after: String) { deletedUsers(first: $first, after: $after) {
    nodes { userId username email deletedAt deletedByKind reason purgeAt erasedAt }
    pageInfo { hasNextPage endCursor } totalCount } }`;
  return h.graphql(query, { ...call, variables: page });
}

export function register(h: Harness, input: Pick<Person, 'username' | 'email' | 'password'>, ip: string) {
  const query = `mutation($input: RegisterInput!) { register(input: $input) { accessToken user { id username } } }`;
  const { username, email, password } = input;
  return h.graphql(query, { ip, variables: { input: { username, email, password } } });
}

export function createApiKey(h: Harness, token: string, scopes = ['account:read']): Promise<Answer> {
  const query = `mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { key apiKey { id } } }`;
  return h.graphql(query, { token, variables: { input: { name: 'reader', scopes } } });
}

export function validateToken(h: Harness, serviceKey: string, token: string): Promise<Answer> {
  return h.graphql(`query($token: String!) { validateToken(token: $token) { valid code user { id username } } }`, {
    serviceKey,
    variables: { token },
  });
}

export function move(
  h: Harness,
  serviceKey: string,
  options: { field: 'addCredits' | 'useCredits' | 'holdCredits'; userId: string; amount: number; key: string },
): Promise<Answer> {
  const { field, userId, amount, key } = options;
  const input = { userId, amount, idempotencyKey: key };
  const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
  const selection = field === 'holdCredits' ? 'hold { id status }' : 'transaction { id }';
  return h.graphql(
    `mutation($input: ${type}!) { ${field}(input: $input) { ${selection} account { balance held available } } }`,
    { serviceKey, variables: { input } },
  );
}

export function logMessages(h: Harness, serviceKey: string, input: object): Promise<Answer> {
  const query = `mutation($input: LogMessagesInput!) { logMessages(input: $input) {
    accepted rejected { index code } replayed } }`;
  return h.graphql(query, { serviceKey, variables: { input } });
}

/** One exchange, as services log it. */
export function exchange(userId: string, text = 'hello', changes: object = {}) {
  const messages = [
    { role: 'user', content: text },
    { role: 'assistant', content: `you said ${text}` },
  ];
  return { userId, model: 'small-1', messages, inputTokens: 3, outputTokens: 5, ...changes };
}
