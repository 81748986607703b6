import { useState } from 'react';
import { useMutation } from 'urql';
import { Form, type Values } from '../form.tsx';
import { NewPasswordField } from '../new-password-field.tsx';
import { AcceptInvitationDocument, ResetPasswordDocument } from '../operations.ts';
import { Page } from '../page.tsx';
import { LINK_TEXTS } from '../problems.ts';
import { Link, letterToken } from '../router.tsx';

/** Where the letters for a forgotten password, and those that invite somebody, lead. */
export function NewPassword({ path }: { path: '/reset-password' | '/accept-invitation' }) {
  const [token = ''] = useState(letterToken);
  const [, reset] = useMutation(ResetPasswordDocument);
  const [, accept] = useMutation(AcceptInvitationDocument);
  const [isDone, setDone] = useState(false);

  async function act({ password = '' }: Values) {
    const input = { token, password };
    const answer = path === '/reset-password' ? reset({ input: { token, newPassword: password } }) : accept({ input });
    const { error } = await answer;
    setDone(error === undefined);
    return error;
  }

  if (isDone) {
    return (
      <Page title="Your password is set">
        {/* Neither letter signs anybody in, and a new password has ended all sessions. */}
        <p>
          Now you can <Link href="/sign-in">sign in</Link> with it.
        </p>
      </Page>
    );
  }
  return (
    <Page title="Set a new password">
      <Form submit="Set password" act={act} says={LINK_TEXTS}>
        <NewPasswordField label="New password" />
      </Form>
      <p>
        <Link href="/forgotten-password">Ask for another letter</Link>
      </p>
    </Page>
  );
}
