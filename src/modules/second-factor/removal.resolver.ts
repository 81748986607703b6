import { Arg, Ctx, ID, Mutation, Resolver } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { toAdmin } from '../admin/admin.present.js';
import { AdminPayload } from '../admin/admin.types.js';
import { toUser } from '../auth/auth.present.js';
import { UserPayload } from '../auth/auth.types.js';
import { toStaff } from '../staff/staff.present.js';
import { StaffPayload } from '../staff/staff.types.js';
import { removeAdminSecondFactor, removeStaffSecondFactor, removeUserSecondFactor } from './removal.service.js';

@Resolver()
export class SecondFactorRemovalResolver {
  @Mutation(() => UserPayload, {
    description: 'Takes the second factor off a person who lost it. Their sessions end, and a letter says why.',
  })
  async removeUserSecondFactor(
    @Ctx() { app, actor }: Context,
    @Arg('userId', () => ID) userId: string,
    @Arg('reason', () => String) reason: string,
  ): Promise<UserPayload> {
    return { user: toUser(await removeUserSecondFactor(app, { userId, reason, actor }), app.now()) };
  }

  @Mutation(() => StaffPayload, {
    description: 'Takes the second factor off a staff member who lost it and whose powers you hold yourself.',
  })
  async removeStaffSecondFactor(
    @Ctx() { app, actor }: Context,
    @Arg('staffId', () => ID) staffId: string,
    @Arg('reason', () => String) reason: string,
  ): Promise<StaffPayload> {
    return { staff: toStaff(await removeStaffSecondFactor(app, { staffId, reason, actor })) };
  }

  @Mutation(() => AdminPayload, {
    description: 'Takes the second factor off another admin who lost it and holds no permission that you do not hold.',
  })
  async removeAdminSecondFactor(
    @Ctx() { app, actor }: Context,
    @Arg('adminId', () => ID) adminId: string,
    @Arg('reason', () => String) reason: string,
  ): Promise<AdminPayload> {
    return { admin: toAdmin(await removeAdminSecondFactor(app, { adminId, reason, actor })) };
  }
}
