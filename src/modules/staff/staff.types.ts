import { createUnionType, Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { connectionType } from '../../core/pages.types.js';
import { DateTime, EmailAddress } from '../../core/scalars.types.js';
import { SecondFactorRequired } from '../auth/auth.types.js';

export enum StaffStatus {
  INVITED = 'INVITED',
  ACTIVE = 'ACTIVE',
  DISABLED = 'DISABLED',
}
registerEnumType(StaffStatus, {
  name: 'StaffStatus',
  valuesConfig: { INVITED: { description: 'Has not set a password yet.' } },
});

const LEVEL = '1 looks, 2 helps, 3 decides.';

@ObjectType('Staff', { simpleResolvers: true, description: 'Support staff. A kind of account apart from people’s.' })
export class Staff {
  @Field(() => ID)
  id!: string;

  @Field(() => String)
  username!: string;

  @Field(() => EmailAddress)
  email!: string;

  @Field(() => StaffStatus)
  status!: StaffStatus;

  @Field(() => Int, { description: LEVEL })
  level!: number;

  @Field(() => DateTime)
  createdAt!: Date;

  @Field(() => DateTime, { nullable: true })
  lastLoginAt!: Date | null;
}

export const StaffConnection = connectionType('Staff', () => Staff);

@ObjectType('StaffAuthPayload', { simpleResolvers: true, description: 'A signed-in session of a staff member.' })
export class StaffAuthPayload {
  @Field(() => String, { description: 'Send as `Authorization: Bearer …`.' })
  accessToken!: string;

  @Field(() => DateTime)
  accessTokenExpiresAt!: Date;

  @Field(() => String, { nullable: true, description: 'Null in cookie mode, where it travels in a cookie.' })
  refreshToken!: string | null;

  @Field(() => Staff)
  staff!: Staff;
}

export const StaffLoginResult = createUnionType({
  name: 'StaffLoginResult',
  types: () => [StaffAuthPayload, SecondFactorRequired] as const,
  resolveType: (value) => ('challenge' in value ? SecondFactorRequired : StaffAuthPayload),
});

@ObjectType('StaffPayload', { simpleResolvers: true })
export class StaffPayload {
  @Field(() => Staff)
  staff!: Staff;
}

@InputType('StaffLoginInput')
export class StaffLoginInput {
  @Field(() => String, { description: 'User name or email address.' })
  identifier!: string;

  @Field(() => String)
  password!: string;
}

@InputType('CreateStaffInput')
export class CreateStaffInput {
  @Field(() => String, { description: '3 to 32 ASCII letters, digits, dots, hyphens or underscores.' })
  username!: string;

  @Field(() => EmailAddress, { description: 'Gets the invitation, with which they set a password.' })
  email!: string;

  @Field(() => Int, { description: `${LEVEL} Only one whose powers you hold yourself.` })
  level!: number;
}

@InputType('UpdateStaffInput')
export class UpdateStaffInput {
  @Field(() => ID)
  staffId!: string;

  @Field(() => Int, { description: `${LEVEL} Counts at once. Only one whose powers you hold yourself.` })
  level!: number;
}
