import { Arg, Ctx, Query, Resolver } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { DateTime } from '../../core/scalars.types.js';
import { statistics } from './statistics.service.js';
import { Statistics, SystemHealth } from './system.types.js';
import { systemHealth } from './system-health.service.js';

@Resolver()
export class SystemResolver {
  @Query(() => Statistics, {
    description:
      'By UTC day, for a dashboard: every day that the time from `from` until before `to` touches, at most 366.',
  })
  async statistics(
    @Ctx() { app }: Context,
    @Arg('from', () => DateTime) from: Date,
    @Arg('to', () => DateTime) to: Date,
  ): Promise<Statistics> {
    return { days: await statistics(app, { from, to }) };
  }

  @Query(() => SystemHealth, { description: 'How the instance that answers is doing, and what it stands on.' })
  async systemHealth(@Ctx() { app }: Context): Promise<SystemHealth> {
    return systemHealth(app);
  }
}
