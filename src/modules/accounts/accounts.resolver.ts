import { Arg, Args, Ctx, FieldResolver, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { loadNestedPage } from '../../core/nested-pages.js';
import { type Connection, mapConnection } from '../../core/pages.js';
import { PageArgs } from '../../core/pages.types.js';
import { EmailAddress } from '../../core/scalars.types.js';
import { viewerId } from '../../core/viewer.js';
import { securityHistoryOfUsers } from '../audit/audit.service.js';
import { toUser } from '../auth/auth.present.js';
import { OkPayload, User, UserPayload } from '../auth/auth.types.js';
import { getOwnUser } from '../auth/users.service.js';
import { toRegisterPayload, toSecurityEvent } from './accounts.present.js';
import {
  RegisterInput,
  RegisterPayload,
  type SecurityEvent,
  SecurityEventConnection,
  UpdateProfileInput,
} from './accounts.types.js';
import { updateProfile } from './profile.service.js';
import { register, resendVerificationEmail, verifyEmail } from './registration.service.js';

@Resolver(() => User)
export class AccountsResolver {
  @Query(() => User, { description: 'The signed-in person.' })
  async me(@Ctx() { app, viewer }: Context): Promise<User> {
    return toUser(await getOwnUser(app, viewerId(viewer)), app.now());
  }

  @Mutation(() => RegisterPayload, {
    description: 'Creates an account and signs it in; the verification letter is on its way.',
  })
  async register(
    @Ctx() context: Context,
    @Arg('input', () => RegisterInput) input: RegisterInput,
  ): Promise<RegisterPayload> {
    const { username, email, password, locale } = input;
    const registered = await register(context.app, { username, email, password, locale, actor: context.actor });
    return toRegisterPayload(context, registered);
  }

  @Mutation(() => UserPayload, {
    description: 'Proves the mailbox with the token of the letter. Works once; never signs in.',
  })
  async verifyEmail(@Ctx() { app, actor }: Context, @Arg('token', () => String) token: string): Promise<UserPayload> {
    return { user: toUser(await verifyEmail(app, { token, actor }), app.now()) };
  }

  @Mutation(() => OkPayload, { description: 'The answer is the same for every address.' })
  async resendVerificationEmail(
    @Ctx() { app, actor }: Context,
    @Arg('email', () => EmailAddress) email: string,
  ): Promise<OkPayload> {
    await resendVerificationEmail(app, { email, actor });
    return { ok: true };
  }

  @Mutation(() => UserPayload, { description: 'Changes what you say of yourself; what is left out stays as it is.' })
  async updateProfile(
    @Ctx() { app, viewer, actor }: Context,
    @Arg('input', () => UpdateProfileInput) changes: UpdateProfileInput,
  ): Promise<UserPayload> {
    const row = await updateProfile(app, { userId: viewerId(viewer), changes, actor });
    return { user: toUser(row, app.now()) };
  }

  @FieldResolver(() => SecurityEventConnection, {
    description: 'What was done to the account and with it, and who looked; newest first.',
  })
  async securityHistory(
    @Root() { id }: User,
    @Ctx() context: Context,
    @Args(() => PageArgs) page: PageArgs,
  ): Promise<Connection<SecurityEvent>> {
    const history = await loadNestedPage(context, { list: securityHistoryOfUsers, parentId: id, page });
    return mapConnection(history, toSecurityEvent);
  }
}
