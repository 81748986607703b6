import { Arg, Args, Ctx, ID, Mutation, Query, Resolver } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { type Connection, mapConnection } from '../../core/pages.js';
import { PageArgs } from '../../core/pages.types.js';
import { JSONObject } from '../../core/scalars.types.js';
import { viewerId } from '../../core/viewer.js';
import { toUser } from '../auth/auth.present.js';
import { UserPayload } from '../auth/auth.types.js';
import { listDeletedUsers } from './deleted-users.service.js';
import { eraseUser } from './erasing.service.js';
import { exportMyData } from './export.service.js';
import { rotateDataKey } from './key-rotation.service.js';
import { deleteAccount, deleteUser } from './leaving.service.js';
import { toDeletedUser, toDeletedUserPayload } from './privacy.present.js';
import {
  DataKeyPayload,
  DeleteAccountInput,
  DeleteAccountPayload,
  type DeletedUser,
  DeletedUserConnection,
  DeletedUserPayload,
  DeleteUserInput,
  EraseUserInput,
  RestoreUserInput,
} from './privacy.types.js';
import { restoreUser } from './restoring.service.js';

@Resolver()
export class PrivacyResolver {
  @Query(() => JSONObject, { description: 'Everything that is held about you, as one document.' })
  async exportMyData(@Ctx() { app, viewer, actor }: Context): Promise<Record<string, unknown>> {
    return exportMyData(app, { userId: viewerId(viewer), actor });
  }

  @Mutation(() => DeleteAccountPayload, {
    description:
      'You leave: sessions and keys end, your names are free for others at once. For 30 days the operators can bring you back.',
  })
  async deleteAccount(
    @Ctx() { app, viewer, actor }: Context,
    @Arg('input', () => DeleteAccountInput, { nullable: true }) input?: DeleteAccountInput | null,
  ): Promise<DeleteAccountPayload> {
    const { purgeAt } = await deleteAccount(app, { userId: viewerId(viewer), reason: input?.reason, actor });
    return { ok: true, purgeAt };
  }

  @Query(() => DeletedUserConnection, { description: 'Who left, the latest first. Each look is recorded.' })
  async deletedUsers(
    @Ctx() { app, actor }: Context,
    @Args(() => PageArgs) page: PageArgs,
  ): Promise<Connection<DeletedUser>> {
    return mapConnection(await listDeletedUsers(app, { ...page, actor }), toDeletedUser);
  }

  @Mutation(() => DeletedUserPayload, {
    description: 'Takes a person out, who hears of it by mail. For 30 days they can be brought back.',
  })
  async deleteUser(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => DeleteUserInput) { userId, reason }: DeleteUserInput,
  ): Promise<DeletedUserPayload> {
    return toDeletedUserPayload(await deleteUser(app, { userId, reason, actor }), app.now());
  }

  @Mutation(() => UserPayload, {
    description: 'Brings a deleted person back, under new names if somebody else has theirs by now.',
  })
  async restoreUser(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => RestoreUserInput) { userId, username, email }: RestoreUserInput,
  ): Promise<UserPayload> {
    return { user: toUser(await restoreUser(app, { userId, username, email, actor }), app.now()) };
  }

  @Mutation(() => DeletedUserPayload, {
    description: 'Forgets a person for good: there is no way back. Ledger and audit rows stay, without a name.',
  })
  async eraseUser(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => EraseUserInput) { userId, reason }: EraseUserInput,
  ): Promise<DeletedUserPayload> {
    return toDeletedUserPayload(await eraseUser(app, { userId, reason, actor }), app.now());
  }

  @Mutation(() => DataKeyPayload, {
    description:
      'Gives a person a new key at once. What was sealed under the earlier ones is sealed anew within the hour, and they are destroyed.',
  })
  async rotateDataKey(
    @Ctx() { app, actor }: Context,
    @Arg('userId', () => ID) userId: string,
    @Arg('reason', () => String) reason: string,
  ): Promise<DataKeyPayload> {
    return { generation: await rotateDataKey(app, { userId, reason, actor }) };
  }
}
