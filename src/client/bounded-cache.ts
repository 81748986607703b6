/** Holds so many entries, each until its own time; the one unused for longest goes first. */
export interface BoundedCache<V> {
  get(key: string): V | undefined;
  /** `until` is on the clock that the cache was made with. */
  set(key: string, value: V, until: number): void;
  delete(key: string): void;
  readonly size: number;
}

export function createBoundedCache<V>(maxEntries: number, now: () => number): BoundedCache<V> {
  // A Map remembers the order of insertion: the first is the one unused for longest.
  const entries = new Map<string, { value: V; until: number }>();
  return {
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entries.delete(key);
      if (entry.until <= now()) return undefined;
      entries.set(key, entry);
      return entry.value;
    },
    set(key, value, until) {
      entries.delete(key);
      if (until <= now()) return;
      entries.set(key, { value, until });
      if (entries.size <= maxEntries) return;
      const oldest = entries.keys().next();
      if (!oldest.done) entries.delete(oldest.value);
    },
    delete: (key) => void entries.delete(key),
    get size() {
      return entries.size;
    },
  };
}
