import type { App } from '../../core/context.js';
import type { Owner } from '../auth/owner.js';
import { toStaff } from './staff.present.js';
import type { Staff } from './staff.types.js';
import { getStaff } from './staff-sign-in.service.js';

/** The staff member behind an account, null when the account is of another kind. Never in a list: nothing to batch. */
export async function loadStaff(app: App, owner: Owner): Promise<Staff | null> {
  return owner.kind === 'staff' ? toStaff(await getStaff(app, owner.id)) : null;
}
