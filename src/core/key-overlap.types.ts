import { registerEnumType } from 'type-graphql';

export enum KeyOverlap {
  NONE = 'NONE',
  ONE_HOUR = 'ONE_HOUR',
  ONE_DAY = 'ONE_DAY',
  SEVEN_DAYS = 'SEVEN_DAYS',
}
registerEnumType(KeyOverlap, {
  name: 'KeyOverlap',
  description: 'How long the old key goes on working beside the new one.',
});
