import { Field, InputType, ObjectType, registerEnumType } from 'type-graphql';
import { EmailAddress } from '../../core/scalars.types.js';

export enum AccountKind {
  USER = 'USER',
  STAFF = 'STAFF',
  ADMIN = 'ADMIN',
}
registerEnumType(AccountKind, { name: 'AccountKind', description: 'Kinds of account, each with its own sign-in.' });

@InputType('ResetPasswordInput')
export class ResetPasswordInput {
  @Field(() => String, { description: 'From the letter.' })
  token!: string;

  @Field(() => String, { description: 'See `passwordPolicy`.' })
  newPassword!: string;
}

@InputType('AcceptInvitationInput')
export class AcceptInvitationInput {
  @Field(() => String, { description: 'From the letter.' })
  token!: string;

  @Field(() => String, { description: 'See `passwordPolicy`.' })
  password!: string;
}

@InputType('ChangePasswordInput')
export class ChangePasswordInput {
  @Field(() => String)
  currentPassword!: string;

  @Field(() => String, { description: 'See `passwordPolicy`.' })
  newPassword!: string;
}

@InputType('RequestEmailChangeInput')
export class RequestEmailChangeInput {
  @Field(() => EmailAddress)
  newEmail!: string;

  @Field(() => String)
  password!: string;
}

@InputType('RecoverAccountInput')
export class RecoverAccountInput {
  @Field(() => String, { description: 'User name or email address.' })
  identifier!: string;

  @Field(() => String, { description: 'The twelve words; spaces, capitals and hyphens do not matter.' })
  phrase!: string;

  @Field(() => String, { description: 'See `passwordPolicy`.' })
  newPassword!: string;
}

@ObjectType('RecoveryPhrasePayload', { simpleResolvers: true })
export class RecoveryPhrasePayload {
  @Field(() => String, { description: 'Twelve words. Shown this once: keep them offline.' })
  phrase!: string;
}
