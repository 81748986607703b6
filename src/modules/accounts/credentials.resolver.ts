import { Arg, Ctx, FieldResolver, Mutation, Resolver, Root } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { EmailAddress } from '../../core/scalars.types.js';
import { viewerAccount, viewerId, viewerSession } from '../../core/viewer.js';
import { toUser } from '../auth/auth.present.js';
import { OkPayload, User, UserPayload } from '../auth/auth.types.js';
import { EndedSessionsPayload } from '../auth/sessions.types.js';
import {
  AcceptInvitationInput,
  AccountKind,
  ChangePasswordInput,
  RecoverAccountInput,
  RecoveryPhrasePayload,
  RequestEmailChangeInput,
  ResetPasswordInput,
} from './credentials.types.js';
import { confirmEmailChange, requestEmailChange, undoEmailChange } from './email-change.service.js';
import {
  acceptInvitation,
  changePassword,
  hasPassword,
  requestPasswordReset,
  resetPassword,
} from './passwords.service.js';
import { createRecoveryPhrase, hasRecoveryPhrase, recoverAccount } from './recovery.service.js';

const KINDS = { [AccountKind.USER]: 'user', [AccountKind.STAFF]: 'staff', [AccountKind.ADMIN]: 'admin' } as const;

@Resolver(() => User)
export class CredentialsResolver {
  @Mutation(() => OkPayload, { description: 'The answer is the same for every address.' })
  async requestPasswordReset(
    @Ctx() { app, actor }: Context,
    @Arg('email', () => EmailAddress) email: string,
    @Arg('account', () => AccountKind, { defaultValue: AccountKind.USER }) account: AccountKind,
  ): Promise<OkPayload> {
    await requestPasswordReset(app, { email, kind: KINDS[account], actor });
    return { ok: true };
  }

  @Mutation(() => EndedSessionsPayload, {
    description: 'Sets a new password with the token of the letter and ends all sessions. Never signs in.',
  })
  async resetPassword(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => ResetPasswordInput) { token, newPassword }: ResetPasswordInput,
  ): Promise<EndedSessionsPayload> {
    return { endedSessions: await resetPassword(app, { token, newPassword, actor }) };
  }

  @Mutation(() => OkPayload, { description: 'Sets the first password of an account somebody made for you.' })
  async acceptInvitation(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => AcceptInvitationInput) { token, password }: AcceptInvitationInput,
  ): Promise<OkPayload> {
    await acceptInvitation(app, { token, password, actor });
    return { ok: true };
  }

  @Mutation(() => EndedSessionsPayload, { description: 'Changes your password and ends your other sessions.' })
  async changePassword(
    @Ctx() { app, viewer, actor }: Context,
    @Arg('input', () => ChangePasswordInput) { currentPassword, newPassword }: ChangePasswordInput,
  ): Promise<EndedSessionsPayload> {
    const caller = { account: viewerAccount(viewer), sessionId: viewerSession(viewer), actor };
    return { endedSessions: await changePassword(app, { ...caller, currentPassword, newPassword }) };
  }

  @Mutation(() => OkPayload, {
    description: 'Sends a link to the new address, and a warning with an undo link to the old one.',
  })
  async requestEmailChange(
    @Ctx() { app, viewer, actor }: Context,
    @Arg('input', () => RequestEmailChangeInput) { newEmail, password }: RequestEmailChangeInput,
  ): Promise<OkPayload> {
    await requestEmailChange(app, { userId: viewerId(viewer), newEmail, password, actor });
    return { ok: true };
  }

  @Mutation(() => UserPayload, { description: 'Makes the new address yours with the token that went to it.' })
  async confirmEmailChange(
    @Ctx() { app, viewer, actor }: Context,
    @Arg('token', () => String) token: string,
  ): Promise<UserPayload> {
    const sessionId = 'sessionId' in viewer ? viewer.sessionId : undefined;
    return { user: toUser(await confirmEmailChange(app, { token, sessionId, actor }), app.now()) };
  }

  @Mutation(() => OkPayload, {
    description:
      'Gives the account back to its old address, for 72 hours, also after the change was confirmed; ends all sessions.',
  })
  async undoEmailChange(@Ctx() { app, actor }: Context, @Arg('token', () => String) token: string): Promise<OkPayload> {
    await undoEmailChange(app, { token, actor });
    return { ok: true };
  }

  @Mutation(() => RecoveryPhrasePayload, { description: 'Replaces an earlier phrase.' })
  async createRecoveryPhrase(@Ctx() { app, viewer, actor }: Context): Promise<RecoveryPhrasePayload> {
    return { phrase: await createRecoveryPhrase(app, { userId: viewerId(viewer), actor }) };
  }

  @Mutation(() => OkPayload, {
    description: 'Sets a new password with the recovery phrase, once, and ends all sessions. Never signs in.',
  })
  async recoverAccount(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => RecoverAccountInput) { identifier, phrase, newPassword }: RecoverAccountInput,
  ): Promise<OkPayload> {
    await recoverAccount(app, { identifier, phrase, newPassword, actor });
    return { ok: true };
  }

  @FieldResolver(() => Boolean, { description: 'False for who signs in through a provider only.' })
  async hasPassword(@Root() { id }: User, @Ctx() { app }: Context): Promise<boolean> {
    return hasPassword(app, { userId: id });
  }

  @FieldResolver(() => Boolean)
  async hasRecoveryPhrase(@Root() { id }: User, @Ctx() { app }: Context): Promise<boolean> {
    return hasRecoveryPhrase(app, { userId: id });
  }
}
