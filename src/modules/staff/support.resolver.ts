import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Resolver, Root } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { type Connection, mapConnection } from '../../core/pages.js';
import { PageArgs } from '../../core/pages.types.js';
import { toUser } from '../auth/auth.present.js';
import { OkPayload, User, UserPayload } from '../auth/auth.types.js';
import { CreditMovement } from '../credits/credits.types.js';
import { adjustCredits } from './credit-adjustments.service.js';
import { revokeUserSessions } from './session-revocations.service.js';
import { toUserNote } from './support.present.js';
import {
  addUserNote,
  listUserNotes,
  resendUserVerification,
  sendUserPasswordReset,
  unlockUser,
} from './support.service.js';
import {
  AddUserNoteInput,
  AdjustCreditsInput,
  RevokedSessionsPayload,
  RevokeUserSessionsInput,
  type UserNote,
  UserNoteConnection,
  UserNotePayload,
} from './support.types.js';

@Resolver()
export class SupportResolver {
  @Mutation(() => OkPayload, { description: 'Sends a person the verification letter again.' })
  async resendUserVerification(
    @Ctx() { app, actor }: Context,
    @Arg('userId', () => ID) userId: string,
  ): Promise<OkPayload> {
    await resendUserVerification(app, { userId, actor });
    return { ok: true };
  }

  @Mutation(() => OkPayload, { description: 'Sends a person the letter with which they set a new password.' })
  async sendUserPasswordReset(
    @Ctx() { app, actor }: Context,
    @Arg('userId', () => ID) userId: string,
  ): Promise<OkPayload> {
    await sendUserPasswordReset(app, { userId, actor });
    return { ok: true };
  }

  @Mutation(() => UserNotePayload, { description: 'Leaves a note about a person for other operators.' })
  async addUserNote(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => AddUserNoteInput) { userId, text }: AddUserNoteInput,
  ): Promise<UserNotePayload> {
    return { note: toUserNote(await addUserNote(app, { userId, text, actor })) };
  }

  @Mutation(() => UserPayload, { description: 'Opens an account that wrong guesses had closed.' })
  async unlockUser(
    @Ctx() { app, actor }: Context,
    @Arg('userId', () => ID) userId: string,
    @Arg('reason', () => String) reason: string,
  ): Promise<UserPayload> {
    return { user: toUser(await unlockUser(app, { userId, reason, actor }), app.now()) };
  }

  @Mutation(() => RevokedSessionsPayload, {
    description: 'Ends all sessions of one person; or, for admins, of everybody who fits a filter.',
  })
  async revokeUserSessions(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => RevokeUserSessionsInput) { userId, filter, reason }: RevokeUserSessionsInput,
  ): Promise<RevokedSessionsPayload> {
    return revokeUserSessions(app, { userId, filter, reason, actor });
  }

  @Mutation(() => CreditMovement, {
    description: 'Puts a balance right, up or down. Staff have a cap for each day (UTC), admins have none.',
  })
  async adjustCredits(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => AdjustCreditsInput) { userId, amount, reason, idempotencyKey }: AdjustCreditsInput,
  ): Promise<CreditMovement> {
    return adjustCredits(app, { userId, amount, reason, idempotencyKey, actor });
  }
}

@Resolver(() => User)
export class UserNotesResolver {
  @FieldResolver(() => UserNoteConnection, { description: 'What operators wrote, newest first. Not for the person.' })
  async notes(
    @Root() { id }: User,
    @Ctx() { app }: Context,
    @Args(() => PageArgs) page: PageArgs,
  ): Promise<Connection<UserNote>> {
    return mapConnection(await listUserNotes(app, { userId: id, page }), toUserNote);
  }
}
