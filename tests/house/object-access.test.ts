import { getNamedType, isLeafType, isObjectType } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCESS } from '../../src/api/access.js';
import { createSchema } from '../../src/api/schema.js';
import { PERMISSIONS } from '../../src/modules/admin/permissions.js';
import { createApiKey } from '../privacy/operations.js';
import { type Answer, type Call, createHarness, type Harness, type Person, uniqueName } from '../support/harness.js';

const page: Record<string, Record<string, { name: string }>> = ACCESS;
const user = createSchema().getType('User');
if (!isObjectType(user)) throw new Error('no User type');
const fields = Object.values(user.getFields()).filter(({ name }) => page.User?.[name]);

let h: Harness;
let person: Person;
beforeAll(async () => {
  h = await createHarness();
  person = await h.person();
});
afterAll(() => h.close());

const MINE = (selection: string) => `{ me { ${selection} } }`;
const SESSION = (selection: string) => `{ currentSession { user { ${selection} } } }`;
const THEIRS = (selection: string) => `{ user(id: "${person.id}") { ${selection} } }`;
const ACTED = (selection: string) =>
  `mutation { unlockUser(userId: "${person.id}", reason: "a test") { user { ${selection} } } }`;
const REGISTERED = (selection: string) => {
  const name = uniqueName('matrix');
  return `mutation { register(input: { username: "${name}", email: "${name}@example.com", password: "violet tractor sings 77 at dusk" }) { user { ${selection} } } }`;
};

interface Way {
  document: (selection: string) => string;
  call: () => Promise<Call>;
  /** What the contract says: the person themselves, with these of their scopes if it is by a key; or an operator. */
  is: { owner: true; scopes?: string[] } | { level: number } | { permissions: readonly string[] } | 'nobody';
}

async function impersonation(): Promise<Call> {
  const { token } = await h.admin([...PERMISSIONS]);
  const query = 'mutation($input: ImpersonateUserInput!) { impersonateUser(input: $input) { accessToken } }';
  const { data } = await h.graphql(query, { token, variables: { input: { userId: person.id, reason: 'matrix' } } });
  return { token: data.impersonateUser.accessToken };
}

const apiKey = async (scopes: string[]): Promise<Call> => ({
  token: (await createApiKey(h, person.token, scopes)).data.createApiKey.key,
});
const SCOPES = ['account:read', 'credits:read', 'usage:read'];

/** Every way in which a kind of viewer comes by a `User`. */
const WAYS: Record<string, Way> = {
  'the person': { document: MINE, call: async () => ({ token: person.token }), is: { owner: true } },
  'an unverified person': {
    document: SESSION,
    call: async () => ({ token: (await h.person({ verified: false })).token }),
    is: { owner: true },
  },
  'an admin in their name': { document: MINE, call: impersonation, is: { owner: true } },
  'their API key': { document: MINE, call: () => apiKey(SCOPES), is: { owner: true, scopes: SCOPES } },
  'their API key with one scope': {
    document: MINE,
    call: () => apiKey(['account:read']),
    is: { owner: true, scopes: ['account:read'] },
  },
  'whoever signs up': { document: REGISTERED, call: async () => ({ ip: '10.98.0.1' }), is: 'nobody' },
  'staff 1': { document: THEIRS, call: () => h.staff(1), is: { level: 1 } },
  'staff 2': { document: THEIRS, call: () => h.staff(2), is: { level: 2 } },
  'staff 3': { document: THEIRS, call: () => h.staff(3), is: { level: 3 } },
  'an admin': { document: THEIRS, call: () => h.admin([...PERMISSIONS]), is: { permissions: PERMISSIONS } },
  'an admin who reads': {
    document: THEIRS,
    call: () => h.admin(['users:read']),
    is: { permissions: ['users:read'] },
  },
  'an admin who writes': {
    document: ACTED,
    call: () => h.admin(['users:write']),
    is: { permissions: ['users:write'] },
  },
};

/** What a key of the person's own may read beside the plain fields (SPEC 4.5). */
const SCOPE_OF: Record<string, string> = { usage: 'usage:read', creditAccount: 'credits:read' };

/** The contract once more, read from the level as it is printed. */
function passes({ is }: Way, { field, level }: { field: string; level: string }): boolean {
  if (is === 'nobody') return false;
  if ('owner' in is) {
    if (!level.startsWith('OWNER')) return false;
    return is.scopes === undefined || is.scopes.includes(SCOPE_OF[field] ?? 'none');
  }
  const [, needed, permission = ''] = /STAFF\((\d), ([\w:]+)\)/.exec(level) ?? [];
  return 'level' in is ? is.level >= Number(needed) : is.permissions.includes(permission);
}

const refused = ({ errors }: Answer) =>
  errors?.some(({ extensions: { code } }) => code === 'FORBIDDEN' || code === 'UNAUTHENTICATED') === true;

describe('every guarded field of a User', () => {
  it('there are some', () => expect(fields.length).toBeGreaterThan(8));

  it.each(Object.entries(WAYS))('as seen by: %s', async (_, way) => {
    const wrong: string[] = [];
    const call = await way.call();
    for (const field of fields) {
      const level = page.User?.[field.name]?.name ?? '';
      const selection = isLeafType(getNamedType(field.type)) ? field.name : `${field.name} { __typename }`;
      const { token, ip, headers } = call;
      const answer = await h.graphql(way.document(selection), {
        token,
        ...(ip && { ip }),
        ...(headers && { headers }),
      });
      const want = passes(way, { field: field.name, level });
      if (refused(answer) === want) wrong.push(`${field.name} (${level}): ${answer.code ?? 'an answer'}`);
      // A refused field takes nothing else of the answer along that it could tell by.
      if (!want && JSON.stringify(answer.data ?? null).includes('__typename')) wrong.push(`${field.name}: data`);
    }
    expect(wrong).toEqual([]);
  });
});
