import { Arg, Args, Ctx, ID, Mutation, Query, Resolver } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { type Connection, mapConnection } from '../../core/pages.js';
import { PageArgs } from '../../core/pages.types.js';
import { seesAddresses } from '../../core/viewer.js';
import { toUser } from '../auth/auth.present.js';
import { User, UserPayload } from '../auth/auth.types.js';
import { suspendUser, unsuspendUser } from './suspensions.service.js';
import { listUsers, viewUser } from './users.service.js';
import { SuspendUserInput, UnsuspendUserInput, UserConnection, UserFilter, UserSort } from './users.types.js';

@Resolver()
export class UsersResolver {
  @Query(() => UserConnection, {
    description:
      'People, who see in their security history that you looked. The call is recorded with what was searched for.',
  })
  async users(
    @Ctx() { app, actor, viewer }: Context,
    @Args(() => PageArgs) { first, after }: PageArgs,
    @Arg('filter', () => UserFilter, { nullable: true }) filter: UserFilter | null | undefined,
    @Arg('sort', () => UserSort, { defaultValue: UserSort.CREATED_AT_DESC }) sort: UserSort,
  ): Promise<Connection<User>> {
    const asked = { first, after, filter: filter ?? {}, sort };
    const page = await listUsers(app, { ...asked, actor, searchesAddresses: seesAddresses(viewer) });
    return mapConnection(page, (row) => toUser(row, app.now()));
  }

  @Query(() => User, { description: 'One person, who sees in their security history that you looked.' })
  async user(@Ctx() { app, actor }: Context, @Arg('id', () => ID) id: string): Promise<User> {
    return toUser(await viewUser(app, { id, actor }), app.now());
  }

  @Mutation(() => UserPayload, {
    description: 'Shuts a person out at once; their sessions end, and a letter says why.',
  })
  async suspendUser(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => SuspendUserInput) { userId, reason, until }: SuspendUserInput,
  ): Promise<UserPayload> {
    return { user: toUser(await suspendUser(app, { userId, reason, until, actor }), app.now()) };
  }

  @Mutation(() => UserPayload, { description: 'Lets a person in again.' })
  async unsuspendUser(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => UnsuspendUserInput) { userId, reason }: UnsuspendUserInput,
  ): Promise<UserPayload> {
    return { user: toUser(await unsuspendUser(app, { userId, reason, actor }), app.now()) };
  }
}
