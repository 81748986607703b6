import { Arg, Ctx, FieldResolver, ID, Query, Resolver, Root } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { EmailAddress } from '../../core/scalars.types.js';
import { toUser } from '../auth/auth.present.js';
import { User } from '../auth/auth.types.js';
import { Plan } from '../catalog/catalog.types.js';
import { CreditAccount } from '../credits/credits.types.js';
import { findCreditAccount } from '../credits/history.service.js';
import { getUsage } from '../usage/usage.service.js';
import { Usage } from '../usage/usage.types.js';
import { toTokenValidation } from './token-validation.present.js';
import { validateToken } from './token-validation.service.js';
import { TokenValidation } from './token-validation.types.js';
import { findUserByEmail, getUserEmail } from './user-lookup.service.js';

@Resolver(() => TokenValidation)
export class TokenValidationResolver {
  @Query(() => TokenValidation, {
    description:
      'Whether an access token or a person’s API key is good at this moment, and whose it is. A bad token is a normal answer.',
  })
  async validateToken(
    @Ctx() { app }: Context,
    @Arg('token', () => String) token: string,
    @Arg('scopes', () => [String], { nullable: true, description: 'What an API key has to hold.' })
    scopes?: string[],
    @Arg('ip', () => String, { nullable: true, description: 'Who sent the token, for keys bound to addresses.' })
    ip?: string,
  ): Promise<TokenValidation> {
    return toTokenValidation(await validateToken(app, { token, scopes, ip }));
  }

  @FieldResolver(() => Plan, { nullable: true })
  plan(@Root() { user }: TokenValidation): Plan | null {
    return user && { code: user.planCode };
  }

  @FieldResolver(() => CreditAccount, { nullable: true })
  async credits(@Root() { user }: TokenValidation, @Ctx() { app }: Context): Promise<CreditAccount | null | undefined> {
    return user && findCreditAccount(app, user.id);
  }

  @FieldResolver(() => Usage, { nullable: true, description: 'What is left of today’s limits.' })
  async limits(@Root() { user }: TokenValidation, @Ctx() { app }: Context): Promise<Usage | null> {
    return user && getUsage(app, user.id);
  }
}

@Resolver()
export class UserLookupResolver {
  @Query(() => EmailAddress, { description: 'The address of a person.' })
  async userEmail(@Ctx() { app }: Context, @Arg('userId', () => ID) userId: string): Promise<string> {
    return getUserEmail(app, userId);
  }

  @Query(() => User, { nullable: true, description: 'Who has this address; null when nobody has.' })
  async userByEmail(
    @Ctx() { app }: Context,
    @Arg('email', () => EmailAddress) email: string,
  ): Promise<User | undefined> {
    const row = await findUserByEmail(app, email);
    return row && toUser(row, app.now());
  }
}
