import { Field, ID, Int, ObjectType, registerEnumType } from 'type-graphql';
import { DateTime, EmailAddress } from '../../core/scalars.types.js';

export enum TokenValidationCode {
  VALID = 'VALID',
  EXPIRED = 'EXPIRED',
  REVOKED = 'REVOKED',
  SUSPENDED = 'SUSPENDED',
  MALFORMED = 'MALFORMED',
  NOT_FOUND = 'NOT_FOUND',
  INSUFFICIENT_SCOPE = 'INSUFFICIENT_SCOPE',
  IP_NOT_ALLOWED = 'IP_NOT_ALLOWED',
}
registerEnumType(TokenValidationCode, {
  name: 'TokenValidationCode',
  description: 'Why a token is good, or is not.',
  valuesConfig: {
    REVOKED: { description: 'Signed out, ended by somebody, or taken back.' },
    SUSPENDED: { description: 'The account is suspended, or the admin or staff member disabled.' },
    MALFORMED: { description: 'Nothing that this server has made.' },
    NOT_FOUND: { description: 'A key or session that is not there (any more).' },
    INSUFFICIENT_SCOPE: {
      description: 'The API key lacks one of the scopes asked for, or the admin the second factor that is required.',
    },
    IP_NOT_ALLOWED: { description: 'The API key is bound to other addresses, or `ip` was not given.' },
  },
});

export enum TokenKind {
  USER = 'USER',
  STAFF = 'STAFF',
  ADMIN = 'ADMIN',
  API_KEY = 'API_KEY',
}
registerEnumType(TokenKind, {
  name: 'TokenKind',
  description: 'The sign-in of a person, of support staff or of an admin, or a person’s API key.',
});

@ObjectType('TokenUser', {
  simpleResolvers: true,
  description: 'Whose token it is, as far as a service needs to know.',
})
export class TokenUser {
  @Field(() => ID)
  id!: string;

  @Field(() => String)
  username!: string;

  @Field(() => EmailAddress)
  email!: string;

  @Field(() => Boolean)
  emailVerified!: boolean;

  /** Not a field: what `plan` is looked up by. */
  planCode!: string;
}

@ObjectType('TokenAdmin', { simpleResolvers: true, description: 'The admin whose token it is.' })
export class TokenAdmin {
  @Field(() => ID)
  id!: string;

  @Field(() => String)
  username!: string;
}

@ObjectType('TokenStaff', { simpleResolvers: true, description: 'The staff member whose token it is.' })
export class TokenStaff {
  @Field(() => ID)
  id!: string;

  @Field(() => String)
  username!: string;

  @Field(() => Int, { description: '1 looks, 2 helps, 3 decides.' })
  level!: number;
}

@ObjectType('TokenValidation', {
  simpleResolvers: true,
  description: 'The answer for any text sent as a token. Names nobody unless it is valid.',
})
export class TokenValidation {
  @Field(() => Boolean)
  valid!: boolean;

  @Field(() => TokenValidationCode)
  code!: TokenValidationCode;

  @Field(() => TokenKind, { nullable: true })
  kind!: TokenKind | null;

  @Field(() => DateTime, { nullable: true })
  expiresAt!: Date | null;

  @Field(() => TokenUser, { nullable: true, description: 'Null for admins and staff.' })
  user!: TokenUser | null;

  @Field(() => TokenAdmin, { nullable: true, description: 'Null for people and staff.' })
  admin!: TokenAdmin | null;

  @Field(() => TokenStaff, { nullable: true, description: 'Null for people and admins.' })
  staff!: TokenStaff | null;

  @Field(() => [String], {
    nullable: true,
    description: 'Of an API key. Null for a sign-in, which holds everything its person may do.',
  })
  scopes!: string[] | null;

  @Field(() => ID, { nullable: true, description: 'Null for an API key.' })
  sessionId!: string | null;

  @Field(() => ID, {
    nullable: true,
    description: 'The admin who acts in the person’s name. Refuse what only the person may do: pay, sign, delete.',
  })
  impersonatedBy!: string | null;

  @Field(() => Boolean, { description: 'The admin may only look: change nothing for this token.' })
  readOnly!: boolean;
}
