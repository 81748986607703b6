import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hash as bcrypt } from '@node-rs/bcrypt';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkLedger } from '../../src/cli/ledger-verify.js';
import { importPeople } from '../../src/cli/users-import.js';
import { newId } from '../../src/core/columns.js';
import { SYSTEM_ACTOR } from '../../src/core/context.js';
import { auditEvents } from '../../src/modules/audit/audit.table.js';
import { users } from '../../src/modules/auth/auth.table.js';
import { beginImport, importBatch } from '../../src/modules/imports/imports.service.js';
import {
  confirmEmailChange,
  login,
  requestEmailChange,
  requestPasswordReset,
  resetPassword,
} from '../auth/operations.js';
import { createHarness, type Harness, PASSWORD, uniqueName } from '../support/harness.js';
import { quietUi } from './quiet-ui.js';

let h: Harness;
let folder: string;
beforeAll(async () => {
  h = await createHarness();
  folder = await mkdtemp(join(tmpdir(), 'credence-import-'));
});
afterAll(async () => {
  await h.close();
  await rm(folder, { recursive: true, force: true });
});

type Changes = Partial<Parameters<typeof importPeople>[1]>;

async function importText(text: string, options: Changes = {}) {
  const file = join(folder, `${newId()}.csv`);
  await writeFile(file, text);
  const again = (changes: Changes = {}) =>
    importPeople(h.app, { file, format: 'csv', onConflict: 'skip', ...options, ...changes }, quietUi());
  return { file, again, ...(await again()) };
}

const find = async (username: string) =>
  (await h.app.db.select().from(users).where(eq(users.usernameKey, username.toLowerCase())))[0];
const balanceOf = async (userId: string) =>
  (
    await h.app.database.sql.query<{ balance: number }>(
      'select balance from credit_accounts where user_id = $1::uuid',
      [userId],
    )
  )[0]?.balance;
const reportOf = (file: string) => readFile(`${file}.rejected.csv`, 'utf8');

describe('users import', () => {
  it('takes people in with all that the file says, in the same forms as register', async () => {
    const name = uniqueName('Imported');
    const { ok, result } = await importText(
      `Username,email,email_verified,display_name,locale,time zone,created_at,credits
${name},${name}@EXAMPLE.com,true,"Ada, Countess",DE-at,Europe/Vienna,2021-05-31T10:00:00Z,250\n`,
    );
    expect({ ok, result }).toMatchObject({ ok: true, result: { imported: 1, skipped: 0, rejected: 0, report: null } });
    const row = await find(name);
    expect(row).toMatchObject({
      username: name,
      email: `${name}@example.com`,
      emailKey: `${name}@example.com`.toLowerCase(),
      displayName: 'Ada, Countess',
      locale: 'de-AT',
      timeZone: 'Europe/Vienna',
      passwordHash: null,
      createdAt: new Date('2021-05-31T10:00:00Z'),
      emailVerifiedAt: new Date('2021-05-31T10:00:00Z'),
    });
    expect(await balanceOf(row?.id ?? '')).toBe(250);
    const audit = await h.app.db
      .select()
      .from(auditEvents)
      .where(eq(auditEvents.userId, row?.id ?? ''));
    expect(audit).toMatchObject([
      { action: 'user.imported', actorKind: 'SYSTEM', userAgent: expect.stringContaining('command line') },
    ]);
  });

  it('lets people sign in with the password they had, and hashes it anew as Argon2id', async () => {
    const [one, two] = [uniqueName('bcrypted'), uniqueName('argoned')];
    const hashes = { [one]: await bcrypt(PASSWORD, 4), [two]: await h.app.passwords.hash(PASSWORD) };
    const rows = [one, two].map((name) => `${name},${name}@example.com,true,"${hashes[name]}"`);
    await importText(`username,email,emailVerified,passwordHash\n${rows.join('\n')}\n`);
    for (const name of [one, two]) {
      expect((await login(h, { identifier: name })).data.login.user.username).toBe(name);
      expect((await login(h, { identifier: name, password: 'something else entirely' })).code).toBe(
        'INVALID_CREDENTIALS',
      );
      expect((await find(name))?.passwordHash).toMatch(/^\$argon2id\$/);
    }
    expect((await login(h, { identifier: one })).errors).toBeUndefined();
  });

  it('leaves people without a hash the way of a forgotten password', async () => {
    const name = uniqueName('hashless');
    await importText(`username,email,emailVerified\n${name},${name}@example.com,true\n`);
    expect((await login(h, { identifier: name })).code).toBe('INVALID_CREDENTIALS');
    await requestPasswordReset(h, `${name}@example.com`);
    const token = await h.tokenFor(`${name}@example.com`, '/reset-password');
    expect((await resetPassword(h, token, PASSWORD)).errors).toBeUndefined();
    expect((await login(h, { identifier: name })).errors).toBeUndefined();
  });

  const GOOD = '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
  it.each([
    ['a name that is none', 'a b,x1@example.com,,,,,,', 'USERNAME_INVALID'],
    ['an address that is none', 'nobodyx2,example.com,,,,,,', 'EMAIL_INVALID'],
    ['a reserved address', 'nobodyx3,x@deleted.invalid,,,,,,', 'EMAIL_INVALID'],
    ['MD5', 'nobodyx4,x4@example.com,,5f4dcc3b5aa765d61d8327deb882cf99,,,,', 'PASSWORD_HASH_INVALID'],
    ['Argon2i', `nobodyx5,x5@example.com,,"${GOOD.replace('2id', '2i')}",,,,`, 'PASSWORD_HASH_INVALID'],
    [
      'Argon2id beyond reason',
      `nobodyx6,x6@example.com,,"${GOOD.replace('19456', '999999')}",,,,`,
      'PASSWORD_HASH_INVALID',
    ],
    ['bcrypt beyond reason', `nobodyx7,x7@example.com,,$2b$20$${'a'.repeat(53)},,,,`, 'PASSWORD_HASH_INVALID'],
    ['a flag that is none', 'nobodyx8,x8@example.com,perhaps,,,,,', 'EMAIL_VERIFIED_INVALID'],
    ['a display name with a line break', 'nobodyx9,x9@example.com,,,"two\nlines",,,', 'DISPLAY_NAME_INVALID'],
    ['a language that is none', 'nobodyx10,x10@example.com,,,,not a tag,,', 'LOCALE_INVALID'],
    ['a day that is none', 'nobodyx11,x11@example.com,,,,,yesterday,', 'CREATED_AT_INVALID'],
    ['a day to come', 'nobodyx12,x12@example.com,,,,,2999-01-01,', 'CREATED_AT_INVALID'],
    ['half a credit', 'nobodyx13,x13@example.com,,,,,,0.5', 'CREDITS_INVALID'],
    ['credits below zero', 'nobodyx14,x14@example.com,,,,,,-1', 'CREDITS_INVALID'],
    ['too many values', 'nobodyx15,x15@example.com,,,,,,1,2', 'LINE_INVALID'],
  ])('leaves %s outside, with line, code and reason and nothing of the line', async (_, line, code) => {
    const header = 'username,email,emailVerified,passwordHash,displayName,locale,createdAt,credits';
    const name = uniqueName('neighbour');
    const { ok, file, result } = await importText(`${header}\n${name},${name}@example.com,,,,,,\n${line}\n`);
    expect({ ok, result }).toMatchObject({
      ok: false,
      result: { imported: 1, rejected: 1, report: `${file}.rejected.csv` },
    });
    const report = await reportOf(file);
    expect(report.split('\n')[1]).toMatch(new RegExp(`^3,${code},"`));
    for (const value of line.split(/[,"\n]/).filter((text) => text.length > 8)) expect(report).not.toContain(value);
    expect((await stat(`${file}.rejected.csv`)).mode & 0o077).toBe(0);
  });

  it('does nothing twice: the same file, and a file with the same people, double neither people nor credits', async () => {
    const names = Array.from({ length: 3 }, () => uniqueName('once'));
    const rows = names.map((name) => `${name},${name}@example.com,10`);
    const text = `username,email,credits\n${rows.join('\n')}\n`;
    const { again, result } = await importText(text);
    expect(result).toMatchObject({ imported: 3 });
    expect((await again()).text).toContain('has come in before');
    expect((await again({ restart: true })).result).toMatchObject({ imported: 0, skipped: 3, rejected: 0 });
    expect((await importText(`${text}\n`)).result).toMatchObject({ imported: 0, skipped: 3 });
    for (const name of names) expect(await balanceOf((await find(name))?.id ?? '')).toBe(10);
    expect((await checkLedger(h.app, quietUi())).ok).toBe(true);
  });

  it('goes on where it was stopped, at the record behind the last batch that was committed', async () => {
    const names = Array.from({ length: 1_200 }, () => uniqueName('many'));
    const file = join(folder, 'many.jsonl');
    await writeFile(
      file,
      names.map((name) => JSON.stringify({ username: name, email: `${name}@example.com`, credits: 1 })).join('\n'),
    );
    const ui = quietUi();
    const stop = new Error('stop');
    const stopping = {
      ...ui,
      checkpoint: () => {
        throw stop;
      },
    };
    const options = { file, format: 'jsonl', onConflict: 'fail' } as const;
    await expect(importPeople(h.app, options, stopping)).rejects.toBe(stop);
    expect(await find(names[499] ?? '')).toBeDefined();
    expect(await find(names[500] ?? '')).toBeUndefined();
    const { result } = await importPeople(h.app, options, ui);
    expect(ui.notes).toEqual(['Going on after 500 records.']);
    expect(result).toMatchObject({ records: 1_200, imported: 1_200, skipped: 0, rejected: 0 });
  });

  it('takes everything back with --dry-run', async () => {
    const name = uniqueName('tried');
    const text = `username,email,credits\n${name},${name}@example.com,5\nx,y,z\n`;
    const { again, file, result } = await importText(text, { dryRun: true });
    expect(result).toMatchObject({ imported: 1, rejected: 1, report: `${file}.dry-run.rejected.csv` });
    expect(await find(name)).toBeUndefined();
    expect((await again({ dryRun: false })).result).toMatchObject({ imported: 1, rejected: 1 });
  });

  it('leaves a name outside that somebody with another address has, and says which line', async () => {
    const person = await h.person();
    const { file, result } = await importText(
      `username,email\n${person.username.toUpperCase()},other${person.email}\n`,
    );
    expect(result).toMatchObject({ imported: 0, skipped: 0, rejected: 1 });
    expect(await reportOf(file)).toMatch(/^2,USERNAME_TAKEN,/m);
  });

  it('with --on-conflict fail stops at the first who is there, and takes its batch back', async () => {
    const person = await h.person();
    const name = uniqueName('behind');
    const text = `username,email\n${name},${name}@example.com\nx${person.username},${person.email.toUpperCase()}\n`;
    await expect(importText(text, { onConflict: 'fail' })).rejects.toThrow(
      'Line 3: somebody has this address already.',
    );
    expect(await find(name)).toBeUndefined();
  });

  it('gives nobody an address that its owner may still take back', async () => {
    const person = await h.person();
    const next = `next${person.email}`;
    await requestEmailChange(h, person.token, next);
    await confirmEmailChange(h, await h.tokenFor(next, '/confirm-email-change'));
    const name = uniqueName('thief');
    const { file, result } = await importText(`username,email\n${name},${person.email}\n`);
    expect(result).toMatchObject({ imported: 0, rejected: 1 });
    expect(await reportOf(file)).toMatch(/^2,EMAIL_KEPT,/m);
  });

  it('refuses what is no such file before anybody comes in', async () => {
    for (const [text, says] of [
      ['username,email,shoe_size\na,b,c\n', 'Columns that are not known: "shoe_size"'],
      ['username\nx\n', 'The column email is missing'],
      ['username,email,E-Mail\nx,y,z\n', 'A column stands there twice'],
      ['', 'is empty'],
      ['username,email\n"ada,ada@example.com\n', 'is no CSV'],
    ] as const)
      await expect(importText(text)).rejects.toThrow(says);
  });

  it('says of a JSON line what is wrong with it', async () => {
    const file = join(folder, 'lines.jsonl');
    await writeFile(file, '{"username":\n[1]\n{"username":"x","shoe":1}\n{"username":{"a":1}}\n');
    await importPeople(h.app, { file, format: 'jsonl', onConflict: 'skip' }, quietUi());
    expect((await reportOf(file)).trim().split('\n').slice(1)).toEqual([
      '1,LINE_INVALID,"the line is no JSON"',
      '2,LINE_INVALID,"the line is no JSON object"',
      '3,LINE_INVALID,"the line holds a field that is not known"',
      '4,LINE_INVALID,"the line holds no plain value for username"',
    ]);
  });

  it('of two processes with one file lets one have each batch', async () => {
    const fingerprint = newId();
    await beginImport(h.app, { fingerprint, restart: false });
    const batch = { fingerprint, from: 0, to: 10, lastLine: 11, people: [], rejected: [] };
    const options = { onConflict: 'skip', dryRun: false, actor: SYSTEM_ACTOR, onRejected: () => undefined } as const;
    await importBatch(h.app, batch, options);
    await expect(importBatch(h.app, batch, options)).rejects.toThrow('Another process is importing this file.');
  });
});
