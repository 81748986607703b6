import { rotateSigningKey } from '../modules/auth/signing-keys.service.js';
import { operator, withApp } from './opening.js';
import type { Outcome } from './run.js';

/** As the field `rotateSigningKey` does, from a machine that reaches the database. Running servers notice. */
export async function keysRotate({ immediately = false }: { immediately?: boolean }): Promise<Outcome> {
  const { current, next } = await withApp((app) => rotateSigningKey(app, { immediately, actor: operator() }));
  const text = [
    `Now signing: ${current.kid}`,
    `Next:        ${next.kid}`,
    immediately
      ? 'Tokens under the former keys are refused from now on; their holders refresh.'
      : 'Tokens that are out stay good until they end.',
  ];
  return { ok: true, result: { current, next, immediately }, text: text.join('\n') };
}
