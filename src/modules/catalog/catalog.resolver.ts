import { Ctx, FieldResolver, Resolver, Root } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { User } from '../auth/auth.types.js';
import { Plan } from './catalog.types.js';
import { getPlan } from './plans.service.js';

@Resolver(() => Plan)
export class PlanResolver {
  /** Apart from the code, which whoever has a person has already: asking for it alone costs no query. */
  @FieldResolver(() => String)
  async name(@Root() plan: Plan, @Ctx() { app }: Context): Promise<string> {
    return (await getPlan(app, plan.code)).name;
  }
}

@Resolver(() => User)
export class UserPlanResolver {
  @FieldResolver(() => Plan)
  plan(@Root() user: User): Plan {
    return { code: user.planCode };
  }
}
