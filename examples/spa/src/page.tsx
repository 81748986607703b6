import { type ReactNode, useEffect, useRef } from 'react';
import type { UseQueryResponse } from 'urql';
import { problemOf } from './problems.ts';

/** A page of its own: its title in the tab, and the focus on its heading, so that a screen reader says where one is. */
export function Page({ title, children }: { title: string; children: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Example app`;
    heading.current?.focus();
  }, [title]);
  return (
    <main>
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
      {children}
    </main>
  );
}

/** One part of a page. */
export function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title} className="card">
      <h2>{title}</h2>
      {children}
    </section>
  );
}

interface LoadedProps<Data> {
  query: UseQueryResponse<Data>;
  children(data: Data): ReactNode;
}

/** What a query answers; before that, that it is on its way; and when it fails, why, beside what was there before. */
export function Loaded<Data>({ query: [{ data, error, fetching }, ask], children }: LoadedProps<Data>) {
  const kept = useRef<Data>(undefined);
  kept.current = data ?? kept.current;
  return (
    <>
      {error && (
        <div className="problem" role="alert">
          {problemOf(error).text}{' '}
          <button type="button" className="quiet" onClick={() => ask({ requestPolicy: 'network-only' })}>
            Try again
          </button>
        </div>
      )}
      {kept.current !== undefined
        ? children(kept.current)
        : fetching && (
            <p role="status" className="hint">
              Loading …
            </p>
          )}
    </>
  );
}
