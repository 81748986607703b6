import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { type Connection, mapConnection } from '../../core/pages.js';
import { PageArgs } from '../../core/pages.types.js';
import { viewerId } from '../../core/viewer.js';
import { RefreshPayload } from '../auth/sessions.types.js';
import { loadStaff } from './staff.loaders.js';
import { toStaff, toStaffLoginResult } from './staff.present.js';
import {
  CreateStaffInput,
  Staff,
  StaffConnection,
  StaffLoginInput,
  StaffLoginResult,
  StaffPayload,
  UpdateStaffInput,
} from './staff.types.js';
import { createStaff, disableStaff, listStaff, updateStaff } from './staff-members.service.js';
import { getStaff, staffLogin } from './staff-sign-in.service.js';

@Resolver(() => RefreshPayload)
export class StaffResolver {
  @Query(() => Staff, { description: 'The signed-in staff member.' })
  async staffMe(@Ctx() { app, viewer }: Context): Promise<Staff> {
    return toStaff(await getStaff(app, viewerId(viewer)));
  }

  @Query(() => StaffConnection, { description: 'All staff, newest first.' })
  async staffMembers(@Ctx() { app }: Context, @Args(() => PageArgs) page: PageArgs): Promise<Connection<Staff>> {
    return mapConnection(await listStaff(app, page), toStaff);
  }

  @Mutation(() => StaffLoginResult, {
    description: 'Signs a staff member in with user name or email address and password.',
  })
  async staffLogin(
    @Ctx() context: Context,
    @Arg('input', () => StaffLoginInput) { identifier, password }: StaffLoginInput,
  ): Promise<typeof StaffLoginResult> {
    const { app, actor } = context;
    return toStaffLoginResult(context, await staffLogin(app, { identifier, password, actor }));
  }

  @Mutation(() => StaffPayload, {
    description: 'A new staff member, who sets a password with the invitation that is mailed.',
  })
  async createStaff(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => CreateStaffInput) { username, email, level }: CreateStaffInput,
  ): Promise<StaffPayload> {
    return { staff: toStaff(await createStaff(app, { username, email, level, actor })) };
  }

  @Mutation(() => StaffPayload, { description: 'Changes a staff member’s level.' })
  async updateStaff(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => UpdateStaffInput) { staffId, level }: UpdateStaffInput,
  ): Promise<StaffPayload> {
    return { staff: toStaff(await updateStaff(app, { staffId, level, actor })) };
  }

  @Mutation(() => StaffPayload, { description: 'Shuts a staff member out: at once, and for good.' })
  async disableStaff(
    @Ctx() { app, actor }: Context,
    @Arg('staffId', () => ID) staffId: string,
    @Arg('reason', () => String) reason: string,
  ): Promise<StaffPayload> {
    return { staff: toStaff(await disableStaff(app, { staffId, reason, actor })) };
  }

  @FieldResolver(() => Staff, { nullable: true, description: 'Null for people and admins.' })
  async staff(@Root() { accountKind, accountId }: RefreshPayload, @Ctx() { app }: Context): Promise<Staff | null> {
    return loadStaff(app, { kind: accountKind, id: accountId });
  }
}
