import { useState } from 'react';
import { type CombinedError, useMutation, useQuery } from 'urql';
import {
  RevokeOtherSessionsDocument,
  RevokeSessionDocument,
  SessionsDocument,
  type SessionsQuery,
} from '../operations.ts';
import { Loaded, Section } from '../page.tsx';
import { problemOf } from '../problems.ts';
import { deviceOf, Time } from '../texts.tsx';

/** The mutations answer no session, so the cache has to be told that the list is another one now. */
const CHANGED = { additionalTypenames: ['Session'] };

export function Sessions() {
  const query = useQuery({ query: SessionsDocument });
  const [, revoke] = useMutation(RevokeSessionDocument);
  const [, revokeOthers] = useMutation(RevokeOtherSessionsDocument);
  const [said, setSaid] = useState('');

  async function end(act: Promise<{ error?: CombinedError | undefined }>, done: string): Promise<void> {
    const { error } = await act;
    setSaid(error ? problemOf(error).text : done);
  }

  return (
    <Section title="Where you are signed in">
      <Loaded query={query}>
        {({ me: { sessions } }) => (
          <>
            <ul className="sessions">
              {sessions.nodes.map((session) => (
                <Entry
                  key={session.id}
                  session={session}
                  end={() => end(revoke({ id: session.id }, CHANGED), 'This session was ended.')}
                />
              ))}
            </ul>
            {sessions.totalCount > sessions.nodes.length && (
              <p className="hint">
                The newest {sessions.nodes.length} of {sessions.totalCount}.
              </p>
            )}
            {sessions.totalCount > 1 && (
              <button type="button" onClick={() => end(revokeOthers({}, CHANGED), 'All other sessions were ended.')}>
                End all others
              </button>
            )}
          </>
        )}
      </Loaded>
      <p className="done" role="status">
        {said}
      </p>
    </Section>
  );
}

type Session = SessionsQuery['me']['sessions']['nodes'][number];

function Entry({ session, end }: { session: Session; end(): void }) {
  const device = deviceOf(session.userAgent);
  return (
    <li>
      <div>
        <strong>{device}</strong>
        <div className="hint">
          {session.ip ?? 'Unknown address'}, last used <Time at={session.lastUsedAt} />
        </div>
      </div>
      {session.current ? (
        <span className="tag">This browser</span>
      ) : (
        <button type="button" className="quiet" aria-label={`End the session of ${device}`} onClick={end}>
          End
        </button>
      )}
    </li>
  );
}
