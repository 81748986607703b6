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

const HOUR_MS = 3_600_000;

export const OVERLAP_MS: Record<KeyOverlap, number> = {
  NONE: 0,
  ONE_HOUR: HOUR_MS,
  ONE_DAY: 24 * HOUR_MS,
  SEVEN_DAYS: 168 * HOUR_MS,
};
