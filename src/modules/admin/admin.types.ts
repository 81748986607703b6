import { createUnionType, Field, ID, InputType, ObjectType, registerEnumType } from 'type-graphql';
import { connectionType } from '../../core/pages.types.js';
import { DateTime, EmailAddress } from '../../core/scalars.types.js';
import { SecondFactorRequired } from '../auth/auth.types.js';

export enum AdminStatus {
  INVITED = 'INVITED',
  ACTIVE = 'ACTIVE',
  DISABLED = 'DISABLED',
}
registerEnumType(AdminStatus, {
  name: 'AdminStatus',
  valuesConfig: { INVITED: { description: 'Has not set a password yet.' } },
});

@ObjectType('Admin', { simpleResolvers: true, description: 'An operator. A kind of account apart from people’s.' })
export class Admin {
  @Field(() => ID)
  id!: string;

  @Field(() => String)
  username!: string;

  @Field(() => EmailAddress)
  email!: string;

  @Field(() => AdminStatus)
  status!: AdminStatus;

  @Field(() => [String])
  permissions!: string[];

  @Field(() => DateTime)
  createdAt!: Date;

  @Field(() => DateTime, { nullable: true })
  lastLoginAt!: Date | null;
}

export const AdminConnection = connectionType('Admin', () => Admin);

@ObjectType('AdminAuthPayload', { simpleResolvers: true, description: 'A signed-in session of an admin.' })
export class AdminAuthPayload {
  @Field(() => String, { description: 'Send as `Authorization: Bearer …`.' })
  accessToken!: string;

  @Field(() => DateTime)
  accessTokenExpiresAt!: Date;

  @Field(() => String, { nullable: true, description: 'Null in cookie mode, where it travels in a cookie.' })
  refreshToken!: string | null;

  @Field(() => Admin)
  admin!: Admin;
}

export const AdminLoginResult = createUnionType({
  name: 'AdminLoginResult',
  types: () => [AdminAuthPayload, SecondFactorRequired] as const,
  resolveType: (value) => ('challenge' in value ? SecondFactorRequired : AdminAuthPayload),
});

@ObjectType('AdminPayload', { simpleResolvers: true })
export class AdminPayload {
  @Field(() => Admin)
  admin!: Admin;
}

@InputType('AdminLoginInput')
export class AdminLoginInput {
  @Field(() => String, { description: 'User name or email address.' })
  identifier!: string;

  @Field(() => String)
  password!: string;
}

@InputType('CreateAdminInput')
export class CreateAdminInput {
  @Field(() => String, { description: '3 to 32 ASCII letters, digits, dots, hyphens or underscores.' })
  username!: string;

  @Field(() => EmailAddress, { description: 'Gets the invitation, with which the admin sets a password.' })
  email!: string;

  @Field(() => [String], { description: 'Only such as you hold yourself.' })
  permissions!: string[];
}

@InputType('UpdateAdminInput')
export class UpdateAdminInput {
  @Field(() => ID)
  adminId!: string;

  @Field(() => [String], { description: 'Replaces the permissions; counts at once. Only such as you hold yourself.' })
  permissions!: string[];
}
