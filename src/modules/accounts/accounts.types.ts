import { Field, ID, InputType, ObjectType } from 'type-graphql';
import { connectionType } from '../../core/pages.types.js';
import { DateTime, EmailAddress } from '../../core/scalars.types.js';
import { User } from '../auth/auth.types.js';

@ObjectType('RegisterPayload', {
  simpleResolvers: true,
  description: 'All null when this server confirms addresses first.',
})
export class RegisterPayload {
  @Field(() => String, { nullable: true })
  accessToken!: string | null;

  @Field(() => DateTime, { nullable: true })
  accessTokenExpiresAt!: Date | null;

  @Field(() => String, { nullable: true, description: 'Null in cookie mode, where it travels in a cookie.' })
  refreshToken!: string | null;

  @Field(() => User, { nullable: true })
  user!: User | null;
}

@InputType('RegisterInput')
export class RegisterInput {
  @Field(() => String, {
    description: '3 to 32 ASCII letters, digits, dots, hyphens or underscores, beginning with a letter.',
  })
  username!: string;

  @Field(() => EmailAddress)
  email!: string;

  @Field(() => String, { description: 'See `passwordPolicy`.' })
  password!: string;

  @Field(() => String, { nullable: true, description: 'BCP 47 language tag for letters; `en` by default.' })
  locale?: string | null;
}

@InputType('UpdateProfileInput', { description: 'What is left out stays as it is; null clears.' })
export class UpdateProfileInput {
  @Field(() => String, { nullable: true, description: 'At most 80 characters, none of them control characters.' })
  displayName?: string | null;

  @Field(() => String, { nullable: true, description: 'BCP 47 language tag; null means `en`.' })
  locale?: string | null;

  @Field(() => String, { nullable: true, description: 'IANA time zone; null means `UTC`.' })
  timeZone?: string | null;

  @Field(() => String, { nullable: true, description: 'https address of at most 2,000 characters.' })
  avatarUrl?: string | null;

  @Field(() => ID, {
    nullable: true,
    description:
      'Of `createAvatarUpload`, once the file is sent: it becomes the avatar. Not together with `avatarUrl`.',
  })
  avatarUploadId?: string | null;
}

@ObjectType('SecurityEvent', {
  simpleResolvers: true,
  description: 'Something that was done to an account, or with it.',
})
export class SecurityEvent {
  @Field(() => ID)
  id!: string;

  @Field(() => DateTime)
  occurredAt!: Date;

  @Field(() => String, { description: 'Past tense, `noun.verb`: `user.signed_in`, `api_key.created`.' })
  action!: string;

  @Field(() => String, { description: 'ANONYMOUS, USER, SERVICE, ADMIN or SYSTEM.' })
  actorKind!: string;

  @Field(() => String, { nullable: true, description: 'Null when an operator or a service did it.' })
  ip!: string | null;

  @Field(() => String, { nullable: true, description: 'Null when an operator or a service did it.' })
  userAgent!: string | null;

  @Field(() => String, { nullable: true })
  reason!: string | null;
}

export const SecurityEventConnection = connectionType('SecurityEvent', () => SecurityEvent);
