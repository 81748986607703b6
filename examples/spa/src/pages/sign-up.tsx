import { useState } from 'react';
import { useMutation } from 'urql';
import { Field, Form, type Values } from '../form.tsx';
import { NewPasswordField } from '../new-password-field.tsx';
import { RegisterDocument } from '../operations.ts';
import { Page } from '../page.tsx';
import { Link, navigate } from '../router.tsx';
import { signIn } from '../session.ts';

export function SignUp() {
  const [, register] = useMutation(RegisterDocument);
  const [sentTo, setSentTo] = useState<string>();

  async function act({ username = '', email = '', password = '' }: Values) {
    const { data, error } = await register({
      input: { username, email, password, locale: navigator.language },
    });
    if (!data) return error;
    const { accessToken, user } = data.register;
    if (accessToken && user) {
      navigate('/');
      signIn({ userId: user.id, accessToken });
    } else setSentTo(email);
    return undefined;
  }

  // With REGISTRATION_CONFIRM_FIRST nobody is signed in before the letter was opened.
  if (sentTo) {
    return (
      <Page title="Look into your mailbox">
        <p>
          We have sent a letter to <strong>{sentTo}</strong>. Open its link, then <Link href="/sign-in">sign in</Link>.
        </p>
      </Page>
    );
  }
  return (
    <Page title="Sign up">
      <Form submit="Create account" act={act}>
        <Field
          name="username"
          label="User name"
          autoComplete="username"
          hint="3 to 32 letters, digits, dots, hyphens or underscores, beginning with a letter."
        />
        <Field name="email" label="Email address" type="email" autoComplete="email" />
        <NewPasswordField />
      </Form>
      <p>
        You have an account? <Link href="/sign-in">Sign in</Link>
      </p>
    </Page>
  );
}
