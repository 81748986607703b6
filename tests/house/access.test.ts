import { eq } from 'drizzle-orm';
import { type GraphQLSchema, isObjectType } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCESS } from '../../src/api/access.js';
import { createSchema } from '../../src/api/schema.js';
import { newId } from '../../src/core/columns.js';
import { SYSTEM_ACTOR } from '../../src/core/context.js';
import { makeKey, sha256, startOfKey } from '../../src/core/secrets.js';
import { PERMISSIONS } from '../../src/modules/admin/permissions.js';
import { apiKeys, sessions, users } from '../../src/modules/auth/auth.table.js';
import { openSession } from '../../src/modules/auth/sessions.service.js';
import { SERVICE_SCOPES } from '../../src/modules/services/scopes.js';
import { documentFor } from '../support/documents.js';
import { type Call, createHarness, type Harness, type Person } from '../support/harness.js';
import { expectSection } from './sections.js';

const LEVEL_CODES = [
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'EMAIL_NOT_VERIFIED',
  'REAUTHENTICATION_REQUIRED',
  'ACCOUNT_SUSPENDED',
  'TOKEN_EXPIRED',
];

let h: Harness;
let people: { verified: Person; unverified: Person; suspended: Person };
let adminId: { all: string; none: string };
let staffId: { 1: string; 2: string; 3: string };
let serviceKey: { all: string; none: string };

async function userSession(person: Person, options: { stale?: boolean } = {}): Promise<Call> {
  const issued = await openSession(h.app, {
    account: { kind: 'user', id: person.id, username: person.username },
    method: 'PASSWORD',
    actor: SYSTEM_ACTOR,
  });
  if (options.stale)
    await h.app.db
      .update(sessions)
      .set({ authenticatedAt: new Date(h.app.now().getTime() - 3_600_000) })
      .where(eq(sessions.id, issued.sessionId));
  return { token: issued.accessToken };
}

async function adminSession(id: string): Promise<Call> {
  const issued = await openSession(h.app, {
    account: { kind: 'admin', id, username: 'admin' },
    method: 'PASSWORD',
    actor: SYSTEM_ACTOR,
  });
  return { token: issued.accessToken };
}

async function staffSession(id: string): Promise<Call> {
  const account = { kind: 'staff', id, username: 'staff' } as const;
  const issued = await openSession(h.app, { account, method: 'PASSWORD', actor: SYSTEM_ACTOR });
  return { token: issued.accessToken };
}

async function impersonation(readOnly: boolean): Promise<Call> {
  const query = 'mutation($input: ImpersonateUserInput!) { impersonateUser(input: $input) { accessToken } }';
  const input = { userId: people.verified.id, reason: 'matrix', readOnly };
  const { data } = await h.graphql(query, { ...(await adminSession(adminId.all)), variables: { input } });
  return { token: data.impersonateUser.accessToken };
}

async function apiKey(scopes: string[]): Promise<Call> {
  const key = makeKey('key');
  const now = h.app.now();
  await h.app.db.insert(apiKeys).values({
    id: newId(),
    userId: people.verified.id,
    name: 'matrix',
    keyHash: sha256(key),
    start: startOfKey(key),
    scopes,
    ipAllowList: [],
    createdAt: now,
    expiresAt: new Date(now.getTime() + 86_400_000),
  });
  return { token: key };
}

/** Every kind of viewer. A credential of its own for each call, for some fields end the session they are called with. */
const VIEWERS: Record<string, () => Promise<Call>> = {
  anonymous: async () => ({}),
  unverified: () => userSession(people.unverified),
  stale: () => userSession(people.verified, { stale: true }),
  fresh: () => userSession(people.verified),
  suspended: () => userSession(people.suspended),
  impersonated: () => impersonation(true),
  'impersonated, writing': () => impersonation(false),
  'API key': () => apiKey(['account:read', 'credits:read', 'usage:read']),
  'API key without scopes': () => apiKey([]),
  service: async () => ({ serviceKey: serviceKey.all }),
  'service without scopes': async () => ({ serviceKey: serviceKey.none }),
  admin: () => adminSession(adminId.all),
  'admin without permissions': () => adminSession(adminId.none),
  'staff 1': () => staffSession(staffId[1]),
  'staff 2': () => staffSession(staffId[2]),
  'staff 3': () => staffSession(staffId[3]),
};

/** Fields that serve every kind of account († in the contract). */
const ALL_KINDS = new Set([
  'currentSession',
  'logout',
  'revokeSession',
  'revokeOtherSessions',
  'reauthenticate',
  'changePassword',
  'startTotpEnrollment',
  'confirmTotpEnrollment',
  'disableTotp',
  'regenerateBackupCodes',
]);
/** All that an admin may change in the name of a person, when that was asked for. */
const IMPERSONATED_WRITES = new Set(['updateProfile']);
/** Fields that a person's API key with all of Credence's own scopes may read. */
const API_KEY_READS = new Set(['me']);

/** What the contract says (SPEC 1), written a second time and independently of the rules: code, or undefined to pass. */
function expected(level: string, options: { root: string; viewer: string; field: string }): string | undefined {
  const { root, viewer, field } = options;
  if (viewer.startsWith('impersonated')) {
    const mayWrite = viewer === 'impersonated, writing' && IMPERSONATED_WRITES.has(field);
    if (root === 'mutation') return field === 'logout' || mayWrite ? undefined : 'FORBIDDEN';
    return level === 'FRESH' ? 'FORBIDDEN' : expected(level, { ...options, viewer: 'fresh' });
  }
  if (level === 'PUBLIC') return undefined;
  if (viewer === 'anonymous') return 'UNAUTHENTICATED';
  if (viewer === 'suspended') return 'ACCOUNT_SUSPENDED';
  if (level.startsWith('INTERNAL_SERVICE')) return viewer === 'service' ? undefined : 'FORBIDDEN';
  if (level === 'ADMIN') return viewer.startsWith('admin') ? undefined : 'FORBIDDEN';
  if (level === 'STAFF') return viewer.startsWith('staff') ? undefined : 'FORBIDDEN';
  if (level.startsWith('STAFF') && viewer.startsWith('staff')) {
    const needed = Number(/^STAFF\((\d),/.exec(level)?.[1]);
    return Number(viewer.slice('staff '.length)) < needed ? 'FORBIDDEN' : undefined;
  }
  if (level.startsWith('ADMIN') || level.startsWith('STAFF')) return viewer === 'admin' ? undefined : 'FORBIDDEN';
  if (viewer.startsWith('API key') && API_KEY_READS.has(field)) return viewer === 'API key' ? undefined : 'FORBIDDEN';
  if (/^(admin|staff)/.test(viewer) && ALL_KINDS.has(field)) return undefined;
  if (!['unverified', 'stale', 'fresh'].includes(viewer)) return 'UNAUTHENTICATED';
  if (level === 'AUTHENTICATED' || viewer === 'fresh') return undefined;
  if (viewer === 'unverified') return 'EMAIL_NOT_VERIFIED';
  return level === 'FRESH' ? 'REAUTHENTICATION_REQUIRED' : undefined;
}

const schema: GraphQLSchema = createSchema();
const roots = [
  ['query', 'Query', schema.getQueryType()],
  ['mutation', 'Mutation', schema.getMutationType()],
] as const;
const page: Record<string, Record<string, { name: string }>> = ACCESS;
const rootFields = roots.flatMap(([root, typeName, type]) =>
  Object.values(type?.getFields() ?? {}).map((field) => ({
    root,
    typeName,
    field,
    level: page[typeName]?.[field.name]?.name ?? 'NOBODY',
  })),
);

beforeAll(async () => {
  h = await createHarness();
  people = { verified: await h.person(), unverified: await h.person({ verified: false }), suspended: await h.person() };
  await h.app.db
    .update(users)
    .set({ status: 'SUSPENDED', suspendedAt: h.app.now() })
    .where(eq(users.id, people.suspended.id));
  adminId = { all: (await h.admin([...PERMISSIONS])).id, none: (await h.admin([])).id };
  staffId = { 1: (await h.staff(1)).id, 2: (await h.staff(2)).id, 3: (await h.staff(3)).id };
  serviceKey = { all: (await h.service([...SERVICE_SCOPES])).key, none: (await h.service([])).key };
});
afterAll(() => h.close());

describe('the access page', () => {
  it('gives every root field a level, and names no field that is not there', () => {
    for (const [, typeName, type] of roots) {
      expect(Object.keys(page[typeName] ?? {}).sort()).toEqual(Object.keys(type?.getFields() ?? {}).sort());
    }
  });

  it('prints every level into the schema', () => {
    for (const { field, level } of rootFields) expect(field.description, field.name).toContain(`Level: ${level}`);
  });

  it('has an owner rule for everything of a User that is not shown to all', () => {
    const open = [
      'id',
      'username',
      'email',
      'emailVerified',
      'displayName',
      'locale',
      'timeZone',
      'avatarUrl',
      'plan',
      'status',
      'createdAt',
      'lastLoginAt',
    ];
    const user = schema.getType('User');
    if (!isObjectType(user)) throw new Error('no User type');
    const guarded = Object.keys(user.getFields()).filter((name) => !open.includes(name));
    expect(Object.keys(page.User ?? {}).sort()).toEqual(guarded.sort());
    const { notes, ...rest } = page.User ?? {};
    // What operators tell each other about a person is not for the person.
    expect(notes?.name).toBe('STAFF(1, users:write)');
    for (const rule of Object.values(rest)) expect(rule.name).toMatch(/^OWNER or /);
  });

  it.each(Object.keys(VIEWERS))(
    'holds for every field as seen by: %s',
    async (viewer) => {
      const wrong: string[] = [];
      for (const { root, field, level } of rootFields) {
        const want = expected(level, { root, viewer, field: field.name });
        const { query, variables } = documentFor(root, field);
        // Whoever leaves is not there for the fields after it.
        const isLeaving = viewer === 'fresh' && field.name === 'deleteAccount';
        const call = isLeaving ? await userSession(await h.person()) : await VIEWERS[viewer]?.();
        const { code } = await h.graphql(query, { ...call, variables, ip: '10.99.0.1' });
        const refusedByLevel = LEVEL_CODES.includes(code ?? '');
        if (want ? code !== want : refusedByLevel)
          wrong.push(`${field.name} (${level}): wanted ${want ?? 'to pass'}, got ${code ?? 'an answer'}`);
        if (code === 'INTERNAL_SERVER_ERROR') wrong.push(`${field.name}: INTERNAL_SERVER_ERROR`);
      }
      expect(wrong).toEqual([]);
    },
    120_000,
  );

  it('is printed into docs/SECURITY.md (npm run generate writes it)', async () => {
    const viewers = Object.keys(VIEWERS);
    const rows = rootFields.map(({ root, field, level }) => {
      const cells = viewers.map((viewer) => expected(level, { root, viewer, field: field.name }) ?? 'yes');
      return `| ${root === 'query' ? 'Q' : 'M'} \`${field.name}\` | ${level} | ${cells.map((cell) => (cell === 'yes' ? '✓' : '·')).join(' | ')} |`;
    });
    const owned = Object.entries(page)
      .filter(([typeName]) => !roots.some(([, root]) => root === typeName))
      .flatMap(([typeName, fields]) =>
        Object.entries(fields).map(([name, rule]) => `| \`${typeName}.${name}\` | ${rule.name} |`),
      );
    const table = [
      `| field | level | ${viewers.join(' | ')} |`,
      `|---|---|${viewers.map(() => ':-:').join('|')}|`,
      ...rows,
      '',
      '| field of an object | level |',
      '|---|---|',
      ...owned,
    ].join('\n');
    await expectSection('docs/SECURITY.md', { name: 'levels', content: table });
  });
});
