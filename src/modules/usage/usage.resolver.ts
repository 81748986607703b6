import { Arg, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { User } from '../auth/auth.types.js';
import { consumeConversation, getUsage } from './usage.service.js';
import { ConsumeConversationInput, ConsumeConversationPayload, Usage } from './usage.types.js';

@Resolver()
export class UsageResolver {
  @Query(() => Usage, { description: 'What a person has used today.' })
  async usage(@Ctx() { app }: Context, @Arg('userId', () => ID) userId: string): Promise<Usage> {
    return getUsage(app, userId);
  }

  @Mutation(() => ConsumeConversationPayload, {
    description: 'Takes one conversation from today’s limit, if there is one left; `allowed` says whether there was.',
  })
  async consumeConversation(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => ConsumeConversationInput) input: ConsumeConversationInput,
  ): Promise<ConsumeConversationPayload> {
    return consumeConversation(app, { ...input, actor });
  }
}

@Resolver(() => User)
export class UserUsageResolver {
  @FieldResolver(() => Usage)
  async usage(@Root() user: User, @Ctx() { app }: Context): Promise<Usage> {
    return getUsage(app, user.id);
  }
}
