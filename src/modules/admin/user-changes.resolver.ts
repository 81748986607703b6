import { Arg, Ctx, Mutation, Resolver } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { toUser } from '../auth/auth.present.js';
import { UserPayload } from '../auth/auth.types.js';
import { createUser, updateUser } from './user-changes.service.js';
import { CreateUserInput, UpdateUserInput } from './user-changes.types.js';

@Resolver()
export class UserChangesResolver {
  @Mutation(() => UserPayload, { description: 'A new person, who sets a password with the invitation that is mailed.' })
  async createUser(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => CreateUserInput) { username, email, planCode }: CreateUserInput,
  ): Promise<UserPayload> {
    return { user: toUser(await createUser(app, { username, email, planCode, actor }), app.now()) };
  }

  @Mutation(() => UserPayload, { description: 'Changes a person’s account. Nobody ever sets another’s password.' })
  async updateUser(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => UpdateUserInput) input: UpdateUserInput,
  ): Promise<UserPayload> {
    return { user: toUser(await updateUser(app, { ...input, actor }), app.now()) };
  }
}
