import { Arg, Args, Ctx, FieldResolver, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { type Connection, mapConnection } from '../../core/pages.js';
import { PageArgs } from '../../core/pages.types.js';
import { User } from '../auth/auth.types.js';
import { logMessages } from './log-messages.service.js';
import { listMessages, messageLogs } from './message-logs.service.js';
import { toLogMessagesPayload, toMessageLog } from './messages.present.js';
import {
  LogMessagesInput,
  LogMessagesPayload,
  type MessageLog,
  MessageLogConnection,
  MessageLogFilter,
} from './messages.types.js';

@Resolver()
export class MessagesResolver {
  @Query(() => MessageLogConnection, {
    description: 'What a person and a model wrote. The person sees in their security history who looked, and why.',
  })
  async messageLogs(
    @Ctx() { app, actor }: Context,
    @Arg('filter', () => MessageLogFilter) filter: MessageLogFilter,
    @Arg('reason', () => String, { description: '1 to 500 characters. The person reads it.' }) reason: string,
    @Args(() => PageArgs) { first, after }: PageArgs,
  ): Promise<Connection<MessageLog>> {
    return mapConnection(await messageLogs(app, { filter, reason, first, after, actor }), toMessageLog);
  }

  @Mutation(() => LogMessagesPayload, {
    description:
      'Records exchanges with models, and answers when they are committed. Never refuses because of a limit: a log records.',
  })
  async logMessages(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => LogMessagesInput) { batch, idempotencyKey }: LogMessagesInput,
  ): Promise<LogMessagesPayload> {
    return toLogMessagesPayload(await logMessages(app, { batch, idempotencyKey, actor }));
  }
}

@Resolver(() => User)
export class UserMessagesResolver {
  @FieldResolver(() => MessageLogConnection, { description: 'What was logged of the person, newest first.' })
  async messages(
    @Root() { id }: User,
    @Ctx() { app, viewer }: Context,
    @Args(() => PageArgs) page: PageArgs,
  ): Promise<Connection<MessageLog>> {
    return mapConnection(await listMessages(app, { userId: id, viewer, page }), toMessageLog);
  }
}
