import { useState } from 'react';
import { useMutation } from 'urql';
import { Field, Form, type Values } from '../form.tsx';
import { CompleteSecondFactorDocument, LoginDocument } from '../operations.ts';
import { Page } from '../page.tsx';
import { Link, navigate } from '../router.tsx';
import { signIn } from '../session.ts';

function enter({ user, accessToken }: { user: { id: string }; accessToken: string }): void {
  navigate('/');
  signIn({ userId: user.id, accessToken });
}

export function SignIn() {
  const [, login] = useMutation(LoginDocument);
  const [challenge, setChallenge] = useState<string>();

  async function act({ identifier = '', password = '' }: Values) {
    const { data, error } = await login({ input: { identifier, password } });
    if (data?.login.__typename === 'SecondFactorRequired') setChallenge(data.login.challenge);
    else if (data) enter(data.login);
    return error;
  }

  if (challenge) return <SecondFactor challenge={challenge} startAgain={() => setChallenge(undefined)} />;
  return (
    <Page title="Sign in">
      <Form submit="Sign in" act={act} says={{ INVALID_CREDENTIALS: 'User name or password is not right.' }}>
        <Field name="identifier" label="User name or email address" autoComplete="username" />
        <Field name="password" label="Password" type="password" autoComplete="current-password" />
      </Form>
      <p>
        <Link href="/forgotten-password">Forgotten your password?</Link>
      </p>
      <p>
        No account yet? <Link href="/sign-up">Sign up</Link>
      </p>
    </Page>
  );
}

const CODE_TEXTS = {
  INVALID_CREDENTIALS: 'This code is not right, or was used before.',
  TOKEN_INVALID: 'That were too many tries, or it took too long. Please start again.',
  TOKEN_EXPIRED: 'That took too long. Please start again.',
};

function SecondFactor({ challenge, startAgain }: { challenge: string; startAgain(): void }) {
  const [, complete] = useMutation(CompleteSecondFactorDocument);

  async function act({ code = '' }: Values) {
    const { data, error } = await complete({ input: { challenge, code } });
    if (data?.completeSecondFactor.__typename === 'AuthPayload') enter(data.completeSecondFactor);
    return error;
  }

  return (
    <Page title="Second step">
      <Form submit="Sign in" act={act} says={CODE_TEXTS}>
        <Field
          name="code"
          label="Code"
          autoComplete="one-time-code"
          autoCapitalize="none"
          spellCheck={false}
          hint="The six digits that your authenticator app shows, or one of your backup codes."
        />
      </Form>
      <p>
        <button type="button" className="quiet" onClick={startAgain}>
          Start again
        </button>
      </p>
    </Page>
  );
}
