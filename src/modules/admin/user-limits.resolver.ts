import { Arg, Ctx, Mutation, Resolver } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { toUser } from '../auth/auth.present.js';
import { UserPayload } from '../auth/auth.types.js';
import { setUserLimits, setUserPlan } from './user-limits.service.js';
import { SetUserLimitsInput, SetUserPlanInput } from './user-limits.types.js';

@Resolver()
export class UserLimitsResolver {
  @Mutation(() => UserPayload, { description: 'Puts a person on another plan; counts at once.' })
  async setUserPlan(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => SetUserPlanInput) { userId, planCode }: SetUserPlanInput,
  ): Promise<UserPayload> {
    return { user: toUser(await setUserPlan(app, { userId, planCode, actor }), app.now()) };
  }

  @Mutation(() => UserPayload, { description: 'Gives a person daily limits of their own; counts at once.' })
  async setUserLimits(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => SetUserLimitsInput) { userId, conversationsPerDay, messagesPerDay }: SetUserLimitsInput,
  ): Promise<UserPayload> {
    const row = await setUserLimits(app, { userId, conversationsPerDay, messagesPerDay, actor });
    return { user: toUser(row, app.now()) };
  }
}
