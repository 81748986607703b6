import { Arg, Args, Ctx, ID, Mutation, Query, Resolver } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { type Connection, mapConnection } from '../../core/pages.js';
import { PageArgs } from '../../core/pages.types.js';
import { addIpRule, listIpRules, removeIpRule } from './ip-rules.service.js';
import { toIpRule } from './network.present.js';
import { AddIpRuleInput, type IpRule, IpRuleConnection, IpRulePayload } from './network.types.js';

@Resolver()
export class NetworkResolver {
  @Query(() => IpRuleConnection, { description: 'Who may come from where, newest first.' })
  async ipRules(@Ctx() { app }: Context, @Args(() => PageArgs) page: PageArgs): Promise<Connection<IpRule>> {
    return mapConnection(await listIpRules(app, page), toIpRule);
  }

  @Mutation(() => IpRulePayload, {
    description: 'A rule that counts at once. Refused when it would shut out the address that you call from.',
  })
  async addIpRule(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => AddIpRuleInput) input: AddIpRuleInput,
  ): Promise<IpRulePayload> {
    return { ipRule: toIpRule(await addIpRule(app, { ...input, actor })) };
  }

  @Mutation(() => IpRulePayload, {
    description: 'Takes a rule away, at once. Refused when that would shut out the address that you call from.',
  })
  async removeIpRule(@Ctx() { app, actor }: Context, @Arg('id', () => ID) id: string): Promise<IpRulePayload> {
    return { ipRule: toIpRule(await removeIpRule(app, { id, actor })) };
  }
}
