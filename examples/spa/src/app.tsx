import { type ReactNode, useEffect, useState } from 'react';
import { Provider, useClient, useQuery } from 'urql';
import { createApi, logout } from './api.ts';
import { CurrentSessionDocument } from './operations.ts';
import { Loaded, Page } from './page.tsx';
import { Account } from './pages/account.tsx';
import { CheckMailbox } from './pages/check-mailbox.tsx';
import { ForgottenPassword } from './pages/forgotten-password.tsx';
import { LETTER_LINKS, LetterLink } from './pages/letter-link.tsx';
import { NewPassword } from './pages/new-password.tsx';
import { SignIn } from './pages/sign-in.tsx';
import { SignUp } from './pages/sign-up.tsx';
import { problemOf } from './problems.ts';
import { Link, usePath } from './router.tsx';
import { useUserId } from './session.ts';

export function App() {
  const userId = useUserId();
  return <AppOf key={userId} userId={userId} />;
}

/** Everything below is one person's, or nobody's: when that changes, in whichever tab, it begins anew. */
function AppOf({ userId }: { userId: string | null }) {
  const [api] = useState(() => createApi(userId));
  return (
    <Provider value={api}>
      <header>
        <Link href="/" className="brand">
          Example app
        </Link>
        {userId !== null && <SignOut />}
      </header>
      <Routes isSignedIn={userId !== null} />
    </Provider>
  );
}

function Routes({ isSignedIn }: { isSignedIn: boolean }) {
  const path = usePath();
  const link = LETTER_LINKS[path];
  if (link) return <LetterLink key={path} link={link} isSignedIn={isSignedIn} />;
  if (path === '/reset-password' || path === '/accept-invitation') return <NewPassword path={path} />;
  const isKnown = ['/', '/sign-in', '/sign-up', '/forgotten-password'].includes(path);
  if (!isKnown) return <NotFound />;
  if (isSignedIn) return <Home />;
  if (path === '/sign-up') return <SignUp />;
  return path === '/forgotten-password' ? <ForgottenPassword /> : <SignIn />;
}

/** The account; before the address is verified, where to look for the letter. */
function Home() {
  const query = useQuery({ query: CurrentSessionDocument });
  const ask = query[1];
  // Whoever comes back to this tab may have opened the letter, or ended this session, somewhere else.
  useEffect(() => {
    const look = () => document.visibilityState === 'visible' && ask({ requestPolicy: 'network-only' });
    document.addEventListener('visibilitychange', look);
    return () => document.removeEventListener('visibilitychange', look);
  }, [ask]);
  return (
    <Loaded query={query}>
      {({ currentSession: { user } }): ReactNode => {
        // Staff and admins have no account here: their place is the playground.
        if (!user) return <NotFound />;
        if (!user.emailVerified) return <CheckMailbox email={user.email} />;
        return <Account username={user.username} />;
      }}
    </Loaded>
  );
}

function SignOut() {
  const api = useClient();
  const [problem, setProblem] = useState('');
  async function leave(): Promise<void> {
    const error = await logout(api);
    if (error) setProblem(problemOf(error).text);
  }
  return (
    <>
      <span className="problem" role="alert">
        {problem}
      </span>
      <button type="button" className="quiet" onClick={leave}>
        Sign out
      </button>
    </>
  );
}

function NotFound() {
  return (
    <Page title="There is no such page">
      <p>
        <Link href="/">To the first page</Link>
      </p>
    </Page>
  );
}
