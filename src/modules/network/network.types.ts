import { Field, ID, InputType, ObjectType, registerEnumType } from 'type-graphql';
import { connectionType } from '../../core/pages.types.js';
import { DateTime } from '../../core/scalars.types.js';

enum IpRuleAction {
  ALLOW = 'ALLOW',
  DENY = 'DENY',
}
registerEnumType(IpRuleAction, { name: 'IpRuleAction' });

enum IpRuleScope {
  EVERYTHING = 'EVERYTHING',
  OPERATOR_SIGN_IN = 'OPERATOR_SIGN_IN',
  SERVICE = 'SERVICE',
  API_KEY = 'API_KEY',
}
registerEnumType(IpRuleScope, {
  name: 'IpRuleScope',
  valuesConfig: {
    EVERYTHING: { description: 'Every request, apart from the probes /health/live and /health/ready.' },
    OPERATOR_SIGN_IN: { description: 'Sign-in and sessions of admins and staff.' },
    SERVICE: { description: 'The keys of one service.' },
    API_KEY: { description: 'One API key of a person, beside the list that the key has itself.' },
  },
});

@ObjectType('IpRule', {
  simpleResolvers: true,
  description: 'Who may come from where. Deny wins; a scope without an allow rule is open to every address.',
})
export class IpRule {
  @Field(() => ID)
  id!: string;

  @Field(() => IpRuleAction)
  action!: keyof typeof IpRuleAction;

  @Field(() => IpRuleScope)
  scope!: keyof typeof IpRuleScope;

  @Field(() => ID, { nullable: true, description: 'The service or API key, for those scopes.' })
  scopeId!: string | null;

  @Field(() => String, { description: 'An address block, IPv4 or IPv6.' })
  cidr!: string;

  @Field(() => String, { nullable: true })
  note!: string | null;

  @Field(() => ID, { nullable: true, description: 'The admin who made it.' })
  createdBy!: string | null;

  @Field(() => DateTime)
  createdAt!: Date;
}

export const IpRuleConnection = connectionType('IpRule', () => IpRule);

@ObjectType('IpRulePayload', { simpleResolvers: true })
export class IpRulePayload {
  @Field(() => IpRule)
  ipRule!: IpRule;
}

@InputType('AddIpRuleInput')
export class AddIpRuleInput {
  @Field(() => IpRuleAction)
  action!: keyof typeof IpRuleAction;

  @Field(() => IpRuleScope)
  scope!: keyof typeof IpRuleScope;

  @Field(() => ID, { nullable: true, description: 'The service or API key; for those scopes only.' })
  scopeId?: string | null;

  @Field(() => String, { description: 'Such as 203.0.113.7, 10.0.0.0/8 or 2001:db8::/32.' })
  cidr!: string;

  @Field(() => String, { nullable: true, description: 'Up to 200 characters.' })
  note?: string | null;
}
