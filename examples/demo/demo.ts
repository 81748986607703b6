// Plays the main job against a running server, step by step: `npm run demo` beside `npm start`.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs, styleText } from 'node:util';
import { check, createStage, fail } from './stage.ts';

const HELP = `npm run demo -- [options]     plays the main job against a running server

  --url URL          the server (default: CREDENCE_URL or http://127.0.0.1:4000)
  --service-key KEY  a service key with every scope (default: INTERNAL_SERVICE_KEY, else the one the first start made)
  --admin NAME       admin's user name (default: ADMIN_USERNAME or admin)
  --password WORDS   admin's password (default: ADMIN_PASSWORD, else the one the first start made)
  --billing          plays a purchase instead, offline: with a server and a stand-in for Stripe of its own
  --wait             with --billing: you press "Pay" in your browser yourself
  --help             this text

The server has to run outside production, with its development mailbox: the demo reads a letter there.
`;

interface FirstCredentials {
  adminUsername?: string;
  adminPassword?: string;
  serviceKey?: string;
}

/** What the first start made, kept for its owner in the data directory (development only). */
function firstCredentials(): FirstCredentials {
  try {
    return JSON.parse(readFileSync(join(process.env.DATA_DIR ?? './data', 'first-credentials.json'), 'utf8'));
  } catch {
    return {};
  }
}

const { values: given } = parseArgs({
  options: {
    url: { type: 'string' },
    'service-key': { type: 'string' },
    admin: { type: 'string' },
    password: { type: 'string' },
    billing: { type: 'boolean' },
    wait: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});
if (given.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
if (given.billing) {
  const { playBilling } = await import('./billing.ts');
  await playBilling({ waits: given.wait === true });
  process.exit(0);
}
const first = firstCredentials();
const url = (given.url ?? process.env.CREDENCE_URL ?? 'http://127.0.0.1:4000').replace(/\/+$/, '');
const serviceKey = given['service-key'] ?? process.env.INTERNAL_SERVICE_KEY ?? first.serviceKey;
const admin = {
  identifier: given.admin ?? process.env.ADMIN_USERNAME ?? first.adminUsername ?? 'admin',
  password: given.password ?? process.env.ADMIN_PASSWORD ?? first.adminPassword,
};

const { play, request, tokenFromMailbox, steps } = createStage(url);

async function signUp(person: { username: string; email: string; password: string }) {
  await play('A person signs up in the browser', {
    query: `mutation($input: RegisterInput!) { register(input: $input)
      { accessToken accessTokenExpiresAt refreshToken user { id username email emailVerified } } }`,
    variables: { input: person },
  });
  const token = await tokenFromMailbox(person.email);
  process.stdout.write(`${styleText('green', '✓')} the verification letter is in ${url}/dev/mailbox\n`);
  await play('… proves the address with the token of the letter', {
    query: `mutation($token: String!) { verifyEmail(token: $token) { user { id emailVerified } } }`,
    variables: { token },
  });
  await play('… whose link works once', {
    query: `mutation($token: String!) { verifyEmail(token: $token) { user { id } } }`,
    variables: { token },
    expect: 'TOKEN_INVALID',
  });
  const { login } = await play('… signs in', {
    query: `mutation($input: LoginInput!) { login(input: $input) {
      __typename
      ... on AuthPayload { accessToken accessTokenExpiresAt refreshToken user { id } }
      ... on SecondFactorRequired { challenge methods expiresAt } } }`,
    variables: { input: { identifier: person.username, password: person.password } },
  });
  return login as { accessToken: string; refreshToken: string; user: { id: string } };
}

async function playAccount(signedIn: { refreshToken: string; accessToken: string }) {
  const { refreshToken: next } = await play('… refreshes the session (in cookie mode the cookie does this)', {
    query: `mutation($token: String!) { refreshToken(refreshToken: $token) { accessToken refreshToken user { id } } }`,
    variables: { token: signedIn.refreshToken },
  });
  const token = String(next?.accessToken);
  await play('… and looks at the account', {
    query: `query { me { id username email creditAccount { balance held available }
      usage { conversations { limit used remaining resetsAt } } } }`,
    headers: { authorization: `Bearer ${token}` },
  });
  return token;
}

async function serve(options: { token: string; userId: string; key: string }) {
  const { token, userId } = options;
  const headers = { 'x-api-key': options.key };
  const k = (name: string) => `demo-${userId}-${name}`;
  await play('Another service checks the token that came with a request', {
    query: `query($token: String!) { validateToken(token: $token) { valid code kind expiresAt
      user { id username email emailVerified } plan { code } credits { balance available }
      limits { conversations { limit used remaining resetsAt } } scopes sessionId } }`,
    variables: { token },
    headers,
  });
  const add = { input: { userId, amount: 100, description: 'welcome', idempotencyKey: k('welcome') } };
  const addQuery = `mutation($input: AddCreditsInput!) { addCredits(input: $input)
      { transaction { id kind amount balanceAfter } account { balance held available } replayed } }`;
  await play('… gives 100 credits', { query: addQuery, variables: add, headers });
  const { addCredits: again } = await play('… and again with the same key: nothing is given twice', {
    query: addQuery,
    variables: add,
    headers,
  });
  check(again?.replayed === true, 'the first answer came back, replayed');
  const useQuery = `mutation($input: UseCreditsInput!) { useCredits(input: $input)
      { transaction { id kind amount balanceAfter } account { balance held available } replayed } }`;
  const use = {
    userId,
    amount: 3,
    description: 'chat',
    referenceType: 'message',
    referenceId: 'm1',
    idempotencyKey: k('chat'),
  };
  await play('… spends 3', { query: useQuery, variables: { input: use }, headers });
  await play('… cannot spend what is not there', {
    query: useQuery,
    variables: { input: { ...use, amount: 1_000, idempotencyKey: k('too-much') } },
    headers,
    expect: 'INSUFFICIENT_CREDITS',
  });
  const { holdCredits } = await play('… sets 5 aside for work whose price is not known yet', {
    query: `mutation($input: HoldCreditsInput!) { holdCredits(input: $input)
      { hold { id amount status expiresAt } account { available } replayed } }`,
    variables: { input: { userId, amount: 5, ttlSeconds: 900, idempotencyKey: k('hold') } },
    headers,
  });
  const holdId = (holdCredits?.hold as { id: string } | undefined)?.id;
  await play('… and takes 4 of them; the rest returns', {
    query: `mutation($input: CaptureCreditsInput!) { captureCredits(input: $input)
      { hold { status } transaction { amount } account { balance held available } } }`,
    variables: { input: { holdId, amount: 4, idempotencyKey: k('capture') } },
    headers,
  });
  const { creditBalance } = await play('… asks for the balance', {
    query: `query($userId: ID!) { creditBalance(userId: $userId) { balance held available } }`,
    variables: { userId },
    headers,
  });
  check(creditBalance?.available === 93, '100 − 3 − 4 = 93 are left');
  await play('… and for the history', {
    query: `query($userId: ID!) { creditTransactions(userId: $userId, first: 20) {
      nodes { id kind amount balanceAfter description createdAt } pageInfo { hasNextPage endCursor } totalCount } }`,
    variables: { userId },
    headers,
  });
}

async function operate(options: { username: string; userId: string; token: string; key: string; password: string }) {
  const { adminLogin } = await play('An operator signs in', {
    query: `mutation($input: AdminLoginInput!) { adminLogin(input: $input) { __typename
      ... on AdminAuthPayload { accessToken refreshToken admin { id permissions } } } }`,
    variables: { input: { identifier: admin.identifier, password: options.password } },
  });
  const headers = { authorization: `Bearer ${String(adminLogin?.accessToken)}` };
  await play('… finds the person', {
    query: `query($search: String!) { users(first: 20, filter: { search: $search }) {
      nodes { id username status } totalCount pageInfo { endCursor } } }`,
    variables: { search: options.username },
    headers,
  });
  await play('… and suspends the account', {
    query: `mutation($input: SuspendUserInput!) { suspendUser(input: $input) { user { id status } } }`,
    variables: { input: { userId: options.userId, reason: 'demo', until: null } },
    headers,
  });
  const { validateToken } = await play('At once the token counts nowhere', {
    query: `query($token: String!) { validateToken(token: $token) { valid code } }`,
    variables: { token: options.token },
    headers: { 'x-api-key': options.key },
  });
  check(validateToken?.valid === false, 'the suspended person is refused');
  await play('… and the operator lets the person back in', {
    query: `mutation($input: UnsuspendUserInput!) { unsuspendUser(input: $input) { user { id status } } }`,
    variables: { input: { userId: options.userId, reason: 'demo over' } },
    headers,
  });
}

if (!serviceKey) fail('no service key: give --service-key or INTERNAL_SERVICE_KEY (the first start printed it).');
if (!admin.password) fail('no admin password: give --password or ADMIN_PASSWORD (the first start printed it).');
await request('/health/live');
const username = `ada${Date.now().toString(36)}`;
const signedIn = await signUp({
  username,
  email: `${username}@example.com`,
  password: 'violet tractor sings 77 at dusk',
});
const token = await playAccount(signedIn);
const userId = signedIn.user.id;
await serve({ token, userId, key: serviceKey });
await operate({ username, userId, token, key: serviceKey, password: admin.password });
process.stdout.write(`\n${styleText('green', `All ${steps()} steps went as they should.`)}\n`);
