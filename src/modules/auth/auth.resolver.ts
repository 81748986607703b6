import { Arg, Ctx, FieldResolver, Mutation, Resolver, Root } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { viewerAccount, viewerSession } from '../../core/viewer.js';
import { forgetRefreshToken, requireRefreshToken, toLoginResult, toRefreshPayload, toSession } from './auth.present.js';
import { LoginInput, LoginResult, OkPayload, User } from './auth.types.js';
import { refreshToken } from './refresh.service.js';
import { logout } from './session-ends.service.js';
import { RefreshPayload, SessionPayload } from './sessions.types.js';
import { login, reauthenticate } from './sign-in.service.js';
import { loadPerson } from './users.loaders.js';

@Resolver(() => RefreshPayload)
export class AuthResolver {
  @Mutation(() => LoginResult, { description: 'Signs in with user name or email address and password.' })
  async login(@Ctx() context: Context, @Arg('input', () => LoginInput) input: LoginInput): Promise<typeof LoginResult> {
    const { identifier, password } = input;
    return toLoginResult(context, await login(context.app, { identifier, password, actor: context.actor }));
  }

  @Mutation(() => RefreshPayload, {
    description:
      'A new access token and the next refresh token. The one before it works for 20 more seconds and yields the same; using an older one ends the session. In cookie mode leave the argument out.',
  })
  async refreshToken(
    @Ctx() context: Context,
    @Arg('refreshToken', () => String, { nullable: true }) given: string | null | undefined,
  ): Promise<RefreshPayload> {
    const kept = requireRefreshToken(context, given);
    const { app, operatorsAllowed, actor } = context;
    return toRefreshPayload(context, await refreshToken(app, { refreshToken: kept, operatorsAllowed, actor }));
  }

  @FieldResolver(() => User, { nullable: true, description: 'Null for staff and admins.' })
  async user(@Root() { accountKind, accountId }: RefreshPayload, @Ctx() context: Context): Promise<User | null> {
    return loadPerson(context, { kind: accountKind, id: accountId });
  }

  @Mutation(() => OkPayload, { description: 'Ends the session the request was made with.' })
  async logout(@Ctx() context: Context): Promise<OkPayload> {
    const { app, viewer, actor } = context;
    await logout(app, { account: viewerAccount(viewer), sessionId: viewerSession(viewer), actor });
    forgetRefreshToken(context);
    return { ok: true };
  }

  @Mutation(() => SessionPayload, { description: 'Proves the password again; the session is fresh for ten minutes.' })
  async reauthenticate(
    @Ctx() context: Context,
    @Arg('password', () => String) password: string,
  ): Promise<SessionPayload> {
    const { app, viewer, actor } = context;
    const sessionId = viewerSession(viewer);
    const row = await reauthenticate(app, { account: viewerAccount(viewer), sessionId, password, actor });
    return { session: toSession(row, context) };
  }
}
