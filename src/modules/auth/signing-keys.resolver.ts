import { Arg, Args, Ctx, Mutation, Query, Resolver } from 'type-graphql';
import type { Context } from '../../core/context.js';
import type { Connection } from '../../core/pages.js';
import { PageArgs } from '../../core/pages.types.js';
import { listSigningKeys, rotateSigningKey } from './signing-keys.service.js';
import {
  RotateSigningKeyInput,
  RotateSigningKeyPayload,
  type SigningKey,
  SigningKeyConnection,
} from './signing-keys.types.js';

@Resolver()
export class SigningKeysResolver {
  @Query(() => SigningKeyConnection, { description: 'The keys that sign access tokens, newest first.' })
  async signingKeys(@Ctx() { app }: Context, @Args(() => PageArgs) page: PageArgs): Promise<Connection<SigningKey>> {
    return listSigningKeys(app, page);
  }

  @Mutation(() => RotateSigningKeyPayload, {
    description: 'The next key signs from now on; tokens that are out stay good. Leave five minutes between two.',
  })
  async rotateSigningKey(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => RotateSigningKeyInput, { nullable: true }) input: RotateSigningKeyInput | null | undefined,
  ): Promise<RotateSigningKeyPayload> {
    return rotateSigningKey(app, { immediately: input?.immediately ?? false, actor });
  }
}
