import { timingSafeEqual } from 'node:crypto';
import type { App } from '../../core/context.js';
import { AppError } from '../../core/errors.js';

/** What an address is signed for: one for the one door opens nothing at the other. */
type Purpose = 'upload' | 'data-export';

/** The last part of an address that stands for one file until a moment: `<id>.<milliseconds>.<signature>`. */
export function signPlace(app: App, place: { purpose: Purpose; fileId: string; endsAt: Date }): string {
  const text = `${place.fileId}.${place.endsAt.getTime()}`;
  return `${text}.${signatureOf(app, place.purpose, text)}`;
}

/** The id of the file. Asks nothing of the database: strangers cost nothing. @throws TOKEN_INVALID, TOKEN_EXPIRED */
export function readPlace(app: App, { purpose, token }: { purpose: Purpose; token: string }): string {
  const [fileId = '', end = '', signature = ''] = token.split('.');
  const text = `${fileId}.${end}`;
  const given = Buffer.from(`${text}.${signature}`);
  const right = Buffer.from(`${text}.${signatureOf(app, purpose, text)}`);
  if (`${text}.${signature}` !== token || given.length !== right.length || !timingSafeEqual(given, right))
    throw new AppError('TOKEN_INVALID');
  if (Number(end) <= app.now().getTime()) throw new AppError('TOKEN_EXPIRED');
  return fileId;
}

function signatureOf(app: App, purpose: Purpose, text: string): string {
  return app.secrets.mac(`place:${purpose}`, text);
}
