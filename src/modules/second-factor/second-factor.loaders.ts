import DataLoader from 'dataloader';
import { type Context, loaderOf } from '../../core/context.js';
import { findUsersWithTotp } from './second-factors.service.js';

function totpByUser({ app }: Context): DataLoader<string, boolean> {
  return new DataLoader(async (ids) => {
    const having = new Set(await findUsersWithTotp(app, [...ids]));
    return ids.map((id) => having.has(id));
  });
}

/** Whether a person has a second factor; one query for all asked for at once. */
export async function loadHasTotp(context: Context, userId: string): Promise<boolean> {
  return loaderOf(context, totpByUser).load(userId);
}
