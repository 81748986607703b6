import type { App } from '../../core/context.js';
import type { Owner } from '../auth/owner.js';
import { toAdmin } from './admin.present.js';
import type { Admin } from './admin.types.js';
import { getAdmin } from './admin-sign-in.service.js';

/** The admin behind an account, null when the account is of another kind. Never stands in a list: nothing to batch. */
export async function loadAdmin(app: App, owner: Owner): Promise<Admin | null> {
  return owner.kind === 'admin' ? toAdmin(await getAdmin(app, owner.id)) : null;
}
