import { makeKey } from '../core/secrets.js';
import { SERVICE_SCOPES } from '../modules/services/scopes.js';
import { createService } from '../modules/services/services.service.js';
import { operator, withApp } from './opening.js';
import type { Outcome } from './run.js';

/** A new service; its key is shown this once. */
export async function serviceCreate({ name, scopes }: { name: string; scopes?: string[] }): Promise<Outcome> {
  const { service, key } = await withApp((app) =>
    createService(app, { name, scopes: scopes ?? SERVICE_SCOPES, actor: operator() }),
  );
  const { id, scopes: granted } = service;
  const text = [`Service ${name} (${id}) may ${granted.join(', ')}.`, 'Its key, shown only now:', `  ${key}`];
  return { ok: true, result: { service: { id, name: service.name, scopes: granted }, key }, text: text.join('\n') };
}

/** A new key for INTERNAL_SERVICE_KEY; touches nothing. */
export async function serviceMakeKey(): Promise<Outcome> {
  const key = makeKey('svc');
  return { ok: true, result: { key }, text: key };
}
