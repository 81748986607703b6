import { randomBytes } from 'node:crypto';
import { text as readAll } from 'node:stream/consumers';
import { createAdminWithPassword } from '../modules/admin/new-admin.service.js';
import { PERMISSIONS } from '../modules/admin/permissions.js';
import { CommandRefusal } from './failure.js';
import { operator, withApp } from './opening.js';
import { EXIT, type Outcome } from './run.js';

interface Options {
  username: string;
  email: string;
  /** All of them when not given. */
  permissions?: string[];
  passwordStdin?: boolean;
}

/** A new admin who can sign in at once. A password is never an argument: other users of the machine read those. */
export async function adminCreate({ username, email, permissions, passwordStdin }: Options): Promise<Outcome> {
  const given = passwordStdin ? await readPassword() : undefined;
  const password = given ?? randomBytes(18).toString('base64url');
  const admin = await withApp((app) =>
    createAdminWithPassword(app, {
      username,
      email,
      password,
      permissions: permissions ?? PERMISSIONS,
      actor: operator(),
    }),
  );
  const text = [
    `Admin ${admin.username} <${admin.email}> (${admin.id}) may ${admin.permissions.join(', ') || 'nothing yet'}.`,
    ...(given === undefined ? ['Password, shown only now:', `  ${password}`] : []),
  ];
  return { ok: true, result: { admin, ...(given === undefined && { password }) }, text: text.join('\n') };
}

/** All of standard input but one line break at its end. */
async function readPassword(): Promise<string> {
  const password = (await readAll(process.stdin)).replace(/\r?\n$/, '');
  if (password === '')
    throw new CommandRefusal('USAGE', '--password-stdin: nothing came on standard input.', EXIT.usage);
  return password;
}
