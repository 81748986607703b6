import { createUnionType, Field, InputType, ObjectType } from 'type-graphql';
import { AdminAuthPayload } from '../admin/admin.types.js';
import { AuthPayload } from '../auth/auth.types.js';
import { StaffAuthPayload } from '../staff/staff.types.js';

@ObjectType('TotpEnrollment', {
  simpleResolvers: true,
  description: 'A secret for an authenticator app. Shown this once.',
})
export class TotpEnrollment {
  @Field(() => String, { description: 'Base32, for typing it.' })
  secret!: string;

  @Field(() => String, { description: 'The `otpauth://` address, for a QR code.' })
  uri!: string;
}

@ObjectType('BackupCodesPayload', { simpleResolvers: true })
export class BackupCodesPayload {
  @Field(() => [String], { description: 'Each works once. Shown this once: keep them offline.' })
  backupCodes!: string[];
}

@InputType('CompleteSecondFactorInput')
export class CompleteSecondFactorInput {
  @Field(() => String, { description: 'From `SecondFactorRequired`.' })
  challenge!: string;

  @Field(() => String, { description: 'Six digits of the authenticator app, or a backup code.' })
  code!: string;
}

export const SecondFactorResult = createUnionType({
  name: 'SecondFactorResult',
  description: 'A signed-in session of the kind of account that was asked.',
  types: () => [AuthPayload, StaffAuthPayload, AdminAuthPayload] as const,
  resolveType: (value) => {
    if ('user' in value) return AuthPayload;
    return 'admin' in value ? AdminAuthPayload : StaffAuthPayload;
  },
});
