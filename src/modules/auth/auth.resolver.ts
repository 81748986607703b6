import { Arg, Ctx, Mutation, Query, Resolver } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { EmailAddress } from '../../core/scalars.types.js';
import { viewerId } from '../../core/viewer.js';
import { getUser, register, resendVerificationEmail, verifyEmail } from './accounts.service.js';
import { toAuthPayload, toRegisterPayload, toUser } from './auth.present.js';
import { AuthPayload, LoginInput, LoginResult, OkPayload, RegisterInput, RegisterPayload, User, UserPayload } from './auth.types.js';
import { login } from './sign-in.service.js';

@Resolver()
export class AuthResolver {
  @Query(() => User, { description: 'The signed-in person.' })
  async me(@Ctx() { app, viewer }: Context): Promise<User> {
    return toUser(await getUser(app, viewerId(viewer)), app.now());
  }

  @Mutation(() => RegisterPayload, { description: 'Creates an account and signs it in; the verification letter is on its way.' })
  async register(@Ctx() context: Context, @Arg('input', () => RegisterInput) input: RegisterInput): Promise<RegisterPayload> {
    return toRegisterPayload(context, await register(context.app, { ...input, locale: input.locale, actor: context.actor }));
  }

  @Mutation(() => UserPayload, { description: 'Proves the mailbox with the token of the letter. Works once; never signs in.' })
  async verifyEmail(@Ctx() { app, actor }: Context, @Arg('token', () => String) token: string): Promise<UserPayload> {
    return { user: toUser(await verifyEmail(app, { token, actor }), app.now()) };
  }

  @Mutation(() => OkPayload, { description: 'The answer is the same for every address.' })
  async resendVerificationEmail(@Ctx() { app, actor }: Context, @Arg('email', () => EmailAddress) email: string): Promise<OkPayload> {
    await resendVerificationEmail(app, { email, actor });
    return { ok: true };
  }

  @Mutation(() => LoginResult, { description: 'Signs in with user name or email address and password.' })
  async login(@Ctx() context: Context, @Arg('input', () => LoginInput) input: LoginInput): Promise<typeof LoginResult> {
    return toAuthPayload(context, await login(context.app, { ...input, actor: context.actor }));
  }
}
