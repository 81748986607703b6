import { Arg, Ctx, FieldResolver, Mutation, Resolver, Root } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { viewerAccount, viewerSession } from '../../core/viewer.js';
import { Admin } from '../admin/admin.types.js';
import { OkPayload, User } from '../auth/auth.types.js';
import { completeSecondFactor } from '../auth/second-factor.service.js';
import { Staff } from '../staff/staff.types.js';
import {
  confirmTotpEnrollment,
  disableTotp,
  regenerateBackupCodes,
  startTotpEnrollment,
} from './enrollment.service.js';
import { loadHasTotp } from './second-factor.loaders.js';
import { toSecondFactorResult } from './second-factor.present.js';
import {
  BackupCodesPayload,
  CompleteSecondFactorInput,
  SecondFactorResult,
  TotpEnrollment,
} from './second-factor.types.js';

@Resolver(() => User)
export class SecondFactorResolver {
  @Mutation(() => SecondFactorResult, {
    description: 'The second half of a sign-in, for every kind of account: five tries, within five minutes.',
  })
  async completeSecondFactor(
    @Ctx() context: Context,
    @Arg('input', () => CompleteSecondFactorInput) { challenge, code }: CompleteSecondFactorInput,
  ): Promise<typeof SecondFactorResult> {
    const { app, actor, operatorsAllowed } = context;
    const given = { challenge, code, operatorsAllowed, actor };
    return toSecondFactorResult(context, await completeSecondFactor(app, given));
  }

  @Mutation(() => TotpEnrollment, {
    description: 'A secret for an authenticator app; it does nothing before `confirmTotpEnrollment`.',
  })
  async startTotpEnrollment(@Ctx() { app, viewer, actor }: Context): Promise<TotpEnrollment> {
    return startTotpEnrollment(app, { account: viewerAccount(viewer), actor });
  }

  @Mutation(() => BackupCodesPayload, {
    description: 'Switches the second factor on with a first code, and ends your other sessions.',
  })
  async confirmTotpEnrollment(
    @Ctx() { app, viewer, actor }: Context,
    @Arg('code', () => String) code: string,
  ): Promise<BackupCodesPayload> {
    const caller = { account: viewerAccount(viewer), sessionId: viewerSession(viewer), actor };
    return { backupCodes: await confirmTotpEnrollment(app, { ...caller, code }) };
  }

  @Mutation(() => OkPayload, {
    description: 'Switches the second factor off with a code of the app or a backup code; ends your other sessions.',
  })
  async disableTotp(
    @Ctx() { app, viewer, actor }: Context,
    @Arg('code', () => String) code: string,
  ): Promise<OkPayload> {
    await disableTotp(app, { account: viewerAccount(viewer), sessionId: viewerSession(viewer), actor, code });
    return { ok: true };
  }

  @Mutation(() => BackupCodesPayload, {
    description: 'New backup codes, with a code of the app or a backup code. The earlier ones no longer work.',
  })
  async regenerateBackupCodes(
    @Ctx() { app, viewer, actor }: Context,
    @Arg('code', () => String) code: string,
  ): Promise<BackupCodesPayload> {
    const caller = { account: viewerAccount(viewer), sessionId: viewerSession(viewer), actor };
    return { backupCodes: await regenerateBackupCodes(app, { ...caller, code }) };
  }

  @FieldResolver(() => Boolean, { description: 'Whether signing in takes a second factor.' })
  async hasTotp(@Root() { id }: User, @Ctx() context: Context): Promise<boolean> {
    return loadHasTotp(context, { kind: 'user', id });
  }
}

const OPERATOR_HAS_TOTP = 'Whether signing in takes a second factor. For the account itself and for who manages it.';

@Resolver(() => Admin)
export class AdminSecondFactorResolver {
  @FieldResolver(() => Boolean, { description: OPERATOR_HAS_TOTP })
  async hasTotp(@Root() { id }: Admin, @Ctx() context: Context): Promise<boolean> {
    return loadHasTotp(context, { kind: 'admin', id });
  }
}

@Resolver(() => Staff)
export class StaffSecondFactorResolver {
  @FieldResolver(() => Boolean, { description: OPERATOR_HAS_TOTP })
  async hasTotp(@Root() { id }: Staff, @Ctx() context: Context): Promise<boolean> {
    return loadHasTotp(context, { kind: 'staff', id });
  }
}
