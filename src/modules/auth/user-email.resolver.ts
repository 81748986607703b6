import { Ctx, FieldResolver, Resolver, Root } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { EmailAddress } from '../../core/scalars.types.js';
import { shownEmail } from '../../core/viewer.js';
import { User } from './auth.types.js';

/** On the field itself, so that no path to a person forgets the mask. */
@Resolver(() => User)
export class UserEmailResolver {
  @FieldResolver(() => EmailAddress, { description: 'Masked for support staff of level 1.' })
  email(@Root() { email }: User, @Ctx() { viewer }: Context): string {
    return shownEmail(viewer, email);
  }
}
