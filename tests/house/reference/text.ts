import { ERROR_CODES } from '../../../src/core/errors.js';

/** One cell of a table: on one line, and without what would end it. */
export const cell = (text: string): string => text.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|').trim();

/** A description without the line that says the level: the reference has a place of its own for it. */
export const describe = (text: string | null | undefined): string => (text ?? '').replace(/\s*Level: .*$/s, '').trim();

const CODES = new RegExp(`(?<!\`)\\b(${ERROR_CODES.join('|')})\\b(?!\`)`, 'g');

/** Codes set as code. */
export const withCodes = (text: string): string => text.replaceAll(CODES, '`$1`');

/** `1,000` */
export const grouped = (number: number): string => number.toLocaleString('en-US');
