/**
 * Answers no sooner than `milliseconds` after the call, with whatever `work` does by then: for answers that must be the
 * same whether or not somebody exists, where one way writes a letter and the other writes nothing (P2). Work that
 * takes longer is not cut short, so the floor stands well above what it usually takes.
 */
export async function takeAtLeast<T>(milliseconds: number, work: () => Promise<T>): Promise<T> {
  const floor = new Promise<void>((resolve) => setTimeout(resolve, milliseconds));
  const [result] = await Promise.allSettled([work(), floor]);
  if (result.status === 'rejected') throw result.reason;
  return result.value;
}

/** For mutations that may write a letter: the floor of SECURITY P2. */
export const LETTER_FLOOR_MS = 250;
