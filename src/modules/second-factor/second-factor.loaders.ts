import DataLoader from 'dataloader';
import { type Context, loaderOf } from '../../core/context.js';
import type { TokenKind } from '../../core/tokens.js';
import type { Owner } from '../auth/owner.js';
import { findAccountsWithTotp } from './second-factors.service.js';

type Loader = DataLoader<string, boolean>;

const totpOf =
  (kind: TokenKind) =>
  ({ app }: Context): Loader =>
    new DataLoader(async (ids) => {
      const having = await findAccountsWithTotp(app, { kind, ids });
      return ids.map((id) => having.has(id));
    });

const LOADERS: Record<TokenKind, (context: Context) => Loader> = {
  user: totpOf('user'),
  admin: totpOf('admin'),
  staff: totpOf('staff'),
};

/** Whether an account has a second factor; one query for all of its kind that are asked for at once. */
export async function loadHasTotp(context: Context, { kind, id }: Owner): Promise<boolean> {
  return loaderOf(context, LOADERS[kind]).load(id);
}
