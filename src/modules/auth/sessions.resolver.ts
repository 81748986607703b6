import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { loadNestedPage } from '../../core/nested-pages.js';
import { type Connection, mapConnection } from '../../core/pages.js';
import { PageArgs } from '../../core/pages.types.js';
import { viewerAccount, viewerSession } from '../../core/viewer.js';
import { toSession } from './auth.present.js';
import { OkPayload, User } from './auth.types.js';
import { revokeOtherSessions, revokeSession } from './session-ends.service.js';
import { getSession, sessionsOfUsers } from './sessions.service.js';
import { EndedSessionsPayload, Session, SessionConnection } from './sessions.types.js';
import { loadPerson } from './users.loaders.js';

@Resolver(() => Session)
export class SessionsResolver {
  @Query(() => Session, { description: 'The session the request was made with, also when the email is not verified.' })
  async currentSession(@Ctx() context: Context): Promise<Session> {
    const { app, viewer } = context;
    const account = viewerAccount(viewer);
    return toSession(await getSession(app, { account, sessionId: viewerSession(viewer) }), context);
  }

  @FieldResolver(() => User, { nullable: true, description: 'Null for staff and admins.' })
  async user(@Root() { accountKind, accountId }: Session, @Ctx() context: Context): Promise<User | null> {
    return loadPerson(context, { kind: accountKind, id: accountId });
  }

  @Mutation(() => OkPayload, { description: 'Ends one of your sessions.' })
  async revokeSession(@Ctx() context: Context, @Arg('id', () => ID) id: string): Promise<OkPayload> {
    await revokeSession(context.app, { account: viewerAccount(context.viewer), id, actor: context.actor });
    return { ok: true };
  }

  @Mutation(() => EndedSessionsPayload, { description: 'Ends all of your sessions but this one.' })
  async revokeOtherSessions(@Ctx() { app, viewer, actor }: Context): Promise<EndedSessionsPayload> {
    const own = { account: viewerAccount(viewer), sessionId: viewerSession(viewer), actor };
    return { endedSessions: await revokeOtherSessions(app, own) };
  }
}

@Resolver(() => User)
export class UserSessionsResolver {
  @FieldResolver(() => SessionConnection, { description: 'Live sessions, newest first.' })
  async sessions(
    @Root() { id }: User,
    @Ctx() context: Context,
    @Args(() => PageArgs) page: PageArgs,
  ): Promise<Connection<Session>> {
    const sessions = await loadNestedPage(context, { list: sessionsOfUsers, parentId: id, page });
    return mapConnection(sessions, (row) => toSession(row, context));
  }
}
