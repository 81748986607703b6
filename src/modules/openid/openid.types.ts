import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import { connectionType } from '../../core/pages.types.js';
import { DateTime, EmailAddress } from '../../core/scalars.types.js';
import { User } from '../auth/auth.types.js';

@ObjectType('LinkedAccount', {
  simpleResolvers: true,
  description: 'Who you are at Google, or at another OpenID provider, that signs you in here.',
})
export class LinkedAccount {
  @Field(() => ID)
  id!: string;

  @Field(() => String, { description: 'Which provider: `https://accounts.google.com` is Google.' })
  issuer!: string;

  @Field(() => EmailAddress, { nullable: true, description: 'As the provider last said. Identifies nobody here.' })
  email!: string | null;

  @Field(() => DateTime)
  createdAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'Last sign-in with it.' })
  lastUsedAt!: Date | null;
}

export const LinkedAccountConnection = connectionType('LinkedAccount', () => LinkedAccount);

@ObjectType('GoogleRedirect', { simpleResolvers: true, description: 'The way to the provider, good for ten minutes.' })
export class GoogleRedirect {
  @Field(() => String, { description: 'Send the browser there.' })
  authorizationUrl!: string;

  @Field(() => String, {
    description: 'Keep it in the tab (`sessionStorage`): whoever completes has to bring it, so that nobody else can.',
  })
  browserSecret!: string;

  @Field(() => String, { description: 'Comes back beside the code. To find the secret by, if you keep several.' })
  state!: string;

  @Field(() => DateTime)
  expiresAt!: Date;
}

@ObjectType('LinkGooglePayload', { simpleResolvers: true })
export class LinkGooglePayload {
  @Field(() => LinkedAccount)
  linkedAccount!: LinkedAccount;
}

@ObjectType('UnlinkGooglePayload', { simpleResolvers: true })
export class UnlinkGooglePayload {
  @Field(() => User)
  user!: User;

  @Field(() => Int, { description: 'How many of your other sessions were ended.' })
  endedSessions!: number;
}

@InputType('StartGoogleSignInInput')
export class StartGoogleSignInInput {
  @Field(() => String, {
    nullable: true,
    description:
      'Where the provider sends the browser back to: one of the pages the operator listed (the first if left out), or `/auth/google/callback` of this server.',
  })
  redirectUri?: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'Wished for, should an account be made; a similar one if taken.',
  })
  username?: string | null;

  @Field(() => String, { nullable: true, description: 'BCP 47 language tag for letters, should an account be made.' })
  locale?: string | null;
}

@InputType('CompleteGoogleSignInInput')
export class CompleteGoogleSignInInput {
  @Field(() => String, { description: 'The `code` that came back, or the one-time code of `/auth/google/callback`.' })
  code!: string;

  @Field(() => String, {
    nullable: true,
    description: 'The `state` that came back with it; none with a one-time code.',
  })
  state?: string | null;

  @Field(() => String, { nullable: true, description: 'The `iss` that came back with it, if any.' })
  issuer?: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'What `startGoogleSignIn` answered. Left out: the cookie counts.',
  })
  browserSecret?: string | null;
}

@InputType('LinkGoogleInput')
export class LinkGoogleInput {
  @Field(() => String, { description: 'The `code` that came back.' })
  code!: string;

  @Field(() => String, { description: 'The `state` that came back with it.' })
  state!: string;

  @Field(() => String, { nullable: true, description: 'The `iss` that came back with it, if any.' })
  issuer?: string | null;

  @Field(() => String, { nullable: true, description: 'What `startGoogleLink` answered. Left out: the cookie counts.' })
  browserSecret?: string | null;
}
