import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AppError } from '../../src/core/errors.js';
import { canonicalPassword, passwordPolicy, requirePassword } from '../../src/core/password-policy.js';

const ADA = ['ada', 'ada.king@analytical.example.com', 'Ada Lovelace'];

/** The code and the sentence of the refusal, or undefined. */
function refusalOf(password: string, options: { minLength?: number; context?: readonly string[] } = {}) {
  try {
    requirePassword(password, { minLength: 12, context: ADA, ...options });
    return undefined;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { code: error.code, problem: (error.extensions.fields as Record<string, string>).password };
  }
}

describe('canonicalPassword', () => {
  test('is the NFC form of any well-formed text of up to 128 code points, unchanged otherwise', () => {
    const any = fc.string({ unit: 'binary', maxLength: 64 });
    fc.assert(
      fc.property(any, (password) => {
        expect(canonicalPassword(password)).toBe(password.normalize('NFC'));
      }),
    );
    expect(canonicalPassword('  Ａﬁ\0\u200d  ')).toBe('  Ａﬁ\0\u200d  ');
  });

  test('counts code points after NFC, so that no keyboard is locked out', () => {
    expect(canonicalPassword('💡'.repeat(128))).toBeDefined();
    expect(canonicalPassword('💡'.repeat(129))).toBeUndefined();
    expect(canonicalPassword('각'.normalize('NFD').repeat(100))).toBe('각'.repeat(100));
  });

  test('refuses more than 1,024 bytes and ill-formed text', () => {
    expect(canonicalPassword(`${'e\u0301'.repeat(127)}${'\u0301'.repeat(321)}`)).toBeUndefined();
    for (const text of ['\ud800', 'a\udc00b', '\udc00\ud800']) expect(canonicalPassword(text)).toBeUndefined();
  });
});

describe('requirePassword lets pass', () => {
  test.each([
    'correct horse battery staple',
    'J7#kx9!pQz2$',
    'violet tractor moon',
    'contraseña segura nueva',
    'тайный-лес-7-рек',
    'nobody expects it 💡',
    'ada likes violet tractors',
    '    four spaces violet    ',
  ])('%j', (password) => {
    expect(refusalOf(password)).toBeUndefined();
  });

  test('a long password by its beginning, in whatever way it ends', () => {
    expect(refusalOf(`violet tractor moon ${'a'.repeat(108)}`)).toBeUndefined();
  });
});

describe('requirePassword refuses', () => {
  test('what is shorter than the setting, counted in code points', () => {
    expect(refusalOf('J7#kx9!pQz2')).toEqual({ code: 'WEAK_PASSWORD', problem: 'must have at least 12 characters' });
    expect(refusalOf('J7#kx9!pQ💡💡')?.problem).toBe('must have at least 12 characters');
    expect(refusalOf('', {})?.problem).toBe('must have at least 12 characters');
    expect(refusalOf('J7#kx9!pQz2$', { minLength: 13 })?.problem).toBe('must have at least 13 characters');
  });

  test('what is shorter than 8, whatever the setting', () => {
    expect(refusalOf('J7#kx9!', { minLength: 1 })?.problem).toBe('must have at least 8 characters');
  });

  test('what is no possible password, as bad input', () => {
    for (const password of ['a'.repeat(129), 'violet tractor \ud800', '\0'.repeat(2_000)]) {
      expect(refusalOf(password)).toEqual({
        code: 'BAD_USER_INPUT',
        problem: 'must be well-formed text of at most 128 characters',
      });
    }
  });

  test.each([
    'password1234',
    'P@ssw0rd1234',
    'iloveyouforever',
    'qwertyuiopas',
    '123456789012',
    'aaaaaaaaaaaa',
    'abcdefghijkl',
    'passwordpassword',
    'letmeinletmein',
    'Summer2024!!',
    'Liverpool2023!',
    '12/31/199912/31/1999',
    '            ',
    '😀'.repeat(12),
  ])('the common: %j', (password) => {
    expect(refusalOf(password)?.code).toBe('WEAK_PASSWORD');
  });

  test.each([
    'adalovelace1815',
    'Ada.Lovelace.1815',
    'ada.king@analytical.example.com',
    'ADA.KING@ANALYTICAL',
    '2024-Lovelace-Ada!',
    'adaadaadaada',
    'analytical1815!',
    'credence1234!',
    'CredenceCredence',
  ])('what is built from the person’s own name or address, or ours: %j', (password) => {
    expect(refusalOf(password)).toEqual({
      code: 'WEAK_PASSWORD',
      problem: 'must not be built from your own name or address',
    });
  });

  test('with the same own parts when they come in another normal form', () => {
    const context = ['José-Ángel Núñez'.normalize('NFD')];
    expect(refusalOf('josé-ángel-núñez-1', { context })?.problem).toContain('your own name');
  });

  test('with a sentence that helps', () => {
    expect(refusalOf('passwordpassword')?.problem).toBe(
      'Repeated character patterns like "abcabcabc" are easy to guess. Add more words that are less common. Avoid repeated words and characters.',
    );
    expect(refusalOf('Summer2024!!')?.problem).toBe(
      'This is too easy to guess. Make it longer, or add words that do not belong together.',
    );
  });
});

describe('requirePassword bears', () => {
  test('any text and any context, with a refusal or none', () => {
    const context = fc.array(fc.string({ unit: 'binary', maxLength: 300 }), { maxLength: 40 });
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), context, (password, own) => {
        const refusal = refusalOf(password, { context: own });
        if (refusal) expect(['WEAK_PASSWORD', 'BAD_USER_INPUT']).toContain(refusal.code);
      }),
    );
  });

  test('words of a dictionary that are names of JavaScript’s own', () => {
    for (const name of ['constructor', '__proto__', 'hasOwnProperty', 'toString']) {
      expect(() => refusalOf(`${name}${name}`, { context: [name] })).not.toThrow();
      expect(() => refusalOf(`${name}-violet-moon`, { context: [] })).not.toThrow();
    }
  });
});

describe('passwordPolicy', () => {
  test('tells a form what is asked, with the floor under the setting', () => {
    expect(passwordPolicy({ minLength: 12 })).toMatchObject({ minLength: 12, maxLength: 128 });
    expect(passwordPolicy({ minLength: 3 }).minLength).toBe(8);
  });
});
