import { useMutation } from 'urql';
import { Field, Form, type Values } from '../form.tsx';
import { RequestEmailChangeDocument } from '../operations.ts';
import { Section } from '../page.tsx';

export function Email({ email }: { email: string }) {
  const [, request] = useMutation(RequestEmailChangeDocument);
  const act = async ({ newEmail = '', password = '' }: Values) =>
    (await request({ input: { newEmail, password } })).error;
  return (
    <Section title="Email address">
      <p>
        Letters go to <strong>{email}</strong>.
      </p>
      <details>
        <summary>Change it</summary>
        <Form submit="Send a link to the new address" done="Open the link in the letter to the new address." act={act}>
          <Field name="newEmail" label="New address" type="email" autoComplete="email" />
          <Field name="password" label="Your password" type="password" autoComplete="current-password" />
        </Form>
      </details>
    </Section>
  );
}
