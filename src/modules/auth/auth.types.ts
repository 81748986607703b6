import { createUnionType, Field, ID, InputType, ObjectType, registerEnumType } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { DateTime, EmailAddress } from '../../core/scalars.types.js';

export enum UserStatus {
  ACTIVE = 'ACTIVE',
  SUSPENDED = 'SUSPENDED',
  DELETED = 'DELETED',
}
registerEnumType(UserStatus, {
  name: 'UserStatus',
  valuesConfig: { DELETED: { description: 'Only the id is left, for the ledger; see `deletedUsers`.' } },
});

@ObjectType('User', { simpleResolvers: true, description: 'A person with an account.' })
export class User {
  @Field(() => ID)
  id!: string;

  @Field(() => String)
  username!: string;

  /** Called by GraphQL, with who is asking: no path to a person forgets the mask. */
  @Field(() => EmailAddress, { description: 'Masked for support staff of level 1.' })
  email!: (args: unknown, context: Context) => string;

  @Field(() => Boolean)
  emailVerified!: boolean;

  @Field(() => String, { nullable: true })
  displayName!: string | null;

  @Field(() => String, { description: 'BCP 47 language tag; the language of letters.' })
  locale!: string;

  @Field(() => String, { description: 'IANA time zone; daily limits turn at midnight here.' })
  timeZone!: string;

  @Field(() => String, { nullable: true })
  avatarUrl!: string | null;

  @Field(() => UserStatus)
  status!: UserStatus;

  @Field(() => DateTime)
  createdAt!: Date;

  @Field(() => DateTime, { nullable: true })
  lastLoginAt!: Date | null;

  /** Not a field: what `plan` is looked up by. */
  planCode!: string;
}

@ObjectType('AuthPayload', { simpleResolvers: true, description: 'A signed-in session.' })
export class AuthPayload {
  @Field(() => String, { description: 'Send as `Authorization: Bearer …`.' })
  accessToken!: string;

  @Field(() => DateTime)
  accessTokenExpiresAt!: Date;

  @Field(() => String, { nullable: true, description: 'Null in cookie mode, where it travels in a cookie.' })
  refreshToken!: string | null;

  @Field(() => User)
  user!: User;
}

@ObjectType('SecondFactorRequired', {
  simpleResolvers: true,
  description: 'The password was right; a second factor is still to come.',
})
export class SecondFactorRequired {
  @Field(() => String)
  challenge!: string;

  @Field(() => [String])
  methods!: string[];

  @Field(() => DateTime)
  expiresAt!: Date;
}

export const LoginResult = createUnionType({
  name: 'LoginResult',
  types: () => [AuthPayload, SecondFactorRequired] as const,
  resolveType: (value) => ('challenge' in value ? SecondFactorRequired : AuthPayload),
});

@ObjectType('UserPayload', { simpleResolvers: true })
export class UserPayload {
  @Field(() => User)
  user!: User;
}

@ObjectType('OkPayload', { simpleResolvers: true, description: 'The act was taken note of.' })
export class OkPayload {
  @Field(() => Boolean)
  ok!: boolean;
}

@InputType('LoginInput')
export class LoginInput {
  @Field(() => String, { description: 'User name or email address.' })
  identifier!: string;

  @Field(() => String)
  password!: string;
}
