/** A moment on both clocks: the one that never jumps, and the one that tokens are dated by. */
export interface Moment {
  readonly steadyMs: number;
  readonly wallMs: number;
}

export const momentNow = (): Moment => ({ steadyMs: performance.now(), wallMs: Date.now() });

/** From when on something may be believed of a person or a session: what was known before counts no more. */
export interface Forgotten {
  note(subject: string): void;
  /** The latest moment noted for any of them. */
  latest(subjects: readonly (string | null)[]): Moment;
}

const LONG_AGO: Moment = { steadyMs: Number.NEGATIVE_INFINITY, wallMs: Number.NEGATIVE_INFINITY };

/** Keeps the newest `maxSubjects`. What no longer fits is remembered of everybody, which is never too little. */
export function createForgotten(maxSubjects: number): Forgotten {
  const noted = new Map<string, Moment>();
  let ofEverybody = LONG_AGO;
  return {
    note(subject) {
      noted.delete(subject);
      noted.set(subject, momentNow());
      if (noted.size <= maxSubjects) return;
      const oldest = noted.entries().next();
      if (oldest.done) return;
      const [name, moment] = oldest.value;
      noted.delete(name);
      ofEverybody = moment;
    },
    latest(subjects) {
      let newest = ofEverybody;
      for (const subject of subjects) {
        const moment = subject === null ? undefined : noted.get(subject);
        if (moment && moment.steadyMs > newest.steadyMs) newest = moment;
      }
      return newest;
    },
  };
}
