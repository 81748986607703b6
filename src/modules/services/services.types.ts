import { Field, ID, InputType, ObjectType } from 'type-graphql';
import { KeyOverlap } from '../../core/key-overlap.types.js';
import { connectionType } from '../../core/pages.types.js';
import { DateTime } from '../../core/scalars.types.js';

@ObjectType('Service', {
  simpleResolvers: true,
  description: 'Another program of the operator, which calls with a key of its own.',
})
export class Service {
  @Field(() => ID)
  id!: string;

  @Field(() => String)
  name!: string;

  @Field(() => [String], { description: 'What it may do.' })
  scopes!: string[];

  @Field(() => DateTime, { nullable: true, description: 'Set once it was shut out.' })
  disabledAt!: Date | null;

  @Field(() => DateTime)
  createdAt!: Date;
}

@ObjectType('ServiceKey', {
  simpleResolvers: true,
  description: 'A key as lists show it; the key itself is shown once.',
})
export class ServiceKey {
  @Field(() => ID)
  id!: string;

  @Field(() => String, { description: 'How the key begins.' })
  start!: string;

  @Field(() => DateTime)
  createdAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'The end of its overlap; null: until it is rotated.' })
  expiresAt!: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Exact to a minute.' })
  lastUsedAt!: Date | null;
}

export const ServiceConnection = connectionType('Service', () => Service);

@ObjectType('ServicePayload', { simpleResolvers: true })
export class ServicePayload {
  @Field(() => Service)
  service!: Service;
}

@ObjectType('ServiceKeyPayload', { simpleResolvers: true })
export class ServiceKeyPayload {
  @Field(() => Service)
  service!: Service;

  @Field(() => String, { description: 'Shown now and never again. Send it as `X-API-Key`.' })
  key!: string;
}

@InputType('CreateServiceInput')
export class CreateServiceInput {
  @Field(() => String, { description: '1 to 100 letters, digits, spaces, dots, hyphens or underscores; unique.' })
  name!: string;

  @Field(() => [String], {
    description:
      'Among tokens:validate, users:read, credits:read, credits:grant, credits:use, usage:read and usage:write.',
  })
  scopes!: string[];
}

@InputType('RotateServiceKeyInput')
export class RotateServiceKeyInput {
  @Field(() => ID)
  serviceId!: string;

  @Field(() => KeyOverlap, { description: 'NONE shuts out every older key at once.' })
  overlap!: KeyOverlap;
}

@InputType('UpdateServiceInput')
export class UpdateServiceInput {
  @Field(() => ID)
  serviceId!: string;

  @Field(() => String, { nullable: true })
  name?: string | null;

  @Field(() => [String], { nullable: true, description: 'Replaces the scopes; counts at once.' })
  scopes?: string[] | null;
}
