import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { type Connection, mapConnection } from '../../core/pages.js';
import { PageArgs } from '../../core/pages.types.js';
import { viewerId } from '../../core/viewer.js';
import { RefreshPayload } from '../auth/sessions.types.js';
import { loadAdmin } from './admin.loaders.js';
import { toAdmin, toAdminLoginResult } from './admin.present.js';
import {
  Admin,
  AdminConnection,
  AdminLoginInput,
  AdminLoginResult,
  AdminPayload,
  CreateAdminInput,
  UpdateAdminInput,
} from './admin.types.js';
import { adminLogin, getAdmin } from './admin-sign-in.service.js';
import { createAdmin, disableAdmin, listAdmins, updateAdmin } from './admins.service.js';

@Resolver(() => RefreshPayload)
export class AdminResolver {
  @Query(() => Admin, { description: 'The signed-in admin.' })
  async adminMe(@Ctx() { app, viewer }: Context): Promise<Admin> {
    return toAdmin(await getAdmin(app, viewerId(viewer)));
  }

  @Query(() => AdminConnection, { description: 'All admins, newest first.' })
  async admins(@Ctx() { app }: Context, @Args(() => PageArgs) page: PageArgs): Promise<Connection<Admin>> {
    return mapConnection(await listAdmins(app, page), toAdmin);
  }

  @Mutation(() => AdminLoginResult, { description: 'Signs an admin in with user name or email address and password.' })
  async adminLogin(
    @Ctx() context: Context,
    @Arg('input', () => AdminLoginInput) { identifier, password }: AdminLoginInput,
  ): Promise<typeof AdminLoginResult> {
    const { app, actor } = context;
    return toAdminLoginResult(context, await adminLogin(app, { identifier, password, actor }));
  }

  @Mutation(() => AdminPayload, { description: 'A new admin, who sets a password with the invitation that is mailed.' })
  async createAdmin(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => CreateAdminInput) { username, email, permissions }: CreateAdminInput,
  ): Promise<AdminPayload> {
    return { admin: toAdmin(await createAdmin(app, { username, email, permissions, actor })) };
  }

  @Mutation(() => AdminPayload, {
    description: 'Replaces the permissions of another admin who holds none that you do not hold.',
  })
  async updateAdmin(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => UpdateAdminInput) { adminId, permissions }: UpdateAdminInput,
  ): Promise<AdminPayload> {
    return { admin: toAdmin(await updateAdmin(app, { adminId, permissions, actor })) };
  }

  @Mutation(() => AdminPayload, {
    description: 'Shuts out another admin who holds no permission that you do not hold: at once, and for good.',
  })
  async disableAdmin(
    @Ctx() { app, actor }: Context,
    @Arg('adminId', () => ID) adminId: string,
    @Arg('reason', () => String) reason: string,
  ): Promise<AdminPayload> {
    return { admin: toAdmin(await disableAdmin(app, { adminId, reason, actor })) };
  }

  @FieldResolver(() => Admin, { nullable: true, description: 'Null for people and staff.' })
  async admin(@Root() { accountKind, accountId }: RefreshPayload, @Ctx() { app }: Context): Promise<Admin | null> {
    return loadAdmin(app, { kind: accountKind, id: accountId });
  }
}
