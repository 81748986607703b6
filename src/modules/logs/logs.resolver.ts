import { Arg, Args, Ctx, Query, Resolver } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { type Connection, mapConnection } from '../../core/pages.js';
import { PageArgs } from '../../core/pages.types.js';
import { toLogLine, toRequestTrace } from './logs.present.js';
import { logs, requestTrace } from './logs.service.js';
import { LogFilter, type LogLine, LogLineConnection, RequestTrace } from './logs.types.js';

@Resolver()
export class LogsResolver {
  @Query(() => LogLineConnection, { description: 'What the instance that answers has logged, newest first.' })
  async logs(
    @Ctx() { app }: Context,
    @Args(() => PageArgs) { first, after }: PageArgs,
    @Arg('filter', () => LogFilter, { nullable: true }) filter: LogFilter | null | undefined,
  ): Promise<Connection<LogLine>> {
    return mapConnection(await logs(app, { first, after, filter: filter ?? {} }), toLogLine);
  }

  @Query(() => RequestTrace, { description: 'What one request did, wherever it left a mark. Each look is recorded.' })
  async requestTrace(
    @Ctx() { app, actor }: Context,
    @Arg('requestId', () => String) requestId: string,
  ): Promise<RequestTrace> {
    return toRequestTrace(await requestTrace(app, { requestId, actor }));
  }
}
