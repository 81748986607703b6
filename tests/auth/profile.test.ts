import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditEvents } from '../../src/modules/audit/audit.table.js';
import { createHarness, type Harness, type Person } from '../support/harness.js';
import { actionsOf, historyOf, login } from './operations.js';

let h: Harness;
let person: Person;

beforeAll(async () => {
  h = await createHarness();
  h.clock.freeze();
  person = await h.person();
});
afterAll(() => h.close());

const update = (input: Record<string, unknown>, token = person.token) =>
  h.graphql(
    `mutation($input: UpdateProfileInput!) { updateProfile(input: $input) { user { displayName locale timeZone avatarUrl } } }`,
    { token, variables: { input } },
  );
const fieldsOf = (answer: Awaited<ReturnType<typeof update>>) =>
  Object.keys((answer.errors?.[0]?.extensions.fields ?? {}) as object);

describe('updateProfile', () => {
  it('changes what is sent, leaves what is not, and clears what is null', async () => {
    const all = {
      displayName: 'Ada Lovelace',
      locale: 'de-AT',
      timeZone: 'Europe/Vienna',
      avatarUrl: 'https://example.com/ada.png',
    };
    expect((await update(all)).data.updateProfile.user).toEqual(all);
    expect((await update({ displayName: 'A. L.' })).data.updateProfile.user).toEqual({ ...all, displayName: 'A. L.' });
    expect((await update({})).data.updateProfile.user).toEqual({ ...all, displayName: 'A. L.' });
    const cleared = { displayName: null, locale: null, timeZone: null, avatarUrl: null };
    expect((await update(cleared)).data.updateProfile.user).toEqual({ ...cleared, locale: 'en', timeZone: 'UTC' });
  });

  it('writes formats in their one canonical way', async () => {
    const { data } = await update({ locale: 'ZH-hans-cn', timeZone: 'america/new_york', displayName: '  Zoë  ' });
    expect(data.updateProfile.user).toMatchObject({
      locale: 'zh-Hans-CN',
      timeZone: 'America/New_York',
      displayName: 'Zoë',
    });
  });

  it('takes names of every script, and emoji', async () => {
    for (const displayName of [
      'Ольга Ладыженская',
      '王貞儀',
      'د. مريم ميرزاخاني',
      '👩‍🔬 Rosalind',
      'x'.repeat(80),
      '🦦'.repeat(80),
    ]) {
      expect((await update({ displayName })).data?.updateProfile.user.displayName).toBe(displayName);
    }
  });

  it.each([
    [
      'displayName',
      ['', '   ', 'x'.repeat(81), 'a\nb', 'a\u0007b', 'evil\u202Etxt', 'a\u2066b', '\ufeff\ufeffx\ufeffy'],
    ],
    ['locale', ['', 'x', 'not a language', 'en_US!', 'a'.repeat(40)]],
    ['timeZone', ['', 'Mars/Olympus', '+01:00', "UTC' or 1=1", 'x'.repeat(500)]],
    [
      'avatarUrl',
      [
        '',
        'http://example.com/a.png',
        'javascript:alert(1)',
        'data:image/png;base64,AAAA',
        'https://user:secret@example.com/a.png',
        'example.com/a.png',
        `https://example.com/${'a'.repeat(2000)}`,
      ],
    ],
  ])('refuses a %s that is none', async (field, values) => {
    for (const value of values) {
      const answer = await update({ [field]: value });
      expect([answer.status, answer.code, ...fieldsOf(answer)], JSON.stringify(value)).toEqual([
        400,
        'BAD_USER_INPUT',
        field,
      ]);
    }
  });

  it('shows in the history by the names of the fields, not by what they hold', async () => {
    await update({ displayName: 'Very Private Name' });
    expect(await actionsOf(h, person.token)).toContain('user.profile_updated');
    const rows = await h.app.db.select().from(auditEvents).where(eq(auditEvents.userId, person.id));
    expect(JSON.stringify(rows)).not.toContain('Very Private Name');
  });

  it('changes nothing that is not the person’s to change', async () => {
    for (const field of ['email', 'emailVerified', 'status', 'planCode', 'id']) {
      const answer = await h.graphql(`mutation { updateProfile(input: { ${field}: "x" }) { user { id } } }`, {
        token: person.token,
      });
      expect(answer.code).toBe('GRAPHQL_VALIDATION_FAILED');
    }
  });

  it('is for people with a verified address', async () => {
    const [unverified, admin] = [await h.person({ verified: false }), await h.admin([])];
    expect((await update({}, unverified.token)).code).toBe('EMAIL_NOT_VERIFIED');
    expect((await update({}, admin.token)).code).toBe('UNAUTHENTICATED');
  });
});

describe('securityHistory', () => {
  it('shows what strangers tried, and where from', async () => {
    const victim = await h.person();
    await login(
      h,
      { identifier: victim.username, password: 'wrong guess here' },
      { ip: '203.0.113.7', headers: { 'user-agent': 'Guesser' } },
    );
    const [newest] = await historyOf(h, victim.token);
    expect(newest).toMatchObject({
      action: 'user.sign_in_failed',
      actorKind: 'ANONYMOUS',
      ip: '203.0.113.7',
      userAgent: 'Guesser',
    });
  });

  it('shows who looked, but not where operators sit', async () => {
    const watched = await h.person();
    const operator = await h.admin(['users:read']);
    await h.graphql(`query($id: ID!) { user(id: $id) { username } }`, {
      token: operator.token,
      variables: { id: watched.id },
    });
    const seen = (await historyOf(h, watched.token)).find((event) => event.actorKind === 'ADMIN');
    expect(seen).toMatchObject({ action: 'user.viewed', ip: null, userAgent: null });
  });

  it('pages, newest first, and holds nobody else’s rows', async () => {
    const query = `query($after: String) { me { securityHistory(first: 1, after: $after) { nodes { id action } totalCount pageInfo { hasNextPage endCursor } } } }`;
    const somebody = await h.person();
    const seen: string[] = [];
    let after: string | null = null;
    do {
      const { data } = await h.graphql(query, { token: somebody.token, variables: { after } });
      const page = data.me.securityHistory;
      seen.push(...page.nodes.map((node: { action: string }) => node.action));
      expect(page.totalCount).toBe(2);
      after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
    } while (after);
    expect(seen).toEqual(['user.email_verified', 'user.registered']);
  });
});
