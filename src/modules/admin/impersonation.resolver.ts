import { Arg, Ctx, Mutation, Resolver } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { viewerId, viewerSession } from '../../core/viewer.js';
import { toUser } from '../auth/auth.present.js';
import { impersonateUser } from './impersonation.service.js';
import { ImpersonateUserInput, ImpersonationPayload } from './impersonation.types.js';

@Resolver()
export class ImpersonationResolver {
  @Mutation(() => ImpersonationPayload, {
    description:
      'Signs you in as a person for 15 minutes, to see what they see. They are told by mail, see it in their history and among their sessions, and can end it.',
  })
  async impersonateUser(
    @Ctx() { app, viewer, actor }: Context,
    @Arg('input', () => ImpersonateUserInput) { userId, reason, readOnly }: ImpersonateUserInput,
  ): Promise<ImpersonationPayload> {
    const admin = { id: viewerId(viewer), sessionId: viewerSession(viewer) };
    const opened = await impersonateUser(app, { userId, reason, readOnly, admin, actor });
    return { ...opened, user: toUser(opened.user, app.now()) };
  }
}
