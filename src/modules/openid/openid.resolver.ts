import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Resolver, Root } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { loadNestedPage } from '../../core/nested-pages.js';
import { type Connection, mapConnection } from '../../core/pages.js';
import { PageArgs } from '../../core/pages.types.js';
import { viewerId, viewerSession } from '../../core/viewer.js';
import { toLoginResult, toUser } from '../auth/auth.present.js';
import { LoginResult, User } from '../auth/auth.types.js';
import { linkedAccountsOfUsers } from '../auth/linked-accounts.service.js';
import { completeGoogleSignIn, startGoogleSignIn } from './google-sign-in.service.js';
import { linkGoogle, startGoogleLink, unlinkGoogle } from './linking.service.js';
import { browserSecretsOf, toGoogleRedirect, toLinkedAccount } from './openid.present.js';
import {
  CompleteGoogleSignInInput,
  GoogleRedirect,
  type LinkedAccount,
  LinkedAccountConnection,
  LinkGoogleInput,
  LinkGooglePayload,
  StartGoogleSignInInput,
  UnlinkGooglePayload,
} from './openid.types.js';

@Resolver(() => User)
export class OpenidResolver {
  @Mutation(() => GoogleRedirect, {
    description: 'Begins a sign-in with Google, or with the OpenID provider that the operator chose.',
  })
  async startGoogleSignIn(
    @Ctx() context: Context,
    @Arg('input', () => StartGoogleSignInInput, { nullable: true }) input?: StartGoogleSignInInput | null,
  ): Promise<GoogleRedirect> {
    const browserSecret = context.browserCookie.read();
    return toGoogleRedirect(context, await startGoogleSignIn(context.app, { ...input, browserSecret }));
  }

  @Mutation(() => LoginResult, {
    description: 'Signs in with what came back from the provider. Makes the account if there is none.',
  })
  async completeGoogleSignIn(
    @Ctx() context: Context,
    @Arg('input', () => CompleteGoogleSignInInput) { browserSecret, ...arrival }: CompleteGoogleSignInInput,
  ): Promise<typeof LoginResult> {
    const browserSecrets = browserSecretsOf(context, browserSecret);
    const { app, actor } = context;
    return toLoginResult(context, await completeGoogleSignIn(app, { ...arrival, browserSecrets, actor }));
  }

  @Mutation(() => GoogleRedirect, { description: 'Begins to link an account at the provider with yours.' })
  async startGoogleLink(
    @Ctx() context: Context,
    @Arg('redirectUri', () => String, { nullable: true }) redirectUri?: string | null,
  ): Promise<GoogleRedirect> {
    const { app, viewer, actor } = context;
    const caller = { userId: viewerId(viewer), sessionId: viewerSession(viewer), actor };
    const browserSecret = context.browserCookie.read();
    return toGoogleRedirect(context, await startGoogleLink(app, { ...caller, redirectUri, browserSecret }));
  }

  @Mutation(() => LinkGooglePayload, {
    description: 'Links the account at the provider, so that it signs you in. By the session that began it.',
  })
  async linkGoogle(
    @Ctx() context: Context,
    @Arg('input', () => LinkGoogleInput) { browserSecret, ...arrival }: LinkGoogleInput,
  ): Promise<LinkGooglePayload> {
    const { app, viewer, actor } = context;
    const caller = { userId: viewerId(viewer), sessionId: viewerSession(viewer), actor };
    const browserSecrets = browserSecretsOf(context, browserSecret);
    return { linkedAccount: toLinkedAccount(await linkGoogle(app, { ...caller, ...arrival, browserSecrets })) };
  }

  @Mutation(() => UnlinkGooglePayload, {
    description: 'The account at the provider signs you in no more, and your other sessions end.',
  })
  async unlinkGoogle(
    @Ctx() { app, viewer, actor }: Context,
    @Arg('id', () => ID, { nullable: true, description: 'Which, if several are linked.' }) id?: string | null,
  ): Promise<UnlinkGooglePayload> {
    const caller = { userId: viewerId(viewer), sessionId: viewerSession(viewer), actor };
    const { user, endedSessions } = await unlinkGoogle(app, { ...caller, id });
    return { user: toUser(user, app.now()), endedSessions };
  }

  @FieldResolver(() => LinkedAccountConnection, { description: 'Newest first.' })
  async linkedAccounts(
    @Root() { id }: User,
    @Ctx() context: Context,
    @Args(() => PageArgs) page: PageArgs,
  ): Promise<Connection<LinkedAccount>> {
    const linked = await loadNestedPage(context, { list: linkedAccountsOfUsers, parentId: id, page });
    return mapConnection(linked, toLinkedAccount);
  }
}
