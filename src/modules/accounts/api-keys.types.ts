import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import { KeyOverlap } from '../../core/key-overlap.types.js';
import { connectionType } from '../../core/pages.types.js';
import { DateTime } from '../../core/scalars.types.js';

@ObjectType('ApiKey', {
  simpleResolvers: true,
  description: "A person's own key. Its text is shown once, when it is made.",
})
export class ApiKey {
  @Field(() => ID)
  id!: string;

  @Field(() => String)
  name!: string;

  @Field(() => String, { description: 'How the key begins, to tell it from others.' })
  start!: string;

  @Field(() => [String])
  scopes!: string[];

  @Field(() => [String], { description: 'Address blocks it may be used from; empty means anywhere.' })
  ipAllowList!: string[];

  @Field(() => DateTime)
  createdAt!: Date;

  @Field(() => DateTime)
  expiresAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'Written at most once a minute.' })
  lastUsedAt!: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'When it stops: now, or at the end of a rotation’s overlap.' })
  revokedAt!: Date | null;
}

export const ApiKeyConnection = connectionType('ApiKey', () => ApiKey);

@ObjectType('ApiKeyPayload', { simpleResolvers: true })
export class ApiKeyPayload {
  @Field(() => ApiKey)
  apiKey!: ApiKey;

  @Field(() => String, { description: 'Send as `Authorization: Bearer …`. Shown this once.' })
  key!: string;
}

@InputType('CreateApiKeyInput')
export class CreateApiKeyInput {
  @Field(() => String, { description: 'At most 80 characters.' })
  name!: string;

  @Field(() => [String], {
    description: '`account:read`, `credits:read`, `usage:read`, and any `word:word` that your other services know.',
  })
  scopes!: string[];

  @Field(() => Int, { defaultValue: 90, description: '1 to 365.' })
  expiresInDays!: number;

  @Field(() => [String], { defaultValue: [], description: 'Address blocks such as 10.0.0.0/8; empty means anywhere.' })
  ipAllowList!: string[];
}

@InputType('RotateApiKeyInput')
export class RotateApiKeyInput {
  @Field(() => ID)
  id!: string;

  @Field(() => KeyOverlap, { defaultValue: KeyOverlap.NONE })
  overlap!: KeyOverlap;
}
